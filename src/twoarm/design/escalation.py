"""Dose escalation, many trials at once: 3+3, the Bayesian optimal interval, a reassessment model.

A trial sees toxicity as `draws`: whether the next patient of a dose has a dose-limiting event. Whose patients
they are, invented with a probability or drawn from virtual patients, is not asked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import betaincc

from twoarm.errors import DesignNumberError

Rule = Literal["three_plus_three", "boin", "crm"]

_THREE = 3
_GRID = np.linspace(-8.0, 8.0, 161)  # of the model's parameter, in units of the prior's spread


class Escalated(NamedTuple):
    """What became of each trial.

    Attributes
    ----------
    selected : (trial,) int array
        Recommended dose, counted from 0; -1 where even the lowest is too toxic.
    patients, events : (trial, dose) int array
        Treated, and with a dose-limiting event.
    """

    selected: np.ndarray
    patients: np.ndarray
    events: np.ndarray


def three_plus_three(draws: np.ndarray) -> Escalated:
    """Conduct 3+3 trials, with 6 patients on the recommended dose.

    Parameters
    ----------
    draws : (trial, dose, patient) bool array
        Whether the next patient of each dose has a dose-limiting event; 6 patients a dose at least.

    Returns
    -------
    Escalated
        The recommended dose is the highest with at most 1 event in 6 patients.

    References
    ----------
    storer1989.

    Examples
    --------
    >>> never = np.zeros((1, 2, 6), bool)
    >>> three_plus_three(never).selected.tolist(), three_plus_three(~never).selected.tolist()
    ([1], [-1])
    """
    trials, doses, _ = draws.shape
    n, y = np.zeros((trials, doses), int), np.zeros((trials, doses), int)
    dose, ceiling = (
        np.zeros(trials, int),
        np.full(trials, doses),
    )  # doses at or above the ceiling are too toxic
    going, chosen = np.ones(trials, bool), np.full(trials, -1)
    row = np.arange(trials)
    while going.any():
        _treat(n, y, draws, row[going], dose[going], _THREE)
        here, toxic = n[row, dose], y[row, dose]
        down = going & (toxic > 1)
        again = going & (toxic == 1) & (here == _THREE)
        good = going & ~down & ~again
        ceiling = np.where(down, dose, ceiling)
        up = good & (dose + 1 < ceiling)
        more = good & ~up & (here == _THREE)
        done = good & ~up & ~more
        chosen[done] = dose[done]
        # down to a dose that six have taken, with at most one event: that one is it
        below = dose - 1
        none = down & (below < 0)
        full = down & ~none & (n[row, np.maximum(below, 0)] == 2 * _THREE)
        chosen[full] = below[full]
        going = going & ~(done | none | full)
        dose = np.where(up, dose + 1, np.where(down & going, below, dose))
    return Escalated(chosen, n, y)


class Interval(NamedTuple):
    """Boundaries of the Bayesian optimal interval design."""

    escalate: float
    reduce: float


def boin_interval(target: float, *, low: float = 0.6, high: float = 1.4) -> Interval:
    """Boundaries of the observed toxicity rate.

    Parameters
    ----------
    target : float
        Toxicity rate that is aimed at.
    low, high : float
        Rates too low and too high, as multiples of the target; those of the paper.

    Returns
    -------
    Interval
        Escalate at or below the first; reduce at or above the second.

    Raises
    ------
    DesignNumberError
        If the rates are not between 0 and 1.

    References
    ----------
    liu2015, section 2.2 and Table 1.

    Examples
    --------
    >>> [round(limit, 3) for limit in boin_interval(0.3)]
    [0.236, 0.359]
    """
    a, b = low * target, high * target
    if not 0 < a < target < b < 1:
        rule = "It and its multiples must lie between 0 and 1. Give, as an example, 0.3."
        raise DesignNumberError(what="the target toxicity", value=target, rule=rule)
    escalate = np.log((1 - a) / (1 - target)) / np.log(target * (1 - a) / (a * (1 - target)))
    reduce = np.log((1 - target) / (1 - b)) / np.log(b * (1 - target) / (target * (1 - b)))
    return Interval(float(escalate), float(reduce))


def boin(
    draws: np.ndarray, *, target: float, cohort: int, most: int, certainty: float, start: int = 0
) -> Escalated:
    """Conduct trials by the Bayesian optimal interval.

    Parameters
    ----------
    draws : (trial, dose, patient) bool array
        As `three_plus_three`; `most` patients a dose.
    target : float
        Toxicity rate that is aimed at.
    cohort, most : int
        Patients at a time, and in all.
    certainty : float
        A dose and those above it are given up when the posterior probability (uniform prior, 3 patients or
        more) that its toxicity exceeds the target is above this; the paper has 0.95.
    start : int
        First dose.

    Returns
    -------
    Escalated
        The recommended dose is nearest to the target by isotonic regression.

    References
    ----------
    liu2015; yuan2016.

    Examples
    --------
    >>> boin(np.zeros((1, 2, 30), bool), target=0.3, cohort=3, most=30, certainty=0.95).selected.tolist()
    [1]
    """
    limits = boin_interval(target)
    trials, doses, _ = draws.shape
    n, y = np.zeros((trials, doses), int), np.zeros((trials, doses), int)
    dose, ceiling, going, row = _begin(trials, doses, start)
    for _ in range(most // cohort):
        if not going.any():
            break
        _treat(n, y, draws, row[going], dose[going], cohort)
        here, toxic = n[row, dose], y[row, dose]
        out = going & (here >= _THREE) & (_above(toxic, here, target) > certainty)
        ceiling = np.where(out, np.minimum(ceiling, dose), ceiling)
        going = going & (ceiling > 0)
        rate = toxic / np.maximum(here, 1)
        step = np.where(rate <= limits.escalate, 1, np.where(rate >= limits.reduce, -1, 0))
        dose = np.where(going, np.clip(dose + step, 0, ceiling - 1), dose)
    return Escalated(isotonic_choice(n, y, target, ceiling), n, y)


def crm(
    draws: np.ndarray,
    *,
    target: float,
    skeleton: Sequence[float],
    spread: float,
    cohort: int,
    most: int,
    certainty: float,
    start: int = 0,
) -> Escalated:
    """Conduct trials by the continual reassessment method.

    Parameters
    ----------
    draws, target, cohort, most, start
        As `boin`.
    skeleton : sequence of float
        Prior guess of the toxicity of each dose, rising.
    spread : float
        Standard deviation of the prior of the model's parameter.
    certainty : float
        The trial ends without a dose when the posterior probability that the lowest dose is above the target
        exceeds this.

    Returns
    -------
    Escalated
        The recommended dose has a posterior mean toxicity nearest to the target.

    Notes
    -----
    p_d = skeleton_d^exp(a), a ~ N(0, spread^2); no dose is skipped on the way up.

    References
    ----------
    oquigley1990; cheung2011.

    Examples
    --------
    >>> draws = np.zeros((1, 3, 12), bool)
    >>> found = crm(
    ...     draws, target=0.3, skeleton=[0.1, 0.3, 0.5], spread=1.34, cohort=3, most=12, certainty=0.95
    ... )
    >>> found.selected.tolist()
    [2]
    """
    trials, doses, _ = draws.shape
    n, y = np.zeros((trials, doses), int), np.zeros((trials, doses), int)
    dose, _, going, row = _begin(trials, doses, start)
    chosen = np.full(trials, -1)
    for _ in range(most // cohort):
        if not going.any():
            break
        _treat(n, y, draws, row[going], dose[going], cohort)
        mean, beyond = crm_posterior(n, y, skeleton=skeleton, spread=spread, target=target)
        going = going & (beyond[:, 0] <= certainty)
        best = np.abs(mean - target).argmin(axis=1)
        tried = np.where(n > 0, np.arange(doses), -1).max(axis=1)
        chosen = np.where(going, np.minimum(best, tried), -1)
        dose = np.where(going, np.minimum(best, tried + 1), dose)
    return Escalated(chosen, n, y)


def crm_posterior(
    patients: np.ndarray, events: np.ndarray, *, skeleton: Sequence[float], spread: float, target: float
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior of the toxicity of each dose.

    Parameters
    ----------
    patients, events : (trial, dose) int array
        So far.
    skeleton, spread, target
        As `crm`.

    Returns
    -------
    mean, beyond : (trial, dose) float array
        Mean toxicity, and the probability that it exceeds the target.

    References
    ----------
    oquigley1990.
    """
    a = spread * _GRID
    p = np.clip(np.asarray(skeleton, float)[:, None] ** np.exp(a)[None, :], 1e-12, 1 - 1e-12)
    score = events @ np.log(p) + (patients - events) @ np.log1p(-p) - 0.5 * _GRID**2
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    return weight @ p.T, weight @ (p > target).T.astype(float)


def skeleton_of(doses: int, target: float, *, half_width: float, guess: int) -> np.ndarray:
    """Prior toxicities of evenly told-apart doses.

    Parameters
    ----------
    doses : int
        How many.
    target : float
        Toxicity aimed at.
    half_width : float
        Of the interval of toxicities that pass as the target.
    guess : int
        The dose, counted from 0, that is believed to have the target.

    Returns
    -------
    (dose,) float array
        Rising.

    References
    ----------
    cheung2011, section 8.3; leecheung2009.

    Examples
    --------
    >>> skeleton_of(5, 0.25, half_width=0.05, guess=2).round(2)
    array([0.08, 0.16, 0.25, 0.35, 0.46])
    """
    p = np.full(doses, float(target))
    low, high = np.log(target - half_width), np.log(target + half_width)
    for dose in range(guess + 1, doses):
        p[dose] = np.exp(high / low * np.log(p[dose - 1]))
    for dose in range(guess - 1, -1, -1):
        p[dose] = np.exp(low / high * np.log(p[dose + 1]))
    return p


def isotonic_choice(
    patients: np.ndarray, events: np.ndarray, target: float, ceiling: np.ndarray | None = None
) -> np.ndarray:
    """Choose the dose whose toxicity, smoothed to rise with the dose, is nearest to the target.

    Parameters
    ----------
    patients, events : (trial, dose) int array
        At the end.
    target : float
        Toxicity aimed at.
    ceiling : (trial,) int array, optional
        Doses at or above it were given up.

    Returns
    -------
    (trial,) int array
        -1 where no dose is left.

    Notes
    -----
    Weighted least squares among rising sequences, weights the inverse variances of Beta(0.05 + y, 0.05 + n -
    y), over the doses that were tried and not given up; of doses equally near, the higher one if both lie
    below the target, else the lower one.

    References
    ----------
    liu2015, section 2.3.

    Examples
    --------
    >>> isotonic_choice(np.array([[3, 6, 6]]), np.array([[0, 2, 4]]), 0.3).tolist()
    [1]
    """
    trials, doses = patients.shape
    ceiling = np.full(trials, doses) if ceiling is None else ceiling
    open_to = (patients > 0) & (np.arange(doses) < ceiling[:, None])
    rate = (events + 0.05) / (patients + 0.1)
    variance = (events + 0.05) * (patients - events + 0.05) / ((patients + 0.1) ** 2 * (patients + 1.1))
    weight = np.where(open_to, 1 / variance, 0.0)
    smooth = _isotonic(rate, weight) + 1e-10 * np.arange(1, doses + 1)
    distance = np.where(open_to, np.abs(smooth - target), np.inf)
    return np.where(open_to.any(axis=1), distance.argmin(axis=1), -1)


def _isotonic(rate: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rising least-squares fit of each row: the largest of the smallest means over blocks around it."""
    doses = rate.shape[1]
    sums = np.concatenate([np.zeros((len(rate), 1)), np.cumsum(rate * weight, axis=1)], axis=1)
    mass = np.concatenate([np.zeros((len(rate), 1)), np.cumsum(weight, axis=1)], axis=1)
    fit = np.full(rate.shape, -np.inf)
    for begin in range(doses):
        for dose in range(begin, doses):
            block = mass[:, dose + 1 :] - mass[:, begin, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                means = np.where(block > 0, (sums[:, dose + 1 :] - sums[:, begin, None]) / block, np.inf)
            fit[:, dose] = np.maximum(fit[:, dose], np.where(block[:, 0] >= 0, means.min(axis=1), -np.inf))
    return fit


def _begin(trials: int, doses: int, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return np.full(trials, start), np.full(trials, doses), np.ones(trials, bool), np.arange(trials)


def _treat(
    n: np.ndarray, y: np.ndarray, draws: np.ndarray, row: np.ndarray, dose: np.ndarray, size: int
) -> None:
    """Give a cohort its dose; counts are changed in place."""
    for _ in range(size):
        y[row, dose] += draws[row, dose, n[row, dose]]
        n[row, dose] += 1


def _above(events: np.ndarray, patients: np.ndarray, target: float) -> np.ndarray:
    """Posterior probability that the rate exceeds the target, uniform prior."""
    return np.asarray(betaincc(1 + events, 1 + patients - events, target))
