"""An emulator: a smooth function of the unknowns through the runs of a trial, with its own error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from twoarm import chance

_SHORTEST, _LONGEST = 0.05, 50.0  # length scales over a unknown's range of 1; at the longest it does nothing
_LEAST_NOISE = 1e-4  # variance, of 1
_FEWEST = 8


class Emulator(NamedTuple):
    """A Gaussian process through runs.

    Attributes
    ----------
    points : (run, unknown) float array
        Where it was run.
    weights : (run,) float array
        Inverse covariance times what came out.
    lengths : (unknown,) float array
        How far one must go along each unknown for something to change.
    height, noise : float
        Variance that is a function of the unknowns; that which is not.
    center, scale : float
        What was taken out of what came out before, and put back.
    covariance : tuple
        Its Cholesky factor.
    explained : float
        Share of the variance of runs left out one by one that the others predict; below 0, none.
    """

    points: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray
    height: float
    noise: float
    center: float
    scale: float
    covariance: tuple[np.ndarray, bool]
    explained: float


def emulate(points: np.ndarray, values: np.ndarray, *, seed: int = 0, searches: int = 2) -> Emulator:
    """Fit an emulator.

    Parameters
    ----------
    points : (run, unknown) float array
        Unknowns between 0 and 1.
    values : (run,) float array
        What came out.
    seed : int
        Of the starts of the search.
    searches : int
        How often the search starts; the first from the middle.

    Returns
    -------
    Emulator
        With the length scales, height and noise of the largest marginal likelihood.

    Raises
    ------
    ValueError
        If there are fewer than 8 runs.

    Notes
    -----
    Covariance h exp(-sum (x_i - y_i)^2 / (2 l_i^2)) + s if the same run. The error of leaving one out has a
    closed form: the i-th residual is (K^-1 y)_i / (K^-1)_ii.

    References
    ----------
    rasmussen2006, equations 5.8 to 5.12.

    Examples
    --------
    >>> x = chance.uniforms(1, "doctest", np.arange(40), 2)
    >>> bool(emulate(x, np.sin(3 * x[:, 0])).explained > 0.99)
    True
    """
    x, y = np.asarray(points, float), np.asarray(values, float)
    if len(y) < _FEWEST:
        raise ValueError(f"{len(y)} runs; an emulator needs {_FEWEST}")
    center, scale = float(y.mean()), float(y.std()) or 1.0
    target = (y - center) / scale
    squares = (x[:, None, :] - x[None, :, :]) ** 2
    bounds = [(2 * np.log(_SHORTEST), 2 * np.log(_LONGEST))] * x.shape[1]
    bounds += [(np.log(1e-3), np.log(10.0)), (np.log(_LEAST_NOISE), np.log(2.0))]
    best = None
    for start in range(searches):
        begin = np.array([0.0] * x.shape[1] + [0.0, np.log(0.1)])
        if start:
            draws = chance.uniforms(seed, "emulator", [start], x.shape[1])[0]
            begin[: x.shape[1]] = -1.0 + 4.0 * draws
        found = minimize(_cost, begin, args=(squares, target), jac=True, method="L-BFGS-B", bounds=bounds)
        best = found if best is None or found.fun < best.fun else best
    assert best is not None  # at least one search
    lengths = np.exp(best.x[:-2] / 2)
    height, noise = (float(value) for value in np.exp(best.x[-2:]))
    kernel = height * np.exp(-0.5 * np.tensordot(squares, 1 / lengths**2, axes=([2], [0])))
    factor = cho_factor(kernel + noise * np.eye(len(y)), lower=True)
    weights = cho_solve(factor, target)
    inverse = cho_solve(factor, np.eye(len(y)))
    residuals = weights / np.diag(inverse)
    explained = 1 - float(np.mean(residuals**2) / np.var(target)) if np.var(target) > 0 else 0.0
    return Emulator(x, weights, lengths, height, noise, center, scale, factor, explained)


def predict(emulator: Emulator, points: np.ndarray) -> np.ndarray:
    """Mean of the emulator.

    Parameters
    ----------
    emulator : Emulator
        From `emulate`.
    points : (place, unknown) float array
        Where to look.

    Returns
    -------
    (place,) float array
        In the unit of what came out.
    """
    return emulator.center + emulator.scale * (
        _kernel(emulator, np.asarray(points, float)) @ emulator.weights
    )


def draw(emulator: Emulator, count: int, seed: int) -> np.ndarray:
    """Draw functions that go through the runs, at the runs, their noise taken out.

    Parameters
    ----------
    emulator : Emulator
        From `emulate`.
    count : int
        How many.
    seed : int
        Of the draws.

    Returns
    -------
    (count, run) float array
        In the unit of what came out.
    """
    kernel = _kernel(emulator, emulator.points)
    mean = kernel @ emulator.weights
    spread = kernel - kernel @ cho_solve(emulator.covariance, kernel)
    values, vectors = np.linalg.eigh((spread + spread.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = chance.normals(seed, "functions through runs", np.arange(count), len(mean))
    return np.asarray(emulator.center + emulator.scale * (mean + normal @ root.T))


def _kernel(emulator: Emulator, points: np.ndarray) -> np.ndarray:
    scaled, own = points / emulator.lengths, emulator.points / emulator.lengths
    distance = (scaled**2).sum(1)[:, None] + (own**2).sum(1)[None, :] - 2 * scaled @ own.T
    return np.asarray(emulator.height * np.exp(-0.5 * np.maximum(distance, 0.0)))


def _cost(at: np.ndarray, squares: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Negative log marginal likelihood with a weak prior toward long lengths, and its slope."""
    precision = np.exp(-at[:-2])  # 1 / length^2
    height, noise = np.exp(at[-2:])
    kernel = height * np.exp(-0.5 * np.tensordot(squares, precision, axes=([2], [0])))
    try:
        factor = cho_factor(kernel + noise * np.eye(len(target)), lower=True)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros_like(at)
    weights = cho_solve(factor, target)
    cost = 0.5 * target @ weights + np.log(np.diag(factor[0])).sum()
    inner = np.outer(weights, weights) - cho_solve(factor, np.eye(len(target)))
    slope = np.empty_like(at)
    weighted = inner * kernel
    slope[:-2] = -0.25 * precision * np.einsum("ij,ijk->k", weighted, squares)
    slope[-2] = -0.5 * weighted.sum()
    slope[-1] = -0.5 * noise * np.trace(inner)
    # a length is free to be long: without runs that say otherwise an unknown does nothing
    longing = 0.05 * (at[:-2] - 2 * np.log(_LONGEST))
    return float(cost + 0.5 * (longing**2).sum() / 0.05), np.concatenate([slope[:-2] + longing, slope[-2:]])
