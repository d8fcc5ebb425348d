"""Curves over time by arm: median and the band that holds 90 % of the patients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .style import (
    DAYS_PER_MONTH,
    FULL_WIDTH,
    MUTED,
    PAPER,
    RULE,
    arm_colors,
    arm_title,
    by_arm,
    month_ticks,
    new_figure,
    power_of_ten,
    shorten,
    spread,
    styled,
    tint,
    title_case,
    unit_words,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BIOMARKERS = (
    "nk_blood",
    "cd8_blood",
    "treg_blood",
    "effector_tumor",
    "eosinophils",
    "neutrophils",
    "ifng",
    "scd25",
    "il6",
)
EXPOSURES = (
    "drug_central_nM",
    "drug_tumor_nM",
    "cytotoxic_central_nM",
    "competitor_central_nM",
    "occupancy_pd1_blood",
    "occupancy_pd1_tumor",
)
# From the cells that ought to hear the cytokine to those that ought not.
CELL_CLASSES = ("precursor", "effector", "exhausted", "bystander", "treg_tumor", "treg", "nk")
PULSES = ("cytotoxic_central_nM", "il6")  # over within days of a dose: a weekly curve would show them wrong
_PULSE_STEP = 1.0  # day; the widest step that still shows them
_DECADES = 1e-4  # of the top: what lies further down on a logarithmic axis is gone
_FEWEST = 0.1  # of an arm's patients: with fewer left a quantile says little and the curve stops


def bands(
    courses: xr.Dataset,
    arms: pd.Series,
    variables: Sequence[str],
    *,
    logarithmic: Sequence[str] = (),
    days: float | None = None,
    columns: int = 3,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Small multiples: one panel a variable, one curve an arm.

    Parameters
    ----------
    courses : xarray.Dataset
        Dims ``patient``, ``day``; NaN after a patient left; attributes ``label`` and ``units`` are shown.
    arms : pandas.Series
        Arm of each patient, index ``patient``.
    variables : sequence of str
        What to show; names that ``courses`` lacks are left out.
    logarithmic : sequence of str
        Variables on a logarithmic axis.
    days : float, optional
        End of the axis [day].
    columns : int
        Panels in a row.
    names : mapping, optional
        What to call an arm.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    present = [v for v in variables if v in courses]
    order = list(dict.fromkeys(by_arm(arms.to_frame("arm"), names)["arm"]))
    colors = arm_colors(order)
    columns = 2 if len(present) == 4 else min(columns, max(len(present), 1))
    rows = max(math.ceil(len(present) / columns), 1)
    quantiles = {(v, arm): _quantiles(courses, arms, v, arm, days) for v in present for arm in order}
    end = max([float(part["day"].max()) for part in quantiles.values() if len(part)] or [DAYS_PER_MONTH])
    with styled():
        figure = new_figure(width, 0.35 + 2.05 * rows)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels[len(present) :]:
            axes.set_axis_off()
        for axes, variable in zip(panels, present, strict=False):
            log = variable in logarithmic
            for arm in order:
                _draw_band(axes, quantiles[variable, arm], colors[arm], arm, log)
            attributes = {"label": variable, **courses[variable].attrs}
            _finish(axes, attributes, [quantiles[variable, arm] for arm in order], log, end)
        handles = [_line(colors[arm]) for arm in order]
        labels = [arm_title(names, arm) for arm in order]
        legend = figure.legend(handles, labels, loc="outside upper left", ncols=len(order), borderpad=0.1)
        for text, arm in zip(legend.get_texts(), order, strict=True):
            text.set_color(colors[arm])
    return figure


def _line(color: str) -> Artist:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=color, linewidth=2.2)


def _quantiles(
    courses: xr.Dataset, arms: pd.Series, variable: str, arm: str, days: float | None
) -> pd.DataFrame:
    """Median, 5 % and 95 % over the patients of an arm; empty where nothing was ever above zero."""
    patients = arms.index[arms.astype(str) == arm]
    values = courses[variable].sel(patient=courses["patient"].isin(patients)).transpose("patient", "day")
    table = np.asarray(values.values, dtype=float)
    day = np.asarray(courses["day"].values, dtype=float)
    left = np.isfinite(table).sum(axis=0)
    keep = left >= max(_FEWEST * len(table), 1)
    if days is not None:
        keep &= day <= days
    table = table[:, keep]
    if not table.size or not np.nanmax(np.abs(table), initial=0.0) > 0.0:
        return pd.DataFrame({"day": [], "low": [], "median": [], "high": []}, dtype=float)
    low, middle, high = np.nanquantile(table, [0.05, 0.5, 0.95], axis=0)
    return pd.DataFrame({"day": day[keep], "low": low, "median": middle, "high": high})


def _draw_band(axes: Axes, part: pd.DataFrame, color: str, arm: str, log: bool) -> None:
    if part.empty:
        return
    if log:
        part = part.mask(part <= 0)
    month = part["day"].fillna(0.0) / DAYS_PER_MONTH
    axes.fill_between(month, part["low"], part["high"], color=color, alpha=0.16, linewidth=0)
    axes.plot(month, part["median"], color=color, linewidth=1.6, label=arm)


def _finish(
    axes: Axes, attributes: Mapping[Any, Any], parts: Sequence[pd.DataFrame], log: bool, last: float
) -> None:
    """Name, unit and limits of a panel, by the curves that are in it."""
    from matplotlib.ticker import NullLocator

    values = np.concatenate(
        [part[["low", "median", "high"]].to_numpy(float).ravel() for part in parts] or [[]]
    )
    top = float(np.nanmax(values, initial=0.0))
    label = "\n".join(wrap(shorten(title_case(attributes["label"]), 58), 30))
    axes.set_title(label, fontsize=8.5, pad=14)
    unit = unit_words(attributes.get("units", ""))
    unit = "cells" if unit == "fraction" and top > 1.5 else unit  # a number of cells has no unit either
    axes.text(0, 1.03, unit, transform=axes.transAxes, color=MUTED, fontsize=7.5, va="bottom")
    if log and top > 0:
        axes.set_yscale("log")
        axes.set_ylim(max(float(np.nanmin(values[values > 0])) / 1.5, top * _DECADES), top * 2)
        axes.yaxis.set_major_formatter(power_of_ten)
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, 1.04 if unit == "fraction" else max(top * 1.06, 1e-12))
        axes.locator_params(axis="y", nbins=5)
    month_ticks(axes, max(last / DAYS_PER_MONTH, 1.0))
    axes.set_xlabel("Months")


def unseen(courses: xr.Dataset) -> list[str]:
    """Pulses that the steps of these curves are too wide to show."""
    day = np.asarray(courses["day"].values, dtype=float)
    wide = len(day) > 1 and float(np.median(np.diff(day))) > _PULSE_STEP
    return [v for v in PULSES if wide and v in courses]


def exposure(
    courses: xr.Dataset,
    arms: pd.Series,
    *,
    days: float | None = None,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Concentrations in blood (logarithmic) and occupancy of PD-1 by arm, but for `unseen`; see `bands`."""
    hidden = unseen(courses)
    present = [v for v in EXPOSURES if v in courses and v not in hidden]
    present = [v for v in present if float(np.nanmax(courses[v].values, initial=0.0)) > 0]
    logarithmic = [v for v in present if v.endswith("_nM")]
    return bands(courses, arms, present, logarithmic=logarithmic, days=days, names=names, width=width)


def biomarkers(
    courses: xr.Dataset,
    arms: pd.Series,
    *,
    variables: Sequence[str] = BIOMARKERS,
    days: float | None = None,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Cells and cytokines by arm, but for `unseen`; the tumor's effector cells on a logarithmic axis."""
    hidden = unseen(courses)
    variables = [v for v in variables if v not in hidden]
    logarithmic = [v for v in variables if v.endswith("_tumor")]
    return bands(courses, arms, variables, logarithmic=logarithmic, days=days, names=names, width=width)


def selectivity(
    courses: xr.Dataset,
    arms: pd.Series,
    *,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Who hears the cytokine: peak STAT5 phosphorylation of each class of cells, by arm.

    Parameters
    ----------
    courses : xarray.Dataset
        Variables ``pstat5_<class>`` (0 to 1), dims ``patient``, ``day``.
    arms : pandas.Series
        Arm of each patient.
    names : mapping, optional
        What to call an arm.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
        A dot at the median patient's peak and a bar over the middle 90 % of patients.
    """
    classes = [c for c in CELL_CLASSES if f"pstat5_{c}" in courses]
    order = list(dict.fromkeys(by_arm(arms.to_frame("arm"), names)["arm"]))
    colors = arm_colors(order)
    with styled():
        figure = new_figure(width, 0.95 + 0.42 * len(classes))
        axes = figure.subplots()
        offsets = spread([0.0] * len(order), 0.28)
        for offset, arm in zip(offsets, order, strict=True):
            label = arm_title(names, arm)
            for row, cell in enumerate(classes):
                low, middle, high = _peaks(courses, arms, f"pstat5_{cell}", arm)
                place = row + offset
                axes.plot([low, high], [place] * 2, color=tint(colors[arm], 0.45), linewidth=4, zorder=2)
                axes.plot(
                    [middle],
                    [place],
                    marker="o",
                    markersize=6,
                    markeredgecolor=PAPER,
                    color=colors[arm],
                    linestyle="none",
                    label=label if row == 0 else None,
                    zorder=3,
                )
        labels = [shorten(_cell_label(courses, c), 40) for c in classes]
        axes.set(xlim=(-0.01, 1.01), ylim=(len(classes) - 0.4, -0.6), yticks=range(len(classes)))
        axes.set_yticklabels(labels)
        axes.set_xlabel("Peak share of STAT5 phosphorylated in the cell (median patient, middle 90 %)")
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        axes.axvline(0, color=RULE, linewidth=0.8)
        figure.legend(loc="outside upper left", ncols=len(order), labelcolor="linecolor", handletextpad=0.2)
    return figure


def _peaks(courses: xr.Dataset, arms: pd.Series, variable: str, arm: str) -> tuple[float, float, float]:
    patients = arms.index[arms.astype(str) == arm]
    values = courses[variable].sel(patient=courses["patient"].isin(patients))
    peak = values.max("day", skipna=True).values.astype(float)
    peak = peak[np.isfinite(peak)]
    if not peak.size:
        return (math.nan, math.nan, math.nan)
    low, middle, high = np.quantile(peak, [0.05, 0.5, 0.95])
    return float(low), float(middle), float(high)


_CELL_NAMES = {
    "precursor": "Tumor-specific CD8, precursor",
    "effector": "Tumor-specific CD8, effector",
    "exhausted": "Tumor-specific CD8, exhausted",
    "bystander": "Bystander CD8",
    "treg_tumor": "Regulatory T cell, tumor",
    "treg": "Regulatory T cell, blood",
    "nk": "Natural killer cell",
}


def _cell_label(courses: xr.Dataset, cell: str) -> str:
    return _CELL_NAMES.get(cell, str(courses[f"pstat5_{cell}"].attrs.get("label", title_case(cell))))
