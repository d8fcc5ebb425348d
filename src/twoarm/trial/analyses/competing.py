"""Competing causes: how many patients each has ended by a day, and whether arms differ in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from twoarm.errors import MissingColumnError
from twoarm.trial.analyses.columns import arm_order
from twoarm.trial.analyses.hazards import hazard_ratio, log_rank
from twoarm.trial.analyses.subdistribution import gray_test, subdistribution_ratio

ENDS: Mapping[str, str] = {
    "toxicity": "toxicity",
    "delay": "toxicity",
    "progression": "progression",
    "death": "death",
}
"""Reasons that end treatment, as the ledger has them, and the cause each counts for; a delay that lasted too
long was for toxicity. Treatment completed, loss to follow-up and a failed simulation are censored."""


CAUSES = tuple(dict.fromkeys(ENDS.values()))


def treatment_ends(table: pd.DataFrame) -> pd.DataFrame:
    """When and why each patient's treatment ended.

    Parameters
    ----------
    table : DataFrame
        From `cut`: `arm treatment_end off_reason`, the reason "" while treated.

    Returns
    -------
    DataFrame, index patient
        `arm day cause`; the cause one of "toxicity", "progression", "death", or "" where censored; and
        `stratum` where the table has it.

    Raises
    ------
    MissingColumnError
        If a column is missing.

    Examples
    --------
    >>> table = pd.DataFrame({"arm": ["new"] * 2, "treatment_end": [40.0, 90.0], "off_reason": ["delay", ""]})
    >>> treatment_ends(table)["cause"].tolist()
    ['toxicity', '']
    """
    for name in ("arm", "treatment_end", "off_reason"):
        if name not in table:
            raise MissingColumnError(column=name, table="the data cut", purpose="for the end of treatment")
    cause = table["off_reason"].fillna("").astype(str).map(ENDS).fillna("")
    kept = [name for name in ("arm", "stratum") if name in table]
    return table[kept].assign(day=table["treatment_end"].astype(float), cause=cause)


def cumulative_incidence(
    table: pd.DataFrame, *, causes: Sequence[str] | None = None, arms: Sequence[str] | None = None
) -> pd.DataFrame:
    """Share of patients that each cause has ended by each day, others taken into account.

    Parameters
    ----------
    table : DataFrame
        `arm day cause`, the cause "" where censored; from `treatment_ends`, or any.
    causes : sequence of str, optional
        Order of the causes; left out, those that occur.
    arms : sequence of str, optional
        Order of the arms.

    Returns
    -------
    DataFrame
        `cause arm day share low high at_risk events`, a row for day 0 and each day on which somebody's time
        ended; shares 0 to 1 with 95 % intervals, `at_risk` just before the day.

    Notes
    -----
    Aalen and Johansen's estimate: the sum of S(t-) d_k/n, with S the share without any end. Its variance
    is by the delta method, its interval on the log(-log) scale. Ties are counted as
    they are; nothing is drawn.

    References
    ----------
    aalen1978; marubini1995, section 10.4, for the variance.

    Examples
    --------
    >>> table = pd.DataFrame({"arm": "one", "day": [1.0, 2, 3, 4], "cause": ["a", "b", "", "a"]})
    >>> cumulative_incidence(table).query("cause == 'a'")["share"].tolist()
    [0.0, 0.25, 0.25, 0.25, 0.75]
    """
    found = causes if causes is not None else [c for c in sorted(table["cause"].unique()) if c]
    parts = []
    for cause in found:
        for arm in arm_order(table, arms):
            own = table[table["arm"] == arm]
            curve = _incidence(own["day"].to_numpy(float), own["cause"].to_numpy(str), cause)
            parts.append(curve.assign(cause=cause, arm=arm))
    columns = ["cause", "arm", "day", "share", "low", "high", "at_risk", "events"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def compare_causes(
    table: pd.DataFrame, *, causes: Sequence[str] | None = None, arms: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compare each cause between the first arm and the last: its hazard, and the share it ends.

    Parameters
    ----------
    table : DataFrame
        As for `cumulative_incidence`; with `stratum`, stratified by it.
    causes, arms : sequence of str, optional
        As for `cumulative_incidence`.

    Returns
    -------
    DataFrame
        `cause value low high p events share_ratio share_low share_high gray_p`: the hazard ratio of Cox's
        model with other causes censored, its 95 % interval, p of the log-rank and number of events; the ratio
        of Fine and Gray with its interval, and p of Gray's test.

    Notes
    -----
    The former compare rates among those still treated. Shares of patients that a cause has ended depend on
    the other causes too, and the latter compare those.

    References
    ----------
    prentice1978; finegray1999; gray1988.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"arm": ["new", "old"] * 4, "day": range(1, 9), "cause": ["a", "a", "b", "b"] * 2}
    ... )
    >>> compare_causes(table)["cause"].tolist()
    ['a', 'b']
    """
    found = causes if causes is not None else [c for c in sorted(table["cause"].unique()) if c]
    order = arm_order(table, arms)
    own = table[table["arm"].isin([order[0], order[-1]])]
    treated, days = (own["arm"] == order[0]).to_numpy(), own["day"].to_numpy(float)
    several = "stratum" in own and own["stratum"].nunique() > 1
    strata = own["stratum"].to_numpy(str) if several else None
    rows = []
    for cause in found:
        events = (own["cause"] == cause).to_numpy()
        others = ~events & (own["cause"] != "").to_numpy()
        ratio = hazard_ratio(days, events, treated, strata)
        p = log_rank(days, events, treated, strata)[1]
        of_share = subdistribution_ratio(days, events, others, treated, strata)[:3]
        gray = gray_test(days, events, others, treated, strata)[1]
        rows.append((cause, *ratio, p, int(events.sum()), *of_share, gray))
    hazards, shares = ["value", "low", "high", "p", "events"], ["share_ratio", "share_low", "share_high"]
    return pd.DataFrame(rows, columns=["cause", *hazards, *shares, "gray_p"])


def incidence_at(curves: pd.DataFrame, day: float) -> tuple[float, float, float]:
    """Share, and its interval, that one curve of `cumulative_incidence` has come to by a day.

    Parameters
    ----------
    curves : DataFrame
        Rows of one cause and one arm.
    day : float [day]
        When.

    Returns
    -------
    share, low, high : float
        0 to 1; NaN where nobody was followed so long.

    Examples
    --------
    >>> table = pd.DataFrame({"arm": "one", "day": [1.0, 2, 3, 4], "cause": ["a", "b", "", "a"]})
    >>> incidence_at(cumulative_incidence(table, causes=["b"]), 3.5)[0]
    0.25
    """
    if day > float(curves["day"].iloc[-1]):
        return np.nan, np.nan, np.nan
    row = curves.iloc[int(np.searchsorted(curves["day"].to_numpy(float), day, side="right")) - 1]
    return float(row["share"]), float(row["low"]), float(row["high"])


def _incidence(days: np.ndarray, causes: np.ndarray, cause: str) -> pd.DataFrame:
    """Estimate one cause in one arm."""
    time = np.unique(days)
    at_risk = (days[:, None] >= time).sum(axis=0)
    now = days[:, None] == time
    any_end = (now & (causes != "")[:, None]).sum(axis=0)
    own = (now & (causes == cause)[:, None]).sum(axis=0)
    left = np.cumprod(1 - any_end / at_risk)
    before = np.concatenate([[1.0], left[:-1]])
    share = np.cumsum(before * own / at_risk)
    error = np.sqrt(_variance(share, before, own, any_end, at_risk))
    low, high = _interval(share, error)
    n = len(days)
    return pd.DataFrame(
        {
            "day": np.concatenate([[0.0], time]),
            "share": np.concatenate([[0.0], share]),
            "low": np.concatenate([[0.0], low]),
            "high": np.concatenate([[0.0], high]),
            "at_risk": np.concatenate([[n], at_risk]),
            "events": np.concatenate([[0], own]),
        }
    )


def _variance(
    share: np.ndarray, before: np.ndarray, own: np.ndarray, any_end: np.ndarray, at_risk: np.ndarray
) -> np.ndarray:
    """Delta method, from running sums: the square of (F(t) - F(s)) is opened."""
    left = at_risk * (at_risk - any_end)
    hazard = np.divide(any_end, left, out=np.zeros(len(share)), where=left > 0)
    first, second = before * own / at_risk**2, before**2 * own * (at_risk - own) / at_risk**3
    squares = (
        share**2 * np.cumsum(hazard) - 2 * share * np.cumsum(share * hazard) + np.cumsum(share**2 * hazard)
    )
    crossed = share * np.cumsum(first) - np.cumsum(share * first)
    return np.asarray(np.maximum(squares + np.cumsum(second) - 2 * crossed, 0.0))


def _interval(share: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ends on the log(-log) scale; the estimate itself where that scale has no place for it."""
    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    reach = float(norm.ppf(0.975)) * error / (safe * np.abs(np.log(safe)))
    low, high = safe ** np.exp(reach), safe ** np.exp(-reach)
    return np.where(inside, low, share), np.where(inside, high, share)
