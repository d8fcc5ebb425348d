"""Draw from a posterior through an emulator: Hamiltonian Monte Carlo around its most probable point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from twoarm.fit.emulator import Emulator, learn

NEAR = 5  # ensembles that an emulator is learned from: the last ones
_LEAP, _STEPS = 0.25, 8  # in units of the posterior's own width
_NEWTON = 60
_DAMPING = 1e-3
_A_TERM = 3  # members a term of the emulator, or its squares are left out


class Drawn(NamedTuple):
    """Draws of a posterior.

    Attributes
    ----------
    z : (draw, chain, parameter) float array
        In standard deviations of the prior.
    accepted : float
        Share of proposals.
    r_hat : (parameter,) float array
        Spread between chains over that within, each chain halved; near 1 where they agree.
    """

    z: np.ndarray
    accepted: float
    r_hat: np.ndarray


def sample_posterior(
    emulator: Emulator,
    published: np.ndarray,
    variance: np.ndarray,
    generator: np.random.Generator,
    *,
    draws: int = 200,
    chains: int = 16,
    warm_up: int = 50,
) -> Drawn:
    """Draw parameters given what was published.

    Parameters
    ----------
    emulator : Emulator
        Readings as a function of parameters.
    published, variance : (reading,) float array
        What was measured, and the variance of its error.
    generator : numpy.random.Generator
        Of the draws.
    draws, chains, warm_up : int
        How many.

    Returns
    -------
    Drawn
        Of the density exp(-misfit) times the standard normal prior.

    References
    ----------
    cleary2021 (calibrate, emulate, sample), neal2011 (Hamiltonian dynamics), vehtari2021 (r_hat).

    Examples
    --------
    >>> line = Emulator(np.array([0.5]), np.array([[0.1]]), np.zeros((1, 1)), np.zeros(1))
    >>> drawn = sample_posterior(line, np.array([0.6]), np.array([0.01]), np.random.default_rng(1))
    >>> float(drawn.z.mean().round(1)), float(drawn.z.var().round(1))  # exact: 1/2 and 1/2
    (0.5, 0.5)
    """
    middle = most_probable(emulator, published, variance)
    slope = emulator.slope + 2 * emulator.bend * middle
    precision = np.eye(middle.size) + slope.T @ (slope / variance[:, None])
    factor = np.linalg.inv(
        np.linalg.cholesky(precision)
    ).T  # its product with its transpose is the covariance

    def energy(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Negative log density of each chain, and its gradient."""
        away = emulator.bare(z) - published
        left = away / variance
        slopes = left @ emulator.slope + 2 * z * (left @ emulator.bend)
        return 0.5 * (away * left).sum(axis=1) + 0.5 * (z**2).sum(axis=1), z + slopes

    z = middle + generator.normal(size=(chains, middle.size)) @ factor.T
    kept, taken = [], 0.0
    level, slopes = energy(z)
    for draw in range(warm_up + draws):  # a path that runs away is refused like any other
        push = generator.normal(size=z.shape)
        there, force, speed = z, slopes, push - 0.5 * _LEAP * slopes @ factor
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(_STEPS):
                there = there + _LEAP * speed @ factor.T
                new, force = energy(there)
                speed = speed - _LEAP * force @ factor
            speed = speed + 0.5 * _LEAP * force @ factor
        with np.errstate(over="ignore", invalid="ignore"):
            gain = level + 0.5 * (push**2).sum(axis=1) - new - 0.5 * (speed**2).sum(axis=1)
            accept = np.log(generator.random(chains)) < gain
        z, level = np.where(accept[:, None], there, z), np.where(accept, new, level)
        slopes = np.where(accept[:, None], force, slopes)
        if draw >= warm_up:
            kept.append(z)
            taken += float(accept.mean()) / draws
    return Drawn(np.array(kept), taken, _r_hat(np.array(kept)))


def as_wide_as(z: np.ndarray, emulator: Emulator, variance: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Spread draws about their mean as widely as that mean errs.

    Parameters
    ----------
    z : (..., parameter) float array
        Draws in which every reading counted on its own.
    emulator : Emulator
        Readings as a function of parameters.
    variance : (reading,) float array
        By which they were drawn.
    covariance : (reading, reading) float array
        How the readings really err.

    Returns
    -------
    (..., parameter) float array
        With the same mean.

    Notes
    -----
    Months of one curve are shares of the same patients. Counted each on its own they keep the simulated curve
    near the published one in every month, which is what a fit is for, and they say too much: eighteen months
    of 110 patients are not 1,980 patients. With slopes A at the mean, weights D and errors R, the draws have
    the covariance 1/H, H = I + A'A/D, and their mean differs from the truth by 1/H (I + A' 1/D R 1/D A) 1/H.
    Draws are multiplied so that they have the latter. What the prior says is not unlearned: no direction ends
    wider than in the prior.

    References
    ----------
    ribatet2012 (the adjustment of magnitude and curvature for likelihoods of parts).

    Examples
    --------
    Two readings that are one and the same count as one:

    >>> twice = Emulator(np.zeros(2), np.ones((2, 1)), np.zeros((2, 1)), np.zeros(2))
    >>> z = np.random.default_rng(1).normal(size=(20000, 1)) / np.sqrt(3)
    >>> wide = as_wide_as(z, twice, np.ones(2), np.ones((2, 2)))
    >>> float(z.var().round(2)), float(wide.var().round(2))  # exact: 1/3 and 5/9
    (0.33, 0.55)
    """
    middle = z.reshape(-1, z.shape[-1]).mean(axis=0)
    slope = emulator.slope + 2 * emulator.bend * middle
    weighed = slope / variance[:, None]
    one = np.eye(middle.size)
    own = one + slope.T @ weighed
    erring = one + weighed.T @ covariance @ weighed
    factor = np.linalg.solve(own, np.linalg.cholesky(erring))
    left, sizes, right = np.linalg.svd(factor)
    factor = (left * np.minimum(sizes, 1.0)) @ right
    return np.asarray(middle + (z - middle) @ np.linalg.cholesky(own) @ factor.T)


def learn_near(
    z: Sequence[np.ndarray], simulated: Sequence[np.ndarray], fitted: np.ndarray, exact: np.ndarray
) -> tuple[Emulator, np.ndarray]:
    """Learn an emulator from the ensembles near the data.

    Parameters
    ----------
    z : sequence of (member, parameter) float array
        Ensembles, the last ones nearest.
    simulated : sequence of (member, reading) float array
        What they gave.
    fitted : (reading,) bool array
        Which readings are fitted to.
    exact : (fitted reading,) float array
        Variance of published less simulated, without the chance of a simulation.

    Returns
    -------
    Emulator
        Of the fitted readings.
    (fitted reading,) float array
        Variance of published less emulated: the chance of single cohorts is averaged out over the members.
    """
    some = slice(-NEAR, None) if len(z) > NEAR else slice(None)
    own = [found[:, fitted] for found in simulated[some]]
    terms, rows = 1 + 2 * z[0].shape[1], sum(map(len, own))
    emulator = learn(z[: len(simulated)][some], own, np.sqrt(exact), bend=rows >= _A_TERM * terms)
    return emulator, exact + emulator.residual * terms / rows


def widened(
    z: np.ndarray, emulator: Emulator, error: np.ndarray, real: np.ndarray, exact: np.ndarray
) -> np.ndarray:
    """Spread the draws that are kept as widely as their mean errs; those that only teach stay narrow.

    Parameters
    ----------
    z : (..., parameter) float array
        Draws by `error`, in which every reading counts on its own.
    emulator, error
        From `learn_near`.
    real : (fitted reading, fitted reading) float array
        How published numbers err; see `twoarm.fit.targets.covariance`.
    exact : (fitted reading,) float array
        As for `learn_near`.

    Returns
    -------
    (..., parameter) float array
        See `as_wide_as`; the error of the emulator is as alike between readings as that of the data.
    """
    more = np.sqrt(1 + (error - exact) / np.diag(real))
    return as_wide_as(z, emulator, error, real * np.outer(more, more))


def most_probable(emulator: Emulator, published: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Find the most probable parameters by damped Gauss-Newton steps.

    Parameters
    ----------
    emulator, published, variance
        As for `sample_posterior`.

    Returns
    -------
    (parameter,) float array
        In standard deviations of the prior.
    """
    z, damping = np.zeros(emulator.slope.shape[1]), _DAMPING

    def cost(z: np.ndarray) -> float:
        away = emulator.bare(z[None])[0] - published
        return float((away**2 / variance).sum() + z @ z)

    best = cost(z)
    for _ in range(_NEWTON):
        slope = emulator.slope + 2 * emulator.bend * z
        away = emulator.bare(z[None])[0] - published
        left = slope.T @ (slope / variance[:, None]) + (1 + damping) * np.eye(z.size)
        step = np.linalg.solve(left, slope.T @ (away / variance) + z)
        if (found := cost(z - step)) < best:
            z, best, damping = z - step, found, damping / 4
        else:
            damping = max(4 * damping, _DAMPING)
    return z


def _r_hat(z: np.ndarray) -> np.ndarray:
    """Between-chain over within-chain spread, each chain halved."""
    half = len(z) // 2
    parts = np.concatenate([z[:half], z[half : 2 * half]], axis=1)
    within = parts.var(axis=0, ddof=1).mean(axis=0)
    between = parts.mean(axis=0).var(axis=0, ddof=1)
    return np.asarray(np.sqrt((half - 1) / half + between / within))
