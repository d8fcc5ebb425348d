"""RECIST 1.1: from diameters to response, progression and best overall response.

Arrays only; no ODE, no drug. They run over (patient, visit, lesion). Visit 0 is baseline. Diameters are in
mm; they are compared as whole micrometers, because as floats 0.7 * 90 is less than 63. The thresholds are the
rules of the paper, not data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twoarm.errors import MissingBaselineError, VisitOrderError

RESPONSES = ("CR", "PR", "SD", "PD", "NE")
NON_TARGET = ("CR", "NN", "PD", "NE", "none")
_MICROMETERS = 1000
_NODE_GONE = 10 * _MICROMETERS
_SMALLEST_GROWTH = 5 * _MICROMETERS
_CONFIRMED_AFTER = 28.0


class TargetCourse(NamedTuple):
    """What the target lesions say, visit by visit."""

    total: np.ndarray
    nadir: np.ndarray
    response: np.ndarray


class BestResponse(NamedTuple):
    """Best overall response of each patient and the days that go with it."""

    best: np.ndarray
    response_day: np.ndarray
    progression_day: np.ndarray
    last_evaluable_day: np.ndarray


def small_lesion_rule(diameters: np.ndarray, too_small: np.ndarray) -> np.ndarray:
    """Give lesions that are seen but too small to measure their default diameter.

    Parameters
    ----------
    diameters : (..., lesion) float array [mm]
        As read; NaN is not measured, 0 is gone.
    too_small : (..., lesion) bool array
        Seen, yet too faint to measure.

    Returns
    -------
    (..., lesion) float array [mm]
        5 mm where `too_small`; all else unchanged.

    References
    ----------
    eisenhauer2009, section 4.3.2.

    Examples
    --------
    >>> small_lesion_rule(np.array([12.0, 3.0, 0.0]), np.array([False, True, False]))
    array([12.,  5.,  0.])
    """
    return np.where(too_small, 5.0, np.asarray(diameters, float))


def target_course(diameters: np.ndarray, nodal: np.ndarray | None = None) -> TargetCourse:
    """Sum, nadir and response category of the target lesions at each visit.

    Parameters
    ----------
    diameters : (patient, visit, lesion) float array [mm]
        Longest diameter, or short axis where `nodal`. Visit 0 is baseline; NaN is not measured. A lesion that
        a patient does not have is 0 at every visit. One patient may be given as (visit, lesion).
    nodal : (patient, lesion) or (lesion,) bool array, optional
        Which lesions are lymph nodes; a node under 10 mm counts as gone. Left out, none is.

    Returns
    -------
    TargetCourse
        `total` (patient, visit) [mm], NaN where a lesion was not measured; `nadir` [mm], the smallest
        complete sum of earlier visits, baseline included (NaN at baseline); `response`, "" at baseline.

    Raises
    ------
    MissingBaselineError
        If a lesion has no diameter at baseline.

    Notes
    -----
    PD is a sum at least 20 % and 5 mm above the nadir, baseline included; PR a sum at least 30 % below
    baseline; CR all lesions gone (0 mm, nodes under 10 mm). With a lesion missing the visit is NE, unless the
    measured lesions alone already make PD; a visit with a missing lesion leaves the nadir alone. A patient
    without target lesions has the response "none".

    References
    ----------
    eisenhauer2009, sections 4.3.1 and 4.4.2.

    Examples
    --------
    >>> mm = np.array([[30.0, 20.0], [18.0, 12.0], [24.0, 14.0], [0.0, 8.0]])
    >>> print(*target_course(mm, nodal=np.array([False, True])).response[1:])
    PR PD CR
    """
    mm = np.asarray(diameters, float)
    single = mm.ndim == 2
    mm = mm[None] if single else mm
    patients, visits, lesions = mm.shape
    node = np.zeros((patients, lesions), bool) if nodal is None else np.asarray(nodal, bool)
    node = np.broadcast_to(node, (patients, lesions))
    if np.isnan(mm[:, 0]).any():
        patient, lesion = np.argwhere(np.isnan(mm[:, 0]))[0]
        raise MissingBaselineError(patient=int(patient), lesion=int(lesion))
    measured = ~np.isnan(mm)
    microns = np.rint(np.where(measured, mm, 0.0) * _MICROMETERS).astype(np.int64)
    total = microns.sum(axis=2)
    complete = measured.all(axis=2)
    has_lesions = (microns[:, 0] > 0).any(axis=1)
    nadir = _nadir(total, complete)
    gone = np.where(node[:, None], microns < _NODE_GONE, microns == 0).all(axis=2) & complete
    worse = (10 * total >= 12 * nadir) & (total >= nadir + _SMALLEST_GROWTH)
    better = 10 * total <= 7 * total[:, :1]
    cases = [~has_lesions[:, None] & np.ones((1, visits), bool), ~complete & worse, ~complete]
    response = np.select([*cases, gone, worse, better], ["none", "PD", "NE", "CR", "PD", "PR"], default="SD")
    response[:, 0] = ""
    low = np.where(np.arange(visits) == 0, np.nan, nadir / _MICROMETERS)
    course = TargetCourse(np.where(complete, total / _MICROMETERS, np.nan), low, response)
    return TargetCourse(*(part[0] for part in course)) if single else course


def overall_response(target: np.ndarray, non_target: np.ndarray, new_lesion: np.ndarray) -> np.ndarray:
    """Overall response of each visit from target, non-target and new lesions.

    Parameters
    ----------
    target : (..., visit) str array
        "CR", "PR", "SD", "PD", "NE"; "none" for a patient without target lesions; "" at baseline.
    non_target : (..., visit) str array
        "CR", "NN" (neither CR nor PD), "PD", "NE"; "none" for a patient without non-target lesions.
    new_lesion : (..., visit) bool array
        An unequivocal new lesion was seen.

    Returns
    -------
    (..., visit) str array
        "CR", "PR", "SD", "PD" or "NE"; "" at baseline. With non-target disease only, "SD" stands for the
        paper's non-CR/non-PD.

    Raises
    ------
    ValueError
        If the arrays do not have the same shape.

    Notes
    -----
    Any disease after an overall CR is PD, whatever its size beside baseline (footnote of Table 3).

    References
    ----------
    eisenhauer2009, Tables 1, 2 and 3.

    Examples
    --------
    >>> target = np.array(["", "CR", "CR", "PR"])
    >>> print(*overall_response(target, np.array(["", "NN", "CR", "CR"]), np.zeros(4, bool))[1:])
    PR CR PD
    """
    target, non_target, new_lesion = (np.asarray(part) for part in (target, non_target, new_lesion))
    only_non_target = target == "none"
    cases = [
        target == "",
        (target == "PD") | (non_target == "PD") | new_lesion.astype(bool),
        only_non_target & (non_target == "CR"),
        only_non_target & (non_target == "NN"),
        only_non_target,
        target == "NE",
        (target == "CR") & ((non_target == "CR") | (non_target == "none")),
        (target == "CR") | (target == "PR"),
    ]
    overall = np.select(cases, ["", "PD", "CR", "SD", "NE", "NE", "CR", "PR"], default="SD")
    was_complete = np.zeros(overall.shape, bool)
    was_complete[..., 1:] = np.maximum.accumulate(overall == "CR", axis=-1)[..., :-1]
    return np.where(was_complete & np.isin(overall, ("PR", "SD")), "PD", overall)


def best_response(
    responses: np.ndarray, days: np.ndarray, *, stable_from: float, confirm: bool = True
) -> BestResponse:
    """Best overall response, the day it began and the day of progression.

    Parameters
    ----------
    responses : (patient, visit) str array
        Overall responses; "" where no visit took place (baseline, after the end).
    days : (patient, visit) float array [day]
        Days since randomization, rising along a row; ignored where the response is "".
    stable_from : float [day]
        Earliest day on which SD counts (usually the first planned scan less its window).
    confirm : bool
        Whether CR and PR need a second scan at least 28 days later.

    Returns
    -------
    BestResponse
        `best` (patient,) str; `response_day`, the first scan of the (confirmed) response, NaN without one;
        `progression_day`, the first PD, NaN without one; `last_evaluable_day`, the last scan before PD that
        was not NE, 0 (baseline) without one, so that (last_evaluable_day, progression_day] holds the
        progression.

    Raises
    ------
    VisitOrderError
        If the days of a patient do not rise.

    Notes
    -----
    Visits after the first PD do not count. A response is confirmed when a later scan, at least 28 days on,
    shows it too, with nothing but responses or NE between (PR, NE, PR is confirmed; PR, SD, PR is not). For
    PR the later scan may be CR. A CR or PR that stays unconfirmed counts as SD if it was seen on or after
    `stable_from`. Neither response nor SD nor PD is NE.

    References
    ----------
    eisenhauer2009, section 4.4.3, Table 3 and section 4.6.

    Examples
    --------
    >>> seen = np.array([["", "PR", "NE", "PR", "PD"], ["", "PR", "SD", "PD", ""]])
    >>> days = np.array([[0, 42, 84, 126, 168], [0, 42, 84, 126, 168]])
    >>> print(*best_response(seen, days, stable_from=35).best)
    PR SD
    """
    seen = np.atleast_2d(np.asarray(responses))
    day = np.broadcast_to(np.atleast_2d(np.asarray(days, float)), seen.shape)
    seen, day = _checked(seen, day)
    progressed = np.maximum.accumulate(seen == "PD", axis=1)
    first = progressed & ~np.pad(progressed, ((0, 0), (1, 0)))[:, :-1]
    progression_day = np.where(first.any(axis=1), _first(first, day), np.nan)
    seen = np.where(progressed, "", seen)
    evaluable = np.isin(seen, ("CR", "PR", "SD"))
    last = np.max(np.where(evaluable, day, 0.0), axis=1, initial=0.0)
    wait = _CONFIRMED_AFTER if confirm else 0.0
    complete = _lasting(seen == "CR", seen == "NE", seen == "", day, wait)
    partial = _lasting(np.isin(seen, ("CR", "PR")), seen == "NE", seen == "", day, wait)
    stable = (evaluable & (day >= stable_from)).any(axis=1)
    cases = [~np.isnan(complete), ~np.isnan(partial), stable, ~np.isnan(progression_day)]
    best = np.select(cases, ["CR", "PR", "SD", "PD"], default="NE")
    return BestResponse(best, partial, progression_day, last)


def _nadir(total: np.ndarray, complete: np.ndarray) -> np.ndarray:
    """Smallest complete sum before each visit (at baseline: the baseline itself) [um]."""
    low = np.minimum.accumulate(np.where(complete, total, np.iinfo(np.int64).max // 16), axis=1)
    return np.concatenate([low[:, :1], low[:, :-1]], axis=1)


def _checked(seen: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give back the same arrays, after a look at the order of the visits that took place."""
    held = seen != ""
    latest = np.fmax.accumulate(np.where(held, day, -np.inf), axis=1)
    if (held[:, 1:] & (day[:, 1:] <= latest[:, :-1])).any():
        patient, visit = np.argwhere(held[:, 1:] & (day[:, 1:] <= latest[:, :-1]))[0]
        raise VisitOrderError(patient=int(patient), visit=int(visit) + 1, day=float(day[patient, visit + 1]))
    return seen, day


def _first(where: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Day of the first true visit of each row; the first visit's where there is none."""
    return np.asarray(np.take_along_axis(day, where.argmax(axis=1)[:, None], axis=1)[:, 0])


def _lasting(
    response: np.ndarray, neutral: np.ndarray, absent: np.ndarray, day: np.ndarray, wait: float
) -> np.ndarray:
    """First day of the first run of `response` that is seen again `wait` days later; NaN without one."""
    patients = response.shape[0]
    start, found = np.full(patients, np.nan), np.full(patients, np.nan)
    for visit in range(response.shape[1]):
        here, now = response[:, visit], day[:, visit]
        start = np.where(here, np.where(np.isnan(start), now, start), start)
        start = np.where(here | neutral[:, visit] | absent[:, visit], start, np.nan)
        found = np.where(np.isnan(found) & here & (now >= start + wait), start, found)
    return found
