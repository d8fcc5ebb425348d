"""Intervals side by side: predicted and published, hazard ratios over draws, shares of uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from .style import (
    CONTROL,
    EXPERIMENTAL,
    FOURTH,
    FULL_WIDTH,
    INK,
    MUTED,
    PAPER,
    RULE,
    THIRD,
    level_words,
    new_figure,
    shorten,
    styled,
    title_case,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def predicted_published(comparison: pd.DataFrame, *, width: float = FULL_WIDTH) -> Figure:
    """Each published number with its interval, and below it what the model said. Worst miss on top.

    Parameters
    ----------
    comparison : pandas.DataFrame
        ``label``, ``endpoint``, ``unit``, ``published``, ``published_low``, ``published_high``,
        ``predicted``, ``predicted_low``, ``predicted_high`` (NaN where there is no interval); rows in the
        order to show, one panel for each endpoint and unit.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = [
        (f"{endpoint}" + (f", {unit}" if str(unit) not in ("", "1", "nan") else ""), part)
        for (endpoint, unit), part in comparison.groupby(["endpoint", "unit"], sort=False, dropna=False)
    ]
    heights = [len(part) + 1.5 for _, part in groups] or [1.0]
    with styled():
        figure = new_figure(width, 0.5 + 0.36 * sum(heights))
        panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axes, (title, part) in zip(panels, groups, strict=False):
            _draw_forest(axes, part, title)
        handles, labels = _pair_key()
        figure.legend(handles, labels, loc="outside upper left", ncols=2, labelcolor="linecolor")
    return figure


_PAIR = (
    ("published", "Published", MUTED, "D", -0.17),
    ("predicted", "Predicted", EXPERIMENTAL, "o", 0.17),
)


def _pair_key() -> tuple[list[Artist], list[str]]:
    from matplotlib.lines import Line2D

    handles: list[Artist] = [
        Line2D([], [], color=color, marker=marker, markersize=4.5, linewidth=1.6)
        for _, _, color, marker, _ in _PAIR
    ]
    return handles, [label for _, label, _, _, _ in _PAIR]


def _draw_forest(axes: Axes, part: pd.DataFrame, title: str) -> None:
    for column, label, color, marker, offset in _PAIR:
        middle = part[column].to_numpy(float)
        low, high = part[f"{column}_low"].to_numpy(float), part[f"{column}_high"].to_numpy(float)
        rows = np.arange(len(part)) + offset
        axes.hlines(rows, low, high, color=color, linewidth=1.8, zorder=2)
        axes.plot(
            middle, rows, marker, markersize=4.8, color=color, markeredgecolor=PAPER, label=label, zorder=3
        )
    for row in range(1, len(part)):
        axes.axhline(row - 0.5, color=RULE, linewidth=0.4)
    axes.set_title(shorten(title_case(title), 60), fontsize=8.5, pad=4)
    axes.set_ylim(len(part) - 0.5, -0.5)
    axes.set_yticks(range(len(part)), [shorten(label, 52) for label in part["label"]])
    for tick in axes.get_yticklabels():
        tick.set_color(INK)
    columns = ["published", "published_low", "published_high", "predicted", "predicted_low", "predicted_high"]
    values = part[columns].to_numpy(float)
    values = values[np.isfinite(values)]
    if "ratio" in title.lower() and values.size and values.min() > 0:
        axes.set_xscale("log")
        _ratio_ticks(axes, float(values.min()), float(values.max()))
        axes.axvline(1, color=RULE, linewidth=0.9)
    elif values.size:
        axes.set_xlim(0, 1.06 * float(values.max()) or 1.0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")


def _ratio_ticks(axes: Axes, low: float, high: float) -> None:
    low, high = min(low, 0.95) / 1.06, max(high, 1.05) * 1.06
    ticks = [
        t for t in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 3.0, 5.0) if low <= t <= high
    ]
    if len(ticks) < 4:
        ticks = [t for t in np.arange(1, 31).round() / 10 if low <= t <= high]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xticks([], minor=True)


def subgroups(table: pd.DataFrame, *, width: float = FULL_WIDTH) -> Figure:
    """Draw the hazard ratio of each level of each stratum, with its interval and numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        ``stratum``, ``level`` ("" for all patients), ``n``, ``value``, ``low``, ``high``; rows of one
        quantity; optional ``events``, and ``p`` of the interaction, the same in all rows of a stratum.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> row = {"stratum": "region", "level": "asia", "n": 9, "value": 0.8, "low": 0.5, "high": 1.2}
    >>> [text.get_text() for text in subgroups(pd.DataFrame([row])).axes[0].texts][:1]
    ['Region']
    """
    lines = _forest_lines(table)
    with styled():
        figure = new_figure(width, 0.95 + 0.215 * len(lines))
        words, axes, numbers = figure.subplots(1, 3, width_ratios=[2.6, 3, 1.9])
        middle, low, high = (table[c].to_numpy(float) for c in ("value", "low", "high"))
        known = np.concatenate([x[np.isfinite(x) & (x > 0)] for x in (middle, low, high)])
        axes.set_xscale("log")
        ends = (known.min(), known.max()) if known.size else (1, 1)
        _ratio_ticks(axes, *(float(np.clip(x, 0.1, 5.0)) for x in ends))
        axes.axvline(1, color=RULE, linewidth=0.9, zorder=1)
        for place, line in enumerate(lines):
            _draw_line(words, axes, numbers, place, line)
        for part in (words, axes, numbers):
            part.set_ylim(len(lines) - 0.4, -1.1)
            part.set_yticks([])
            part.grid(visible=False)
        for part in (words, numbers):
            part.set(xlim=(0, 1), xticks=[])
            part.spines[:].set_visible(False)
        axes.grid(visible=True, axis="x")
        axes.set_xlabel("Favors experimental  |  favors control")
        size = "events / n" if "events" in table else "n"
        words.text(0.98, -0.9, size, ha="right", va="center", color=MUTED, fontsize=8)
        numbers.text(0.0, -0.9, "Hazard ratio (95 % interval)", va="center", color=MUTED, fontsize=8)
    return figure


class _Line(NamedTuple):
    """A line of the forest: a heading where it has no ratio."""

    text: str
    size: str = ""
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    indented: bool = False


def _forest_lines(table: pd.DataFrame) -> list[_Line]:
    """Headings and levels, from top to bottom."""
    lines: list[_Line] = []
    for stratum, part in table.groupby("stratum", sort=False):
        overall = bool((part["level"].astype(str) == "").all())
        if not overall:
            p = float(part["p"].iloc[0]) if "p" in part else np.nan
            said = f"interaction p {'< 0.001' if p < 0.001 else f'{p:.2f}'}" if np.isfinite(p) else ""
            lines.append(_Line(shorten(title_case(str(stratum)), 30), said))
        for row in part.to_dict("records"):
            n = f"{row['n']:.0f}"
            size = f"{row['events']:.0f} / {n}" if "events" in row else n
            text = title_case(str(stratum)) if overall else shorten(level_words(row["level"]), 30)
            lines.append(_Line(text, size, row["value"], row["low"], row["high"], not overall))
    return lines


def _draw_line(words: Axes, axes: Axes, numbers: Axes, place: int, line: _Line) -> None:
    heading = line.size.startswith("interaction") or (not line.size and not line.indented)
    words.text(
        0.05 if line.indented else 0.0,
        place,
        line.text,
        va="center",
        color=INK,
        fontsize=8.5,
        fontweight="normal" if line.indented else "bold",
    )
    if heading:
        numbers.text(0.0, place, line.size, va="center", color=MUTED, fontsize=8)
        return
    words.text(0.98, place, line.size, ha="right", va="center", color=INK, fontsize=8.5)
    if not np.isfinite(line.value):
        numbers.text(0.0, place, "no estimate", va="center", color=MUTED, fontsize=8.5)
        return
    left, right = axes.get_xlim()
    axes.hlines(
        place, max(line.low, left), min(line.high, right), color=EXPERIMENTAL, linewidth=1.8, zorder=2
    )
    for end, beyond, arrow in ((left, line.low < left, "<"), (right, line.high > right, ">")):
        if beyond:  # the interval goes on outside
            axes.plot(end, place, arrow, markersize=5, color=EXPERIMENTAL, clip_on=False, zorder=3)
    marker = "s" if line.indented else "D"
    shown = float(np.clip(line.value, left, right))
    axes.plot(shown, place, marker, markersize=5, color=EXPERIMENTAL, markeredgecolor=PAPER, zorder=3)
    text = f"{line.value:.2f} ({line.low:.2f} to {line.high:.2f})"
    numbers.text(0.0, place, text, va="center", color=INK, fontsize=8.5)


def hazard_ratios(
    draws: pd.DataFrame,
    *,
    column: str = "hazard_ratio_os",
    endpoint: str = "OS",
    dots: int = 50,
    width: float = FULL_WIDTH,
) -> Figure:
    """Draw the hazard ratio over draws of the molecule card, as equally likely dots.

    Parameters
    ----------
    draws : pandas.DataFrame
        One row a draw.
    column : str
        Which hazard ratio.
    endpoint : str
        Its name on the axis.
    dots : int
        With more draws than this, so many quantiles are drawn instead, each worth the same probability.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    values = np.sort(draws[column].to_numpy(float))
    values = values[np.isfinite(values) & (values > 0)]
    n = len(values)
    shown = values if n <= dots else np.quantile(values, (np.arange(dots) + 0.5) / dots)
    with styled():
        figure = new_figure(width, 1.9 if n <= 15 else 2.5)
        axes = figure.subplots()
        axes.set_xscale("log")
        if n:
            _ratio_ticks(axes, float(values.min()), float(values.max()))
            _stack_dots(axes, shown)
            _draw_summary(axes, values)
        each = f"{n} draws, a dot each" if n <= dots else f"{n} draws; each dot {100 / dots:g} % of them"
        axes.set_xlabel(f"Hazard ratio of {endpoint}, experimental against control ({each})")
        axes.grid(visible=False)
        axes.set_yticks([])
    return figure


def _stack_dots(axes: Axes, values: np.ndarray) -> None:
    """Dots in columns one dot wide; teal where the experimental arm does better, orange where not."""
    left, right = (float(np.log(x)) for x in axes.get_xlim())
    bin_width = (right - left) / 46
    # Columns are counted from a ratio of 1, so that no dot stands on the wrong side of it.
    columns = np.floor(np.log(values) / bin_width)
    heights = np.zeros(len(values))
    for column in np.unique(columns):
        own = np.flatnonzero(columns == column)
        heights[own] = np.arange(len(own)) + 0.5
    places = np.exp((columns + 0.5) * bin_width)
    top = max(heights.max() + 1.0, 4.0)
    colors = [EXPERIMENTAL if v < 1 else CONTROL for v in values]
    axes.scatter(places, heights, s=64, c=colors, edgecolors=PAPER, linewidths=0.6, zorder=3)
    axes.set_ylim(-1.3, top)
    axes.axvline(1, color=RULE, linewidth=0.9, zorder=1)


def _draw_summary(axes: Axes, values: np.ndarray) -> None:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    axes.plot([low, high], [-0.6, -0.6], color=INK, linewidth=1.8, zorder=3)
    axes.plot([middle], [-0.6], marker="o", markersize=5, color=INK, zorder=4)
    better = int((values < 1).sum())
    text = f"Median {middle:.2f}, middle 90 % {low:.2f} to {high:.2f}"
    axes.set_title(text, fontsize=9, pad=20)
    axes.text(
        0,
        1.03,
        f"experimental arm better in {better} of {len(values)} draws (teal), "
        f"worse or equal in {len(values) - better} (orange)",
        transform=axes.transAxes,
        color=MUTED,
        fontsize=8,
        va="bottom",
    )


_PARTS = {
    "card": THIRD,
    "card and population": THIRD,
    "patients": EXPERIMENTAL,
    "biology": FOURTH,
    "chance": RULE,
    "patients and chance": RULE,
}


def uncertainty(shares: pd.DataFrame, *, width: float = FULL_WIDTH) -> Figure:
    """Where the width of each interval comes from: a stacked bar a quantity.

    Parameters
    ----------
    shares : pandas.DataFrame
        ``quantity``, ``part`` ("card", "patients", "biology", "chance"), ``share`` (0 to 1, summing to 1).
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = shares.pivot_table(
        index="quantity", columns="part", values="share", sort=False, aggfunc="sum"
    ).fillna(0.0)
    parts = [p for p in _PARTS if p in table] + [p for p in table if p not in _PARTS]
    with styled():
        figure = new_figure(width, 0.75 + 0.42 * len(table))
        axes = figure.subplots()
        start = np.zeros(len(table))
        for part in parts:
            lengths = table[part].to_numpy(float)
            color = _PARTS.get(str(part), MUTED)
            axes.barh(range(len(table)), lengths, left=start, height=0.6, color=color, label=title_case(part))
            ink = INK if color == RULE else PAPER
            for row, (place, length) in enumerate(zip(start, lengths, strict=True)):
                if length >= 0.045:
                    axes.text(
                        place + length / 2,
                        row,
                        f"{100 * length:.0f} %",
                        ha="center",
                        va="center",
                        color=ink,
                        fontsize=8,
                        in_layout=False,
                    )
            start += lengths
        axes.set(xlim=(0, 1), ylim=(len(table) - 0.5, -0.5), xticks=[])
        axes.set_yticks(range(len(table)), [shorten(q, 40) for q in table.index])
        for label in axes.get_yticklabels():
            label.set_color(INK)
        axes.spines["bottom"].set_visible(False)
        axes.grid(visible=False)
        figure.legend(loc="outside upper left", ncols=len(parts), handlelength=0.9, handleheight=0.9)
    return figure
