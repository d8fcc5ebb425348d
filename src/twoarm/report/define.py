"""The dictionary of exported data sets as one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twoarm.report.page import environment


def write_define(content: Mapping[str, Any], path: Path) -> None:
    """Write the dictionary as one HTML file that needs no other.

    Parameters
    ----------
    content : mapping
        `study datasets codelists`, as in `define.json`; text in it is escaped.
    path : Path
        The file.
    """
    text = environment().get_template("define.html.jinja").render(**content)
    path.write_text(text, encoding="utf-8")
