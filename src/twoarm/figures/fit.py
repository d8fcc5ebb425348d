"""A fit in pictures: published and simulated curves of each arm, and how far data moved each parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import CONTROL, EXPERIMENTAL, FULL_WIDTH, INK, MUTED, RULE, new_figure, styled, tint, title_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORDS = {
    "PFS": "Progression-free survival",
    "OS": "Overall survival",
    "best_change": "Best change of lesions",
}
_ROW = 0.2  # inch


def fitted_curves(table: pd.DataFrame, *, width: float = FULL_WIDTH) -> Figure:
    """Draw published numbers as points, simulated as a line in the band of 90 % of the posterior's cohorts.

    Parameters
    ----------
    table : DataFrame
        `cohort what at published simulated low high` as shares, from `twoarm.fit.told.in_sample`.
    width : float [inch]
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        One row an arm: survival without progression, survival, size changes.
    """
    cohorts = list(dict.fromkeys(table["cohort"]))
    with styled():
        figure = new_figure(width, 0.5 + 2.3 * len(cohorts))
        axes = figure.subplots(len(cohorts), len(_WORDS), squeeze=False)
        for row, cohort in enumerate(cohorts):
            for column, what in enumerate(_WORDS):
                own = table[(table["cohort"] == cohort) & (table["what"] == what) & table["fitted"]]
                _draw_curve(axes[row, column], own.sort_values("at"), what, title_case(cohort))
    return figure


def _draw_curve(axes: Axes, own: pd.DataFrame, what: str, cohort: str) -> None:
    at, percent = own["at"].to_numpy(float), 100 * own[["published", "simulated", "low", "high"]]
    color = EXPERIMENTAL
    if what != "best_change" and len(own):
        at = np.r_[0.0, at]
        percent = pd.concat([pd.DataFrame(100.0, index=[-1], columns=percent.columns), percent])
    band, opacity = tint(color, 0.2)
    axes.fill_between(at, percent["low"], percent["high"], color=band, alpha=opacity, linewidth=0)
    axes.plot(at, percent["simulated"], color=color, linewidth=1.5, label="simulated")
    axes.plot(at, percent["published"], "o", color=CONTROL, markersize=3, label="published")
    axes.set_ylim(0, 100)
    axes.set_title(f"{cohort}: {_WORDS[what].lower()}", fontsize=7.5, loc="left")
    axes.set_xlabel("Months" if what != "best_change" else "At or below [% of baseline]")
    axes.set_ylabel("%")
    if what == "PFS":
        axes.legend(frameon=False, loc="upper right")


def contraction(table: pd.DataFrame, *, width: float = FULL_WIDTH) -> Figure:
    """Prior and posterior of each parameter, in standard deviations of the prior.

    Parameters
    ----------
    table : DataFrame
        `parameter moved contraction verdict`, from `twoarm.fit.told.contraction`.
    width : float [inch]
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        A line each: the posterior's central 95 % over that of the prior, most learned first.
    """
    order = table.sort_values("contraction", ascending=True)
    with styled():
        figure = new_figure(width, 0.9 + _ROW * len(order))
        axes = figure.subplots()
        for place, row in enumerate(order.itertuples()):
            half = 1.96 * float(np.sqrt(max(1 - row.contraction, 0.0)))
            axes.plot([-1.96, 1.96], [place, place], color=RULE, linewidth=5, solid_capstyle="butt")
            color = MUTED if row.verdict == "as the prior" else EXPERIMENTAL
            axes.plot([row.moved - half, row.moved + half], [place, place], color=color, linewidth=2)
            axes.plot([row.moved], [place], "o", color=color, markersize=4)
            axes.text(1.03, place, row.verdict, transform=axes.get_yaxis_transform(), va="center", color=INK)
        axes.set_yticks(range(len(order)), [name.replace("_", " ") for name in order["parameter"]])
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Standard deviations of the prior (gray: its central 95 %)")
    return figure
