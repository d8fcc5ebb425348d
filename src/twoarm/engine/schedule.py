"""Dose rows → the sudden changes of each patient's course inside a window of time."""

from __future__ import annotations

import numpy as np

from twoarm.engine.cohort import ADD_TO_STATE, RESET, SET_RATE, Schedule
from twoarm.engine.inputs import DoseArrays


def plan_schedule(doses: DoseArrays, *, begin: np.ndarray, end: np.ndarray) -> Schedule:
    """List the changes in ``[begin, end)`` of each patient.

    Parameters
    ----------
    doses : DoseArrays
        Doses of these patients.
    begin, end : (patient,) float array [day]
        Window of each patient.

    Returns
    -------
    Schedule
        An infusion that began before a window and lasts into it runs from the window's start.

    Examples
    --------
    >>> one, none = np.array([0]), np.array([False])
    >>> dose = DoseArrays(one, np.array([2.0]), one, np.array([6.0]), np.array([3.0]), none)
    >>> plan = plan_schedule(dose, begin=np.array([3.0]), end=np.array([10.0]))
    >>> plan.time.tolist(), plan.value.tolist()
    ([3.0, 4.0], [3.0, 0.0])
    """
    patient, time, state, amount, rate = doses.patient, doses.time, doses.state, doses.amount, doses.rate
    slow = rate > 0
    length = np.divide(amount, rate, out=np.zeros(len(rate)), where=slow)
    near = slow & (time < end[patient]) & (time + length > begin[patient])
    at, who, where, value = _rates(patient[near], time[near], state[near], length[near], rate[near])
    who, at, where, value = _rates_inside(who, at, where, value, begin)
    whole = ~slow & (time >= begin[patient])
    all_who = np.concatenate([patient[whole], who])
    all_at = np.concatenate([time[whole], at])
    all_where = np.concatenate([state[whole], where])
    all_value = np.concatenate([amount[whole], value])
    sudden = np.where(doses.reset[whole], RESET, ADD_TO_STATE)
    kind = np.concatenate([sudden, np.full(len(who), SET_RATE)])
    inside = all_at < end[all_who]
    all_who, all_at, kind = all_who[inside], all_at[inside], kind[inside]
    all_where, all_value = all_where[inside], all_value[inside]
    order = np.lexsort((all_value, all_where, kind != RESET, all_at, all_who))  # resets come first
    first = np.searchsorted(all_who[order], np.arange(len(begin) + 1))
    return Schedule(
        first=first.astype(np.int64),
        time=all_at[order],
        kind=kind[order].astype(np.int64),
        state=all_where[order].astype(np.int64),
        value=all_value[order],
    )


def _rates(
    patient: np.ndarray, time: np.ndarray, state: np.ndarray, length: np.ndarray, rate: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rate from each instant on at which an infusion begins or ends; exactly 0 once all have ended."""
    who = np.concatenate([patient, patient])
    at = np.concatenate([time, time + length])
    where = np.concatenate([state, state])
    change = np.concatenate([rate, -rate])
    order = np.lexsort((change, at, where, who))
    who, at, where, change = who[order], at[order], where[order], change[order]
    new = np.r_[True, (who[1:] != who[:-1]) | (where[1:] != where[:-1])][: len(who)]
    running = np.empty(len(who))
    active, total = 0, 0.0
    for i in range(len(who)):  # a loop, because a sum over other patients' doses would round differently
        if new[i]:
            active, total = 0, 0.0
        active += 1 if change[i] > 0 else -1
        total = total + change[i] if active else 0.0
        running[i] = total
    last = np.r_[(who[1:] != who[:-1]) | (where[1:] != where[:-1]) | (at[1:] != at[:-1]), True][: len(who)]
    return at[last], who[last], where[last], running[last]


def _rates_inside(
    who: np.ndarray, at: np.ndarray, where: np.ndarray, value: np.ndarray, begin: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Drop what ended before the window; the last rate set before it holds from its start."""
    before = at < begin[who]
    followed = np.zeros(len(who), dtype=bool)
    same = (who[1:] == who[:-1]) & (where[1:] == where[:-1])
    followed[:-1] = same & (at[1:] <= begin[who[1:]])
    keep = ~before | (~followed & (value != 0.0))
    at = np.maximum(at, begin[who])
    return who[keep], at[keep], where[keep], value[keep]
