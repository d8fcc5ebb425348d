"""Results by subgroup, and whether the effect differs between subgroups more than chance would have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2

from twoarm.trial.analyses.columns import arm_order
from twoarm.trial.analyses.hazards import cox, hazard_ratio
from twoarm.trial.analyses.rates import exact_interval

ALL = "all patients"
_Row = tuple[object, ...]


def subgroups(
    table: pd.DataFrame, factors: Sequence[str], *, endpoint: str = "OS", arms: Sequence[str] | None = None
) -> pd.DataFrame:
    """Hazard ratio and response rates by level of each factor, and the test of interaction.

    Parameters
    ----------
    table : DataFrame
        From `cut`.
    factors : sequence of str
        Columns; "stratum" is one.
    endpoint : str
        Which time.
    arms : sequence of str, optional
        The first is compared with the last.

    Returns
    -------
    DataFrame
        `stratum level quantity n value low high events`: first all patients (level ""); then for each factor
        "Interaction p of OS" (level ""), and for each level the "Hazard ratio of OS"; with each level and
        with all patients the "ORR" of each arm [%]. `events` of the endpoint, or responses.

    Notes
    -----
    The interaction is tested by twice the difference of log partial likelihoods of Cox's models with and
    without products of treatment and level, with as many degrees of freedom as there are levels, less one. No
    hazard ratio here is stratified.

    References
    ----------
    cox1972; exact intervals of the rates: clopper1934.
    """
    order = arm_order(table, arms)
    own = table[table["arm"].isin(order)]
    rows = _level(own, "", ALL, endpoint, order)
    for factor in factors:
        pair = own[own["arm"].isin([order[0], order[-1]])]
        p = interaction(
            pair[f"{endpoint}_day"].to_numpy(float),
            pair[f"{endpoint}_event"].to_numpy(bool),
            (pair["arm"] == order[0]).to_numpy(),
            pair[factor].to_numpy(str),
        )
        name = f"Interaction p of {endpoint}"
        events = int(pair[f"{endpoint}_event"].sum())
        rows.append((factor, "", name, len(pair), p, np.nan, np.nan, events))
        for level, part in own.groupby(factor, sort=True):
            rows += _level(part, str(level), factor, endpoint, order)
    columns = ["stratum", "level", "quantity", "n", "value", "low", "high", "events"]
    return pd.DataFrame(rows, columns=columns)


def interaction(days: np.ndarray, events: np.ndarray, treated: np.ndarray, levels: np.ndarray) -> float:
    """Test whether the hazard ratio is the same at every level of a factor.

    Parameters
    ----------
    days, events, treated : (n,) array
        As for `log_rank`.
    levels : (n,) array
        Level of each patient.

    Returns
    -------
    float
        p of the likelihood ratio test; NaN with one level, or where a model has no maximum.

    Examples
    --------
    >>> time, group = np.arange(1.0, 17), np.arange(16) % 2 == 0
    >>> level = np.tile(["a", "a", "b", "b"], 4)
    >>> 0 < interaction(time, np.ones(16, bool), group, level) < 1
    True
    """
    names = np.unique(levels)
    if names.size < 2:
        return np.nan
    plain = pd.DataFrame({"treated": np.asarray(treated, float)})
    for name in names[1:]:
        plain[f"at {name}"] = (levels == name).astype(float)
    full = plain.copy()
    for name in names[1:]:
        full[f"with {name}"] = plain["treated"] * plain[f"at {name}"]
    more, less = (cox(days, events, each) for each in (full, plain))
    if more["ratio"].isna().any() or less["ratio"].isna().any():
        return np.nan
    gain = 2 * (more.attrs["log_likelihood"] - less.attrs["log_likelihood"])
    return float(chi2.sf(max(gain, 0.0), names.size - 1))


def _level(part: pd.DataFrame, level: str, factor: str, endpoint: str, order: Sequence[str]) -> list[_Row]:
    """Hazard ratio and response rates of some patients."""
    own = part[part["arm"].isin([order[0], order[-1]])]
    days, events = own[f"{endpoint}_day"].to_numpy(float), own[f"{endpoint}_event"].to_numpy(bool)
    found = hazard_ratio(days, events, (own["arm"] == order[0]).to_numpy())
    rows: list[_Row] = [(factor, level, f"Hazard ratio of {endpoint}", len(own), *found, int(events.sum()))]
    for arm in order:
        in_arm = part[part["arm"] == arm]
        count, n = int(in_arm["bor"].isin(["CR", "PR"]).sum()), len(in_arm)
        ends = exact_interval(count, n)
        share = 100 * count / n if n else np.nan
        rows.append((factor, level, f"ORR, {arm}", n, share, 100 * ends[0], 100 * ends[1], count))
    return rows
