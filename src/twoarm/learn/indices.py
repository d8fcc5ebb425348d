"""Screening by Morris and variance shares by Sobol, through SALib. The only home of SALib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from SALib.analyze import morris as analyze_morris
from SALib.analyze import sobol as analyze_sobol
from SALib.sample import morris as sample_morris
from SALib.sample import sobol as sample_sobol

LEVELS = 4  # of Morris' grid, as he proposes


def trajectories(names: Sequence[str], count: int, seed: int) -> np.ndarray:
    """Make the points of a Morris screening: from run to run, one unknown moves.

    Parameters
    ----------
    names : sequence of str
        Unknowns.
    count : int
        Trajectories; each has one run more than there are unknowns.
    seed : int
        Of the points.

    Returns
    -------
    (run, unknown) float array
        Between 0 and 1.

    References
    ----------
    morris1991; iwanaga2022.

    Examples
    --------
    >>> trajectories(["a", "b", "c"], 2, seed=1).shape
    (8, 3)
    """
    return np.asarray(sample_morris.sample(_problem(names), count, num_levels=LEVELS, seed=seed))


def elementary_effects(
    names: Sequence[str], points: np.ndarray, values: np.ndarray, seed: int
) -> pd.DataFrame:
    """Sum up a Morris screening.

    Parameters
    ----------
    names : sequence of str
        Unknowns.
    points : (run, unknown) float array
        From `trajectories`.
    values : (run,) float array
        What came out; a trajectory with a run that failed (NaN) is left out.
    seed : int
        Of the intervals.

    Returns
    -------
    DataFrame
        `name`, `effect` (mean size of the change over the whole range), `spread` (standard deviation of the
        change: interactions and curvature), `error` (half of a 95 % interval of `effect`), `trajectories`
        used.

    References
    ----------
    morris1991; campolongo2007.
    """
    size = len(names) + 1
    whole = np.isfinite(values).reshape(-1, size).all(axis=1)
    kept = np.repeat(whole, size)
    count = int(whole.sum())
    if not count:
        return pd.DataFrame(
            {"name": list(names), "effect": np.nan, "spread": np.nan, "error": np.nan, "trajectories": 0}
        )
    if count == 1:  # one change each: no spread, and nothing to resample
        steps, changes = np.diff(points[kept], axis=0), np.diff(values[kept])
        moved = np.abs(steps).argmax(axis=1)
        effect = np.zeros(len(names))
        effect[moved] = np.abs(changes / steps[np.arange(len(moved)), moved])
        found: dict[str, Any] = {"mu_star": effect, "sigma": np.nan, "mu_star_conf": np.nan}
    else:
        found = analyze_morris.analyze(
            _problem(names), points[kept], values[kept], num_levels=LEVELS, seed=seed, num_resamples=200
        )
    return pd.DataFrame(
        {
            "name": list(names),
            "effect": np.asarray(found["mu_star"], float),
            "spread": np.asarray(found["sigma"], float),
            "error": np.asarray(found["mu_star_conf"], float),
            "trajectories": count,
        }
    )


def variance_shares(
    names: Sequence[str], function: Callable[[np.ndarray], np.ndarray], *, size: int, seed: int
) -> pd.DataFrame:
    """Work out Sobol indices of a function of unknowns that are even on [0, 1].

    Parameters
    ----------
    names : sequence of str
        Unknowns.
    function : callable
        From (place, unknown) to (place,).
    size : int
        Points of the sequence, a power of two; the function is asked (unknowns + 2) times as often.
    seed : int
        Of the sequence and the intervals.

    Returns
    -------
    DataFrame
        `name`, `first` (share of the variance that the unknown explains alone), `first_error`, `total` (with
        all its interactions), `total_error`; errors are halves of 95 % intervals.

    References
    ----------
    sobol2001; saltelli2010; iwanaga2022.

    Examples
    --------
    >>> found = variance_shares(["a", "b"], lambda x: 3 * x[:, 0] + x[:, 1], size=1024, seed=1)
    >>> found["first"].round(1).to_list()
    [0.9, 0.1]
    """
    problem = _problem(names)
    points = sample_sobol.sample(problem, size, calc_second_order=False, seed=seed)
    values = np.asarray(function(points), float)
    if values.std() < 1e-12:
        shares: dict[str, Any] = dict.fromkeys(("first", "first_error", "total", "total_error"), 0.0)
        return pd.DataFrame({"name": list(names), **shares})
    found = analyze_sobol.analyze(
        problem, (values - values.mean()) / values.std(), calc_second_order=False, seed=seed
    )
    return pd.DataFrame(
        {
            "name": list(names),
            "first": np.asarray(found["S1"], float),
            "first_error": np.asarray(found["S1_conf"], float),
            "total": np.asarray(found["ST"], float),
            "total_error": np.asarray(found["ST_conf"], float),
        }
    )


def _problem(names: Sequence[str]) -> dict[str, Any]:
    return {"num_vars": len(names), "names": list(names), "bounds": [[0.0, 1.0]] * len(names)}
