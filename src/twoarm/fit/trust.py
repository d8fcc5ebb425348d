"""May the posterior be believed? Truths from the prior, data made from them, fitted again, and ranked."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chisquare

from twoarm.chance import generator
from twoarm.fit.emulator import Emulator, learn
from twoarm.fit.ensemble import first_ensemble, kalman_step
from twoarm.fit.run import Fitted
from twoarm.fit.sample import learn_near, sample_posterior, widened
from twoarm.fit.targets import ENDLESS, covariance

_BINS = 10
_DRAWS = 60  # of eight chains
_NONE = 0.0


class _Chances(NamedTuple):
    """How published numbers err, how a simulated cohort scatters (a factor), and the weights of a fit."""

    real: np.ndarray
    scatter: np.ndarray
    exact: np.ndarray
    variance: np.ndarray


def rank_check(
    fitted: Fitted, *, repeats: int = 100, members: int | None = None, seed: int = 1
) -> pd.DataFrame:
    """Simulation-based calibration of the whole fit, on an emulator of the simulator.

    Parameters
    ----------
    fitted : Fitted
        Gives the emulator, the errors of the data, the size of the ensemble and the steps.
    repeats : int
        Truths drawn from the prior.
    members : int, optional
        Of each fit; as `fitted` if left out.
    seed : int
        Of all draws.

    Returns
    -------
    DataFrame
        One row a truth, one column a parameter: the share of the posterior below the truth, weights counted.
        Uniform where the posterior's width is right; heaped at 0 and 1 where it is too narrow.

    Notes
    -----
    The emulator is learned from all ensembles, the prior first, since truths come from there; its shares lie
    between 0 and 1. Data made from a truth err as published numbers do, months of a curve together.

    References
    ----------
    talts2018.
    """
    fit = np.array([reading.fitted for reading in fitted.readings])
    own = [reading for reading in fitted.readings if reading.fitted]
    exact = np.array([reading.variance(ENDLESS) for reading in own])
    emulator = learn(fitted.z, [g[:, fit] for g in fitted.simulated], np.sqrt(exact))
    cohorts = covariance([replace(r, n=fitted.facts["patients"], discrepancy=_NONE) for r in own])
    more = np.sqrt(emulator.residual / np.diag(cohorts))
    real = covariance(own)
    chances = _Chances(real, _factor(cohorts * np.outer(more, more)), exact, fitted.variance[fit])
    size, ranks, published_by = members or len(fitted.z[0]), [], _factor(real)
    for repeat in range(repeats):
        chance = generator(seed, "rank check", replicate=repeat)
        truth = np.asarray(chance.normal(size=fitted.z[0].shape[1]))
        published = emulator.at(truth[None])[0] + published_by @ chance.normal(size=exact.size)
        z = _fitted_again(emulator, published, chances, fitted, size, chance)
        ranks.append((z < truth).mean(axis=0))
    return pd.DataFrame(ranks, columns=list(fitted.calibration.parameters))


def _fitted_again(
    emulator: Emulator,
    published: np.ndarray,
    chances: _Chances,
    fitted: Fitted,
    size: int,
    chance: np.random.Generator,
) -> np.ndarray:
    """All of the fit, on an emulator with the chance of cohorts: steps, another emulator, draws."""
    every = np.ones(published.size, bool)

    def simulate(z: np.ndarray) -> np.ndarray:
        scatter = chance.normal(size=(len(z), published.size)) @ chances.scatter.T
        return np.asarray(emulator.at(z) + scatter)

    z = [first_ensemble(size, fitted.z[0].shape[1], chance)]
    g = [simulate(z[0])]
    for step in fitted.steps:
        z.append(kalman_step(z[-1], g[-1], published, chances.variance, step, chance))
        g.append(simulate(z[-1]))
    for _ in range(max(fitted.facts["rounds"], 1)):
        again, error = learn_near(z, g, every, chances.exact)
        drawn = sample_posterior(again, published, error, chance, draws=_DRAWS, chains=8)
        flat = drawn.z.reshape(-1, z[0].shape[1])
        z.append(flat[chance.choice(len(flat), size=size, replace=False)])
        g.append(simulate(z[-1]))
    return widened(flat, again, error, chances.real, chances.exact)


def _factor(covariance: np.ndarray) -> np.ndarray:
    """Give a matrix whose product with its transpose is the covariance, also where two readings are one."""
    sizes, turn = np.linalg.eigh(covariance)
    return np.asarray(turn * np.sqrt(np.maximum(sizes, 0.0)))


def coverage(ranks: pd.DataFrame) -> pd.DataFrame:
    """How often central intervals held the truth, and whether the ranks are uniform.

    Parameters
    ----------
    ranks : DataFrame
        From `rank_check`.

    Returns
    -------
    DataFrame
        `parameter held_50 held_90 p`: shares of truths inside, and the p-value of a chi-square test of ten
        equal bins.

    Examples
    --------
    >>> even = pd.DataFrame({"a": (np.arange(100) + 0.5) / 100})
    >>> coverage(even).round(2).values.tolist()
    [['a', 0.5, 0.9, 1.0]]
    """
    rows = []
    for name, own in ranks.items():
        away = (own - 0.5).abs()
        counts = np.histogram(own, bins=_BINS, range=(0, 1))[0]
        rows.append(
            (
                name,
                float((away <= 0.25).mean()),
                float((away <= 0.45).mean()),
                float(chisquare(counts).pvalue),
            )
        )
    return pd.DataFrame(rows, columns=["parameter", "held_50", "held_90", "p"])
