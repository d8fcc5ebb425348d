"""Draw the README's picture from the files of a run: `python docs/draw_picture.py [results/marslight-11]`."""

from __future__ import annotations

import sys
from pathlib import Path

from twoarm.report import pictures
from twoarm.study import folder
from twoarm.study.compose import gather

ROOT = Path(__file__).resolve().parent.parent


def draw(run: Path, out: Path) -> None:
    """Write the survival curves of a run as one SVG."""
    overall = pictures.survival(gather(run))[0]
    folder.write_whole(out, lambda place: place.write_text(overall.svg, encoding="utf-8"))


if __name__ == "__main__":
    given = sys.argv[1:] or [ROOT / "results" / "marslight-11"]
    draw(Path(given[0]), ROOT / "docs" / "first-light.svg")
