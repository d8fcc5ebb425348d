"""How wide a prediction is, and what makes it so: the card, the population, the patients, chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twoarm.check.cohort import scale_of_unit


def split_width(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Split the variance of predicted endpoints by where it comes from.

    Parameters
    ----------
    cohorts : DataFrame
        From `predict_cohort`.

    Returns
    -------
    DataFrame
        `endpoint arm card population sampling`: shares that sum to 1, on the scale on which the endpoint is
        nearly normal (logit of shares, log of times and ratios); NaN where nothing varies. `sampling` is
        which patients are in the cohort and what chance does to them.

    Notes
    -----
    Nested: with m members of the population in each of d draws of the card, the variance between draws of
    the mean over members is that of the card, plus what members and samples leave in a mean; the variance
    between members of a draw is that of the population, plus what samples leave. Samples of n patients vary
    within a draw and member; estimates below 0 count as 0.

    Examples
    --------
    >>> rows = [(d, m, r, 10.0 + 5 * d) for d in (0, 1) for m in (0, 1) for r in (0, 1)]
    >>> table = pd.DataFrame(rows, columns=["draw", "member", "replicate", "value"])
    >>> table = table.assign(endpoint="mOS", arm="a")
    >>> table.attrs = {"units": {"mOS": "months"}}
    >>> split_width(table)[["card", "population", "sampling"]].to_numpy().tolist()
    [[1.0, 0.0, 0.0]]
    """
    units = cohorts.attrs["units"]
    rows = []
    for (endpoint, arm), own in cohorts.groupby(["endpoint", "arm"], sort=False):
        rows.append((endpoint, arm, *_split(own, units[endpoint])))
    return pd.DataFrame(rows, columns=["endpoint", "arm", "card", "population", "sampling"])


def _split(own: pd.DataFrame, unit: str) -> tuple[float, float, float]:
    """Shares of card, population and sampling."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x = scale_of_unit(unit).to(own["value"].to_numpy(float))
    known = own.assign(x=np.where(np.isfinite(x), x, np.nan)).dropna(subset=["x"])
    if len(known) < 2:
        return (np.nan,) * 3
    cells = known.groupby(["draw", "member"])["x"]
    sampling = _mean(cells.var(ddof=1))
    left = sampling / max(float(cells.count().mean()), 1.0)
    centers = cells.mean()
    members = centers.groupby("draw")
    population = max(_mean(members.var(ddof=1)) - left, 0.0)
    draws = members.mean()
    between = float(draws.var(ddof=1)) if len(draws) > 1 else 0.0
    card = max(between - (population + left) / max(float(members.count().mean()), 1.0), 0.0)
    total = card + population + sampling
    return (card / total, population / total, sampling / total) if total > 0 else (np.nan,) * 3


def _mean(values: pd.Series) -> float:
    """Mean of what is known; 0 where nothing is."""
    known = values.dropna()
    return float(known.mean()) if len(known) else 0.0
