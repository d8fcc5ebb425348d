"""May the posterior be believed? Truths from the prior, data made from them, fitted again, and ranked."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chisquare

from twoarm.chance import generator
from twoarm.fit.emulator import Emulator, learn
from twoarm.fit.ensemble import first_ensemble, kalman_step
from twoarm.fit.run import Fitted
from twoarm.fit.sample import sample_posterior

_BINS = 10
_DRAWS = 60  # of eight chains
_ENDLESS = 10**9  # patients


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

    References
    ----------
    talts2018.
    """
    fit = np.array([reading.fitted for reading in fitted.readings])
    exact = np.array([reading.variance(_ENDLESS) for reading in fitted.readings])[fit]
    emulator = learn(fitted.z[-3:], [g[:, fit] for g in fitted.simulated[-3:]], np.sqrt(exact))
    size, ranks = members or len(fitted.z[0]), []
    for repeat in range(repeats):
        chance = generator(seed, "rank check", replicate=repeat)
        truth = np.asarray(chance.normal(size=fitted.z[0].shape[1]))
        published = emulator.bare(truth[None])[0] + chance.normal(size=exact.size) * np.sqrt(exact)
        z = _fitted_again(emulator, published, exact, fitted, fit, size, chance)
        ranks.append((z < truth).mean(axis=0))
    return pd.DataFrame(ranks, columns=list(fitted.calibration.parameters))


def _fitted_again(
    emulator: Emulator,
    published: np.ndarray,
    exact: np.ndarray,
    fitted: Fitted,
    fit: np.ndarray,
    size: int,
    chance: np.random.Generator,
) -> np.ndarray:
    """All of the fit, on an emulator with the chance of cohorts: steps, another emulator, draws."""
    noise = np.sqrt(emulator.residual)

    def simulate(z: np.ndarray) -> np.ndarray:
        return np.asarray(emulator.bare(z) + noise * chance.normal(size=(size, exact.size)))

    z = [first_ensemble(size, fitted.z[0].shape[1], chance)]
    g = [simulate(z[0])]
    for step in fitted.steps:
        z.append(kalman_step(z[-1], g[-1], published, fitted.variance[fit], step, chance))
        g.append(simulate(z[-1]))
    for _ in range(max(fitted.facts["rounds"], 1)):
        again = learn(z[-3:], g[-3:], np.sqrt(exact))
        error = exact + again.residual * (1 + 2 * z[0].shape[1]) / sum(map(len, z[-3:]))
        drawn = sample_posterior(again, published, error, chance, draws=_DRAWS, chains=8)
        flat = drawn.z.reshape(-1, z[0].shape[1])
        z.append(flat[chance.choice(len(flat), size=size, replace=False)])
        g.append(simulate(z[-1]))
    return flat


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
