"""What a library file says, as rows: entry, value or range, unit, source, note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from twoarm import catalog

COLUMNS = ("entry", "value", "unit", "source", "note", "tuned")
_ASIDE = {"unit", "source", "sources", "note", "place", "role"}  # said in columns of their own, or not needed


def read_entries(path: str | Path) -> pd.DataFrame:
    r"""List every entry of a TOML file of the library.

    Parameters
    ----------
    path : str or Path
        A card, population, protocol or outcome file.

    Returns
    -------
    DataFrame
        Columns `entry` (where it stands, dots between), `value` (a value, a range or a distribution, in
        words), `unit`, `source` (with its place) and `note`, "" where nothing is said; and `tuned`, whether
        the number was fitted to data.

    Raises
    ------
    FileMissingError, FileTooLargeError, FileTextError
        As :func:`twoarm.catalog.read_toml`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "card.toml"
    >>> _ = path.write_text(
    ...     '[arm]\nkd = { low = "1 nM", high = "9 nM", source = "assumed", note = "none is known" }'
    ... )
    >>> read_entries(path).iloc[0, :5].to_list()
    ['arm.kd', '1 nM to 9 nM', '', 'assumed', 'none is known']
    """
    return pd.DataFrame(list(_rows(catalog.read_toml(path), "")), columns=list(COLUMNS))


_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"
_LINE = re.compile(rf"^ *((?:\w+ *= *{_NUMBER} *\w*; *)+)//(.*)$", re.MULTILINE)
_SAID = re.compile(rf" *(.+) \[({_NUMBER}), ({_NUMBER})\] (\w+)(?: \((.+)\))? *$")


def read_numbers(path: str | Path) -> pd.DataFrame:
    r"""List the numbers of an Antimony file that say where they come from.

    Parameters
    ----------
    path : str or Path
        A file with lines such as ``name = value unit;  // what it is [low, high] source (note)``.

    Returns
    -------
    DataFrame of str
        Columns `entry`, `low`, `high`, `source` and `note` (what it is); lines of another form are left out.

    Raises
    ------
    FileMissingError, FileTooLargeError, FileTextError
        As :func:`twoarm.catalog.read_text`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.ant"
    >>> _ = path.write_text("  kel = 0.2 per_day;  // how fast it leaves [0.1, 0.5] assumed (as others)\n")
    >>> read_numbers(path).iloc[0].to_list()
    ['kel', '0.1', '0.5', 'assumed', 'how fast it leaves (as others)']
    """
    rows = []
    for values, comment in _LINE.findall(catalog.read_text(path)):
        if not (said := _SAID.match(comment)):
            continue
        what, low, high, source, note = said.groups()
        told = f"{what} ({note})" if note else what
        rows += [(name, low, high, source, told) for name in re.findall(r"(\w+) *=", values)]
    table = pd.DataFrame(rows, columns=["entry", "low", "high", "source", "note"], dtype=str)
    return table.drop_duplicates("entry")


def read_values(path: str | Path) -> dict[str, float]:
    r"""Take the values of an Antimony file's numbers that say where they come from.

    Parameters
    ----------
    path : str or Path
        A file with lines as `read_numbers` reads.

    Returns
    -------
    dict of str to float
        Value by name, in the unit of its line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.ant"
    >>> _ = path.write_text("  kel = 0.2 per_day;  // how fast it leaves [0.1, 0.5] assumed (as others)\n")
    >>> read_values(path)
    {'kel': 0.2}
    """
    lines = (values for values, _ in _LINE.findall(catalog.read_text(path)))
    return {name: float(at) for line in lines for name, at in re.findall(rf"(\w+) *= *({_NUMBER})", line)}


def _rows(node: Mapping[str, Any], place: str) -> Iterator[tuple[str, str, str, str, str, bool]]:
    for name, said in node.items():
        entry = f"{place}.{name}".lstrip(".")
        tables = isinstance(said, list) and bool(said) and all(isinstance(item, dict) for item in said)
        if isinstance(said, dict) and not _is_leaf(said):
            yield from _rows(said, entry)
        elif tables and not all(_is_leaf(item) for item in said):
            for number, item in enumerate(said, start=1):
                yield from _rows(item, f"{entry}.{number}")
        elif tables:
            for number, item in enumerate(said, start=1):
                yield _row(f"{entry}.{number}", item)
        else:
            yield _row(entry, said)


def _is_leaf(said: Mapping[str, Any]) -> bool:
    """Whether a table is one entry: it names its source, or holds no further table."""
    return (
        "source" in said
        or "sources" in said
        or not any(isinstance(part, dict | list) for part in said.values())
    )


def _row(entry: str, said: Any) -> tuple[str, str, str, str, str, bool]:
    if not isinstance(said, dict):
        return entry, _words(said), "", "", "", False
    source = _words(said.get("source", said.get("sources", "")))
    place = f" ({said['place']})" if "place" in said else ""
    note, tuned = str(said.get("note", "")), bool(said.get("tuned", False))
    return entry, _value(said), str(said.get("unit", "")), f"{source}{place}", note, tuned


def _value(said: Mapping[str, Any]) -> str:
    if "value" in said:
        spread = f" ({said['low']} to {said['high']})" if {"low", "high"} <= set(said) else ""
        return f"{_words(said['value'])}{spread}"
    if {"low", "high"} <= set(said) and not {"distribution", "formula"} & set(said):
        return f"{said['low']} to {said['high']}"
    return ", ".join(
        _words(part) if name in ("distribution", "formula") else f"{name} {_words(part)}"
        for name, part in said.items()
        if name not in _ASIDE and name != "scale"
    )


def _words(said: Any) -> str:
    if isinstance(said, dict):
        return "; ".join(f"{name} {_words(part)}" for name, part in said.items() if name not in _ASIDE)
    if isinstance(said, list):
        return ", ".join(_words(part) for part in said)
    return str(said)
