"""One interval from many trials: what the draws of a card, the patients and chance add to the width."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtri

_POINTS = 200  # quantiles that stand for one trial's own interval
_HALF_WIDTH = float(ndtri(0.975))  # of a 95 % interval, in standard errors
_EDGE = 1e-4  # a rate of 0 or 100 % has no logit


class Scale(NamedTuple):
    """Where an estimate is nearly normal, and the way back."""

    to: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]


_LOG = Scale(np.log, np.exp)
_LOGIT = Scale(
    lambda percent: logit(np.clip(percent / 100, _EDGE, 1 - _EDGE)), lambda x: np.asarray(100 * expit(x))
)
_PLAIN = Scale(np.asarray, np.asarray)


def pool(measures: pd.DataFrame) -> pd.DataFrame:
    """Put the measures of many trials into one table with intervals that cover all of them.

    Parameters
    ----------
    measures : DataFrame
        One row a trial and measure: `draw`, `quantity`, `arm`, `value`, `low`, `high` (95 %), `unit`.

    Returns
    -------
    DataFrame
        One row a measure: `quantity`, `arm`, `value` (median over trials), `low`, `high`, `unit`. One trial
        keeps its own interval.

    Notes
    -----
    Each trial's interval stands for a normal distribution on the scale where the estimate is nearly
    normal (log for ratios and times, logit for rates); the interval is that of the equal mixture of these
    distributions. An end that was not reached is taken from the other side; if neither is known, the
    trial counts as a point.

    Examples
    --------
    >>> one = {"draw": 0, "quantity": "Hazard ratio of OS", "arm": "", "value": 0.5, "low": 0.4, "high": 0.7}
    >>> two = one | {"draw": 1, "value": 0.8, "low": 0.6, "high": 1.1}
    >>> pooled = pool(pd.DataFrame([one, two]).assign(unit=""))
    >>> pooled[["value", "low", "high"]].round(2).to_numpy().tolist()
    [[0.63, 0.4, 1.03]]
    """
    rows = []
    for (quantity, arm), part in measures.groupby(["quantity", "arm"], sort=False, dropna=False):
        unit = str(part["unit"].iloc[0])
        if len(part) == 1:
            rows.append((quantity, arm, *part[["value", "low", "high"]].iloc[0].astype(float), unit))
            continue
        is_difference = arm == "" and unit != ""  # of two rates or times: it may be negative
        scale = _PLAIN if is_difference else scale_of(str(quantity), unit)
        center, spread = _normal(part, scale)
        low, high = _mixture(center, spread)
        ends = (float(scale.back(np.asarray(end))) for end in (low, high))
        rows.append((quantity, arm, _middle(part["value"], scale), *ends, unit))
    return pd.DataFrame(rows, columns=["quantity", "arm", "value", "low", "high", "unit"])


def shares(measures: pd.DataFrame, *, quantities: tuple[str, ...], drawn: str = "card") -> pd.DataFrame:
    """Split the variance of results between the card's draws, the patients, and chance.

    Parameters
    ----------
    measures : DataFrame
        As `pool`, with a column `replicate`: trials of one draw that differ by chance only.
    quantities : tuple of str
        Which comparisons (rows with an empty `arm`) to split.
    drawn : str
        What differs between draws: "card", or "card and population" where each has a member of its own.

    Returns
    -------
    DataFrame
        `quantity`, `part` (`drawn`, patients, chance), `share`; no rows where there is one draw only.

    Notes
    -----
    All trials have the same patients' ranks. Var(chance) is the variance between replicates of a draw. Within
    one trial the squared standard error covers patients and chance, so Var(patients) is what it leaves.
    The variance between draws covers card and chance, so Var(card) is what that leaves. Without
    replicates, patients and chance are one part.

    Examples
    --------
    >>> one = {"quantity": "HR", "arm": "", "unit": "", "replicate": 0}
    >>> rows = [
    ...     one | {"draw": k, "value": x, "low": x - 0.1, "high": x + 0.1} for k, x in enumerate((1, 2, 3))
    ... ]
    >>> table = shares(pd.DataFrame(rows), quantities=("HR",))
    >>> table["part"].to_list(), float(table["share"].sum())
    (['card', 'patients and chance'], 1.0)
    """
    rows: list[tuple[str, str, float]] = []
    for quantity in quantities:
        part = measures[(measures["quantity"] == quantity) & (measures["arm"].fillna("") == "")]
        if part["draw"].nunique() > 1:
            rows += [(quantity, name, share) for name, share in _split(part, quantity, drawn).items()]
    return pd.DataFrame(rows, columns=["quantity", "part", "share"])


def scale_of(quantity: str, unit: str) -> Scale:
    """Choose the scale on which a measure is nearly normal.

    Parameters
    ----------
    quantity : str
        Its name.
    unit : str
        Its unit.

    Returns
    -------
    Scale
        Log for ratios and times, logit for percentages, else none.
    """
    if unit == "%":
        return _LOGIT
    is_ratio = quantity.startswith("HR") or "hazard ratio" in quantity.lower()
    return _LOG if is_ratio or unit in ("month", "day") else _PLAIN


def _normal(part: pd.DataFrame, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Center and standard error of each trial whose value is finite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = (scale.to(part[name].to_numpy(float)) for name in ("value", "low", "high"))
        sides = np.column_stack([value - low, high - value])
    known = np.isfinite(sides)
    total, count = np.where(known, sides, 0.0).sum(axis=1), known.sum(axis=1)
    spread = np.where(count > 0, total / np.maximum(count, 1), 0.0) / _HALF_WIDTH
    finite = np.isfinite(value)
    return value[finite], spread[finite]


def _mixture(center: np.ndarray, spread: np.ndarray) -> tuple[float, float]:
    """Return the ends of the middle 95 % of the equal mixture of normals."""
    if len(center) == 0:
        return np.nan, np.nan
    grid = ndtri((np.arange(_POINTS) + 0.5) / _POINTS)
    points = (center[:, None] + spread[:, None] * grid[None, :]).ravel()
    low, high = np.quantile(points, [0.025, 0.975])
    return float(low), float(high)


def _middle(values: pd.Series, scale: Scale) -> float:
    """Median over trials, on the scale where it makes sense; infinite where half of them are."""
    table = np.sort(values.to_numpy(float))
    table = table[~np.isnan(table)]
    if table.size == 0:
        return float("nan")
    if np.isinf(table[len(table) // 2]):
        return float("inf")
    finite = table[np.isfinite(table)]
    return float(np.exp(np.median(np.log(finite)))) if scale is _LOG else float(np.median(table))


def _split(part: pd.DataFrame, quantity: str, drawn: str) -> dict[str, float]:
    scale = scale_of(quantity, str(part["unit"].iloc[0]))
    first = part[part["replicate"] == 0]
    center, spread = _normal(first, scale)
    within = float(np.mean(spread**2))
    repeated = part.groupby("draw").filter(lambda trials: len(trials) > 1)
    if repeated.empty:
        card = max(float(np.var(center, ddof=1)) - within, 0.0)
        parts = {drawn: card, "patients and chance": within}
    else:
        values = repeated.assign(x=scale.to(repeated["value"].to_numpy(float)))
        groups = values.groupby("draw")["x"]
        freedom = groups.count() - 1
        chance = float((groups.var(ddof=1) * freedom).sum() / freedom.sum())
        card = max(float(np.var(center, ddof=1)) - chance, 0.0)
        parts = {drawn: card, "patients": max(within - chance, 0.0), "chance": min(chance, within)}
    total = sum(parts.values())
    return {name: value / total for name, value in parts.items()} if total > 0 else {}
