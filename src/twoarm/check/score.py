"""Predicted intervals beside what was reported: inside or outside, how far, and how often inside."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from twoarm.check.sampling import scale_of_unit

LEVEL = 0.9
"""Of the interval that is printed."""

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Of the intervals whose coverage is counted."""

_FAR = 4.0  # standard errors; what lies beyond every draw is not told apart further


def score_row(draws: np.ndarray, weights: np.ndarray, reported: float, unit: str) -> dict[str, float]:
    """Set one reported value beside the draws of its prediction.

    Parameters
    ----------
    draws : (draw,) float array
        Predicted values; infinite where a median is not reached.
    weights : (draw,) float array
        Of the draws.
    reported : float
        In the same unit.
    unit : str
        "%", "months" or "ratio".

    Returns
    -------
    dict of str to float
        `predicted` (median), `low` and `high` of `LEVEL`; `rank`, the share of draws below the report, half
        of those equal to it; `z`, the distance of the report from the middle of the draws in their standard
        deviations, on the scale on which they are nearly normal; `inside_50` to `inside_95`, 1 or 0.

    Notes
    -----
    A report is printed with few digits: it counts as inside where any number that is rounded to it is, and a
    median that was not reached where the interval has no upper end. z is
    the normal score of the rank, and beyond the draws the distance in standard deviations, at most 4.

    Examples
    --------
    >>> found = score_row(np.arange(1.0, 101.0), np.ones(100), 50.0, "months")
    >>> found["predicted"], found["low"], found["high"], found["inside_90"]
    (50.5, 5.5, 95.5, 1.0)
    """
    known = ~np.isnan(draws)
    values, share = draws[known], weights[known] / weights[known].sum()
    if not values.size:
        return {}
    half = _half_step(reported) if np.isfinite(reported) else 0.0
    order = np.argsort(values, kind="stable")
    values, share = values[order], share[order]
    same = (values >= reported - half) & (values <= reported + half)
    rank = float(share[values < reported - half].sum() + share[same].sum() / 2)
    found = {
        "predicted": _quantile(values, share, 0.5),
        "rank": rank,
        "z": _z(values, share, reported, rank, unit),
    }
    for level in LEVELS:
        low, high = (_quantile(values, share, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
        found[f"inside_{round(100 * level)}"] = float(low <= reported + half and reported - half <= high)
        if level == LEVEL:
            found |= {"low": low, "high": high}
    return found


def coverage(scored: pd.DataFrame) -> pd.DataFrame:
    """Count how often intervals hold what was reported.

    Parameters
    ----------
    scored : DataFrame
        Rows with `inside_50` to `inside_95` and `trial_name`.

    Returns
    -------
    DataFrame
        `nominal observed rows inside low high`: shares, with a 95 % interval of the observed share from
        trials drawn with replacement, as rows of one trial go together.

    Examples
    --------
    >>> table = pd.DataFrame({f"inside_{k}": [1.0, 0.0] for k in (50, 80, 90, 95)}).assign(
    ...     trial_name=["a", "b"]
    ... )
    >>> coverage(table)["observed"].tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    rows = []
    trials = scored["trial_name"].where(scored["trial_name"] != "", scored.index.to_series().astype(str))
    for level in LEVELS:
        inside = scored[f"inside_{round(100 * level)}"]
        low, high = _of_trials(inside.to_numpy(float), trials.to_numpy(str))
        share = float(inside.mean()) if len(inside) else np.nan
        rows.append((level, share, len(inside), int(inside.sum()), low, high))
    return pd.DataFrame(rows, columns=["nominal", "observed", "rows", "inside", "low", "high"])


def widths_of(scored: pd.DataFrame) -> pd.DataFrame:
    """Median width of predicted intervals, and of those from other trials pooled.

    Parameters
    ----------
    scored : DataFrame
        `unit low high naive_low naive_high reported`.

    Returns
    -------
    DataFrame
        `unit rows predicted naive_rows predicted_there naive_there naive_inside`: percentage points, or upper
        over lower end for times and ratios (infinite where an end is); `_there` is over the rows that can be
        pooled, `naive_inside` the share of these whose pooled interval holds the report.

    Examples
    --------
    >>> row = {"unit": "%", "low": 10.0, "high": 30.0, "naive_low": 5.0, "naive_high": 50.0, "reported": 60.0}
    >>> print(*widths_of(pd.DataFrame([row])).iloc[0])
    % 1 20.0 1 20.0 45.0 0.0
    """
    rows = []
    for unit, own in scored.groupby("unit", sort=False):
        pooled = own[own["naive_low"].notna()]
        held = (pooled["naive_low"] <= pooled["reported"]) & (pooled["reported"] <= pooled["naive_high"])
        rows.append(
            (
                unit,
                len(own),
                _width(own["low"], own["high"], str(unit)),
                len(pooled),
                _width(pooled["low"], pooled["high"], str(unit)),
                _width(pooled["naive_low"], pooled["naive_high"], str(unit)),
                float(held.mean()) if len(pooled) else np.nan,
            )
        )
    names = ["unit", "rows", "predicted", "naive_rows", "predicted_there", "naive_there", "naive_inside"]
    return pd.DataFrame(rows, columns=names)


def _width(low: pd.Series, high: pd.Series, unit: str) -> float:
    """Median width: a difference of shares, a ratio of times."""
    if low.empty:
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        width = high - low if unit == "%" else high / low
    return float(width.median())


def _of_trials(inside: np.ndarray, trials: np.ndarray) -> tuple[float, float]:
    """Interval of a share from trials drawn with replacement."""
    names, place = np.unique(trials, return_inverse=True)
    if len(names) < 2:
        return 0.0, 1.0
    hits, size = np.bincount(place, inside), np.bincount(place).astype(float)
    # the variance of a ratio of sums over trials, without any draw
    share = hits.sum() / size.sum()
    spread = np.sqrt(len(names) / (len(names) - 1) * np.sum((hits - share * size) ** 2)) / size.sum()
    return max(share - 1.96 * spread, 0.0), min(share + 1.96 * spread, 1.0)


def _half_step(reported: float) -> float:
    """Half of the last digit that a report is printed with."""
    text = f"{reported:.6g}"
    digits = len(text.partition(".")[2])
    return float(0.5 * 10.0**-digits) * (1 + 1e-9)


def _quantile(values: np.ndarray, share: np.ndarray, at: float) -> float:
    """Quantile of sorted, weighted values; halfway between two where it falls between them."""
    sums = np.cumsum(share)
    place = int(np.searchsorted(sums, at - 1e-12))
    place = min(place, len(values) - 1)
    if abs(sums[place] - at) < 1e-12 and place + 1 < len(values):
        return float((values[place] + values[place + 1]) / 2)
    return float(values[place])


def _z(values: np.ndarray, share: np.ndarray, reported: float, rank: float, unit: str) -> float:
    """Distance of the report in standard deviations."""
    few = 1.0 / max(len(values), 2)
    if few < rank < 1 - few:
        return float(ndtri(rank))
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = scale_of_unit(unit).to(values), float(scale_of_unit(unit).to(np.asarray(reported)))
    finite = np.isfinite(x)
    if finite.sum() < 2 or not np.isfinite(y):
        return float(np.clip(np.sign(rank - 0.5) * _FAR, -_FAR, _FAR))
    middle = np.average(x[finite], weights=share[finite])
    spread = np.sqrt(np.average((x[finite] - middle) ** 2, weights=share[finite]))
    edge = float(ndtri(1 - few))
    z = (y - middle) / spread if spread > 0 else np.sign(y - middle) * _FAR
    return float(np.clip(np.sign(rank - 0.5) * max(abs(z), edge), -_FAR, _FAR))
