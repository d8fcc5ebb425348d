"""A stand-in for the simulator, learned from the members that a fit has simulated anyway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_RIDGE = 0.02  # of the number of members


class Emulator(NamedTuple):
    """Readings as a polynomial of the parameters: a center, slopes, and curvatures of single parameters.

    Attributes
    ----------
    center : (reading,) float array
        At the median of the prior.
    slope : (reading, parameter) float array
        Per prior standard deviation.
    bend : (reading, parameter) float array
        Of the squares; 0 in a linear one.
    residual : (reading,) float array
        Variance that the polynomial leaves: chance of a cohort, and what it cannot show.
    """

    center: np.ndarray
    slope: np.ndarray
    bend: np.ndarray
    residual: np.ndarray

    def at(self, z: np.ndarray) -> np.ndarray:
        """Give the readings of some members, (member, reading), between 0 and 1."""
        return np.clip(self.center + z @ self.slope.T + z**2 @ self.bend.T, 0.0, 1.0)


def learn(z: Sequence[np.ndarray], g: Sequence[np.ndarray], *, bend: bool = True) -> Emulator:
    """Regress what was simulated on parameters, with a ridge.

    Parameters
    ----------
    z : sequence of (member, parameter) float array
        Ensembles.
    g : sequence of (member, reading) float array
        What they gave; members with NaN are left out.
    bend : bool
        Whether squares are among the terms.

    Returns
    -------
    Emulator
        For `twoarm.fit.trust` and `twoarm.fit.told`.

    Examples
    --------
    >>> z = np.random.default_rng(1).normal(size=(400, 2))
    >>> found = learn([z], [0.5 + 0.1 * z[:, :1]], bend=False)
    >>> found.slope.round(2)
    array([[ 0.1, 0. ]])
    """
    x, y = np.concatenate(z), np.concatenate(g)
    good = np.isfinite(y).all(axis=1)
    x, y = x[good], y[good]
    terms = np.column_stack([np.ones(len(x)), x, *([x**2] if bend else [])])
    penalty = _RIDGE * len(x) * np.eye(terms.shape[1])
    penalty[0, 0] = 0.0
    found = np.linalg.solve(terms.T @ terms + penalty, terms.T @ y)
    left = y - terms @ found
    free = max(len(x) - terms.shape[1] / 2, 1.0)
    n = x.shape[1]
    curved = found[1 + n :].T if bend else np.zeros((y.shape[1], n))
    return Emulator(found[0], found[1 : 1 + n].T, curved, (left**2).sum(axis=0) / free)
