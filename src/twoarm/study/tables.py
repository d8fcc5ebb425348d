"""Tables of strangers: a cohort and its doses from CSV, bounded, every cell checked by line and column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twoarm import doses as dosing
from twoarm.errors import (
    DoseRowError,
    FileMissingError,
    FileTextError,
    FileTooLargeError,
    FileUnreadableError,
    TableCellError,
    UnknownColumnError,
)
from twoarm.model import Model

_LARGEST = 4_000_000_000  # bytes; a million patients with two hundred parameters each
_LABELS = ("patient", "id", "ID")
_STRANGER = "It must be the label of a patient of the cohort"
_ALONE = "It must be 0, the only patient where no cohort is given"
_COMPARTMENT = "It must be the name of a state, or its number, counted from 1 as the model lists them"


def read_cohort(path: Path, model: Model) -> pd.DataFrame:
    """Read a cohort: a row a patient, a column a parameter or a state's first value.

    Parameters
    ----------
    path : Path
        CSV. A column `patient`, `id` or `ID` labels the patients; without one they are 0, 1, 2, ... An empty
        cell leaves the model's own value.
    model : Model
        Whose names the columns have.

    Returns
    -------
    DataFrame
        As `simulate` takes it.

    Raises
    ------
    FileTextError, FileTooLargeError, FileMissingError, TableCellError, UnknownColumnError
        If it cannot be read, or a cell cannot be right.
    """
    table = _read(path)
    label = next((name for name in _LABELS if name in table), None)
    if label is not None:
        labels = table[label]
        empty = np.flatnonzero(labels.isna())
        if len(empty):
            raise _cell(path, empty[0], label, "", "Every row needs the label of its patient")
        twice = np.flatnonzero(labels.duplicated())
        if len(twice):
            rule = "The label of a patient stands in one line only"
            raise _cell(path, twice[0], label, labels.iloc[twice[0]], rule)
        table = table.set_index(label)
    table.index.name = "patient"
    known = {*model.parameters, *model.states}
    unknown = [str(name) for name in table.columns if name not in known]
    if unknown:
        raise UnknownColumnError(columns=unknown, model=model.name, known=known)
    for name in table:
        table[name] = _numbers(path, table[name])
    return table


def read_doses(path: Path, model: Model, cohort: pd.DataFrame | None) -> pd.DataFrame:
    """Read a dose table in NONMEM's words.

    Parameters
    ----------
    path : Path
        CSV with the columns `id time amt cmt` and, where wanted, `rate dur ii addl evid ss lag
        bioavailability`, in any case; a dot or an empty cell is a missing value. `cmt` is the name of a state
        or its number.
    model : Model
        Whose states are dosed.
    cohort : DataFrame or None
        Who may be dosed; None for patient 0 alone.

    Returns
    -------
    DataFrame
        As `simulate` takes it.

    Raises
    ------
    FileTextError, FileTooLargeError, FileMissingError, DoseColumnError, TableCellError
        If it cannot be read, or a cell cannot be right.
    """
    table = _read(path, missing=["."])
    lower = {str(name): str(name).lower() for name in table}
    table = table.rename(columns={old: new for old, new in lower.items() if new in dosing.COLUMNS})
    if not table.columns.is_unique:
        raise FileTextError(path=path, form="a dose table", reason="a column is there twice")
    if "cmt" in table:
        table["cmt"] = _compartments(path, table["cmt"], model.states)
    try:
        dosing.check(table)
    except DoseRowError as wrong:
        column, value = wrong.column, wrong.value
        raise _cell(path, wrong.row - 1, column, value, wrong.rule) from None
    known = pd.Index([0]) if cohort is None else cohort.index
    strangers = np.flatnonzero(~table["id"].isin(known))
    if len(strangers):
        rule = _ALONE if cohort is None else _STRANGER
        raise _cell(path, strangers[0], "id", table["id"].iloc[strangers[0]], rule)
    return table


def _compartments(path: Path, column: pd.Series, states: Sequence[str]) -> pd.Series:
    """Names of states, where numbers may stand for them."""
    numbers = pd.to_numeric(column, errors="coerce")
    counted = numbers.notna().to_numpy()
    whole = counted & (numbers % 1 == 0).to_numpy() & numbers.between(1, len(states)).to_numpy()
    named = column.isin(list(states)).to_numpy()
    wrong = np.flatnonzero(column.notna().to_numpy() & ~whole & ~named)
    if len(wrong):
        raise _cell(path, wrong[0], "cmt", column.iloc[wrong[0]], _COMPARTMENT)
    names = column.astype(object).where(column.notna(), "")
    if whole.any():
        names[whole] = [states[int(number) - 1] for number in numbers[whole]]
    return names


def _numbers(path: Path, column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = np.flatnonzero((numbers.isna() & column.notna()) | np.isinf(numbers))
    if len(wrong):
        rule = "It must be a finite number, or empty for the model's own value"
        raise _cell(path, wrong[0], str(column.name), column.iloc[wrong[0]], rule)
    return numbers


def _cell(path: Path, row: Any, column: str, value: object, rule: str) -> TableCellError:
    return TableCellError(path=path, line=int(row) + 2, column=column, value=value, rule=rule)


def _read(path: Path, *, missing: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of bounded size; blank lines count, so that a line has the number an editor shows."""
    if not path.is_file():
        raise FileMissingError(path=path)
    try:
        if path.stat().st_size > _LARGEST:
            raise FileTooLargeError(path=path, size=path.stat().st_size, limit=_LARGEST)
        table = pd.read_csv(
            path,
            na_values=list(missing),
            skip_blank_lines=False,
            float_precision="round_trip",
            low_memory=False,
        )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as wrong:
        raise FileTextError(path=path, form="CSV", reason=str(wrong).strip()) from None
    except OSError as wrong:
        raise FileUnreadableError(path=path, reason=wrong.strerror or str(wrong)) from None
    if not isinstance(table.index, pd.RangeIndex):
        raise FileTextError(path=path, form="CSV", reason="a row has more cells than the header has names")
    while len(table) and table.iloc[-1].isna().all():  # blank lines at the end
        table = table.iloc[:-1]
    return table.rename(columns=lambda name: str(name).strip())
