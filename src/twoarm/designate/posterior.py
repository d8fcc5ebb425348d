"""Posterior densities of a rate or a median time on one grid: of one cohort, of a therapy's further trial."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.signal import fftconvolve
from scipy.special import expit

Kind = Literal["rate", "time"]

_POINTS = 1401
_SPREADS = 41  # midpoints over which the spread between trials is integrated
_FARTHEST = 4.0  # half-normal scales of spread that are integrated over
_JEFFREYS = 0.5
_ENDS: dict[str, tuple[float, float]] = {"rate": (-14.0, 14.0), "time": (np.log(0.05), np.log(200.0))}
_MEDIAN_ERROR = 1 / np.log(2)  # times 1/sqrt(n); see `median_error`


class Axis(NamedTuple):
    """Where densities live: `latent` is the logit of a rate or the log of a time [months], equally spaced."""

    kind: Kind
    latent: np.ndarray
    values: np.ndarray

    @property
    def step(self) -> float:
        """Distance between neighbors on the latent scale."""
        return float(self.latent[1] - self.latent[0])


class Therapy(NamedTuple):
    """What trials of a therapy say of a further trial of it."""

    density: np.ndarray  # of a further trial's rate or median, on the latent scale
    spread: tuple[float, float, float]  # of trials about their middle, latent: median, 5 and 95 %


def axis_of(kind: Kind) -> Axis:
    """Make the grid of a kind of endpoint.

    Parameters
    ----------
    kind : {"rate", "time"}
        A share of patients, or a median time [months].

    Returns
    -------
    Axis
        The same for every call.

    Examples
    --------
    >>> axis = axis_of("rate")
    >>> bool(0 < axis.values[0] < 0.001 and 0.999 < axis.values[-1] < 1)
    True
    """
    low, high = _ENDS[kind]
    latent = np.linspace(low, high, _POINTS)
    return Axis(kind, latent, expit(latent) if kind == "rate" else np.exp(latent))


def of_counts(axis: Axis, events: float, n: float) -> np.ndarray:
    """Binomial likelihood of a rate.

    Parameters
    ----------
    axis : Axis
        Of rates.
    events, n : float
        Counts; a count worked out from a rounded share need not be whole.

    Returns
    -------
    (grid,) float array
        Largest value 1.

    Raises
    ------
    ValueError
        If `events` is not between 0 and `n`, or `n` is not above 0.

    Examples
    --------
    >>> axis = axis_of("rate")
    >>> round(float(axis.values[of_counts(axis, 11, 30).argmax()]), 2)
    0.37
    """
    if not 0 <= events <= n or n <= 0:
        raise ValueError(f"{events:g} events of {n:g} cannot be; events lie between 0 and n")
    x = axis.latent
    log = -events * np.logaddexp(0, -x) - (n - events) * np.logaddexp(0, x)
    return np.asarray(np.exp(log - log.max()))


def of_median(axis: Axis, median: float, error: float) -> np.ndarray:
    """Make the normal likelihood of the log of a median time.

    Parameters
    ----------
    axis : Axis
        Of times.
    median : float
        Reported [months].
    error : float
        Standard error of its log, as from `median_error`.

    Returns
    -------
    (grid,) float array
        Largest value about 1.
    """
    return np.asarray(np.exp(-0.5 * ((axis.latent - np.log(median)) / error) ** 2))


def median_error(median: float, low: float, high: float, n: float) -> tuple[float, str]:
    """Work out how uncertain the log of a reported median is, and from what.

    Parameters
    ----------
    median : float
        Reported [months].
    low, high : float
        95 % interval [months]; NaN where none is reported, infinite where an end was not reached.
    n : float
        Patients; NaN where not reported.

    Returns
    -------
    error : float
        Standard error on the log scale; NaN where neither interval nor number is known.
    basis : str
        "interval", "number of patients" or "".

    Notes
    -----
    From an interval, its width on the log scale over 3.92, or twice the half that was reached. From the
    number of patients, that of a Kaplan-Meier median of exponential times without censoring before it: the
    variance of the median is S(1-S)/(n f^2) with S = 1/2 and f = ln 2/(2 m), so that the log has the error
    1/(ln 2 sqrt n).

    References
    ----------
    brookmeyer1982.

    Examples
    --------
    >>> [round(median_error(4.0, *ends, n=180)[0], 2) for ends in ((3.1, 4.4), (np.nan, np.nan))]
    [0.09, 0.11]
    """
    if np.isfinite(low) and low > 0:
        top = np.log(high / low) if np.isfinite(high) else 2 * np.log(median / low)
        if top > 0:
            return float(top / 3.92), "interval"
    if np.isfinite(n) and n > 0:
        return float(_MEDIAN_ERROR / np.sqrt(n)), "number of patients"
    return float("nan"), ""


def of_one(axis: Axis, likelihood: np.ndarray) -> np.ndarray:
    """Posterior of one cohort's own rate or median.

    Parameters
    ----------
    axis : Axis
        Where.
    likelihood : (grid,) float array
        From `of_counts` or `of_median`.

    Returns
    -------
    (grid,) float array
        Density on the latent scale.

    Notes
    -----
    Prior: Jeffreys' Beta(1/2, 1/2) of a rate, flat on the log of a time. With counts the posterior is
    Beta(events + 1/2, n - events + 1/2).

    Examples
    --------
    >>> from scipy.stats import beta
    >>> axis = axis_of("rate")
    >>> density = of_one(axis, of_counts(axis, 11, 30))
    >>> bool(abs(upper_share(axis, density, 0.25) - beta(11.5, 19.5).sf(0.25)) < 1e-4)
    True
    """
    prior = np.ones(axis.latent.size)
    if axis.kind == "rate":
        prior = (axis.values * (1 - axis.values)) ** _JEFFREYS  # Beta(1/2, 1/2) on the logit scale
    return _normalized(axis, prior * likelihood)


def of_therapy(axis: Axis, likelihoods: list[np.ndarray], spread_scale: float) -> Therapy:
    """Predict the therapy's rate or median in a further trial, from trials that differ.

    Parameters
    ----------
    axis : Axis
        Where.
    likelihoods : list of (grid,) float array
        One a trial.
    spread_scale : float
        Scale of the half-normal prior of the standard deviation between trials, latent; 0 takes them as one
        trial.

    Returns
    -------
    Therapy
        Meta-analytic-predictive density, and the posterior of the spread.

    Raises
    ------
    ValueError
        If there is no trial.

    Notes
    -----
    Trial j has x_j ~ N(m, s); its data say L_j(x_j). With m flat and s half-normal, the weight of (m, s) is
    the product over j of the integral of L_j(x) N(x; m, s) dx, and a further trial has x ~ N(m, s) over these
    weights. Everything is summed on the grid: no chain, no seed.

    References
    ----------
    neuenschwander2010; schmidli2014.

    Examples
    --------
    >>> axis = axis_of("rate")
    >>> trials = [of_counts(axis, 9, 110), of_counts(axis, 10, 63)]
    >>> wide, one = (of_therapy(axis, trials, scale).density for scale in (0.5, 0.0))
    >>> bool(spread_of(axis, wide) > spread_of(axis, one))
    True
    """
    if not likelihoods:
        raise ValueError("a therapy needs one trial at least")
    spreads = (np.arange(_SPREADS) + 0.5) * _FARTHEST / _SPREADS * spread_scale
    priors = np.exp(-0.5 * (spreads / spread_scale) ** 2) if spread_scale > 0 else np.ones(_SPREADS)
    if spread_scale == 0:
        spreads, priors = spreads[:1], priors[:1]
    density, weights = np.zeros(axis.latent.size), np.zeros(spreads.size)
    for place, (spread, prior) in enumerate(zip(spreads, priors, strict=True)):
        weight = prior * np.prod([_blurred(axis, each, float(spread)) for each in likelihoods], axis=0)
        weights[place] = weight.sum()
        density += _blurred(axis, weight, float(spread))
    share = np.cumsum(weights) / weights.sum()
    ends = [float(spreads[np.searchsorted(share, level)]) for level in (0.5, 0.05, 0.95)]
    return Therapy(_normalized(axis, density), (ends[0], ends[1], ends[2]))


def exceeds(
    axis: Axis, drug: np.ndarray, therapy: np.ndarray, *, points: float = 0.0, ratio: float = 1.0
) -> float:
    """Probability that the drug's value lies above the therapy's, by a margin.

    Parameters
    ----------
    axis : Axis
        Where both densities live.
    drug, therapy : (grid,) float array
        Densities on the latent scale, independent of each other.
    points : float
        Margin added to the therapy's value, in its unit (a share, or months).
    ratio : float
        Factor on the therapy's value.

    Returns
    -------
    float
        P(drug > ratio * therapy + points).

    Examples
    --------
    >>> axis = axis_of("rate")
    >>> new, old = (of_one(axis, of_counts(axis, k, n)) for k, n in ((11, 30), (9, 110)))
    >>> 0.999 < exceeds(axis, new, old) <= 1
    True
    """
    below = _cumulative(axis, therapy)
    needed = (axis.values - points) / ratio  # the therapy must lie below this
    at = np.interp(needed, axis.values, below, left=0.0, right=1.0)
    return float(np.clip(_integral(axis, drug * at), 0, 1))


def upper_share(axis: Axis, density: np.ndarray, value: float) -> float:
    """Probability of lying above a value, in the unit of the axis."""
    return float(1 - np.interp(value, axis.values, _cumulative(axis, density)))


def interval(axis: Axis, density: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Median and the ends of the middle `level` of a density, in the unit of the axis.

    Examples
    --------
    >>> axis = axis_of("rate")
    >>> [round(end, 2) for end in interval(axis, of_one(axis, of_counts(axis, 11, 30)))]
    [0.37, 0.21, 0.54]
    """
    below = _cumulative(axis, density)
    middle, low, high = np.interp([0.5, (1 - level) / 2, (1 + level) / 2], below, axis.values)
    return float(middle), float(low), float(high)


def spread_of(axis: Axis, density: np.ndarray) -> float:
    """Work out the standard deviation on the latent scale."""
    mean = _integral(axis, density * axis.latent)
    return float(np.sqrt(_integral(axis, density * (axis.latent - mean) ** 2)))


def on_values(axis: Axis, density: np.ndarray) -> np.ndarray:
    """Density of the value itself, for a picture; the latent scale stretches the ends."""
    slope = axis.values * (1 - axis.values) if axis.kind == "rate" else axis.values
    return density / slope


def _blurred(axis: Axis, density: np.ndarray, spread: float) -> np.ndarray:
    """Convolve with a normal of standard deviation `spread`; below a cell of the grid nothing changes."""
    if spread < axis.step / 4:
        return density
    weights = np.exp(-0.5 * ((axis.latent - axis.latent.mean()) / spread) ** 2)
    blurred = fftconvolve(density, weights / weights.sum(), mode="same")
    return np.asarray(np.maximum(blurred, 0.0))  # the transform leaves noise below 0


def _normalized(axis: Axis, density: np.ndarray) -> np.ndarray:
    return np.asarray(density / _integral(axis, density))


def _integral(axis: Axis, density: np.ndarray) -> float:
    return float(np.trapezoid(density, dx=axis.step))


def _cumulative(axis: Axis, density: np.ndarray) -> np.ndarray:
    parts = (density[1:] + density[:-1]) * axis.step / 2
    below = np.concatenate([[0.0], np.cumsum(parts)])
    return np.asarray(below / below[-1])
