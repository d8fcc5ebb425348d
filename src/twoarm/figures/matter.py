"""What matters: a tornado for each endpoint, and what measurements would take away."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import CONTROL, EXPERIMENTAL, FULL_WIDTH, INK, MUTED, RULE, THIRD, new_figure, shorten, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def tornado(table: pd.DataFrame, *, most: int = 10, width: float = FULL_WIDTH) -> Figure:
    """Draw how far each parameter moves each endpoint, the largest on top.

    Parameters
    ----------
    table : pandas.DataFrame
        ``endpoint`` (title), ``name``, ``low``, ``middle``, ``high``: the endpoint with the parameter near
        the low and the high end of its range.
    most : int
        Bars of a panel.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = list(table.groupby("endpoint", sort=False))
    with styled():
        figure = new_figure(width, 0.5 + (0.45 + 0.21 * most) * len(panels))
        spots = figure.subplots(max(len(panels), 1), 1, squeeze=False)[:, 0]
        for axes, (title, part) in zip(spots, panels, strict=False):
            _draw_tornado(axes, part, str(title), most)
        handles, labels = spots[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, labelcolor=MUTED)
    return figure


def worth(table: pd.DataFrame, *, width: float = FULL_WIDTH) -> Figure:
    """Draw the share of each endpoint's variance that a measurement is expected to take away.

    Parameters
    ----------
    table : pandas.DataFrame
        ``endpoint`` (title), ``measurement``, ``share``, ``low``, ``high``.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = list(table.groupby("endpoint", sort=False))
    first = table[table["endpoint"] == panels[0][0]] if panels else table
    order = first.sort_values("share")["measurement"].to_list()
    with styled():
        figure = new_figure(width, 0.9 + 0.24 * len(order))
        spots = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
        for axes, (title, part) in zip(spots, panels, strict=False):
            rows = part.set_index("measurement").reindex(order)
            place = np.arange(len(order))
            axes.barh(place, 100 * rows["share"], height=0.6, color=THIRD)
            axes.hlines(place, 100 * rows["low"], 100 * rows["high"], color=INK, linewidth=1.2)
            axes.set_yticks(place, order)
            axes.set_xlim(0, 100 * max(0.1, 1.05 * float(table["high"].max())))
            axes.set_title("\n".join(wrap(str(title), 18)[:2]), fontsize=8)
            axes.grid(visible=False, axis="y")
            axes.grid(visible=True, axis="x")
            axes.set_xlabel("% of the variance")
    return figure


def _draw_tornado(axes: Axes, part: pd.DataFrame, title: str, most: int) -> None:
    size = (part["high"] - part["low"]).abs()
    part = part.loc[size.sort_values(ascending=False).index[:most]].iloc[::-1]
    place, middle = np.arange(len(part)), part["middle"].to_numpy(float)
    for end, color, label in (
        ("low", CONTROL, "low end of the range"),
        ("high", EXPERIMENTAL, "high end of the range"),
    ):
        axes.barh(
            place, part[end].to_numpy(float) - middle, left=middle, height=0.62, color=color, label=label
        )
    axes.axvline(float(middle[0]) if len(middle) else 0.0, color=RULE, linewidth=0.9)
    axes.set_yticks(place, [shorten(name, 46) for name in part["name"]])
    axes.set_title(title, fontsize=8.5)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
