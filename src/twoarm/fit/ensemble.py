"""An ensemble that moves toward what was measured: Kalman steps with inflated errors. Arrays only."""

from __future__ import annotations

import numpy as np

from twoarm.chance import effective_number

_LEAST = 1e-12

__all__ = ["first_ensemble", "kalman_step", "misfits", "weigh", "steps_of"]


def first_ensemble(members: int, parameters: int, generator: np.random.Generator) -> np.ndarray:
    """Draw members from the prior, evenly: one in each slice of every parameter.

    Parameters
    ----------
    members, parameters : int
        How many.
    generator : numpy.random.Generator
        Of this fit.

    Returns
    -------
    (member, parameter) float array
        Standard normal.

    References
    ----------
    mckay1979 (Latin hypercube).
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    if parameters == 0:
        return np.zeros((members, 0))
    return np.asarray(ndtri(qmc.LatinHypercube(parameters, rng=generator).random(members)))


def steps_of(iterations: int) -> np.ndarray:
    """Share of the data's weight that each iteration takes in; they sum to 1 and grow.

    Parameters
    ----------
    iterations : int
        How many.

    Returns
    -------
    (iteration,) float array
        1/alpha of each; a small first step, because far from the data a linear step leads astray.

    References
    ----------
    emerick2013.

    Examples
    --------
    >>> steps_of(3).round(3)
    array([0.143, 0.286, 0.571])
    """
    shares = 2.0 ** np.arange(iterations)
    return np.asarray(shares / shares.sum())


def kalman_step(
    z: np.ndarray,
    simulated: np.ndarray,
    published: np.ndarray,
    variance: np.ndarray,
    step: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Move every member by the ensemble's own regression of parameters on what was simulated.

    Parameters
    ----------
    z : (member, parameter) float array
        Members, standard normal under the prior.
    simulated : (member, reading) float array
        What each gave; a member with NaN is replaced by a draw around the others.
    published : (reading,) float array
        What was measured.
    variance : (reading,) float array
        Of published minus simulated, chance of the simulation included.
    step : float
        Share of the data's weight, 0 to 1: the error is inflated by 1/step.
    generator : numpy.random.Generator
        For the perturbation of the data.

    Returns
    -------
    (member, parameter) float array
        New members.

    Notes
    -----
    z + C_zg (C_gg + R/step)^-1 (y + sqrt(R/step) e - g). Each element of C_zg is multiplied by
    r^2/(r^2 + (1 + r^2)/members), r its correlation, which takes out what a small ensemble shows by chance.

    References
    ----------
    emerick2013, iglesias2013; furrer2007 for the taper.

    Examples
    --------
    >>> chance = np.random.default_rng(1)
    >>> z = chance.normal(size=(4000, 1))
    >>> new = kalman_step(z, 2 * z, np.array([2.0]), np.array([4.0]), 1.0, chance)
    >>> float(new.mean().round(1)), float(new.var().round(1))  # exact: 1/2 and 1/2
    (0.5, 0.5)
    """
    good = np.isfinite(simulated).all(axis=1)
    z, g = _filled(z, good, generator), simulated[good]
    own = z[good]
    dz, dg = own - own.mean(axis=0), g - g.mean(axis=0)
    n = len(g)
    cross, spread = dz.T @ dg / (n - 1), dg.T @ dg / (n - 1)
    scale = np.sqrt(np.outer(dz.var(axis=0, ddof=1), dg.var(axis=0, ddof=1)))
    varies = scale > _LEAST * (1 + np.abs(cross))  # a reading that is the same in all members tells nothing
    square = np.where(varies, cross / np.where(varies, scale, 1.0), 0.0) ** 2
    cross = cross * square / (square + (1 + square) / n)
    inflated = variance / step
    noise = generator.normal(size=g.shape) * np.sqrt(inflated)
    away = np.linalg.solve(spread + np.diag(inflated), (published + noise - g).T)
    new = z.copy()
    new[good] = own + (cross @ away).T
    return _filled(new, good, generator)


def misfits(simulated: np.ndarray, published: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Half the sum of squared standardized differences of each member; infinite where it could not run."""
    with np.errstate(invalid="ignore"):
        found = 0.5 * ((simulated - published) ** 2 / variance).sum(axis=1)
    return np.where(np.isfinite(found), found, np.inf)


def weigh(before: np.ndarray, after: np.ndarray, *, least: float = 0.5) -> np.ndarray:
    """Weigh members that were drawn by one misfit so that they stand for another.

    Parameters
    ----------
    before, after : (member,) float array
        From `misfits`: what the members were drawn by, and what they shall stand for.
    least : float
        The effective share of members that has to stay; the log weights are multiplied by the largest number
        up to 1 that leaves it.

    Returns
    -------
    (member,) float array
        They sum to 1.

    Examples
    --------
    >>> weigh(np.zeros(3), np.log([1.0, 2.0, 2.0])).round(2)
    array([0.5 , 0.25, 0.25])
    """
    good = np.isfinite(after)
    log_w, low, high = (before - after)[good], 0.0, 1.0
    if _effective(log_w) < least * log_w.size:
        for _ in range(40):
            middle = (low + high) / 2
            enough = _effective(log_w * middle) >= least * log_w.size
            low, high = (middle, high) if enough else (low, middle)
        log_w = log_w * low
    weights = np.zeros(good.size)
    weights[good] = _normalized(log_w)
    return weights


def _normalized(log_w: np.ndarray) -> np.ndarray:
    w = np.exp(log_w - log_w.max())
    return np.asarray(w / w.sum())


def _effective(log_w: np.ndarray) -> float:
    return effective_number(_normalized(log_w))


def _filled(z: np.ndarray, good: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Replace members that could not run by draws around those that could."""
    if good.all():
        return z
    own = z[good]
    picks = generator.integers(len(own), size=int((~good).sum()))
    new = z.copy()
    new[~good] = own[picks] + 0.3 * own.std(axis=0) * generator.normal(size=(len(picks), z.shape[1]))
    return new
