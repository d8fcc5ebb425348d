"""Dose rows in NONMEM's words into plain sorted arrays. Knows no drug."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twoarm.errors import DoseColumnError, DoseRowError, SteadyStateError

__all__ = ["COLUMNS", "DoseRows", "check", "expand"]

#: Columns of a dose table and what a missing one means; those without a default are needed.
COLUMNS: Mapping[str, Any] = {
    "id": None,
    "time": None,
    "amt": None,
    "cmt": None,
    "evid": 1,
    "rate": 0.0,
    "dur": 0.0,
    "ii": 0.0,
    "addl": 0,
    "ss": 0,
    "lag": 0.0,
    "bioavailability": 1.0,
}

_OF_NONMEM = frozenset({"dv", "mdv"})  # of the data, not of the doses; left alone

_MOST_ADDITIONAL = 100_000  # additional doses of one row; once an hour for eleven years


@dataclass(frozen=True)
class DoseRows:
    """What happens to whom and when, sorted by patient and time; a reset comes before a dose of its time.

    Parameters
    ----------
    patient : (row,) array
        Labels of the patients, as in the table.
    time : (row,) float array [day]
        When a dose acts (lag included) or a reset happens.
    state : (row,) array of str
        State that receives the dose; empty for a reset.
    amount : (row,) float array [unit of the state]
        What arrives in all (bioavailability included); 0 for a reset.
    rate : (row,) float array [unit of the state / day]
        Speed of an infusion, which ends after amount / rate days; 0 for a bolus or a reset.
    kind : (row,) array of str
        ``"bolus"``, ``"infusion"`` or ``"reset"`` (every state back to where it started).
    """

    patient: NDArray[Any]
    time: NDArray[np.float64]
    state: NDArray[Any]
    amount: NDArray[np.float64]
    rate: NDArray[np.float64]
    kind: NDArray[Any]

    def __len__(self) -> int:
        return len(self.time)

    def _pick(self, rows: NDArray[Any]) -> DoseRows:
        return DoseRows(*(getattr(self, f.name)[rows] for f in fields(self)))


def expand(table: pd.DataFrame, *, run_in: float | None = None) -> DoseRows:
    """Expand a dose table: additional doses written out, lag added, bioavailability applied.

    Parameters
    ----------
    table : DataFrame
        One row a record. ``id`` patient; ``time`` [day]; ``amt`` in the unit of the target state; ``cmt``
        name of the target state; ``evid`` 0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose (0 and 2
        have no effect); ``rate`` [amount/day] or ``dur`` [day] of an infusion (``rate`` -2: see ``dur``);
        ``addl`` additional doses every ``ii`` days; ``ss`` 1 for a dose at steady state; ``lag`` [day];
        ``bioavailability`` (of an infusion it scales the duration where the rate is given, as in NONMEM, and
        the rate where the duration is given). Other columns are left alone.
    run_in : float, optional [day]
        How long before a row with ``ss`` = 1 its dose is repeated; whole intervals. Such rows begin with a
        reset and may lie before day 0.

    Returns
    -------
    DoseRows
        Sorted arrays.

    Raises
    ------
    DoseColumnError, DoseRowError
        If a column is missing or misspelled, or a row cannot be.
    SteadyStateError
        For ``ss`` = 2, for ``ss`` = 1 without `run_in`, or where the run-in would overwrite an earlier row.

    Notes
    -----
    A reset ends infusions, and cancels doses recorded before it that would act at it or after it.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"id": [0], "time": [0.0], "amt": [10.0], "cmt": ["depot"], "ii": [7], "addl": [2]}
    ... )
    >>> expand(table).time
    array([ 0.,  7., 14.])
    """
    records = _checked(_complete(table))
    doses = records[records.evid.isin([1, 4])]
    resets = records[(records.evid == 3) | ((records.evid == 4) & (records.ss == 0))]
    doses = _repeated(doses)
    if (records.ss > 0).any():
        lead_resets, lead_doses = _leading(records, run_in)
        resets = pd.concat([resets, lead_resets], ignore_index=True)
        doses = pd.concat([doses, lead_doses], ignore_index=True)
    rows = _cut(_dose_rows(doses), doses.recorded.to_numpy(dtype=float), resets)
    return _sorted(rows, _reset_rows(resets))


def check(table: pd.DataFrame) -> None:
    """Check every row of a dose table, and expand none.

    Parameters
    ----------
    table : DataFrame
        As for `expand`.

    Raises
    ------
    DoseColumnError, DoseRowError
        If a column is missing or misspelled, or a row cannot be.

    Examples
    --------
    >>> check(pd.DataFrame({"id": [0], "time": [0.0], "amt": [10.0], "cmt": ["depot"]}))
    """
    _checked(_complete(table))


def _complete(table: pd.DataFrame) -> pd.DataFrame:
    known = list(COLUMNS)
    for name in map(str, table.columns):
        left = name.lower() in _OF_NONMEM or name in COLUMNS
        if not left and get_close_matches(name.lower(), known, n=1, cutoff=0.7):
            raise DoseColumnError(column=name, known=known)
    columns = {}
    for name, default in COLUMNS.items():
        if name in table:
            columns[name] = table[name].reset_index(drop=True)
        elif default is None:
            raise DoseColumnError(column=name, known=known, missing=True)
        else:
            columns[name] = pd.Series(default, index=range(len(table)))
    return pd.DataFrame(columns)


def _checked(records: pd.DataFrame) -> pd.DataFrame:
    def refuse(column: str, wrong: Any, rule: str) -> None:
        found = np.flatnonzero(np.asarray(wrong, dtype=bool))
        if found.size:
            row = records.iloc[found[0]]
            value = row[column].item() if isinstance(row[column], np.generic) else row[column]
            raise DoseRowError(row=int(found[0]) + 1, patient=row.id, column=column, value=value, rule=rule)

    for name in COLUMNS:
        if name not in ("id", "cmt"):
            numbers = pd.to_numeric(records[name], errors="coerce").astype(float)
            refuse(name, numbers.isna() & records[name].notna(), "It must be a number")
            numbers = numbers if COLUMNS[name] is None else numbers.fillna(COLUMNS[name])
            if name == "amt":  # what is no dose need not say how much
                code = pd.to_numeric(records.evid, errors="coerce").fillna(COLUMNS["evid"])
                numbers = numbers.mask(records[name].isna() & ~code.isin([1, 4]), 0.0)
            refuse(name, ~np.isfinite(numbers), "It must be a finite number")
            records[name] = numbers
    dose = records.evid.isin([1, 4])
    refuse("id", records.id.isna(), "Every row needs a patient")
    refuse(
        "evid",
        ~records.evid.isin(range(5)),
        "It is 0 observation, 1 dose, 2 other, 3 reset or 4 reset and dose",
    )
    refuse("ss", ~records.ss.isin(range(3)), "It is 0, 1 or 2")
    for name in ("amt", "dur", "ii", "lag", "bioavailability", "addl"):
        refuse(name, records[name] < 0, "It cannot be negative")
    refuse("addl", records.addl % 1 != 0, "It is a whole number of doses")
    refuse("amt", ~dose & (records.amt != 0), "Only a dose (evid 1 or 4) has an amount")
    refuse(
        "addl",
        records.addl > _MOST_ADDITIONAL,
        f"At most {_MOST_ADDITIONAL} additional doses are written out",
    )
    named = np.array([isinstance(name, str) and name != "" for name in records.cmt], dtype=bool)
    refuse("cmt", dose & ~named, "It is the name of the state that receives the dose")
    refuse("ii", (records.addl > 0) & (records.ii <= 0), "Additional doses need an interval above 0")
    refuse("rate", ~((records.rate >= 0) | (records.rate == -2)), "It is 0, positive, or -2 with `dur`")
    refuse("dur", (records.rate == -2) & (records.dur <= 0), "A rate of -2 needs a duration above 0")
    refuse("dur", (records.rate > 0) & (records.dur > 0), "Give either a rate or a duration")
    endless = (records.ss == 1) & (records.ii == 0) & (records.rate > 0)
    refuse("ii", (records.ss > 0) & (records.ii == 0) & ~endless, "A steady state needs an interval above 0")
    records["recorded"] = records.time.astype(float)
    records["row"] = np.arange(len(records)) + 1
    return records


def _repeated(doses: pd.DataFrame) -> pd.DataFrame:
    """Write additional doses out."""
    times = doses.addl.to_numpy(dtype=int) + 1
    which = np.repeat(np.arange(len(doses)), times)
    step = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
    repeated = doses.iloc[which].reset_index(drop=True)
    repeated["time"] = repeated.time + step * repeated.ii
    return repeated


def _leading(records: pd.DataFrame, run_in: float | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reset and repeated doses before each row at steady state."""
    resets, doses = [], []
    steady: list[Any] = list(records[records.ss > 0].itertuples())
    for row in steady:
        earlier = records[(records.id == row.id) & (records.row < row.row) & (records.time <= row.time)]
        reason = ""
        if row.ss == 2:
            reason = "ss = 2 adds two steady states, which only a linear model allows"
        elif run_in is None or not run_in > 0:
            reason = "`run_in` was not given"
        elif (~earlier.evid.isin([0, 2])).any():
            reason = "its run-in would overwrite an earlier row"
        if run_in is None or reason:
            raise SteadyStateError(row=row.row, patient=row.id, reason=reason)
        count = int(np.ceil(run_in / row.ii)) if row.ii > 0 else 1
        length = count * row.ii if row.ii > 0 else run_in
        begin = row.time - length
        lead = records.loc[[row.Index]].assign(time=begin, recorded=begin, addl=count - 1)
        resets.append(lead)
        doses.append(_repeated(lead) if row.ii > 0 else lead.assign(amt=row.rate * length))
    return pd.concat(resets), pd.concat(doses)


def _dose_rows(doses: pd.DataFrame) -> DoseRows:
    amount = (doses.amt * doses.bioavailability).to_numpy(dtype=float)
    duration, rate = doses.dur.to_numpy(dtype=float), doses.rate.to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(duration > 0, amount / duration, np.maximum(rate, 0.0))
    return DoseRows(
        patient=doses.id.to_numpy(),
        time=(doses.time + doses.lag).to_numpy(dtype=float),
        state=doses.cmt.to_numpy(dtype=object),
        amount=amount,
        rate=rate,
        kind=np.where(rate > 0, "infusion", "bolus").astype(object),
    )._pick(np.arange(len(doses)))


def _cut(rows: DoseRows, recorded: NDArray[np.float64], resets: pd.DataFrame) -> DoseRows:
    """End infusions at the next reset, and cancel what was recorded before it and is still to come."""
    amount = rows.amount.copy()
    codes, _ = pd.factorize(np.concatenate([rows.patient, resets.id.to_numpy()]))
    order = np.argsort(
        codes[: len(rows)], kind="stable"
    )  # so that a reset looks at its own patient's rows only
    whose, asked = codes[: len(rows)][order], codes[len(rows) :]
    low, high = (np.searchsorted(whose, asked, side=side) for side in ("left", "right"))
    for begin, end, time in zip(low, high, resets.time.to_numpy(dtype=float), strict=True):
        own = order[begin:end]
        earlier = own[recorded[own] < time]
        amount[earlier[rows.time[earlier] >= time]] = 0.0
        running = earlier[(rows.time[earlier] < time) & (rows.rate[earlier] > 0)]
        amount[running] = np.minimum(amount[running], (time - rows.time[running]) * rows.rate[running])
    cut = DoseRows(rows.patient, rows.time, rows.state, amount, rows.rate, rows.kind)
    return cut._pick(np.flatnonzero(amount > 0))


def _reset_rows(resets: pd.DataFrame) -> DoseRows:
    n = len(resets)
    time, nothing = resets.time.to_numpy(dtype=float), np.zeros(n)
    names = np.full(n, "", dtype=object)
    return DoseRows(resets.id.to_numpy(), time, names, nothing, nothing, np.full(n, "reset", dtype=object))


def _sorted(doses: DoseRows, resets: DoseRows) -> DoseRows:
    both = DoseRows(
        *(np.concatenate([getattr(resets, f.name), getattr(doses, f.name)]) for f in fields(DoseRows))
    )
    _, patient = np.unique(both.patient, return_inverse=True)
    return both._pick(np.lexsort((both.time, patient)))  # stable, so resets stay ahead of doses of their time
