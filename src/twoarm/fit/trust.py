"""May the posterior be believed? Truths from the prior, data made from them, fitted again, and ranked."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chisquare

from twoarm.chance import generator
from twoarm.fit.emulator import Emulator, learn
from twoarm.fit.ensemble import first_ensemble, kalman_step, misfits, weigh
from twoarm.fit.run import Fitted

_BINS = 10


def rank_check(
    fitted: Fitted, *, repeats: int = 200, members: int | None = None, seed: int = 1
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

    References
    ----------
    talts2018.
    """
    fit = np.array([reading.fitted for reading in fitted.readings])
    emulator = _only(learn(fitted.z, fitted.simulated), fit)
    variance = fitted.variance[fit]
    size = members or len(fitted.z[0])
    ranks = []
    for repeat in range(repeats):
        chance = generator(seed, "rank check", replicate=repeat)
        truth = np.asarray(chance.normal(size=fitted.z[0].shape[1]))
        noise = np.sqrt(np.minimum(emulator.residual, variance))
        published = emulator.at(truth[None])[0] + chance.normal(size=variance.size) * np.sqrt(variance)
        z = first_ensemble(size, truth.size, chance)
        for step in fitted.steps:
            g = emulator.at(z) + noise * chance.normal(size=(size, variance.size))
            z = kalman_step(z, g, published, variance, step, chance)
        g = emulator.at(z) + noise * chance.normal(size=(size, variance.size))
        w = weigh(z, misfits(g, published, variance))
        ranks.append((w[:, None] * (z < truth)).sum(axis=0))
    return pd.DataFrame(ranks, columns=list(fitted.calibration.parameters))


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


def _only(emulator: Emulator, own: np.ndarray) -> Emulator:
    return Emulator(*(part[own] for part in emulator))
