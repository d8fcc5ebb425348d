"""Time on study, a lane a patient: treatment, response, progression, death."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .style import (
    DAYS_PER_MONTH,
    FULL_WIDTH,
    INK,
    MUTED,
    PAPER,
    arm_colors,
    arm_title,
    by_arm,
    month_ticks,
    new_figure,
    styled,
    tint,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def swimmer(
    patients: pd.DataFrame,
    *,
    limit: int = 25,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Time on study, a bar a patient: treatment, first response, progression, death.

    Parameters
    ----------
    patients : pandas.DataFrame
        ``patient``, ``arm``, ``treatment_end`` [day], ``last_day`` [day, end of follow-up] and, where known
        (NaN else), ``response_day``, ``DOR_day`` (how long it lasts), ``progression_day``, ``death_day``
        [day], and ``off_reason``.
    limit : int
        At most so many patients in a panel, evenly spaced along ``last_day``.
    names : mapping, optional
        What to call an arm.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    patients = by_arm(patients, names)
    arms = list(dict.fromkeys(patients["arm"]))
    colors = arm_colors(arms)
    end = max(np.ceil(float(patients["last_day"].max()) / DAYS_PER_MONTH), 3.0) + 0.5
    shown = min(limit, int(patients.groupby("arm").size().max()))
    with styled():
        figure = new_figure(width, 1.5 + 0.125 * shown)
        panels = figure.subplots(1, len(arms), squeeze=False)[0]
        for axes, arm in zip(panels, arms, strict=True):
            part = patients[patients["arm"].astype(str) == arm].sort_values("last_day", kind="stable")
            if len(part) > limit:
                part = part.iloc[np.linspace(0, len(part) - 1, limit).round().astype(int)]
            _draw_lanes(axes, part, colors[arm])
            axes.set_title(arm_title(names, arm, 34), color=colors[arm])
            axes.set(ylim=(-0.8, max(shown, 1) - 0.2), yticks=[])
            axes.grid(visible=False)
            axes.grid(visible=True, axis="x")
            month_ticks(axes, end)
            axes.set_xlabel("Months since randomization")
        figure.legend(*_swimmer_key(), loc="outside lower center", ncols=4, fontsize=8, handletextpad=0.5)
    return figure


_MARKS = {
    "response_day": ("First response", "^", PAPER),
    "progression_day": ("Progression", "s", INK),
    "toxicity_day": ("Stopped for toxicity", "d", PAPER),
    "death_day": ("Death", "X", INK),
}
_FOR_TOXICITY = ("toxicity", "delay")  # reasons as the ledger has them; a delay too long is for toxicity


def _draw_lanes(axes: Axes, part: pd.DataFrame, color: str) -> None:
    lanes = np.arange(len(part))
    month = part["last_day"].to_numpy(float) / DAYS_PER_MONTH
    treated = np.minimum(part["treatment_end"].to_numpy(float) / DAYS_PER_MONTH, month)
    axes.barh(lanes, month - treated, left=treated, height=0.62, color=tint(color, 0.22), zorder=2)
    axes.barh(lanes, treated, height=0.62, color=tint(color, 0.8), zorder=3)
    if {"response_day", "DOR_day"} <= set(part):
        start = part["response_day"].to_numpy(float) / DAYS_PER_MONTH
        lasts = start + part["DOR_day"].to_numpy(float) / DAYS_PER_MONTH
        known = np.isfinite(lasts)
        axes.hlines(lanes[known], start[known], lasts[known], color=PAPER, linewidth=1.4, zorder=4)
    if "off_reason" in part:
        stopped = part["off_reason"].isin(_FOR_TOXICITY)
        part = part.assign(toxicity_day=part["treatment_end"].where(stopped))
    for column, (label, marker, fill) in _MARKS.items():
        if column in part:
            place = part[column].to_numpy(float) / DAYS_PER_MONTH
            seen = np.isfinite(place)
            style = _mark(marker, fill, 4.2)
            axes.plot(place[seen], lanes[seen], linestyle="none", zorder=5, label=label, **style)
    gone = (
        np.isfinite(part["death_day"].to_numpy(float)) if "death_day" in part else np.zeros(len(part), bool)
    )
    still = ~gone & (treated >= month)
    for who, fill in ((still, color), (~gone & ~still, PAPER)):
        style = {**_mark(">", fill, 3.4), "markeredgecolor": color}
        axes.plot(month[who] + 0.25, lanes[who], linestyle="none", zorder=4, **style)


def _mark(marker: str, fill: str, size: float) -> dict[str, Any]:
    return {
        "marker": marker,
        "markersize": size,
        "markerfacecolor": fill,
        "markeredgecolor": INK,
        "markeredgewidth": 0.7,
    }


def _swimmer_key() -> tuple[list[Artist], list[str]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [Patch(color=MUTED), Patch(color=tint(MUTED, 0.3))]
    labels = ["On treatment", "Followed"]
    for label, marker, fill in _MARKS.values():
        handles.append(Line2D([], [], linestyle="none", **_mark(marker, fill, 4.5)))
        labels.append(label)
    for label, fill in (("Still treated", MUTED), ("Alive, off treatment", PAPER)):
        arrow = {**_mark(">", fill, 4.0), "markeredgecolor": MUTED}
        handles.append(Line2D([], [], linestyle="none", **arrow))
        labels.append(label)
    return handles, labels
