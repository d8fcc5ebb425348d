"""A card before and after reports: where its draws lie in each range, as large as their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import CONTROL, EXPERIMENTAL, FULL_WIDTH, INK, MUTED, RULE, new_figure, shorten, styled, tint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BASES = {"stated": MUTED, "others": CONTROL, "all": EXPERIMENTAL}
_LARGEST = 150.0  # area of a dot with a tenth of all weight


def learned(
    draws: pd.DataFrame, fields: pd.DataFrame, predictions: pd.DataFrame, *, width: float = FULL_WIDTH
) -> Figure:
    """Draw prior and posterior of a card side by side, and of what it predicts.

    Parameters
    ----------
    draws : pandas.DataFrame
        ``field``, ``place`` (of a draw in the range, 0 to 1), ``weight``.
    fields : pandas.DataFrame
        ``field``, ``label``, ``prior_low prior prior_high low middle high`` (places, 0 to 1), ``told`` (words
        on the right); in the order to show.
    predictions : pandas.DataFrame
        ``label``, ``unit``, ``reported``, and ``predicted low high`` after ``stated_``, ``others_`` and
        ``all_``: as stated, weighed by the other cohorts (NaN where there is none), by all.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows, below = len(fields), len(predictions)
    with styled():
        figure = new_figure(width, 1.1 + 0.36 * rows + 0.52 * below + 0.7)
        upper, lower = figure.subplots(2, 1, height_ratios=[rows + 1, 1.5 * below + 1])
        _draw_fields(upper, draws, fields)
        _draw_predictions(lower, predictions)
    return figure


def _draw_fields(axes: Axes, draws: pd.DataFrame, fields: pd.DataFrame) -> None:
    for row, field in enumerate(fields.to_dict("records")):
        own = draws[draws["field"] == field["field"]]
        axes.hlines(row - 0.2, field["prior_low"], field["prior_high"], color=MUTED, linewidth=1.4)
        axes.plot([field["prior"]], [row - 0.2], "|", color=MUTED, markersize=7)
        axes.hlines(row + 0.1, field["low"], field["high"], color=EXPERIMENTAL, linewidth=2.2)
        axes.plot([field["middle"]], [row + 0.1], "|", color=EXPERIMENTAL, markersize=9)
        area = np.maximum(_LARGEST * 10 * own["weight"].to_numpy(float) / 10, 0.6)
        axes.scatter(
            own["place"], np.full(len(own), row + 0.1), s=area, color=[tint(EXPERIMENTAL, 0.35)], linewidths=0
        )
        axes.text(1.03, row, field["told"], va="center", fontsize=7.5, color=MUTED)
    axes.set_yticks(range(len(fields)), [shorten(label, 44) for label in fields["label"]])
    for tick in axes.get_yticklabels():
        tick.set_color(INK)
    axes.set_ylim(len(fields) - 0.4, -0.8)
    axes.set_xlim(-0.02, 1.42)
    axes.set_xticks([0, 0.5, 1.0], ["low end", "middle", "high end of the range"])
    axes.grid(visible=False, axis="y")
    axes.plot([], [], color=MUTED, linewidth=1.4, label="card as stated, 90 % of draws")
    axes.plot(
        [],
        [],
        color=EXPERIMENTAL,
        linewidth=2.2,
        label="weighed by reports; dots: draws",
    )
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, labelcolor="linecolor", fontsize=8)


def _draw_predictions(axes: Axes, predictions: pd.DataFrame) -> None:
    """Rates and months on one axis, each scaled by what is largest of it."""
    largest = predictions[["stated_high", "all_high", "reported"]].replace(np.inf, np.nan).max(axis=1)
    scale = np.where(predictions["unit"] == "%", 100.0, np.maximum(largest, 1e-9) * 1.05)
    for row, said in enumerate(predictions.to_dict("records")):
        for offset, (basis, color) in zip((-0.24, 0.0, 0.24), _BASES.items(), strict=True):
            names = (f"{basis}_low", f"{basis}_predicted", f"{basis}_high")
            low, middle, high = (min(float(said[name]) / scale[row], 1.0) for name in names)
            if np.isnan(middle):
                continue
            axes.hlines(row + offset, low, high, color=color, linewidth=2.0)
            axes.plot([middle], [row + offset], "|", color=color, markersize=8)
        axes.plot([said["reported"] / scale[row]], [row], "D", color=INK, markersize=4.5)
        unit = "%" if said["unit"] == "%" else " months"
        axes.text(1.03, row, f"reported {said['reported']:.3g}{unit}", va="center", fontsize=7.5, color=MUTED)
    axes.set_yticks(range(len(predictions)), [shorten(label, 44) for label in predictions["label"]])
    for tick in axes.get_yticklabels():
        tick.set_color(INK)
    axes.set_ylim(len(predictions) - 0.4, -0.8)
    axes.set_xlim(-0.02, 1.42)
    axes.set_xticks([0, 0.5, 1.0], ["0", "50 %, half", "100 %, the largest"])
    axes.grid(visible=False, axis="y")
    axes.axvline(1.0, color=RULE, linewidth=0.6)
    axes.set_xlabel(
        "Cohorts of the reported size, 90 %: gray as stated, orange weighed by the other cohorts,\n"
        "teal weighed by all; diamonds as reported",
        loc="left",
    )
