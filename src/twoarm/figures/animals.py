"""Animals in one figure: growth and survival beside the untreated, growth inhibition, second tumors."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import (
    CONTROL,
    EXPERIMENTAL,
    FULL_WIDTH,
    INK,
    MUTED,
    RULE,
    new_figure,
    power_of_ten,
    styled,
    tint,
    unit_words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
_ROW = 1.65  # inch
_TAKES = (
    ("take_naive", "naive animals", MUTED),
    ("take_forgetful", "cured, memory taken away", CONTROL),
    ("take", "cured", EXPERIMENTAL),
)


def animals(
    growth: pd.DataFrame,
    inhibition: pd.DataFrame,
    survival: pd.DataFrame,
    second: pd.DataFrame | None = None,
    *,
    untreated: str,
    limit: float | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Draw growth, survival, growth inhibition and second tumors of each group.

    Parameters
    ----------
    growth : pandas.DataFrame
        ``group``, ``unit``, ``day``, ``low``, ``middle``, ``high`` of tumor volume.
    inhibition : pandas.DataFrame
        ``group``, ``day``, ``low``, ``middle``, ``high`` [%].
    survival : pandas.DataFrame
        ``group``, ``day``, ``survival``, ``low``, ``high`` (shares).
    second : pandas.DataFrame, optional
        ``group``, ``rechallenged`` (how many), and ``take``, ``take_forgetful``, ``take_naive`` (shares),
        each with ``_low`` and ``_high``; groups in which nobody was cured are left out.
    untreated : str
        The group that stands in gray beside each other.
    limit : float, optional
        Volume at which an animal is taken out.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = [str(group) for group in dict.fromkeys(survival["group"]) if str(group) != untreated]
    rows = math.ceil(len(groups) / _COLUMNS)
    cured = None if second is None else second[second["rechallenged"] > 0]
    dots = 0.75 + 0.3 * max(len(inhibition), 0 if cured is None else len(cured))
    heights = [_ROW * rows + 0.5, _ROW * rows + 0.5, dots]
    with styled():
        figure = new_figure(width, sum(heights))
        upper, middle, lower = figure.subfigures(3, 1, height_ratios=heights, squeeze=False)[:, 0]
        unit = unit_words(str(growth["unit"].iloc[0])) if len(growth) else ""
        upper.suptitle(f"Tumor volume{f', {unit}' if unit else ''}", **_HEAD)
        middle.suptitle("Animals still in, %", **_HEAD)
        spots = upper.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True)
        for axes, group in _placed(spots, groups):
            _draw_growth(axes, growth, group, untreated, limit)
        spots = middle.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True)
        for axes, group in _placed(spots, groups):
            _draw_survival(axes, survival, group, untreated)
            axes.set_xlim(right=float(growth["day"].max()) if len(growth) else None)
        left, right = lower.subplots(1, 2)
        _draw_inhibition(left, inhibition)
        _draw_takes(right, cured)
    return figure


_HEAD = {"x": 0.005, "ha": "left", "fontsize": 9.5, "fontweight": "bold", "color": INK}


def _placed(spots: np.ndarray, groups: list[str]) -> list[tuple[Axes, str]]:
    """Give each group its panel, with its name above; panels left over are hidden."""
    for axes, group in zip(spots.ravel(), groups, strict=False):
        axes.set_title("\n".join(wrap(group, 25)[:3]), fontsize=7.5, fontweight="normal", pad=3)
    for axes in spots.ravel()[len(groups) :]:
        axes.set_visible(False)
    for axes in spots[-1]:
        axes.set_xlabel("Days")
    return list(zip(spots.ravel()[: len(groups)], groups, strict=True))


def _draw_growth(axes: Axes, growth: pd.DataFrame, group: str, untreated: str, limit: float | None) -> None:
    for name, color in ((untreated, MUTED), (group, EXPERIMENTAL)):
        line = growth[growth["group"] == name].sort_values("day")
        day = line["day"].to_numpy(float)
        low, middle, high = (line[column].clip(lower=1e-4) for column in ("low", "middle", "high"))
        axes.fill_between(day, low, high, color=tint(color, 0.16), linewidth=0)
        axes.plot(day, middle, color=color, linewidth=1.2 if name == untreated else 1.8)
    if limit is not None:
        axes.axhline(limit, color=RULE, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(power_of_ten)


def _draw_survival(axes: Axes, survival: pd.DataFrame, group: str, untreated: str) -> None:
    for name, color in ((untreated, MUTED), (group, EXPERIMENTAL)):
        line = survival[survival["group"] == name].sort_values("day")
        day = line["day"].to_numpy(float)
        axes.fill_between(
            day, 100 * line["low"], 100 * line["high"], step="post", color=tint(color, 0.16), linewidth=0
        )
        axes.step(
            day,
            100 * line["survival"],
            where="post",
            color=color,
            linewidth=1.2 if name == untreated else 1.8,
        )
    axes.set_ylim(0, 103)
    axes.set_yticks([0, 50, 100])


def _draw_inhibition(axes: Axes, table: pd.DataFrame) -> None:
    day = f"{float(table['day'].iloc[0]):g}" if len(table) else ""
    axes.set_title(f"Tumor growth inhibition, day {day}, %")
    places = np.arange(len(table))
    axes.hlines(places, table["low"], table["high"], color=tint(EXPERIMENTAL, 0.5), linewidth=2.5)
    axes.plot(table["middle"], places, "o", color=EXPERIMENTAL, markersize=4)
    _name_rows(axes, list(table["group"]))
    axes.axvline(0, color=RULE, linewidth=0.9)
    axes.set_xlim(min(-10.0, float(table["low"].min()) - 5) if len(table) else -10, 105)


def _draw_takes(axes: Axes, cured: pd.DataFrame | None) -> None:
    axes.set_title("Second tumor takes, %")
    if cured is None or cured.empty:
        axes.text(0.0, 0.9, "Nobody was cured", color=MUTED, transform=axes.transAxes, va="top")
        axes.set_axis_off()
        axes.set_title("Second tumor takes, %")
        return
    places = np.arange(len(cured), dtype=float)
    for shift, (name, label, color) in zip((-0.22, 0.0, 0.22), _TAKES, strict=True):
        axes.hlines(
            places + shift,
            100 * cured[f"{name}_low"],
            100 * cured[f"{name}_high"],
            color=tint(color, 0.5),
            linewidth=2,
        )
        axes.plot(100 * cured[name], places + shift, "o", color=color, markersize=3.5, label=label)
    _name_rows(axes, [f"{row.group} (n = {row.rechallenged})" for row in cured.itertuples()])
    axes.set_xlim(-3, 103)
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=1, labelcolor="linecolor", fontsize=7.5)


def _name_rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(np.arange(len(names)), ["\n".join(wrap(name, 30)[:2]) for name in names], fontsize=7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
