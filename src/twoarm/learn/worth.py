"""What a measurement is worth: by how much it is expected to narrow a prediction."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import chi2

from twoarm import chance
from twoarm.learn.emulator import draw, emulate

_FUNCTIONS = 400  # draws of the regression that make the interval


class Worth(NamedTuple):
    """Share of a prediction's variance that a measurement is expected to take away, with a 95 % interval."""

    share: float
    low: float
    high: float
    explained: float  # of runs left out; the share cannot be trusted far above it


def worth_of(
    known: np.ndarray, values: np.ndarray, *, error: np.ndarray | float = 0.0, seed: int = 0
) -> Worth:
    """Work out what knowing something is worth.

    Parameters
    ----------
    known : (run,) or (run, thing) float array
        What would be measured, run by run.
    values : (run,) float array
        What is predicted.
    error : float or (thing,) float array
        Standard deviation of the measurement, in the unit of `known`.
    seed : int
        Of the errors and of the interval.

    Returns
    -------
    Worth
        Var(E[prediction | measurement]) / Var(prediction): what is left of the variance is one minus it.

    Raises
    ------
    ValueError
        If there are fewer than 8 runs.

    Notes
    -----
    The conditional mean is a regression of the prediction on what is measured, by a Gaussian process, over
    runs in which everything else varies too; whatever else varies is its noise. Functions drawn from the
    posterior of the regression give the interval; it does not end below what so many runs could not tell from
    nothing, the 95 % point of chi-square over their number. With an error the measured value is drawn around
    the true one first.

    References
    ----------
    strong2014; strong2015.

    Examples
    --------
    >>> x = chance.normals(1, "doctest", np.arange(300), 2)
    >>> found = worth_of(x[:, 0], 2 * x[:, 0] + x[:, 1])
    >>> bool(0.7 < found.share < 0.9)
    True
    """
    seen = np.asarray(known, float).reshape(len(values), -1)
    noise = chance.normals(seed, "measurement", np.arange(len(values)), seen.shape[1])
    seen = seen + noise * np.broadcast_to(error, (seen.shape[1],))
    spread = seen.std(axis=0)
    seen = seen[:, spread > 0] / spread[spread > 0]
    total = float(np.var(values))
    if not seen.shape[1] or total == 0:
        return Worth(0.0, 0.0, 0.0, 0.0)
    regression = emulate(seen / 4 + 0.5, values, seed=seed)  # about as wide as [0, 1], for the length scales
    shares = draw(regression, _FUNCTIONS, seed).var(axis=1) / total
    low, middle, high = (float(x) for x in np.clip(np.quantile(shares, [0.025, 0.5, 0.975]), 0, 1))
    hidden = float(chi2.ppf(0.95, seen.shape[1])) / len(
        values
    )  # what so many runs could not tell from nothing
    return Worth(middle, low, min(max(high, hidden), 1.0), regression.explained)
