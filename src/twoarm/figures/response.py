"""Tumor response of single patients: waterfall and spider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import (
    DAYS_PER_MONTH,
    FULL_WIDTH,
    MUTED,
    RULE,
    arm_colors,
    arm_title,
    by_arm,
    month_ticks,
    new_figure,
    styled,
    tint,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CATEGORIES = ("CR", "PR", "SD", "PD", "NE")
_CEILING = 100.0  # percent; a bar or line above is cut and said to be


def _shades(color: str) -> dict[str, object]:
    """Give a color to each category of response: the deeper, the better."""
    return {"CR": color, "PR": tint(color, 0.72), "SD": tint(color, 0.36), "PD": RULE, "NE": tint(RULE, 0.5)}


def _reference_lines(axes: Axes) -> None:
    axes.axhline(0, color=RULE, linewidth=0.8, zorder=1)
    for level in (20, -30):
        axes.axhline(level, color=MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=4)


def _percent_axis(axes: Axes, low: float = -100.0) -> None:
    axes.set_ylim(low - 4, _CEILING + 4)
    axes.set_yticks([-100, -60, -30, 0, 20, 60, 100], ["−100", "−60", "−30", "0", "+20", "+60", "+100"])


def waterfall(
    patients: pd.DataFrame, *, names: Mapping[str, str] | None = None, width: float = FULL_WIDTH
) -> Figure:
    """Best change of the sum of diameters, a bar a patient, a panel an arm.

    Parameters
    ----------
    patients : pandas.DataFrame
        ``arm``, ``best_change`` [% of baseline; NaN is not measured], ``bor`` (CR PR SD PD NE).
    names : mapping, optional
        What to call an arm.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    patients = by_arm(patients, names)
    arms = list(dict.fromkeys(patients["arm"]))
    colors = arm_colors(arms)
    with styled():
        figure = new_figure(width, 3.0)
        panels = figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
        for axes, arm in zip(panels, arms, strict=True):
            part = patients[patients["arm"].astype(str) == arm]
            measured = part[part["best_change"].notna()].sort_values("best_change", ascending=False)
            _draw_bars(axes, measured, _shades(colors[arm]))
            _reference_lines(axes)
            _percent_axis(axes)
            axes.set_title(arm_title(names, arm, 34), color=colors[arm], pad=22)
            axes.text(0, 1.035, _tally(part), transform=axes.transAxes, color=MUTED, fontsize=8, va="bottom")
            missing, cut = len(part) - len(measured), int((measured["best_change"] > _CEILING).sum())
            axes.set_xlabel(_footnote(len(measured), missing, cut))
            axes.set_xticks([])
        panels[0].set_ylabel("Best change of the sum of diameters, %")
    return figure


def _draw_bars(axes: Axes, measured: pd.DataFrame, shades: Mapping[str, object]) -> None:
    heights = measured["best_change"].clip(-100, _CEILING).to_numpy(float)
    places = np.arange(len(heights))
    bor = measured["bor"].astype(str).to_numpy()
    for category in CATEGORIES:
        own = bor == category
        if own.any():
            # One outline a category: hundreds of bars side by side would show a seam between each two.
            gap = 0.08 if len(heights) < 100 else 0.0
            edges = np.sort(np.concatenate([places - 0.5 + gap / 2, places + 0.5 - gap / 2]))
            steps = np.full(len(edges) - 1, np.nan)
            steps[::2] = np.where(own, heights, np.nan)
            if not gap:
                edges, steps = np.append(places - 0.5, len(places) - 0.5), steps[::2]
            axes.stairs(steps, edges, fill=True, color=shades[category], label=category, zorder=2)
    axes.set_xlim(-1, max(len(heights), 1))
    axes.margins(x=0)


def _tally(part: pd.DataFrame) -> str:
    counts = part["bor"].astype(str).value_counts()
    return " · ".join(f"{category} {counts[category]}" for category in CATEGORIES if category in counts)


def _footnote(measured: int, missing: int, cut: int) -> str:
    text = f"{measured} patients measured"
    if missing:
        text += f", {missing} not"
    return text + (f"; {cut} above +100 %" if cut else "")


def spider(
    changes: pd.DataFrame,
    *,
    limit: int = 60,
    months: float | None = None,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Change of the sum of diameters over time, a line a patient, a panel an arm.

    Parameters
    ----------
    changes : pandas.DataFrame
        ``patient``, ``arm``, ``day`` [day], ``change`` [% of baseline], ``bor`` optional. A start at day 0
        and 0 % is added where it is missing; a baseline scan before day 0 is drawn there.
    limit : int
        At most so many patients in a panel, evenly spaced along their best change, so the picture stays fair.
    months : float, optional
        End of the axis.
    names : mapping, optional
        What to call an arm.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    changes = by_arm(changes, names)
    arms = list(dict.fromkeys(changes["arm"]))
    colors = arm_colors(arms)
    known = changes.dropna(subset=["change"])
    last = float(known["day"].quantile(0.99)) if len(known) else DAYS_PER_MONTH
    end = months if months is not None else max(np.ceil(last / DAYS_PER_MONTH), 3.0)
    with styled():
        figure = new_figure(width, 3.0)
        panels = figure.subplots(1, len(arms), sharey=True, squeeze=False)[0]
        for axes, arm in zip(panels, arms, strict=True):
            part = known[known["arm"].astype(str) == arm]
            chosen = _evenly(part, limit)
            _draw_lines(axes, part[part["patient"].isin(chosen)], colors[arm])
            _reference_lines(axes)
            _percent_axis(axes)
            axes.set_title(arm_title(names, arm, 34), color=colors[arm], pad=22)
            text = "deep: response (CR, PR) · pale: stable · gray: progression"
            axes.text(0, 1.035, text, transform=axes.transAxes, color=MUTED, fontsize=8, va="bottom")
            month_ticks(axes, end)
            total = part["patient"].nunique()
            sample = "" if len(chosen) == total else f" ({len(chosen)} of {total} patients)"
            axes.set_xlabel(f"Months since randomization{sample}")
        panels[0].set_ylabel("Change of the sum of diameters, %")
    return figure


def _evenly(part: pd.DataFrame, limit: int) -> list[object]:
    """Patients evenly spaced along their best change."""
    best = part.groupby("patient")["change"].min().sort_values(kind="stable")
    if len(best) <= limit:
        return list(best.index)
    return list(best.index[np.unique(np.linspace(0, len(best) - 1, limit).round().astype(int))])


def _draw_lines(axes: Axes, part: pd.DataFrame, color: str) -> None:
    shades = _shades(color)
    for _, readings in part.groupby("patient", sort=False):
        line = readings.sort_values("day")
        day = line["day"].to_numpy(float).clip(min=0.0)  # a baseline scan comes some days before
        change = line["change"].to_numpy(float)
        if not len(day) or day[0] > 0:
            day, change = np.insert(day, 0, 0.0), np.insert(change, 0, 0.0)
        bor = str(line["bor"].iloc[0]) if "bor" in line else "SD"
        shade = shades.get(bor, RULE)
        order = {"CR": 4, "PR": 4, "SD": 3}.get(bor, 2)
        axes.plot(
            day / DAYS_PER_MONTH, np.minimum(change, _CEILING), color=shade, linewidth=0.9, zorder=order
        )
        axes.plot(
            day[-1] / DAYS_PER_MONTH,
            min(change[-1], _CEILING),
            marker="o",
            markersize=2.2,
            color=shade,
            zorder=order,
        )
