"""Cells of a table of evidence: read from CSV, and checked one by one against a rule."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from twoarm import catalog
from twoarm.errors import EvidenceColumnError, EvidenceRowError

_OTHER_NAMES = {"tumour": "tumor", "dose_mg_per_kg": "dose"}


class Cell(NamedTuple):
    """One cell and where it stands."""

    file: str
    row: int
    column: str
    text: str

    def error(self, rule: str) -> EvidenceRowError:
        """Say what is wrong with this cell."""
        return EvidenceRowError(file=self.file, row=self.row, column=self.column, text=self.text, rule=rule)


def rows_of(path: Path, needed: Sequence[str], known: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number (the header is 1) and the cells of every row of a CSV file."""
    lines = csv.reader(io.StringIO(catalog.read_text(path), newline=""), strict=True)
    try:
        header = [_OTHER_NAMES.get(name.strip(), name.strip()) for name in next(lines, [])]
        missing = [name for name in needed if name not in header]
        unknown = [name for name in header if name not in known]
        twice = [name for name in header if header.count(name) > 1]
        if missing or unknown or twice:
            raise EvidenceColumnError(
                file=path.name, missing=missing, unknown=unknown, twice=sorted(set(twice)), known=known
            )
        for row in lines:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise EvidenceRowError(
                    file=path.name,
                    row=lines.line_num,
                    column=header[min(len(row), len(header) - 1)],
                    text=f"{len(row)} cells",
                    rule=f"a row has {len(header)} cells, as the header; put quotes around a comma",
                )
            yield lines.line_num, dict(zip(header, (cell.strip() for cell in row), strict=True))
    except csv.Error as wrong:
        raise EvidenceRowError(
            file=path.name, row=lines.line_num, column="", text=str(wrong), rule="the file is CSV"
        ) from None


def verified(cell: Cell, cells: dict[str, str]) -> bool:
    """Tell whether a fact has an address and was not recalled; a file may say less, never more."""
    sound = (
        cells["source_url"].startswith(("https://", "http://")) and "recalled" not in cells["note"].lower()
    )
    if cell.text not in ("", "true", "false"):
        raise cell.error("it is true or false")
    if cell.text == "true" and not sound:
        raise cell.error("a fact without an address, or recalled, is not verified")
    return sound and cell.text != "false"


def cells_of(file: str, row: int, cells: dict[str, str]) -> Callable[[str], Cell]:
    """Give a cell of this row by its column."""
    return lambda column: Cell(file, row, column, cells.get(column, ""))


def text_of(cell: Cell) -> str:
    """Give the text of a cell that must not be empty."""
    if not cell.text:
        raise cell.error("it must not be empty")
    return cell.text


def number_of(
    cell: Cell, *, low: float, high: float = np.inf, empty: bool = False, whole: bool = False
) -> float:
    """Read a number between `low` and `high`; NaN from an empty cell where it may be empty."""
    if empty and not cell.text:
        return float("nan")
    try:
        number = float(cell.text)
    except ValueError:
        raise cell.error("it is a number") from None
    if not np.isfinite(number) or not low <= number <= high:
        limits = f"at least {low:g}" if np.isinf(high) else f"between {low:g} and {high:g}"
        raise cell.error(f"it is {limits}")
    if whole and number != int(number):
        raise cell.error("it is a whole number")
    return number
