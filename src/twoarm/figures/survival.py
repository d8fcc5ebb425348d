"""Kaplan-Meier curves with the number at risk below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import (
    DAYS_PER_MONTH,
    FULL_WIDTH,
    INK,
    MUTED,
    RULE,
    arm_colors,
    by_arm,
    month_ticks,
    new_figure,
    short_names,
    shorten,
    styled,
    title_case,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ENDPOINTS = {"OS": "Alive, %", "PFS": "Progression-free, %"}
_KEY_ROW = 0.17  # inch for each row of the key above the curves
_RISK_ROW = 0.19


def kaplan_meier(
    curves: pd.DataFrame,
    *,
    endpoint: str,
    medians: pd.DataFrame | None = None,
    published: pd.DataFrame | None = None,
    note: str = "",
    months: float | None = None,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Survival by arm as steps with a 95 % band, censored patients as ticks, and the number at risk.

    Parameters
    ----------
    curves : pandas.DataFrame
        One row for each arm and day on which something happened, day 0 included: ``arm``, ``day`` [day],
        ``survival``, ``low``, ``high`` (0 to 1), ``at_risk`` (just before), ``censored`` (on the day).
    endpoint : str
        "PFS", "OS", or another name for the y axis.
    medians : pandas.DataFrame, optional
        ``arm``, ``median``, ``low``, ``high`` [day]; infinite or NaN reads as "not reached".
    published : pandas.DataFrame, optional
        Dashed overlay: ``arm`` (gives the color; any other word is gray), ``label``, ``day`` [day],
        ``survival``.
    note : str
        A line under the key, as the hazard ratio.
    months : float, optional
        Where the axis ends [month]; by default where fewer than a twentieth of all patients are left.
    names : mapping, optional
        What to call an arm in the figure.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> curves = pd.DataFrame(
    ...     {
    ...         "arm": "control",
    ...         "day": [0.0, 90.0],
    ...         "survival": [1.0, 0.5],
    ...         "low": [1.0, 0.2],
    ...         "high": [1.0, 0.7],
    ...         "at_risk": [2, 2],
    ...         "censored": [0, 0],
    ...     }
    ... )
    >>> figure = kaplan_meier(curves, endpoint="PFS", months=6)
    >>> [axes.get_ylabel() for axes in figure.axes][1]
    'Progression-free, %'
    """
    curves = by_arm(curves, names)
    arms = list(dict.fromkeys(curves["arm"]))
    colors = arm_colors(arms)
    shown = {arm: (names or {}).get(arm, title_case(arm)) for arm in arms}
    end = months if months is not None else _end_month(curves)
    overlays = 0 if published is None else published["label"].nunique()
    rows = len(arms) + overlays + bool(note)
    with styled():
        figure = new_figure(width, 2.75 + _KEY_ROW * rows + _RISK_ROW * (len(arms) + 1))
        heights = [_KEY_ROW * rows + 0.05, 2.75, _RISK_ROW * (len(arms) + 1)]
        key, axes, risk = figure.subplots(3, 1, height_ratios=heights)
        _draw_curves(axes, curves, colors)
        if published is not None:
            _draw_published(axes, published, colors)
        if medians is not None:
            _draw_medians(axes, medians, colors, end)
        _survival_axis(axes, endpoint)
        ticks = month_ticks(axes, end)
        _draw_key(key, _key_rows(curves, medians, published, shown, colors, note))
        _draw_risk(risk, curves, short_names(shown), colors, ticks, end)
    return figure


def survival_range(
    table: pd.DataFrame,
    *,
    endpoint: str,
    published: pd.DataFrame | None = None,
    title: str = "",
    note: str = "",
    caption: Sequence[str] = (),
    months: float | None = None,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Survival over many trials: the middle one of them as a line, all of them as a band.

    Parameters
    ----------
    table : pandas.DataFrame
        ``arm``, ``day`` [day], ``survival`` (median over trials), ``low``, ``high`` (least and greatest), all
        0 to 1.
    endpoint : str
        "PFS", "OS", or another name for the y axis.
    published : pandas.DataFrame, optional
        Dashed overlay, as in `kaplan_meier`.
    title : str
        A line above the key, for a figure that stands alone.
    note : str
        A line under the key, as the hazard ratio.
    caption : sequence of str
        Lines below the axis, for a figure that stands alone.
    months : float, optional
        Where the axis ends [month]; by default with the table.
    names : mapping, optional
        What to call an arm in the figure.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = by_arm(table, names)
    arms = list(dict.fromkeys(table["arm"]))
    colors = arm_colors(arms)
    rows = [(shorten((names or {}).get(arm, title_case(arm)), 92), colors[arm], "-") for arm in arms]
    if published is not None:
        for arm, label in published[["arm", "label"]].drop_duplicates().itertuples(index=False):
            rows.append((shorten(label, 92), colors.get(str(arm), MUTED), "--"))
    rows += [(note, MUTED, "")] if note else []
    end = months if months is not None else float(table["day"].max()) / DAYS_PER_MONTH
    with styled():
        heights = [_KEY_ROW * len(rows) + 0.05, 3.2, _KEY_ROW * len(caption) + 0.01]
        lines = wrap(title, 80)
        figure = new_figure(width, sum(heights) + 0.1 + 0.24 * len(lines))
        key, axes, below = figure.subplots(3, 1, height_ratios=heights)
        if lines:
            figure.suptitle("\n".join(lines), x=0.005, ha="left", fontsize=11, fontweight="bold", color=INK)
        for arm, part in table.groupby("arm", sort=False):
            month, color = part["day"] / DAYS_PER_MONTH, colors[str(arm)]
            axes.fill_between(month, part["low"], part["high"], color=color, alpha=0.18, linewidth=0)
            axes.plot(month, part["survival"], color=color, linewidth=2.2, label=str(arm), zorder=3)
        if published is not None:
            _draw_published(axes, published, colors)
        axes.axhline(0.5, color=RULE, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        _survival_axis(axes, endpoint)
        month_ticks(axes, end)
        _draw_key(key, rows)
        _draw_key(below, [(line, MUTED, "") for line in caption])
    return figure


def _survival_axis(axes: Axes, endpoint: str) -> None:
    axes.set_ylabel(_ENDPOINTS.get(endpoint, f"{endpoint}, %"))
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25", "50", "75", "100"])
    axes.set_xlabel("Months since randomization")


def _end_month(curves: pd.DataFrame) -> float:
    total = curves.groupby("arm")["at_risk"].max().sum()
    days = np.sort(curves["day"].unique())
    left = [sum(int(_at_risk(part, day)) for _, part in curves.groupby("arm", sort=False)) for day in days]
    enough = days[np.asarray(left) >= 0.05 * total]
    return float(np.ceil(max(enough.max() if enough.size else 1.0, 1.0) / DAYS_PER_MONTH))


def _at_risk(part: pd.DataFrame, day: float) -> float:
    later = part.loc[part["day"] >= day - 1e-9, "at_risk"]
    return float(later.iloc[0]) if len(later) else 0.0


def _draw_curves(axes: Axes, curves: pd.DataFrame, colors: Mapping[str, str]) -> None:
    for arm, rows in curves.groupby("arm", sort=False):
        color, part = colors[str(arm)], rows.sort_values("day")
        month = part["day"].to_numpy(float) / DAYS_PER_MONTH
        band = part[["low", "high"]].ffill().to_numpy(float)
        axes.fill_between(month, band[:, 0], band[:, 1], step="post", color=color, alpha=0.13, linewidth=0)
        axes.step(month, part["survival"], where="post", color=color, label=str(arm), zorder=3)
        gone = part["censored"].to_numpy(float) > 0
        axes.plot(
            month[gone],
            part["survival"].to_numpy(float)[gone],
            linestyle="none",
            marker="|",
            markersize=5,
            markeredgewidth=0.7,
            color=color,
            label=f"{arm}: censored",
            zorder=4,
        )


def _draw_published(axes: Axes, published: pd.DataFrame, colors: Mapping[str, str]) -> None:
    for (arm, label), part in published.groupby(["arm", "label"], sort=False):
        axes.plot(
            part["day"].to_numpy(float) / DAYS_PER_MONTH,
            part["survival"],
            color=colors.get(str(arm), MUTED),
            linestyle=(0, (4, 2.2)),
            linewidth=1.2,
            label=str(label),
            zorder=2.5,
        )


def _draw_medians(axes: Axes, medians: pd.DataFrame, colors: Mapping[str, str], end: float) -> None:
    reached = medians[np.isfinite(medians["median"].to_numpy(float))]
    for row in reached.to_dict("records"):
        month = float(row["median"]) / DAYS_PER_MONTH
        color = colors.get(str(row["arm"]), MUTED)
        if month > end:
            continue
        axes.plot([0, month], [0.5, 0.5], color=RULE, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        axes.plot([month, month], [0, 0.5], color=color, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        axes.plot([month], [0.5], marker="o", markersize=3.5, color=color, zorder=5)


def months_text(days: float, low: float = np.nan, high: float = np.nan) -> str:
    """Say a median in words, as "9.1 months (95 % CI 8.0 to 10.2)"."""
    if not np.isfinite(days):
        return "not reached"
    text = f"{days / DAYS_PER_MONTH:.1f} months"
    if np.isnan(low) and np.isnan(high):
        return text
    ends = [f"{x / DAYS_PER_MONTH:.1f}" if np.isfinite(x) else "not reached" for x in (low, high)]
    return f"{text} (95 % CI {ends[0]} to {ends[1]})"


def _key_rows(
    curves: pd.DataFrame,
    medians: pd.DataFrame | None,
    published: pd.DataFrame | None,
    shown: Mapping[str, str],
    colors: Mapping[str, str],
    note: str,
) -> list[tuple[str, str, str]]:
    """(text, color, line style) of each row above the curves."""
    rows = []
    for arm, part in curves.groupby("arm", sort=False):
        text = f"{shorten(shown[str(arm)], 52)}, n = {int(part['at_risk'].max())}"
        if medians is not None:
            own = medians[medians["arm"].astype(str) == str(arm)]
            if len(own):
                text += f": median {months_text(*(float(own[c].iloc[0]) for c in ('median', 'low', 'high')))}"
        rows.append((text, colors[str(arm)], "-"))
    if published is not None:
        for arm, label in published[["arm", "label"]].drop_duplicates().itertuples(index=False):
            rows.append((shorten(label, 92), colors.get(str(arm), MUTED), "--"))
    if note:
        rows.append((shorten(note, 110), MUTED, ""))
    return rows


def _draw_key(axes: Axes, rows: list[tuple[str, str, str]]) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(max(len(rows), 1), 0))
    for index, (text, color, line) in enumerate(rows):
        if line:
            dashes = "-" if line == "-" else (0, (4, 2.2))
            axes.plot([0.0, 0.03], [index + 0.5] * 2, color=color, linestyle=dashes, linewidth=1.7)
        axes.text(0.04 if line else 0.0, index + 0.5, text, color=color, va="center", fontsize=8.5)


def _draw_risk(
    axes: Axes,
    curves: pd.DataFrame,
    shown: Mapping[str, str],
    colors: Mapping[str, str],
    ticks: list[float],
    end: float,
) -> None:
    arms = list(dict.fromkeys(curves["arm"].astype(str)))
    axes.set(xlim=(0, end), ylim=(len(arms) + 0.5, -0.5), xticks=[])
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", pad=14)
    axes.set_yticks(
        [0, *range(1, len(arms) + 1)], ["Number at risk", *(shorten(shown[arm], 20) for arm in arms)]
    )
    for label, color in zip(axes.get_yticklabels(), [MUTED, *(colors[arm] for arm in arms)], strict=True):
        label.set_color(color)
    for row, arm in enumerate(arms, start=1):
        part = curves[curves["arm"].astype(str) == arm].sort_values("day")
        for tick in ticks:
            count = int(_at_risk(part, tick * DAYS_PER_MONTH))
            axes.text(
                tick, row, str(count), ha="center", va="center", color=colors[arm], fontsize=8, clip_on=False
            )
