"""Rank statistics of many trials at once: log-rank, weights, Cox, restricted means, medians; arrays only.

A row is a trial, a column a patient. Everything follows from one sort: at each patient's day, how many were
at risk and how many had the event. Single trials are analyzed by `twoarm.trial.analyze`; the numbers are the
same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twoarm.errors import RankArraysError

_NEWTON_STEPS = 25
_CLOSE = 1e-10  # of a step of the log hazard ratio
_SEPARATED = 12.0  # a log hazard ratio beyond it means that a group has no event


class RiskSets(NamedTuple):
    """What was known at each patient's own day, trial by trial; rows trials, columns sorted places.

    Attributes
    ----------
    day : (trial, place) float array
        Sorted by stratum, then day.
    event : (trial, place) bool array
        Whether it happened.
    treated : (trial, place) bool array
        Group.
    leads : (trial, place) bool array
        First place of its day in its stratum.
    at_risk, at_risk_treated : (trial, place) int array
        Just before that day, in the stratum.
    events, events_treated : (trial, place) int array
        On that day, in the stratum.
    order_of_event : (trial, place) int array
        How many events of the same day and stratum lie before, for Efron's ties.
    stratum : (trial, place) int array
        Stratum of each place.
    """

    day: np.ndarray
    event: np.ndarray
    treated: np.ndarray
    leads: np.ndarray
    at_risk: np.ndarray
    at_risk_treated: np.ndarray
    events: np.ndarray
    events_treated: np.ndarray
    order_of_event: np.ndarray
    stratum: np.ndarray


def risk_sets(
    days: np.ndarray, events: np.ndarray, treated: np.ndarray, strata: np.ndarray | None = None
) -> RiskSets:
    """Sort trials and count who was at risk.

    Parameters
    ----------
    days : (trial, patient) float array [day]
        Time to event or censoring; below 0 for a patient who is not in the analysis.
    events : (trial, patient) bool array
        True where it happened.
    treated : (trial, patient) bool array
        Group.
    strata : (trial, patient) int array, optional
        Stratum of each, from 0.

    Returns
    -------
    RiskSets
        For the functions of this module.

    Raises
    ------
    RankArraysError
        If the arrays differ in shape or are not two-dimensional.

    Examples
    --------
    >>> sets = risk_sets(
    ...     np.array([[2.0, 1, 3]]), np.array([[True, True, False]]), np.array([[True, False, True]])
    ... )
    >>> sets.at_risk.tolist(), sets.at_risk_treated.tolist()
    ([[3, 2, 1]], [[2, 2, 1]])
    """
    days = np.asarray(days, float)
    events, treated = np.asarray(events, bool), np.asarray(treated, bool)
    strata = np.zeros(days.shape, np.int64) if strata is None else np.asarray(strata, np.int64)
    if days.ndim != 2 or {events.shape, treated.shape, strata.shape} != {days.shape}:
        raise RankArraysError(shapes=[days.shape, events.shape, treated.shape, strata.shape])
    span = float(days.max(initial=0.0)) + 2.0
    order = np.argsort(strata * span + np.maximum(days, -1.0), axis=1)
    day, stratum = np.take_along_axis(days, order, 1), np.take_along_axis(strata, order, 1)
    treated = np.take_along_axis(treated, order, 1)
    event = np.take_along_axis(events, order, 1) & (day >= 0)
    places = day.shape[1]
    new_stratum, leads = np.ones(day.shape, bool), np.ones(day.shape, bool)
    new_stratum[:, 1:] = stratum[:, 1:] != stratum[:, :-1]
    leads[:, 1:] = new_stratum[:, 1:] | (day[:, 1:] != day[:, :-1])
    first, last = _first(leads), _last(leads)
    end = _last(new_stratum)
    died, died_treated, group = (_sums(x) for x in (event, event & treated, treated))
    return RiskSets(
        day=day,
        event=event,
        treated=treated,
        leads=leads,
        at_risk=end + 1 - first,
        at_risk_treated=_at(group, end + 1) - _at(group, first),
        events=_at(died, last + 1) - _at(died, first),
        events_treated=_at(died_treated, last + 1) - _at(died_treated, first),
        order_of_event=died[:, :places] - _at(died, first),
        stratum=stratum,
    )


class Scores(NamedTuple):
    """Weighted log-rank of each trial: observed less expected events of the treated, and its variance."""

    excess: np.ndarray
    variance: np.ndarray

    @property
    def z(self) -> np.ndarray:
        """Standard normal under no difference; negative favors the treated. NaN without information."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.variance > 0, self.excess / np.sqrt(self.variance), np.nan)


def log_rank_scores(sets: RiskSets, *, rho: float = 0.0, gamma: float = 0.0) -> Scores:
    """Stratified log-rank of every trial, with the weights of Fleming and Harrington.

    Parameters
    ----------
    sets : RiskSets
        From `risk_sets`.
    rho, gamma : float
        Weight S(t-)^rho (1 - S(t-))^gamma, S the Kaplan-Meier curve of both groups together, in the stratum;
        (0, 0) is the plain log-rank, (0, 1) looks at late differences.

    Returns
    -------
    Scores
        Sums over strata; `z` is the statistic.

    References
    ----------
    mantel1966; fleming1991, section 7.2.

    Examples
    --------
    >>> day, died = np.array([[1.0, 2, 3, 4]]), np.ones((1, 4), bool)
    >>> z = log_rank_scores(risk_sets(day, died, np.array([[True, True, False, False]]))).z
    >>> (z**2).round(3)
    array([2.882])
    """
    n = sets.at_risk.astype(float)
    share = sets.at_risk_treated / n
    excess = sets.events_treated - sets.events * share
    spread = sets.events * share * (1 - share) * (n - sets.events) / np.maximum(n - 1, 1)
    count = sets.leads & (sets.events > 0)
    if rho == 0 and gamma == 0:
        weight = count.astype(float)
    else:
        before = _survival_before(sets)
        weight = np.where(count, before**rho * (1 - before) ** gamma, 0.0)
    return Scores((weight * excess).sum(axis=1), (weight**2 * spread).sum(axis=1))


class Ratios(NamedTuple):
    """Hazard ratio of each trial, as a logarithm with its standard error; NaN where a group has no event."""

    log_ratio: np.ndarray
    error: np.ndarray


def hazard_ratios(sets: RiskSets, *, between: tuple[float, float] | None = None) -> Ratios:
    """Cox hazard ratio of the treated against the others in every trial; strata have their own hazards.

    Parameters
    ----------
    sets : RiskSets
        From `risk_sets`.
    between : tuple of float [day], optional
        Count only events after the first and up to the second day: the hazard ratio of a period.

    Returns
    -------
    Ratios
        By Newton's method; ties by Efron.

    References
    ----------
    cox1972; efron1977.

    Examples
    --------
    >>> day, died = np.arange(1.0, 9)[None], np.ones((1, 8), bool)
    >>> found = hazard_ratios(risk_sets(day, died, np.arange(8)[None] % 2 == 0))
    >>> float(np.exp(found.log_ratio[0])) > 1
    True
    """
    event = sets.event
    if between is not None:
        event = event & (sets.day > between[0]) & (sets.day <= between[1])
    gone = np.where(event, sets.order_of_event / np.maximum(sets.events, 1), 0.0)
    treated = sets.at_risk_treated - gone * sets.events_treated
    others = (sets.at_risk - sets.at_risk_treated) - gone * (sets.events - sets.events_treated)
    width = max(int(event.sum(axis=1).max(initial=0)), 1)
    front = np.argsort(~event, axis=1, kind="stable")[:, :width]  # events only: fewer places to sum over
    counted = np.take_along_axis(event, front, 1)
    treated = np.where(counted, np.take_along_axis(treated, front, 1), 0.0)
    others = np.where(counted, np.take_along_axis(others, front, 1), 1.0)
    seen = (event & sets.treated).sum(axis=1)
    beta = np.zeros(len(event))
    for _ in range(_NEWTON_STEPS):
        share = treated * np.exp(beta)[:, None]
        share = share / (share + others)
        information = (share * (1 - share)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(information > 0, (seen - share.sum(axis=1)) / information, 0.0)
        beta = np.clip(beta + np.clip(step, -2, 2), -2 * _SEPARATED, 2 * _SEPARATED)
        if np.abs(step[np.abs(beta) < _SEPARATED]).max(initial=0.0) < _CLOSE:
            break
    known = (np.abs(beta) < _SEPARATED) & (seen > 0) & (seen < event.sum(axis=1))
    with np.errstate(divide="ignore"):
        error = 1 / np.sqrt(np.where(known, information, 1.0))
    return Ratios(np.where(known, beta, np.nan), np.where(known, error, np.nan))


class Means(NamedTuple):
    """Restricted mean times of each trial [day] with their variances; NaN where the curve ends before."""

    treated: np.ndarray
    others: np.ndarray
    variance_treated: np.ndarray
    variance_others: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """Mean of the treated less that of the others [day]."""
        return np.asarray(self.treated - self.others)

    @property
    def z(self) -> np.ndarray:
        """Standard normal under no difference; positive favors the treated."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.difference / np.sqrt(self.variance_treated + self.variance_others))


def restricted_means(
    days: np.ndarray,
    events: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    until: float,
) -> Means:
    """Area under the Kaplan-Meier curve of each group up to a day, in every trial.

    Parameters
    ----------
    days, events, treated, strata : (trial, patient) arrays
        As `risk_sets`.
    until : float [day]
        End of the restriction.

    Returns
    -------
    Means
        NaN where the last patient of a group was censored before `until`.

    Notes
    -----
    Var = sum over event days t of (area from t to `until`)^2 d / (n (n - d)); where everybody at risk dies,
    the area beyond is 0 and so is the term.

    With strata, each group's mean is that of its strata, weighted by the patients of both groups in them;
    variances add with the squares of the weights. A stratum in which one of the curves ends before `until` is
    left out of its trial.

    References
    ----------
    royston2013; klein2003, section 4.5.

    Examples
    --------
    >>> day, died = np.array([[1.0, 2, 3, 4]]), np.ones((1, 4), bool)
    >>> found = restricted_means(day, died, np.array([[True, True, False, False]]), until=3.0)
    >>> float(found.treated[0]), float(found.others[0])
    (1.5, 3.0)
    """
    treated = np.asarray(treated, bool)
    part = np.zeros(treated.shape, np.int64) if strata is None else np.asarray(strata, np.int64)
    sets = risk_sets(days, events, treated, 2 * part + treated)
    after = survival_after(sets)
    whole, sums = np.zeros(len(treated)), np.zeros((4, len(treated)))
    for stratum in range(int(part.max(initial=0)) + 1):
        one, other = (_area(sets, after, sets.stratum == 2 * stratum + group, until) for group in (1, 0))
        here = ((sets.stratum // 2 == stratum) & (sets.day >= 0)).sum(axis=1)
        weight = np.where(np.isnan(one[0] + other[0]), 0, here)
        whole += weight
        found = np.stack([one[0], other[0], weight * one[1], weight * other[1]])
        sums += np.where(weight > 0, weight * found, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Means(*(sums / whole ** np.array([1, 1, 2, 2])[:, None]))


def medians_of(days: np.ndarray, events: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Kaplan-Meier median of the members of a group, in every trial.

    Parameters
    ----------
    days, events : (trial, patient) arrays
        As `risk_sets`.
    group : (trial, patient) bool array
        Whose curve.

    Returns
    -------
    (trial,) float array [day]
        First day with survival of one half or less; infinite where not reached.

    Examples
    --------
    >>> float(medians_of(np.array([[1.0, 2, 3, 4]]), np.ones((1, 4), bool), np.ones((1, 4), bool))[0])
    2.0
    """
    group = np.asarray(group, bool)
    sets = risk_sets(np.where(group, days, -1.0), events, group)
    reached = sets.leads & (sets.day >= 0) & (survival_after(sets) <= 0.5 + 1e-12)
    first = reached.argmax(axis=1)
    return np.where(reached.any(axis=1), sets.day[np.arange(len(first)), first], np.inf)


def survival_after(sets: RiskSets) -> np.ndarray:
    """Kaplan-Meier estimate just after each place's day, in its stratum.

    Parameters
    ----------
    sets : RiskSets
        From `risk_sets`.

    Returns
    -------
    (trial, place) float array
        0 to 1.
    """
    return np.asarray(_survival_before(sets) * (1 - sets.events / sets.at_risk))


def _survival_before(sets: RiskSets) -> np.ndarray:
    """Kaplan-Meier estimate just before each place's day, in its stratum."""
    with np.errstate(divide="ignore"):
        # where everybody dies the curve is at its end: nobody of the stratum comes after
        step = np.where(sets.events < sets.at_risk, np.log1p(-sets.events / sets.at_risk), 0.0)
    sums = _sums(np.where(sets.leads, step, 0.0))
    new_stratum = np.ones(sets.day.shape, bool)
    new_stratum[:, 1:] = sets.stratum[:, 1:] != sets.stratum[:, :-1]
    return np.asarray(np.exp(_at(sums, _first(sets.leads)) - _at(sums, _first(new_stratum))))


def _area(sets: RiskSets, after: np.ndarray, mine: np.ndarray, until: float) -> tuple[np.ndarray, np.ndarray]:
    """Area under one group's curve up to a day, and its variance."""
    counted = mine & (sets.day >= 0)
    begin = np.clip(sets.day, 0.0, until)
    following = np.concatenate([begin[:, 1:], np.full((len(begin), 1), until)], axis=1)
    last = np.ones(counted.shape, bool)
    last[:, :-1] = sets.stratum[:, 1:] != sets.stratum[:, :-1]
    following = np.where(last, until, following)
    piece = np.where(counted, after * (following - begin), 0.0)
    first_day = np.where(counted, begin, np.inf).min(axis=1)
    total = piece.sum(axis=1) + np.minimum(first_day, until)
    # area beyond each place: what is left of the group's pieces from there on
    beyond = np.cumsum(piece[:, ::-1], axis=1)[:, ::-1]
    n, d = sets.at_risk.astype(float), sets.events
    use = counted & sets.leads & (d > 0) & (d < n) & (sets.day <= until)
    variance = np.where(use, beyond**2 * d / np.maximum(n * (n - d), 1), 0.0).sum(axis=1)
    longest = np.where(counted, sets.day, -1.0).max(axis=1)
    ended = np.where(counted & (sets.day == longest[:, None]), after, 1.0).min(axis=1) <= 0
    known = (longest >= until) | ended
    return np.where(known, total, np.nan), np.where(known, variance, np.nan)


def _first(starts: np.ndarray) -> np.ndarray:
    """Place of the latest start at or before each place."""
    places = np.arange(starts.shape[1])
    return np.asarray(np.maximum.accumulate(np.where(starts, places, 0), axis=1))


def _last(starts: np.ndarray) -> np.ndarray:
    """Place of the last member of each place's run; a run begins where `starts` is true."""
    n = starts.shape[1]
    ends = np.ones(starts.shape, bool)
    ends[:, :-1] = starts[:, 1:]
    backward = np.where(ends, np.arange(n), n)[:, ::-1]
    return np.asarray(np.minimum.accumulate(backward, axis=1)[:, ::-1])


def _sums(x: np.ndarray) -> np.ndarray:
    """Sum what lies before each place; one place more than `x`."""
    kind = float if x.dtype.kind == "f" else np.int64
    sums = np.zeros((x.shape[0], x.shape[1] + 1), kind)
    np.cumsum(x, axis=1, out=sums[:, 1:])
    return sums


def _at(sums: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.take_along_axis(sums, place, 1)
