"""Tables as TOML text, in the form of the library: a table an entry, inner tables on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_INLINE_FROM = 3  # tables within tables within tables are written on one line


def toml_text(tables: Mapping[str, Any], *, head: str = "") -> str:
    """Write tables as TOML.

    Parameters
    ----------
    tables : mapping
        Of strings, numbers, truths, lists and tables.
    head : str
        Comment lines above.

    Returns
    -------
    str
        `tomllib.loads` gives the same tables.

    Examples
    --------
    >>> print(toml_text({"name": "a", "x": {"y": {"value": 1.5, "low": 1.0}}}))
    name = "a"
    <BLANKLINE>
    [x]
    y = { value = 1.5, low = 1.0 }
    <BLANKLINE>
    """
    lines = [f"# {line}" for line in head.splitlines()] + ([""] if head else [])
    _write(tables, (), lines)
    return "\n".join(lines) + "\n"


def _write(table: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    """Plain values of a table first, then the tables within."""
    for key, value in table.items():
        if not _own_table(value, path) and not _array(value):
            lines.append(f"{_key(key)} = {_inline(value)}")
    for key, value in table.items():
        place = (*path, key)
        if _own_table(value, path):
            if any(not _own_table(v, place) and not _array(v) for v in value.values()) or not value:
                lines += ["", f"[{'.'.join(map(_key, place))}]"]
            _write(value, place, lines)
        elif _array(value):
            for each in value:
                lines += ["", f"[[{'.'.join(map(_key, place))}]]"]
                _write(each, (*place, ""), lines)


def _own_table(value: Any, path: tuple[str, ...]) -> bool:
    """Whether a value has a header of its own."""
    return isinstance(value, Mapping) and "value" not in value and len(path) < _INLINE_FROM - 1


def _array(value: Any) -> bool:
    """Whether a value is a list of tables."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and any(isinstance(v, Mapping) for v in value)
    )


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _inline(value: Any) -> str:
    """One value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_inline, value))}]"
    return repr(value)
