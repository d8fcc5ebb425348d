"""Work against precision: one panel a system, one line a tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator

from peers.measure import Measured
from peers.registry import TOOLS
from twoarm.figures.style import (
    CONTROL,
    EXPERIMENTAL,
    FIFTH,
    FOURTH,
    FULL_WIDTH,
    INK,
    MUTED,
    PAPER,
    RULE,
    THIRD,
    new_figure,
    power_of_ten,
    styled,
)

_LOOK: dict[str, dict[str, Any]] = {
    "twoarm": {"color": EXPERIMENTAL, "linewidth": 2.4, "marker": "o"},
    "twoarm single": {"color": EXPERIMENTAL, "linewidth": 2.4, "marker": "o", "markerfacecolor": PAPER},
    "AMICI": {"color": CONTROL, "marker": "s"},
    "libRoadRunner": {"color": THIRD, "marker": "D"},
    "CVODE, scikit-sundae": {"color": FOURTH, "marker": "^"},
    "COPASI LSODA": {"color": FIFTH, "marker": "v"},
    "diffrax Kvaerno5": {"color": INK, "marker": "P"},
    "scipy LSODA": {"color": MUTED, "marker": "x"},
    "scipy BDF": {"color": RULE, "marker": "+"},
}
_TITLES = {
    "t_cell": "Drug, one T cell",
    "lesion": "One lesion",
    "tumor": "Lesion, two drugs",
    "pd1_il2": "All of the library",
    "network_150": "Random network",
    "huang_ferrell_1996": "Huang 1996",
    "kholodenko_2000": "Kholodenko 2000",
    "kirschner_panetta_1998": "Kirschner 1998",
}
_COLUMNS = 4


def draw(table: pd.DataFrame, everything: list[Measured], path: Path) -> None:
    """Write the figure as PNG.

    Parameters
    ----------
    table : DataFrame
        Rows of `ratios`.
    everything : list of Measured
        Systems, in the order of their panels.
    path : Path
        The file.
    """
    columns = min(_COLUMNS, len(everything))
    rows = -(-len(everything) // columns)
    with styled():
        figure = new_figure(max(FULL_WIDTH * columns / _COLUMNS * 1.35, 5.0), 2.65 * rows + 0.9)
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for panel, found in zip(panels, everything, strict=False):
            _draw_panel(panel, table[table["system"] == found.system], found)
        for panel in panels[len(everything) :]:
            panel.remove()
        figure.supxlabel("RMS error, relative: more exact to the right", fontsize=8.5, color=MUTED)
        figure.supylabel("CPU time of a patient, ms", fontsize=8.5, color=MUTED)
        known = [name for name in _LOOK if name in set(table["tool"])]
        handles = [_line(name) for name in known]
        where = {"loc": "outside upper left", "ncols": min(len(known), 2 * columns)}
        figure.legend(handles, known, **where, handlelength=1.8, columnspacing=1.3)
        figure.savefig(path, dpi=180, facecolor=PAPER, bbox_inches="tight")


def _draw_panel(panel: Any, table: pd.DataFrame, found: Measured) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    for name in reversed(TOOLS):
        rows = table[table["tool"] == name].sort_values("rtol")
        if name in _LOOK and len(rows):
            panel.plot(rows["error"], rows["ms"], **_with_defaults(name))
    panel.invert_xaxis()  # to the right: more exact
    panel.set_title(f"{_TITLES.get(found.system, found.system)}, {found.states} states")
    panel.grid(True, axis="both")
    panel.tick_params(which="minor", length=0)
    panel.xaxis.set_major_locator(LogLocator(numticks=6))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(power_of_ten))
        axis.set_minor_formatter(FuncFormatter(lambda _value, _place: ""))


def _with_defaults(name: str) -> dict[str, Any]:
    return {
        "linewidth": 1.3,
        "markersize": 3.6,
        "markeredgewidth": 1.1,
        "zorder": 3 if "twoarm" in name else 2,
    } | _LOOK[name]


def _line(name: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([np.nan], [np.nan], **_with_defaults(name))
