"""The CONSORT flow diagram: from those drawn to those analyzed, arm by arm."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from .style import FULL_WIDTH, INK, MUTED, RULE, arm_colors, new_figure, styled, title_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LINE = 0.155  # inch, height of a line of text
_PADDING = 0.16
_GAP = 0.26


def consort(
    counts: pd.DataFrame, *, names: Mapping[str, str] | None = None, width: float = FULL_WIDTH
) -> Figure:
    """Boxes and arrows: who was drawn, randomized, treated, stopped and analyzed.

    Parameters
    ----------
    counts : pandas.DataFrame
        ``step`` (as "randomized"), ``arm`` ("" before the arms part), ``count``, and ``detail`` (optional:
        lines after the count, separated by ";"). Steps are drawn in the order of the rows. A step named
        "excluded" stands to the side of the trunk.
    names : mapping, optional
        What to call an arm.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = counts.assign(arm=counts["arm"].fillna("").astype(str), step=counts["step"].astype(str))
    trunk, branches = rows[rows["arm"] == ""], rows[rows["arm"] != ""]
    arms = list(dict.fromkeys(branches["arm"]))
    colors = arm_colors(arms)
    column = min(width / max(len(arms), 1) - 0.25, 3.4)
    letters = max(int(column / 0.077), 16)
    centers = {arm: width * (2 * i + 1) / (2 * len(arms)) for i, arm in enumerate(arms)}
    levels = _levels(trunk, branches, letters, names or {})
    height = sum(h + _GAP for h, _ in levels)
    with styled():
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(height, 0))
        tops: dict[str, float] = {}
        y = _GAP / 2
        parted = False
        for box_height, boxes in levels:
            for where, lines, side in boxes:
                if side:
                    _draw_side(axes, lines, width, y, box_height, column)
                    continue
                center = width / 2 if where == "" else centers[where]
                color = MUTED if where == "" else colors[where]
                _draw_box(axes, lines, center, y, column, _height(lines), color)
                _connect(axes, tops, where, center, y, width / 2, parted)
                tops[where] = y + _height(lines)
            parted = parted or any(where for where, _, _ in boxes)
            y += box_height + _GAP
    return figure


_Lines = list[tuple[str, bool]]  # text, and whether it heads its box
_Box = tuple[str, _Lines, bool]


def _levels(
    trunk: pd.DataFrame, branches: pd.DataFrame, letters: int, names: Mapping[str, str]
) -> list[tuple[float, list[_Box]]]:
    """(height, boxes) from top to bottom; the same step of every arm stands on one level."""
    levels: list[tuple[float, list[_Box]]] = []
    for row in trunk.to_dict("records"):
        lines = _lines(title_case(row["step"]), row, letters)
        levels.append((_height(lines), [("", lines, row["step"] == "excluded")]))
    first = None if branches.empty else branches["step"].iloc[0]
    for step in dict.fromkeys(branches["step"]):
        boxes: list[_Box] = []
        for row in branches[branches["step"] == step].to_dict("records"):
            shown = names.get(row["arm"], title_case(row["arm"]))
            head = f"{title_case(step)} to {shown}" if step == first else title_case(step)
            boxes.append((row["arm"], _lines(head, row, letters), False))
        levels.append((max(_height(lines) for _, lines, _ in boxes), boxes))
    return levels


def _lines(head: str, row: Mapping[Any, Any], letters: int) -> _Lines:
    heads = textwrap.wrap(f"{head} (n = {int(float(str(row['count'])))})", letters - 4)  # bold is wider
    lines = [(text, True) for text in heads]
    detail = row.get("detail", "")
    for part in str(detail if isinstance(detail, str) else "").split(";"):
        lines += [(text, False) for text in textwrap.wrap(part.strip(), letters)]
    return lines


def _height(lines: _Lines) -> float:
    return _LINE * len(lines) + 2 * _PADDING - 0.08


def _draw_box(
    axes: Axes, lines: _Lines, center: float, y: float, box_width: float, height: float, color: str
) -> None:
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(
        FancyBboxPatch(
            (center - box_width / 2, y),
            box_width,
            height,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="none",
            edgecolor=color,
            linewidth=1.1,
            zorder=2,
        )
    )
    for index, (line, heading) in enumerate(lines):
        axes.text(
            center,
            y + _PADDING - 0.04 + _LINE * (index + 0.5),
            line,
            ha="center",
            va="center",
            color=INK if heading else MUTED,
            fontweight="bold" if heading else "normal",
            fontsize=8.5 if heading else 8,
            zorder=3,
        )


def _draw_side(axes: Axes, lines: _Lines, width: float, y: float, height: float, column: float) -> None:
    center = min(width / 2 + 0.3 + column / 2, width - column / 2 - 0.05)
    _draw_box(axes, lines, center, y, column, height, RULE)
    _arrow(axes, width / 2, y + height / 2, center - column / 2, y + height / 2)


def _connect(
    axes: Axes, tops: Mapping[str, float], where: str, center: float, y: float, middle: float, parted: bool
) -> None:
    """Draw an arrow from the box above: straight down, or out from the trunk where the arms part."""
    if where in tops:
        _arrow(axes, center, tops[where], center, y)
    elif where and "" in tops and not parted:
        knee = tops[""] + (y - tops[""]) / 2
        axes.plot([middle, middle, center], [tops[""], knee, knee], color=RULE, linewidth=1.1, zorder=1)
        _arrow(axes, center, knee, center, y)


def _arrow(axes: Axes, x0: float, y0: float, x1: float, y1: float) -> None:
    axes.annotate(
        "",
        xy=(x1, y1),
        xytext=(x0, y0),
        arrowprops={"arrowstyle": "-|>", "color": RULE, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0},
    )
