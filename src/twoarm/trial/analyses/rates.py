"""Rates: the exact interval of one, and the difference of two by the score method."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_EDGE = 1e-10  # how near a difference may come to -1 and 1, where a rate is certain and has no variance


def exact_interval(count: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a proportion.

    Parameters
    ----------
    count, n : int
        Successes and trials.
    level : float
        Coverage.

    Returns
    -------
    tuple of float
        0 to 1; (0, 1) for `n` = 0.

    References
    ----------
    clopper1934.

    Examples
    --------
    >>> [round(100 * end, 1) for end in exact_interval(11, 30)]
    [19.9, 56.1]
    """
    from scipy.stats import binomtest

    if n == 0:
        return 0.0, 1.0
    interval = binomtest(int(count), int(n)).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def rate_difference(
    count: ArrayLike, n: ArrayLike, other_count: ArrayLike, other_n: ArrayLike, *, level: float = 0.95
) -> tuple[float, float, float]:
    """Difference of two proportions with its score interval, stratified if counts come by stratum.

    Parameters
    ----------
    count, n : int or (stratum,) int array
        Successes and patients of the first group.
    other_count, other_n : int or (stratum,) int array
        Of the second.
    level : float
        Coverage.

    Returns
    -------
    difference, low, high : float
        First less second, -1 to 1; NaN where no stratum has both groups.

    Notes
    -----
    The interval holds every difference d with (D - d)^2 <= z^2 V(d). V(d) is the variance at the rates
    that are most likely if their difference is d, times N/(N - 1). Strata are weighted by
    n1 n2/(n1 + n2), as Cochran, Mantel and Haenszel do; D is then the weighted mean of the differences.

    References
    ----------
    miettinen1985; the closed form of the most likely rates is farrington1990's.

    Examples
    --------
    >>> [round(x, 4) for x in rate_difference(56, 70, 48, 80)]
    [0.2, 0.0528, 0.3382]
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    x1, n1, x2, n2 = (np.atleast_1d(np.asarray(part, float)) for part in (count, n, other_count, other_n))
    both = (n1 > 0) & (n2 > 0)
    if not both.any():
        return np.nan, np.nan, np.nan
    x1, n1, x2, n2 = x1[both], n1[both], x2[both], n2[both]
    weight = n1 * n2 / (n1 + n2)
    weight = weight / weight.sum()
    found = float((weight * (x1 / n1 - x2 / n2)).sum())
    z = float(norm.ppf(0.5 + level / 2))

    def excess(difference: float) -> float:
        variance = _variance(difference, x1 / n1, n1, x2 / n2, n2)
        spread = max(float((weight**2 * variance).sum()), 1e-300)
        return (found - difference) ** 2 / spread - z**2

    ends = []
    for edge in (-1 + _EDGE, 1 - _EDGE):
        outside = abs(found - edge) > 2 * _EDGE and excess(edge) > 0
        ends.append(float(brentq(excess, edge, found, xtol=1e-12)) if outside else float(np.sign(edge)))
    return found, ends[0], ends[1]


def _variance(
    difference: float, p1: np.ndarray, n1: np.ndarray, p2: np.ndarray, n2: np.ndarray
) -> np.ndarray:
    """Variance of a difference at the most likely rates that have it: a root of their cubic."""
    ratio = n2 / n1
    a = 1 + ratio
    b = -(1 + ratio + p1 + ratio * p2 + difference * (ratio + 2))
    c = difference**2 + difference * (2 * p1 + ratio + 1) + p1 + ratio * p2
    d = -p1 * difference * (1 + difference)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = np.where(v < 0, -1.0, 1.0) * np.sqrt(np.maximum(b**2 / (3 * a) ** 2 - c / (3 * a), 0.0))
    turn = np.divide(v, u**3, out=np.ones_like(v), where=u != 0)
    angle = (np.pi + np.arccos(np.clip(turn, -1.0, 1.0))) / 3
    first = np.clip(2 * u * np.cos(angle) - b / (3 * a), 0.0, 1.0)
    second = np.clip(first - difference, 0.0, 1.0)
    n = n1 + n2
    return np.asarray((first * (1 - first) / n1 + second * (1 - second) / n2) * n / (n - 1))
