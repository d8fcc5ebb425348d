"""From the curves of a course to one number each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from twoarm.experiment.plan import Readout


def read_off(days: np.ndarray, values: np.ndarray, readout: Readout) -> np.ndarray:
    """Take one number off each course.

    Parameters
    ----------
    days : (visit,) float array [day]
        When values were recorded, ascending, the first being day 0.
    values : (course, visit) float array
        The curves.
    readout : Readout
        What to take, and between which days.

    Returns
    -------
    (course,) float array
        NaN where a course has no such number.

    Examples
    --------
    >>> days, decay = np.arange(0.0, 11.0), 8 * 0.5 ** (np.arange(0.0, 11.0) / 2)
    >>> half = Readout(label="half-life", unit="day", output="x", take="half_life", end=10)
    >>> float(read_off(days, decay[None, :], half)[0].round(3))
    2.0
    """
    inside = (days >= readout.begin - 1e-9) & (days <= readout.end + 1e-9)
    shown = values[:, inside]
    if readout.relative:
        with np.errstate(divide="ignore", invalid="ignore"):
            shown = shown / values[:, :1]
    if readout.level is not None:
        return readout.factor * _when_above(days[inside], shown, readout.level, readout.end)
    return readout.factor * _TAKE[readout.take](days[inside], shown)


def _area(days: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.trapezoid(values, days, axis=1)


def _when_above(days: np.ndarray, values: np.ndarray, level: float, end: float) -> np.ndarray:
    """First day at or above a level; the end where it is never reached."""
    above = values >= level
    return np.where(above.any(axis=1), days[above.argmax(axis=1)], end)


def _half_life(days: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Half-life of the least-squares line through the logarithm of what is above zero."""
    found = np.full(len(values), np.nan)
    for course, curve in enumerate(values):
        known = np.isfinite(curve) & (curve > 0)
        if known.sum() > 1:
            slope = np.polyfit(days[known], np.log(curve[known]), 1)[0]
            found[course] = -np.log(2) / slope if slope < 0 else np.inf
    return found


_TAKE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "largest": lambda _, values: values.max(axis=1),
    "smallest": lambda _, values: values.min(axis=1),
    "mean": lambda days, values: _area(days, values) / (days[-1] - days[0]),
    "area": _area,
    "last": lambda _, values: values[:, -1],
    "when_largest": lambda days, values: days[values.argmax(axis=1)],
    "half_life": _half_life,
}
