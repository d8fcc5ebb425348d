"""What one would say without a model: other trials of the same drug and setting, with random effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import t

from twoarm.check.sampling import scale_of_unit
from twoarm.check.score import LEVEL

_FEWEST = 2  # other trials from which an interval can be made
_EVENTS = 0.7  # share of patients with an event behind a hazard ratio whose interval is not given
_REPORTED = 2 * float(ndtri(0.975))  # width of a reported interval in standard errors


def naive_intervals(table: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Interval for each row from the other rows of the same drug, tumor, line and endpoint.

    Parameters
    ----------
    table : DataFrame
        Rows to predict, with `id` and `group`: rows of one group are of one drug, setting and endpoint.
    facts : DataFrame
        All rows of evidence, `id value unit n ci_low ci_high trial_name`, and `group`.

    Returns
    -------
    DataFrame, index id
        `naive_low naive_high naive_rows`; NaN where fewer than two other trials report it.

    Notes
    -----
    Random effects by DerSimonian and Laird over other trials, and the interval for a new trial: the pooled
    mean with a t distribution of k - 2 (at least 1) degrees of freedom, and the variance between trials, of
    the mean, and of the new trial's own sampling at its n. Standard errors are from reported intervals, else
    from n: binomial, 1.44/sqrt(n) of a log median (an exponential time, no censoring), 2/sqrt(0.7 n) of a log
    hazard ratio.

    References
    ----------
    dersimonian1986; higgins2009 for the interval of a new trial.
    """
    found = []
    for row in table.itertuples():
        own = facts[facts["group"] == row.group]
        other = own[(own["trial_name"] != row.trial_name) & (own["id"] != row.id)]
        found.append((row.id, *_interval(own[own["id"] == row.id], other)))
    return pd.DataFrame(found, columns=["id", "naive_low", "naive_high", "naive_rows"]).set_index("id")


def _interval(one: pd.DataFrame, other: pd.DataFrame) -> tuple[float, float, int]:
    """Interval for a new trial like the others."""
    x, error = on_scale(other)
    known = np.isfinite(x) & np.isfinite(error)
    x, error = x[known], error[known]
    trials = other["trial_name"].to_numpy(str)[known]
    if len(np.unique(trials)) < _FEWEST or one.empty:
        return np.nan, np.nan, len(np.unique(trials))
    own = float(on_scale(one)[1][0])
    weight = 1 / error**2
    mean = float(np.sum(weight * x) / weight.sum())
    k = len(x)
    q = float(np.sum(weight * (x - mean) ** 2))
    between = max((q - (k - 1)) / (weight.sum() - np.sum(weight**2) / weight.sum()), 0.0)
    weight = 1 / (error**2 + between)
    mean = float(np.sum(weight * x) / weight.sum())
    spread = np.sqrt(between + 1 / weight.sum() + (own if np.isfinite(own) else 0.0) ** 2)
    reach = float(t.ppf((1 + LEVEL) / 2, max(k - 2, 1))) * spread
    back = scale_of_unit(str(one["unit"].iloc[0])).back
    low, high = (float(back(np.asarray(mean + sign * reach))) for sign in (-1, 1))
    return low, high, len(np.unique(trials))


def on_scale(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Values and standard errors on the scale on which an endpoint is nearly normal.

    Parameters
    ----------
    rows : DataFrame
        `value unit n ci_low ci_high`, all of one unit.

    Returns
    -------
    value, error : (row,) float arrays
        Log odds of shares, log of times and ratios; NaN where neither n nor an interval is stated.
    """
    if rows.empty:
        return np.empty(0), np.empty(0)
    unit = str(rows["unit"].iloc[0])
    scale = scale_of_unit(unit)
    value, n = rows["value"].to_numpy(float), rows["n"].astype(float).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (scale.to(rows[name].to_numpy(float)) for name in ("ci_low", "ci_high"))
        stated = np.where(np.isfinite(low) & np.isfinite(high), (high - low) / _REPORTED, np.nan)
        share = (value / 100 * n + 0.5) / (n + 1)
        from_n = {
            "%": 1 / np.sqrt(n * share * (1 - share)),
            "months": 1 / (np.log(2) * np.sqrt(n)),
            "ratio": 2 / np.sqrt(_EVENTS * n),
        }[unit]
        x = scale.to(100 * share if unit == "%" else value)
    return np.asarray(x), np.where(np.isfinite(stated) & (stated > 0), stated, from_n)
