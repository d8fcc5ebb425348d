"""Time to death as an accelerated life: the course of the tumor sets how fast a patient's time runs.

Tables and arrays only. Courses lie on a fixed weekly grid, so that the answer does not depend on the windows
in which a patient was simulated. Nothing looks ahead: what happens after a day never changes the risk before
it.
"""

from __future__ import annotations

import numpy as np

from twoarm.chance import normals, uniforms
from twoarm.trial.outcomes import SurvivalLink

_DAYS_PER_WEEK = 7.0
_LATEST = 1e5  # days; nobody lives so long
_HALVINGS = 40  # of that, to 1e-7 day


def growth_rate(sld: np.ndarray, days: np.ndarray, *, window: float, floor: float) -> np.ndarray:
    """Recent growth rate of the true sum of diameters.

    Parameters
    ----------
    sld : (patient, week) float array [mm]
        True sum of diameters; NaN where not simulated.
    days : (week,) float array [day]
        Evenly spaced, from 0.
    window : float [day]
        How far back growth is measured.
    floor : float [mm]
        Sums below it count as this, so that a vanished tumor has no growth rate of its own.

    Returns
    -------
    (patient, week) float array [1/week]
        Slope of ln(sld) over the last `window`; negative while shrinking, 0 on day 0.

    Examples
    --------
    >>> weeks = np.arange(0.0, 30.0, 7.0)
    >>> growth_rate(50 * np.exp(0.01 * weeks[None]), weeks, window=14.0, floor=1.0).round(3)
    array([[0.  , 0.07, 0.07, 0.07, 0.07]])
    """
    size = np.log(np.maximum(sld, floor))
    back = np.maximum(np.arange(days.size) - max(1, round(window / (days[1] - days[0]))), 0)
    span = np.where(days > days[back], days - days[back], 1.0)
    return np.asarray((size - size[:, back]) / span * _DAYS_PER_WEEK)


def log_time(
    sld: np.ndarray,
    days: np.ndarray,
    albumin: np.ndarray,
    next_therapy_day: np.ndarray,
    link: SurvivalLink,
    blocked: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Log of the acceleration of each patient's time, from what was known on each day.

    Parameters
    ----------
    sld : (patient, week) float array [mm]
        True sum of diameters.
    days : (week,) float array [day]
        Weekly, from 0.
    albumin : (patient,) float array [g/L]
        At baseline.
    next_therapy_day : (patient,) float array [day]
        Start of the next line of therapy; NaN for none (so far).
    link : SurvivalLink
        Coefficients.
    blocked : (patient,) float array or float [day]
        How long PD-1 has met no ligand so far, or infinite after earlier immunotherapy.

    Returns
    -------
    (patient, week) float array
        eta; positive means that time runs slower.

    Notes
    -----
    eta = a_g g/(g + g50) + a_s (sld(0) - s0) + a_t (t_nadir - t0) + a_a (albumin - albumin0) + (a_n + a_b
    b/(b + b50)) [next therapy began], with g the recent growth rate after the nadir, 0 before it, t_nadir the
    day of the lowest sum so far (today while the tumor still shrinks), and b the time of blockade.

    References
    ----------
    struemper2025 for the form and the coefficients; the reading of them as a time course is ours. park2018:
    what follows immunotherapy works better after it than before it.
    """
    seen = np.where(np.isnan(sld), np.inf, sld)
    lowest = np.minimum.accumulate(seen, axis=1)
    at_nadir = np.maximum.accumulate(np.where(seen <= lowest, np.arange(days.size), 0), axis=1)
    growth = growth_rate(sld, days, window=link.growth_window, floor=link.sld_floor)
    growth = np.where(seen > lowest, np.maximum(np.nan_to_num(growth), 0.0), 0.0)
    weeks_to_growth = days[at_nadir] / _DAYS_PER_WEEK
    fixed = link.baseline_sld * (sld[:, 0] - link.baseline_sld_reference)
    fixed = fixed + link.albumin * (np.asarray(albumin) - link.albumin_reference)
    eta = link.growth_emax * growth / (growth + link.growth_ec50)
    eta = eta + link.time_to_growth * (weeks_to_growth - link.time_to_growth_reference)
    treated = days >= np.nan_to_num(next_therapy_day, nan=np.inf)[:, None]
    share = 1.0 / (1.0 + link.blocked_half / np.maximum(blocked, 1e-9))
    gain = link.next_therapy + link.next_therapy_after_block * share
    eta = eta + fixed[:, None] + np.reshape(gain, (-1, 1)) * treated
    return np.where(np.isnan(sld), np.nan, eta)


def first_crossing(rate: np.ndarray, days: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Day on which the time integral of `rate` reaches each patient's `limit`.

    Parameters
    ----------
    rate : (patient, week) float array [1/day]
        Held from each day to the next; NaN stops the clock for good.
    days : (week,) float array [day]
        Rising.
    limit : (patient,) float array
        What has to be reached.

    Returns
    -------
    (patient,) float array [day]
        NaN where it is not reached by the last day.

    Examples
    --------
    >>> first_crossing(np.array([[1.0, 3.0, 9.0]]), np.array([0.0, 1.0, 2.0]), np.array([2.5]))
    array([1.5])
    """
    step = rate[:, :-1] * np.diff(days)
    sums = np.cumsum(step, axis=1)
    reached = sums >= limit[:, None]
    week = reached.argmax(axis=1)
    row = np.arange(rate.shape[0])
    before = sums[row, week] - step[row, week]
    with np.errstate(divide="ignore", invalid="ignore"):
        day = days[week] + (limit - before) / rate[row, week]
    return np.where(reached.any(axis=1), day, np.nan)


def cancer_death_days(eta: np.ndarray, days: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Day of death from the cancer.

    Parameters
    ----------
    eta : (patient, week) float array
        From `log_time`.
    days : (week,) float array [day]
        Weekly, from 0.
    limit : (patient,) float array [day]
        From `lifetimes`.

    Returns
    -------
    (patient,) float array [day]
        NaN where the patient is alive on the last day.

    Notes
    -----
    psi(t) = integral of exp(-eta) from 0 to t; death when psi reaches exp(mu + sigma z). With a constant
    eta this is the log-normal accelerated failure time ln T = mu + eta + sigma z.

    Examples
    --------
    >>> weeks = np.arange(0.0, 71.0, 7.0)
    >>> cancer_death_days(np.zeros((1, 11)), weeks, np.array([30.0]))
    array([30.])
    """
    return first_crossing(np.exp(-eta), days, limit)


def lifetimes(seed: int, patients: np.ndarray, link: SurvivalLink, *, replicate: int = 0) -> np.ndarray:
    """How much accelerated time each patient has.

    Parameters
    ----------
    seed : int
        Seed of the trial.
    patients : (n,) int array
        Patient labels.
    link : SurvivalLink
        Intercept and spread.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (n,) float array [day]
        exp(mu + sigma z), z keyed by (seed, patient, "survival").
    """
    z = normals(seed, "survival", patients, replicate=replicate)[:, 0]
    return np.exp(link.intercept + link.spread * z)


def exponential_days(
    seed: int, purpose: str, patients: np.ndarray, rate: float, *, replicate: int = 0
) -> np.ndarray:
    """Draw waiting times of a constant hazard: background death, loss to follow-up.

    Parameters
    ----------
    seed : int
        Seed of the trial.
    purpose : str
        What the draw is for.
    patients : (n,) int array
        Patient labels.
    rate : float [1/day]
        Hazard; 0 means never.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (n,) float array [day]
        Infinite where `rate` is 0.

    Examples
    --------
    >>> exponential_days(1, "dropout", np.arange(2), 0.0)
    array([inf, inf])
    """
    unit = -np.log(uniforms(seed, purpose, patients, replicate=replicate)[:, 0])
    return unit / rate if rate > 0 else np.full(unit.size, np.inf)


def other_death_days(
    seed: int, patients: np.ndarray, link: SurvivalLink, *, replicate: int = 0
) -> np.ndarray:
    """Draw days of deaths that the size of the tumor does not foretell.

    Parameters
    ----------
    seed : int
        Seed of the trial.
    patients : (n,) int array
        Patient labels.
    link : SurvivalLink
        Background hazard; share of early deaths, and how fast they fade.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (n,) float array [day]
        Infinite for never.

    Notes
    -----
    h(t) = b - ln(1 - e)/f exp(-t/f): besides the background b, a share e of all patients would die of what is
    worst at the start and fades with f (frailty and complications of a disease that has just progressed).

    Examples
    --------
    >>> from twoarm.trial.outcomes import read_outcomes
    >>> link = read_outcomes("squamous_nsclc").survival
    >>> frail = link.model_copy(update={"background": 0.0, "early_deaths": 0.1})
    >>> round(float(np.mean(other_death_days(1, np.arange(4000), frail) < 1e4)), 2)
    0.1
    """
    if link.early_deaths == 0:
        return exponential_days(seed, "background death", patients, link.background, replicate=replicate)
    limit = -np.log(uniforms(seed, "background death", patients, replicate=replicate)[:, 0])
    early = -np.log1p(-link.early_deaths)
    low, high = np.zeros(limit.size), np.full(limit.size, _LATEST)
    for _ in range(_HALVINGS):
        day = (low + high) / 2
        before = link.background * day - early * np.expm1(-day / link.early_fades) < limit
        low, high = np.where(before, day, low), np.where(before, high, day)
    return np.where(high == _LATEST, np.inf, high)


def next_therapy_days(
    seed: int, patients: np.ndarray, off_day: np.ndarray, link: SurvivalLink, *, replicate: int = 0
) -> np.ndarray:
    """Day on which the next line of therapy begins, for those who get one.

    Parameters
    ----------
    seed : int
        Seed of the trial.
    patients : (n,) int array
        Patient labels.
    off_day : (n,) float array [day]
        Day of recorded progression; NaN for none yet.
    link : SurvivalLink
        Share of patients who go on to a next line, and the gap before it.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (n,) float array [day]
        NaN for none.
    """
    goes_on = uniforms(seed, "next therapy", patients, replicate=replicate)[:, 0] < link.next_therapy_share
    return np.where(goes_on, off_day + link.next_therapy_gap, np.nan)
