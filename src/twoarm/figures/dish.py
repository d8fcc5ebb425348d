"""Cells in a dish: dose-response curves cell by cell, and maps over two fields of a card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from .style import (
    CONTROL,
    EXPERIMENTAL,
    FIFTH,
    FOURTH,
    FULL_WIDTH,
    INK,
    MUTED,
    PAPER,
    THIRD,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = (EXPERIMENTAL, CONTROL, THIRD, FOURTH, FIFTH, INK)
_DASHES = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
_ACROSS = 4


def dose_response(seen: xr.Dataset, *, variable: str = "pstat5", width: float = FULL_WIDTH) -> Figure:
    """Draw each cell's response over dose, a line a molecule and a band for its card's ensemble.

    Parameters
    ----------
    seen : xarray.Dataset
        Of `twoarm.cells.response`; a block of panels for each of its hours.
    variable : str
        What to draw.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
        A panel a cell and hour; a dot where the nominal curve is half-way to its maximum.
    """
    cells = [str(cell) for cell in seen["cell"].values]
    hours = [float(hour) for hour in seen["hour"].values]
    with styled():
        figure, panels = _panels(len(cells), width, height=1.75, blocks=len(hours))
        for block, hour in enumerate(hours):
            of_hour = panels.reshape(len(hours), -1)[block]
            for axes, cell in zip(of_hour, cells, strict=False):
                words = _two_lines(str(seen["label"].sel(cell=cell).item()))
                if len(hours) > 1:
                    words[1] = ", ".join([*words[1].split(), f"{hour:g} h"])
                _draw_panel(axes, seen.sel(cell=cell, hour=hour), variable, "\n".join(words))
            for axes in of_hour[max(0, len(cells) - _ACROSS) : len(cells)]:
                axes.tick_params(labelbottom=True)
                axes.set_xlabel("nM")
        panels[0].set_ylim(bottom=0)
        after = f" after {hours[0]:g} h" if len(hours) == 1 else ""
        figure.supylabel(f"{seen[variable].attrs['long_name']}{after}", fontsize=8.5, color=MUTED)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, labelcolor="linecolor")
    return figure


def _draw_panel(axes: Axes, seen: xr.Dataset, variable: str, title: str) -> None:
    """Draw every molecule on one cell at one hour."""
    for place, molecule in enumerate(seen["molecule"].values):
        part = seen[variable].sel(molecule=molecule)
        _draw_curve(axes, part, place, str(molecule), mark=variable == "pstat5")
    axes.set_title(title, fontsize=8)
    axes.set_xscale("log")


def _panels(cells: int, width: float, height: float, blocks: int = 1) -> tuple[Figure, np.ndarray]:
    """Make a figure with a panel a cell, as many as fit across; the rest of a block is hidden."""
    down = math.ceil(cells / _ACROSS) * blocks
    figure = new_figure(width, 0.9 + height * down)
    panels = figure.subplots(down, min(_ACROSS, cells), sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels.reshape(blocks, -1)[:, cells:].ravel():
        axes.set_visible(False)
    return figure, panels


def _draw_curve(axes: Axes, part: xr.DataArray, place: int, label: str, *, mark: bool) -> None:
    """Draw the nominal curve of one molecule, its band where there are draws, and its half-way point."""
    color, dash = _COLORS[place % len(_COLORS)], _DASHES[place % len(_DASHES)]
    dose, values = part["dose"].values, part.transpose("draw", "dose").values
    if len(values) > 1:
        low, high = np.quantile(values[1:], [0.05, 0.95], axis=0)
        axes.fill_between(dose, low, high, color=color, alpha=0.14, linewidth=0)
    axes.plot(dose, values[0], color=color, linestyle=dash, label=label)
    top = int(np.argmax(values[0]))
    if mark and top > 0 and values[0][top] > 0:
        rising = np.maximum.accumulate(values[0][: top + 1])
        half = values[0][top] / 2
        at = np.exp(np.interp(half, rising, np.log(dose[: top + 1])))
        axes.plot([at], [half], marker="o", markersize=4.5, color=color, markeredgecolor=PAPER, zorder=4)


def response_heat(mapped: xr.Dataset, *, variable: str = "pstat5", width: float = FULL_WIDTH) -> Figure:
    """Draw a map over two fields of a card, a panel a cell.

    Parameters
    ----------
    mapped : xarray.Dataset
        Of `twoarm.cells.response_map`.
    variable : str
        What to draw.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
        One color scale for all panels.
    """
    cells = [str(cell) for cell in mapped["cell"].values]
    values = mapped[variable]
    ends = {"vmin": min(0.0, float(values.min())), "vmax": float(values.max())}
    scale = {"cmap": "viridis"} if ends["vmin"] >= 0 else {"cmap": "PuOr_r"}
    if ends["vmin"] < 0:
        ends = {"vmin": -max(map(abs, ends.values())), "vmax": max(map(abs, ends.values()))}
    with styled():
        figure, panels = _panels(len(cells), width, height=1.95)
        for axes, cell in zip(panels, cells, strict=False):
            grid = values.sel(cell=cell).transpose("second", "first").values
            drawn = axes.pcolormesh(
                mapped["first"].values, mapped["second"].values, grid, shading="nearest", **ends, **scale
            )
            axes.set_title("\n".join(_two_lines(str(mapped["label"].sel(cell=cell).item()))), fontsize=8)
            axes.grid(visible=False)
            for which, axis in (("first", "x"), ("second", "y")):
                if _is_log(mapped[which].values):
                    axes.set(**{f"{axis}scale": "log"})
        for axes in panels[max(0, len(cells) - _ACROSS) : len(cells)]:
            axes.tick_params(labelbottom=True)
        words = {
            "pstat5": "pSTAT5",
            "signal": "Signaling IL-2 receptors",
            "window": "pSTAT5, tumor-specific less",
        }
        figure.colorbar(drawn, ax=panels.tolist(), label=words.get(variable, variable), shrink=0.8)
        figure.supxlabel(_axis_words(mapped["first"]), fontsize=8.5, color=MUTED)
        figure.supylabel(_axis_words(mapped["second"]), fontsize=8.5, color=MUTED)
        said = f"{mapped.attrs['molecule']}, {mapped.attrs['dose_nM']:g} nM, {mapped.attrs['hours']:g} h"
        if mapped.attrs["pd1_blocked"]:
            said += f", {mapped.attrs['pd1_blocked']:.0%} of PD-1 held by an earlier antibody"
        figure.suptitle(said, fontsize=9, color=INK, ha="left", x=0.01)
    return figure


def fitted_readings(readings: pd.DataFrame, *, hour: float = 1.0, width: float = FULL_WIDTH) -> Figure:
    """Draw measured pSTAT5 beside what was fitted, a row a ligand and a column a cell.

    Parameters
    ----------
    readings : pandas.DataFrame
        ``readings.csv`` of a receptor fit.
    hour : float
        Which time.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
        Shares of that day's plateau: dots are readings, a color a date; lines are the fit.
    """
    seen = readings[readings["hour"] == hour]
    rows = sorted(set(zip(seen["ligand"], seen["moieties"], strict=True)))
    cells = list(dict.fromkeys(seen["cell"]))
    with styled():
        figure = new_figure(width, 0.6 + 1.05 * len(rows))
        grid = figure.subplots(len(rows), len(cells), sharex=True, sharey=True, squeeze=False)
        for line, (ligand, moieties) in zip(grid, rows, strict=True):
            for axes, cell in zip(line, cells, strict=True):
                own = seen[
                    (seen["ligand"] == ligand) & (seen["moieties"] == moieties) & (seen["cell"] == cell)
                ]
                for color, (_, day) in zip(_COLORS, own.sort_values("dose").groupby("date"), strict=False):
                    axes.plot(day["dose"], day["pstat5"] / day["plateau"], "o", markersize=2.2, color=color)
                    axes.plot(day["dose"], day["fitted"] / day["plateau"], color=color, linewidth=1.1)
                axes.set_xscale("log")
            line[0].set_ylabel(f"{ligand}\n{moieties} IL-2", fontsize=6.5)
        for axes, cell in zip(grid[0], cells, strict=True):
            axes.set_title(cell, fontsize=8.5)
        for axes in grid[-1]:
            axes.set_xlabel("nM")
    return figure


def _axis_words(axis: xr.DataArray) -> str:
    unit = axis.attrs["units"]
    return f"{axis.attrs['long_name']} [{unit}]" if unit else str(axis.attrs["long_name"])


def _is_log(values: ArrayLike) -> bool:
    """Whether values rise by steps that are evener in the logarithm."""
    at = np.asarray(values, dtype=float)
    return at.size > 2 and bool((at > 0).all()) and np.ptp(np.diff(np.log(at))) < np.ptp(np.diff(at))


def _two_lines(label: str) -> list[str]:
    head, comma, rest = label.partition(", ")
    return [head + comma.strip(), rest] if rest else [head, " "]
