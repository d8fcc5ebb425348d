"""A stand-in for the simulator, learned from the members that a fit has simulated anyway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_RIDGE = 0.003  # of the number of members
_SHRINK = 3.0
_SMALL = 0.05  # standard deviations of the prior


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
        return np.clip(self.bare(z), 0.0, 1.0)

    def bare(self, z: np.ndarray) -> np.ndarray:
        """Give the same without the bounds, so that slopes exist everywhere."""
        return np.asarray(self.center + z @ self.slope.T + z**2 @ self.bend.T)

    def only(self, own: np.ndarray) -> Emulator:
        """Take some of the readings."""
        return Emulator(*(part[own] for part in self))


def learn(
    z: Sequence[np.ndarray], g: Sequence[np.ndarray], scale: np.ndarray | None = None, *, bend: bool = True
) -> Emulator:
    """Regress what was simulated on parameters, and keep of it what stands out from chance.

    Parameters
    ----------
    z : sequence of (member, parameter) float array
        Ensembles.
    g : sequence of (member, reading) float array
        What they gave; members with NaN are left out.
    scale : (reading,) float array, optional
        How much of each reading matters: its standard error. All alike if left out.
    bend : bool
        Whether squares are among the terms.

    Returns
    -------
    Emulator
        For `twoarm.fit.trust` and `twoarm.fit.told`.

    Notes
    -----
    Ridge regression; its fitted values are turned to their principal components, readings counted by `scale`.
    A component is kept if it is larger than chance makes the largest; a coefficient of one that is kept is
    multiplied by max(0, 1 - k/t^2), t its size over its standard error. A hundred readings with slopes that
    are chance would otherwise add up to knowledge of a parameter that no reading depends on.

    References
    ----------
    cleary2021 (components of the readings), james1961 (shrinkage).

    Examples
    --------
    >>> z = np.random.default_rng(1).normal(size=(400, 2))
    >>> found = learn([z], [0.5 + 0.1 * z[:, :1]], bend=False)
    >>> found.slope.round(2)
    array([[0.1, 0. ]])
    """
    x, y = np.concatenate(z), np.concatenate(g)
    good = np.isfinite(y).all(axis=1)
    x, y = x[good], y[good]
    scale = np.ones(y.shape[1]) if scale is None else scale
    middle, size = x.mean(axis=0), np.maximum(x.std(axis=0), _SMALL)
    u = (x - middle) / size
    terms = np.column_stack([np.ones(len(u)), u, *([u**2 - 1] if bend else [])])
    found, free = _regress(terms, y / scale)
    kept = _components(terms, y / scale, found, free)
    n = x.shape[1]
    line, curve = kept[1 : 1 + n].T, kept[1 + n :].T if bend else np.zeros((y.shape[1], n))
    left = y / scale - terms @ kept
    # from u = (z - middle)/size back to z
    curved = curve / size**2
    slope = line / size - 2 * curved * middle
    center = kept[0] - curve.sum(axis=1) - line @ (middle / size) + curved @ middle**2
    residual = (left**2).sum(axis=0) / max(free, 1.0) * scale**2
    return Emulator(center * scale, slope * scale[:, None], curved * scale[:, None], residual)


def _regress(terms: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients (term, reading), and how many members are left to tell the noise."""
    penalty = _RIDGE * len(y) * np.eye(terms.shape[1])
    penalty[0, 0] = 0.0
    found = np.linalg.solve(terms.T @ terms + penalty, terms.T @ y)
    return found, max(len(y) - terms.shape[1], len(y) / 4)


def _components(terms: np.ndarray, y: np.ndarray, found: np.ndarray, free: float) -> np.ndarray:
    """Coefficients of the components that stand out, each shrunk by how far it is from chance."""
    signal = terms[:, 1:] @ found[1:]
    _, sizes, turn = np.linalg.svd(signal - signal.mean(axis=0), full_matrices=False)
    left = (y - terms @ found) @ turn.T
    noise = (left**2).sum(axis=0) / free
    chance = np.sqrt(noise) * (np.sqrt(terms.shape[1] - 1) + 1.0)  # largest that noise of this size makes
    own = found[1:] @ turn.T
    inverse = np.linalg.inv(terms.T @ terms + _RIDGE * len(y) * np.eye(terms.shape[1]))
    error = np.sqrt(np.outer(np.diag(inverse)[1:], noise))
    far = np.abs(own) > np.sqrt(_SHRINK) * error
    share = 1.0 - _SHRINK * (error / np.where(far, own, 1.0)) ** 2
    own = np.where(far & (sizes > chance), own * share, 0.0)
    return np.vstack([found[:1], own @ turn])
