"""Competing causes between two groups: Gray's test of their shares, and Fine and Gray's ratio of hazards.

Both ask about shares of patients that a cause has ended, which depend on every cause. Whoever another cause
has ended stays among those at risk, with a weight that falls as censoring would have taken him.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, norm

_STEPS = 50  # of Newton's method; it takes fewer than 10
_SMALL = 1e-12  # change of the log ratio at which it has arrived
_FAR = 20.0  # log ratio beyond which the groups are separated, not compared


def gray_test(
    days: np.ndarray,
    own: np.ndarray,
    others: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
) -> tuple[float, float]:
    """Test whether a cause ends as large a share of one group as of the other, at all times.

    Parameters
    ----------
    days : (n,) float array
        Time to the end by any cause, or to censoring.
    own, others : (n,) bool array
        True where the cause ended it, and where another did.
    treated : (n,) bool array
        Group.
    strata : (n,) array, optional
        Stratum of each.

    Returns
    -------
    statistic, p : float
        Chi-square with one degree of freedom; (NaN, NaN) where nothing can be compared.

    Notes
    -----
    The score compares events of the cause with those expected where h_g (1 - F_g(t-)) of group g are at
    risk: h_g = Y_g/S_g(t-), with Y_g at risk, S_g their share without any end and F_g their share that the
    cause has ended. The variance is Gray's, with factors (1 - (d - 1)/(n - 1)) for ties. Scores and variances
    of strata are added up.

    References
    ----------
    gray1988.

    Examples
    --------
    >>> day, group = np.arange(1.0, 13), np.arange(12) < 6
    >>> first, second = np.arange(12) % 2 == 0, np.arange(12) % 2 == 1
    >>> [round(x, 2) for x in gray_test(day, first, second, group)]
    [3.52, 0.06]
    """
    score = variance = 0.0
    for part in _parts(days, own, others, treated, strata):
        if part.treated.any() and not part.treated.all() and part.own.any():
            more, spread = _gray(part)
            score, variance = score + more, variance + spread
    if variance <= 0:
        return np.nan, np.nan
    statistic = score**2 / variance
    return float(statistic), float(chi2.sf(statistic, 1))


def subdistribution_ratio(
    days: np.ndarray,
    own: np.ndarray,
    others: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
) -> tuple[float, float, float, float]:
    """Ratio of the hazards of the share that a cause has ended, the treated against the others.

    Parameters
    ----------
    days, own, others, treated, strata
        As for `gray_test`. Each stratum has its own baseline and its own censoring.

    Returns
    -------
    ratio, low, high, p : float
        With a 95 % interval and two-sided p from the robust variance; NaN where the events separate the
        groups, or are too few for a variance.

    Notes
    -----
    Cox's score with Breslow's ties, in which those ended by another cause at T are at risk at t with weight
    G(t-)/G(T-), G being Kaplan and Meier's curve of censoring. The variance counts that G is estimated.

    References
    ----------
    finegray1999; strata: zhou2011.

    Examples
    --------
    >>> day, group = np.arange(1.0, 13), np.arange(12) % 2 == 0
    >>> first, second = np.arange(12) % 3 == 0, np.arange(12) % 3 == 1
    >>> ratio, low, high, p = subdistribution_ratio(day, first, second, group)
    >>> low < ratio < high
    True
    """
    parts = list(_parts(days, own, others, treated, strata))
    nothing = (np.nan,) * 4
    if not any((p.own & p.treated).any() for p in parts) or not any(
        (p.own & ~p.treated).any() for p in parts
    ):
        return nothing
    risks = [_risk(part) for part in parts if part.own.any()]
    effect = 0.0
    for _ in range(_STEPS):
        score, information = np.sum([_score(risk, effect) for risk in risks], axis=0)
        if information <= 0 or abs(effect) > _FAR:
            return nothing
        effect += score / information
        if abs(score / information) < _SMALL:
            break
    spread = sum(float((_influence(risk, effect) ** 2).sum()) for risk in risks)
    information = sum(_score(risk, effect)[1] for risk in risks)
    error = np.sqrt(spread) / information
    if not error > 0:
        return nothing
    reach = float(norm.ppf(0.975)) * error
    with np.errstate(over="ignore"):
        low, ratio, high = np.exp([effect - reach, effect, effect + reach])
    return float(ratio), float(low), float(high), float(2 * norm.sf(abs(effect) / error))


class _Part(NamedTuple):
    """Patients of one stratum."""

    days: np.ndarray
    own: np.ndarray
    others: np.ndarray
    treated: np.ndarray


class _Risk(NamedTuple):
    """Who is at risk with which weight at each day on which the cause ended somebody's time."""

    part: _Part
    times: np.ndarray
    weight: np.ndarray  # (patient, time)
    died: np.ndarray  # (time,), and of the treated:
    died_treated: np.ndarray


def _parts(
    days: np.ndarray, own: np.ndarray, others: np.ndarray, treated: np.ndarray, strata: np.ndarray | None
) -> Iterator[_Part]:
    whole = _Part(np.asarray(days, float), *(np.asarray(part, bool) for part in (own, others, treated)))
    if strata is None:
        yield whole
        return
    number = np.unique(np.asarray(strata), return_inverse=True)[1]
    for place in np.unique(number):
        yield _Part(*(column[number == place] for column in whole))


def _before(days: np.ndarray, ended: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Kaplan and Meier's curve of some patients just before each time."""
    at = np.unique(days[ended])
    at_risk = (days[:, None] >= at).sum(axis=0)
    count = ((days[:, None] == at) & ended[:, None]).sum(axis=0)
    curve = np.concatenate([[1.0], np.cumprod(1 - count / np.maximum(at_risk, 1))])
    return np.asarray(curve[np.searchsorted(at, times, side="left")])


def _gray(part: _Part) -> tuple[float, float]:
    """Score of the treated and its variance in one stratum; arrays are (group, time)."""
    ended = part.own | part.others
    times = np.unique(part.days[ended])
    groups = np.array([part.treated, ~part.treated])
    now, later = part.days[:, None] == times, part.days[:, None] >= times
    at_risk, first, second = (
        np.array([(grid & (keep & group)[:, None]).sum(axis=0) for group in groups]).astype(float)
        for grid, keep in ((later, np.ones_like(ended)), (now, part.own), (now, part.others))
    )
    left = np.array([_before(part.days[group], ended[group], times) for group in groups])
    some = at_risk > 0
    risk = np.divide(at_risk, left, out=np.zeros_like(left), where=some)
    rate = np.divide(first, risk, out=np.zeros_like(left), where=some)
    own_share = np.cumsum(rate, axis=1) - rate  # just before, by group
    expected = risk * (1 - own_share)
    events, whole = first.sum(axis=0), risk.sum(axis=0)
    score = float((first[0] - events * expected[0] / expected.sum(axis=0)).sum())
    # what follows is under the null: one share of both groups together
    step = events / whole
    after = np.cumsum(step)
    share_left = 1 - (after - step)
    lean = np.array([risk[0] * (1 - risk[0] / whole), -risk[0] * risk[1] / whole]) * some
    gathered = np.cumsum(lean * step / share_left, axis=1)
    rest = gathered[:, -1:] - gathered
    survivors = left * (1 - np.divide(first + second, at_risk, out=np.zeros_like(left), where=some))
    ratio = np.divide(1 - after, survivors, out=np.zeros_like(left), where=survivors > 0)
    return score, _gray_variance(lean, rest, ratio, (at_risk, left, risk), (events, second))


def _gray_variance(
    lean: np.ndarray,
    rest: np.ndarray,
    ratio: np.ndarray,
    risks: tuple[np.ndarray, ...],
    counts: tuple[np.ndarray, np.ndarray],
) -> float:
    """Sum what events of the cause, and of the other causes, add to the variance of the score."""
    (at_risk, left, risk), (events, second) = risks, counts
    some, whole = at_risk > 0, risk.sum(axis=0)
    many = np.where(whole * left > 1, whole * left - 1, np.inf)
    ties = 1 - np.maximum(events - 1, 0) / many
    mine = np.divide(ties * events, whole * risk, out=np.zeros_like(left), where=some)
    tied = 1 - np.maximum(second - 1, 0) / np.maximum(at_risk - 1, 1)
    theirs = np.divide(tied * second, risk**2, out=np.zeros_like(left), where=some)
    by_own, by_others = lean + (1 - ratio) * rest, ratio * rest
    return float((by_own**2 * mine).sum() + (by_others**2 * theirs).sum())


def _risk(part: _Part) -> _Risk:
    times = np.unique(part.days[part.own])
    censored = ~(part.own | part.others)
    later = _before(part.days, censored, times) / _before(part.days, censored, part.days)[:, None]
    still = part.days[:, None] >= times
    weight = np.where(still, 1.0, np.where(part.others[:, None], later, 0.0))
    now = (part.days[:, None] == times) & part.own[:, None]
    return _Risk(part, times, weight, now.sum(axis=0), (now & part.treated[:, None]).sum(axis=0))


def _share(risk: _Risk, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Hazard-weighted number at risk at each time, and the share of the treated in it."""
    treated = np.exp(effect) * risk.weight[risk.part.treated].sum(axis=0)
    whole = treated + risk.weight[~risk.part.treated].sum(axis=0)
    return whole, treated / whole


def _score(risk: _Risk, effect: float) -> tuple[float, float]:
    _, share = _share(risk, effect)
    score = risk.died_treated - risk.died * share
    return float(score.sum()), float((risk.died * share * (1 - share)).sum())


def _influence(risk: _Risk, effect: float) -> np.ndarray:
    """Give what each patient adds to the score, by his own course and by what his censoring says of G."""
    part, times = risk.part, risk.times
    whole, share = _share(risk, effect)
    hazard = risk.died / whole
    factor = np.where(part.treated, np.exp(effect), 1.0)
    lean = part.treated[:, None] - share
    gone = factor[:, None] * lean * risk.weight * hazard  # (patient, time): expected part of the score
    own = -gone.sum(axis=1)
    place = np.searchsorted(times, part.days[part.own])
    own[part.own] += lean[part.own, place]
    # G weighs those whom another cause ended at T: by censorings after T and up to t, as the paper has it
    censored = ~(part.own | part.others)
    when = np.unique(part.days[censored])
    if not when.size:
        return np.asarray(own)
    beyond = np.where(part.others[:, None] & (part.days[:, None] < times), gone, 0.0)
    later = np.cumsum(beyond[:, ::-1], axis=1)[:, ::-1]  # from each time on
    later = np.concatenate([later, np.zeros((len(later), 1))], axis=1)
    after = later[:, np.searchsorted(times, when, side="left")]
    at_risk = (part.days[:, None] >= when).sum(axis=0)
    pull = np.where(part.days[:, None] < when, after, 0.0).sum(axis=0) / at_risk
    count = ((part.days[:, None] == when) & censored[:, None]).sum(axis=0)
    met = np.where(part.days[:, None] >= when, pull * count / at_risk, 0.0).sum(axis=1)
    own -= met
    own[censored] += pull[np.searchsorted(when, part.days[censored])]
    return np.asarray(own)
