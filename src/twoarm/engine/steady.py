"""Doses at steady state: the cycle of one row, found by running it until it closes, for any model."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.doses import DoseRows, check, expand
from twoarm.engine.simulate import simulate
from twoarm.errors import SteadyStateError
from twoarm.model import Model

__all__ = ["steady_doses"]

_CYCLES = (8, 24, 64, 192, 512, 1536)  # after so many the cycle is looked at
_LOOKS = 9  # at a cycle, to know how large each state gets
_CONSTANT = 1.0  # day: what counts as a cycle of an infusion without end


def steady_doses(
    model: Model,
    table: pd.DataFrame,
    patients: pd.DataFrame | None = None,
    *,
    close: float = 1e-8,
    rtol: float = 1e-9,
) -> DoseRows:
    """Expand a dose table whose rows may be at steady state (``ss`` 1 or 2), alone or one after the other.

    Parameters
    ----------
    model : Model
        The equations.
    table : DataFrame
        As for `twoarm.doses.expand`.
    patients : DataFrame, optional
        As for `simulate`.
    close : float
        The cycle is closed when no state differs by more than this part of its largest value between the
        end of one cycle and the next.
    rtol : float
        Relative tolerance of the integration.

    Returns
    -------
    DoseRows
        For `simulate`. A row with ``ss`` = 1 is a reset, then the amounts of the closed cycle in every state,
        then the doses of that cycle that are still running or still to come because of their lag. A row with
        ``ss`` = 2 adds the same to what is there, without the reset.

    Raises
    ------
    SteadyStateError
        If a cycle does not close: a state of the model drifts.

    Notes
    -----
    As in NONMEM the steady state is that of the row alone, begun from the model's own start. With ``ss`` = 2
    amounts add up, which is the steady state of both regimens only where the model is linear.

    Examples
    --------
    >>> from twoarm.model.sbml import read_model
    >>> model = read_model("model m; x = 0; x' = -k*x; k = 0.5; end")
    >>> table = pd.DataFrame({"id": [0], "time": [0.0], "amt": [10.0], "cmt": ["x"], "ii": [1.0], "ss": [1]})
    >>> rows = steady_doses(model, table)
    >>> float(round(rows.amount.sum(), 6)), float(round(10 / (1 - np.exp(-0.5)), 6))
    (25.414941, 25.414941)
    """
    check(table)
    records = table.reset_index(drop=True)
    if "ss" not in records or not (records.ss > 0).any():
        return expand(records)
    plain = records.assign(ss=0)
    plain["evid"] = plain.get("evid", pd.Series(1, index=plain.index))
    plain.loc[records.ss == 1, "evid"] = 4
    sets: list[DoseRows] = []
    extra: list[dict[str, object]] = []
    for at in np.flatnonzero(records.ss > 0):
        row = records.iloc[[at]]
        who = _person(patients, row.id.iloc[0])
        sets.append(_closed_cycle(model, row, who, int(at) + 1, close, rtol))
        extra += _still_to_come(row)
    rows = expand(pd.DataFrame([*plain.to_dict("records"), *extra]))
    return _together([rows, *sets])


def _person(patients: pd.DataFrame | None, label: object) -> pd.DataFrame:
    if patients is None:
        return pd.DataFrame(index=pd.Index([label], name="patient"))
    return patients.loc[[label]]


def _closed_cycle(
    model: Model, row: pd.DataFrame, who: pd.DataFrame, number: int, close: float, rtol: float
) -> DoseRows:
    """Amounts of the closed cycle above the start, as boluses at the time of the row."""
    interval = _number(row, "ii")
    endless = interval == 0
    length = _CONSTANT if endless else interval
    lead = row.assign(time=0.0, ss=0, evid=1, ii=length, addl=_CYCLES[-1])
    if endless:
        lead = row.assign(time=0.0, ss=0, evid=1, ii=0.0, addl=0)
        lead["amt"] = _number(row, "rate") * length * (_CYCLES[-1] + 2)
    doses = expand(lead)
    first = simulate(model, who, days=0.0).final_state.to_numpy()[0]
    run: xr.Dataset | None = None
    for cycles in _CYCLES:
        seen = []
        for count in cycles - 1 + np.linspace(0.0, 1.0, _LOOKS):
            run = simulate(model, who, doses, days=count * length, visits=[0.0], initial=run, rtol=rtol)
            seen.append(run.final_state.to_numpy()[0])
        after, off = seen[-1], np.abs(seen[-1] - seen[0])
        largest = np.abs(seen).max(axis=0)
        if (off <= close * largest).all():
            break
    else:
        drifting = model.states[int(np.argmax(off / np.maximum(largest, 1e-300)))]
        reason = f"{drifting} does not come back after {_CYCLES[-1]} cycles"
        raise SteadyStateError(row=number, patient=row.id.iloc[0], reason=reason)
    change = after - first
    moved = np.flatnonzero(change != 0.0)
    n = len(moved)
    return DoseRows(
        patient=np.repeat(row.id.to_numpy(), n),
        time=np.full(n, _number(row, "time")),
        state=np.array(model.states, dtype=object)[moved],
        amount=change[moved],
        rate=np.zeros(n),
        kind=np.full(n, "bolus", dtype=object),
    )


def _still_to_come(row: pd.DataFrame) -> list[dict[str, object]]:
    """Earlier doses of the cycle that are running or pending when the row comes, as rows of their own."""
    interval, time = _number(row, "ii"), _number(row, "time")
    one = expand(row.assign(time=0.0, ss=0, evid=1, addl=0, ii=0.0))
    keep = {"id": row.id.iloc[0], "cmt": row.cmt.iloc[0], "time": time, "evid": 1}
    found: list[dict[str, object]] = []
    for act, amount, rate in zip(one.time, one.amount, one.rate, strict=True):
        last = act + (amount / rate if rate > 0 else 0.0)
        k = 1
        while interval > 0 and last - k * interval >= 0:
            begin, end = act - k * interval, last - k * interval
            if begin >= 0 or end > 0:
                rest = amount if begin >= 0 else rate * end
                found.append({**keep, "lag": max(begin, 0.0), "amt": rest, "rate": rate})
            k += 1
    return found


def _number(row: pd.DataFrame, column: str) -> float:
    return float(row[column].iloc[0]) if column in row else 0.0


def _together(rows: list[DoseRows]) -> DoseRows:
    both = DoseRows(*(np.concatenate([getattr(r, f.name) for r in rows]) for f in fields(DoseRows)))
    _, patient = np.unique(both.patient, return_inverse=True)
    order = np.lexsort((both.kind != "reset", both.time, patient))
    return DoseRows(*(getattr(both, f.name)[order] for f in fields(DoseRows)))
