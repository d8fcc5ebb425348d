"""Competing causes: the share of patients that each has ended, over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import (
    DAYS_PER_MONTH,
    FULL_WIDTH,
    arm_colors,
    by_arm,
    month_ticks,
    new_figure,
    shorten,
    styled,
    title_case,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def cumulative_incidence(
    curves: pd.DataFrame,
    *,
    notes: Mapping[str, str] | None = None,
    months: float | None = None,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Share of patients that each cause has ended, a panel a cause, a line an arm.

    Parameters
    ----------
    curves : pandas.DataFrame
        ``cause``, ``arm``, ``day`` [day], ``share``, ``low``, ``high`` (0 to 1), ``at_risk``.
    notes : mapping, optional
        A line under the name of a cause, as its hazard ratio.
    months : float, optional
        End of the axis; by default where fewer than a fiftieth of all patients are left.
    names : mapping, optional
        What to call an arm.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> curves = pd.DataFrame({"cause": "toxicity", "arm": "new", "day": [0.0, 30], "share": [0, 0.1]})
    >>> figure = cumulative_incidence(curves.assign(low=0.0, high=0.2, at_risk=10), months=3)
    >>> figure.axes[0].get_title(loc="left")
    'Toxicity'
    """
    curves = by_arm(curves, names)
    arms, causes = list(dict.fromkeys(curves["arm"])), list(dict.fromkeys(curves["cause"]))
    colors = arm_colors(arms)
    end = months if months is not None else _end_month(curves)
    with styled():
        figure = new_figure(width, 2.9)
        panels = figure.subplots(1, len(causes), sharey=True, squeeze=False)[0]
        for axes, cause in zip(panels, causes, strict=True):
            _draw_cause(axes, curves[curves["cause"] == cause], colors, end)
            axes.set_title(title_case(str(cause)), pad=20 if notes else 6)
            if notes:
                axes.text(
                    0, 1.03, notes.get(str(cause), ""), transform=axes.transAxes, fontsize=8, va="bottom"
                )
            month_ticks(axes, end)
            axes.set_xlabel("Months since randomization")
        top = float(np.nanmax(curves["high"].to_numpy(float)))
        panels[0].set(ylim=(0, min(1.0, 1.05 * top) if top > 0 else 1.0), ylabel="Patients, %")
        panels[0].yaxis.set_major_formatter(lambda share, place: f"{100 * share:.0f}")
        handles, labels = panels[0].get_legend_handles_labels()
        shown = [shorten((names or {}).get(arm, title_case(arm)), 60) for arm in labels]
        figure.legend(handles, shown, loc="outside upper left", ncols=2, labelcolor="linecolor")
    return figure


def _draw_cause(axes: Axes, part: pd.DataFrame, colors: Mapping[str, str], end: float) -> None:
    for arm, rows in part.groupby("arm", sort=False):
        own, color = rows.sort_values("day"), colors[str(arm)]
        month = np.append(own["day"].to_numpy(float) / DAYS_PER_MONTH, end)
        share, low, high = (
            np.append(own[c].to_numpy(float), own[c].iloc[-1]) for c in ("share", "low", "high")
        )
        axes.fill_between(month, low, high, step="post", color=color, alpha=0.13, linewidth=0)
        axes.step(month, share, where="post", color=color, label=str(arm), zorder=3)


def _end_month(curves: pd.DataFrame) -> float:
    """Month up to which one in fifty patients is left in the fuller arm."""
    left = curves[curves["at_risk"] >= 0.02 * curves["at_risk"].max()]
    return float(np.ceil(max(float(left["day"].max()), 1.0) / DAYS_PER_MONTH))
