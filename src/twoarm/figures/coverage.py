"""Predictions beside reports: how often intervals held, and every interval with the report in it or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import CONTROL, EXPERIMENTAL, FULL_WIDTH, INK, MUTED, RULE, new_figure, shorten, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 60  # rows that one figure can show
_UNITS = {"%": "%", "months": "months, log scale", "ratio": "hazard ratio, log scale"}
_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 30, 50, 100, 200)
_EDGE = 0.12  # share of an axis beyond the outermost number


def coverage(counted: pd.DataFrame, ranks: np.ndarray, *, title: str = "", width: float = 5.2) -> Figure:
    """Calibration curve: nominal against observed coverage, and the ranks of the reports.

    Parameters
    ----------
    counted : DataFrame
        ``nominal``, ``observed``, ``rows``, ``low``, ``high`` (shares).
    ranks : (row,) float array
        Share of the draws below each report; even where predictions are right.
    title : str
        Above.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> table = pd.DataFrame({"nominal": [0.5, 0.9], "observed": [0.4, 0.8], "rows": 9})
    >>> figure = coverage(table.assign(low=0.1, high=1.0), np.linspace(0, 1, 9))
    >>> len(figure.axes)
    2
    """
    with styled():
        figure = new_figure(width, width * 0.62)
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        _calibration(left, counted)
        _ranks(right, ranks)
        if title:
            figure.suptitle(title, x=0.02, ha="left", fontsize=9.5, fontweight="bold", color=INK)
        return figure


def _calibration(axes: Axes, counted: pd.DataFrame) -> None:
    nominal, observed = 100 * counted["nominal"], 100 * counted["observed"]
    axes.plot([0, 100], [0, 100], color=RULE, lw=1, ls=(0, (3, 3)))
    spread = np.abs(np.vstack([observed - 100 * counted["low"], 100 * counted["high"] - observed]))
    axes.errorbar(
        nominal, observed, yerr=spread, fmt="o", ms=4.5, color=EXPERIMENTAL, elinewidth=1, capsize=0
    )
    for place, (x, y) in enumerate(zip(nominal, observed, strict=True)):
        last = place == len(nominal) - 1
        axes.annotate(
            f"{y:.0f}",
            (x, y),
            xytext=(5, -11) if last else (-5, 3),
            ha="left" if last else "right",
            textcoords="offset points",
            fontsize=8,
        )
    axes.set(xlim=(40, 102), ylim=(0, 102), xlabel="interval holds, as claimed [%]")
    axes.set_title(f"It held, of {int(counted['rows'].max())} rows [%]", fontsize=8.5)


def _ranks(axes: Axes, ranks: np.ndarray) -> None:
    known = ranks[np.isfinite(ranks)]
    counts, edges = np.histogram(known, bins=10, range=(0, 1))
    axes.bar(100 * edges[:-1], counts, width=9, align="edge", color=EXPERIMENTAL, alpha=0.75)
    axes.axhline(len(known) / 10, color=RULE, lw=1, ls=(0, (3, 3)))
    axes.set(xlim=(0, 100), xlabel="draws below the report [%]")
    axes.set_title("Rows by rank of the report", fontsize=8.5)


def predictions(table: pd.DataFrame, unit: str, *, title: str = "", width: float = FULL_WIDTH) -> Figure:
    """Every row of one unit: interval, and the report inside or outside of it.

    Parameters
    ----------
    table : DataFrame
        ``label``, ``low``, ``high``, ``predicted``, ``reported``, ``verdict``, ``unit``; ``naive_low`` and
        ``naive_high`` are drawn where they are known. The first `_MOST` rows are shown.
    unit : str
        "%", "months" or "ratio".
    title : str
        Above.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> row = {"label": "a", "low": 1.0, "high": 9.0, "predicted": 4.0, "reported": 5.0, "verdict": "inside"}
    >>> figure = predictions(pd.DataFrame([row | {"unit": "months"}]), "months")
    >>> figure.axes[0].get_xscale()
    'log'
    """
    rows = table[table["unit"] == unit].head(_MOST)
    with styled():
        figure = new_figure(width, 1.1 + 0.19 * max(len(rows), 3))
        axes = figure.subplots()
        where = np.arange(len(rows))[::-1]
        inside = rows["verdict"].str.startswith("inside").to_numpy()
        color = np.where(inside, EXPERIMENTAL, CONTROL)
        if unit != "%":
            axes.set_xscale("log")
        low, high = _ends(rows, unit)
        for side, offset in (("naive", -0.28), ("", 0.0)):
            ends = [f"{side}_low", f"{side}_high"] if side else ["low", "high"]
            if ends[0] not in rows:
                continue
            shade = MUTED if side else None
            begin, end = (rows[name].clip(low, high).to_numpy(float) for name in ends)
            axes.hlines(where + offset, begin, end, color=shade or color, lw=0.9 if side else 3, alpha=0.55)
        axes.scatter(rows["predicted"].clip(low, high), where, marker="|", s=40, color=color)
        axes.scatter(rows["reported"], where, s=15, color=INK, zorder=3)
        axes.set_yticks(where, [shorten(str(label), 74) for label in rows["label"]], fontsize=7)
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.set(xlim=(low, high), ylim=(-0.8, len(rows) - 0.2), xlabel=_UNITS[unit])
        if unit != "%":
            ticks = [tick for tick in _TICKS if low <= tick <= high]
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.set_xticks([], minor=True)
        said = title or "Dot: reported. Bar: 90 % predicted. Thin line: other trials pooled"
        figure.suptitle(said, x=0.01, ha="left", fontsize=9.5, fontweight="bold", color=INK)
        return figure


def _ends(rows: pd.DataFrame, unit: str) -> tuple[float, float]:
    """Find the ends of the axis: all reports, and intervals as far as they are of the same order."""
    if unit == "%":
        return 0.0, 100.0
    known = rows[["low", "high", "reported"]].replace([np.inf, -np.inf], np.nan).stack()
    known = known[known > 0]
    if known.empty:
        return 0.1, 10.0
    low, high = float(known.quantile(0.005)), float(known.quantile(0.995))
    reach = (high / low) ** _EDGE
    return min(low, float(rows["reported"].min())) / reach, max(high, float(rows["reported"].max())) * reach
