"""An experiment in one figure: the share of the card where each claim holds, and the curves behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .style import (
    CONTROL,
    EXPERIMENTAL,
    FULL_WIDTH,
    INK,
    MUTED,
    PAPER,
    RULE,
    arm_colors,
    new_figure,
    power_of_ten,
    shorten,
    styled,
    tint,
    title_case,
    unit_words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIDES = (
    ("holds", "holds", EXPERIMENTAL),
    ("neither", "neither", RULE),
    ("contradicts", "on the refuting side", CONTROL),
)
_COLUMNS = 3
_LETTERS = 62
_MOST_BANDS = 5
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1, 1.3)))


def experiment(
    verdicts: pd.DataFrame, curves: pd.DataFrame, ladders: pd.DataFrame, *, width: float = FULL_WIDTH
) -> Figure:
    """Draw claims as shares of the draws, and below them curves over time and readouts over dose.

    Parameters
    ----------
    verdicts : pandas.DataFrame
        A row a claim: ``claim``, ``middle``, ``low``, ``high``, ``holds``, ``contradicts`` (shares) and
        ``verdict``.
    curves : pandas.DataFrame
        ``group`` (title), ``output`` (label), ``unit``, ``day``, ``low``, ``middle``, ``high``; may be empty.
    ladders : pandas.DataFrame
        ``group`` (title), ``readout`` (label), ``unit``, ``amount`` [nmol], ``low``, ``middle``, ``high``;
        may be empty.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = [
        *((label, part, "day", "Days") for label, part in curves.groupby("output", sort=False)),
        *((label, part, "amount", "Dose, nmol") for label, part in ladders.groupby("readout", sort=False)),
    ]
    rows = math.ceil(len(panels) / _COLUMNS)
    lines = sum(len(wrap(str(claim), _LETTERS)) for claim in verdicts["claim"])
    top = 0.7 + 0.19 * lines + 0.12 * len(verdicts)
    with styled():
        figure = new_figure(width, top + 2.35 * rows + 0.3)
        heights = [top, 2.35 * rows + 0.3][: 1 + bool(rows)]
        upper, *lower = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        _draw_claims(upper.subplots(), verdicts)
        if lower:
            looks = _looks([*curves["group"], *ladders["group"]])
            spots = lower[0].subplots(rows, min(_COLUMNS, len(panels)), squeeze=False).ravel()
            for axes, (label, part, x, words) in zip(spots, panels, strict=False):
                _draw_panel(axes, str(label), part, x, words, looks)
            for axes in spots[len(panels) :]:
                axes.set_visible(False)
            handles, labels = spots[0].get_legend_handles_labels()
            lower[0].legend(
                handles,
                [shorten(name, 46) for name in labels],
                loc="outside upper left",
                ncols=2,
                labelcolor="linecolor",
            )
    return figure


def _looks(groups: Sequence[object]) -> dict[str, tuple[str, Any]]:
    """Color and dashes of each group: where colors come again, dashes tell them apart."""
    colors = arm_colors(groups)
    seen: list[str] = []
    looks: dict[str, tuple[str, Any]] = {}
    for name, color in colors.items():
        looks[name] = color, _DASHES[min(seen.count(color), len(_DASHES) - 1)]
        seen.append(color)
    return looks


def _draw_claims(axes: Axes, verdicts: pd.DataFrame) -> None:
    texts = ["\n".join(wrap(str(claim), _LETTERS)) for claim in verdicts["claim"]]
    heights = np.array([text.count("\n") + 1.6 for text in texts])
    places = np.cumsum(heights) - heights / 2
    shares = verdicts.assign(neither=1 - verdicts["holds"] - verdicts["contradicts"])
    start = np.zeros(len(verdicts))
    for column, label, color in _SIDES:
        share = 100 * shares[column].to_numpy(float)
        axes.barh(places, share, left=start, height=0.8, color=color, label=label)
        start += share
    for place, row in zip(places, verdicts.to_dict("records"), strict=True):
        number = f"{_short(row['middle'])} ({_short(row['low'])} to {_short(row['high'])})"
        color = {"supports": EXPERIMENTAL, "refutes": CONTROL}.get(row["verdict"], MUTED)
        axes.text(103, place, f"{number}\n{row['verdict']}", va="center", fontsize=7.5, color=color)
    axes.set_yticks(places, texts)
    for tick in axes.get_yticklabels():
        tick.set_color(INK)
        tick.set_fontsize(7.5)
    axes.set_ylim(heights.sum(), 0)
    axes.set_xlim(0, 152)
    axes.set_xticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])
    axes.grid(visible=False)
    axes.set_xlabel("Share of the draws", loc="left")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2, labelcolor=MUTED)


def _short(value: float) -> str:
    return "none" if not np.isfinite(value) else f"{value:.3g}"


def _draw_panel(
    axes: Axes, label: str, part: pd.DataFrame, x: str, words: str, looks: dict[str, tuple[str, Any]]
) -> None:
    crowded = part["group"].nunique() > _MOST_BANDS  # bands over bands say nothing
    for group, points in part.groupby("group", sort=False):
        (color, dashes), line = looks[str(group)], points.sort_values(x)
        at = line[x].to_numpy(float)
        if len(at) > 1 and crowded:
            pass
        elif len(at) > 1:
            axes.fill_between(at, line["low"], line["high"], color=tint(color, 0.16), linewidth=0)
        else:
            axes.vlines(at, line["low"], line["high"], color=tint(color, 0.5), linewidth=2.5)
        axes.plot(
            at,
            line["middle"],
            marker="o" if x == "amount" else "",
            markersize=3.4,
            markeredgecolor=PAPER,
            color=color,
            linestyle=dashes,
            label=str(group),
        )
    unit = str(part["unit"].iloc[0])
    said = f", {unit_words(unit)}" if unit and unit_words(unit) != "fraction" else ""
    axes.set_title("\n".join(wrap(f"{title_case(label)}{said}", 34)), fontsize=8)
    axes.set_xlabel(words)
    middle = part["middle"].to_numpy(float)
    low = part["low"].to_numpy(float)
    if x == "amount":
        axes.set_xscale("log")
    if (low > 0).all() and middle.max() > 20 * middle.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(power_of_ten)
    elif (low >= 0).all():
        axes.set_ylim(bottom=0)
