"""A plan in pictures: power, boundaries and stops, hazard ratios over time, what moves the answer."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import (
    CONTROL,
    EXPERIMENTAL,
    FULL_WIDTH,
    INK,
    MUTED,
    RULE,
    arm_colors,
    month_ticks,
    new_figure,
    short_names,
    spread,
    styled,
    tint,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def power_curve(
    points: pd.DataFrame, axis: str, *, planned: float | None = None, width: float = FULL_WIDTH
) -> Figure:
    """Power and expected duration against one input.

    Parameters
    ----------
    points : pandas.DataFrame
        ``x``, ``draw``, ``power`` (0 to 1), ``months``.
    axis : str
        What the input is.
    planned : float, optional
        Where the plan stands.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(width, 3.1)
        left, right = figure.subplots(1, 2)
        for _, line in points.sort_values("x").groupby("draw"):
            left.plot(line["x"], 100 * line["power"], color=RULE, linewidth=0.9, zorder=1)
        mean = points.groupby("x")[["power", "months"]].mean().reset_index()
        left.plot(mean["x"], 100 * mean["power"], color=EXPERIMENTAL, marker="o", markersize=4, zorder=3)
        left.set_title("Power, %")
        left.set_ylim(0, 102)
        end = mean.iloc[-1]
        low = end["power"] < 0.2
        _say(left, end["x"], 100 * end["power"], "assurance", EXPERIMENTAL, above=low, side="right")
        right.plot(mean["x"], mean["months"], color=CONTROL, marker="o", markersize=4)
        right.set_title("Expected months to the decision")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xlabel(axis)
            if planned is not None:
                axes.axvline(planned, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    return figure


def boundaries(table: pd.DataFrame, stops: pd.DataFrame, *, width: float = FULL_WIDTH) -> Figure:
    """Boundaries as hazard ratios, and the chance to stop at each look.

    Parameters
    ----------
    table : pandas.DataFrame
        ``look``, ``events``, ``hazard_ratio``, ``futile_hazard_ratio`` (NaN where there is none).
    stops : pandas.DataFrame
        ``look``, ``efficacy``, ``futility``: shares of trials that stop there.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(width, 3.1)
        left, right = figure.subplots(1, 2)
        at = table["events"].to_numpy(float)
        left.plot(at, table["hazard_ratio"], color=EXPERIMENTAL, marker="o", markersize=4)
        futile = table["futile_hazard_ratio"].to_numpy(float)
        # at the end both are one: what is not rejected there is not shown
        known = np.isfinite(futile)
        if known[:-1].any():
            left.plot(at[known], futile[known], color=CONTROL, marker="o", markersize=4)
            _say(left, at[known][0], futile[known][0], "futile above", CONTROL, above=True, side="left")
        low, high = float(table["hazard_ratio"].min()), float(np.nanmax(np.append(futile, 1.0)))
        left.set_ylim(low - 0.12 * (high - low) - 0.02, high + 0.2 * (high - low))
        _say(left, at[0], table["hazard_ratio"].iloc[0], "efficacy below", EXPERIMENTAL, side="left")
        left.set_title("Observed hazard ratio at the boundary")
        left.set_xlabel("Events")
        left.set_xticks(at)
        left.margins(x=0.12)
        place = np.arange(len(stops))
        right.bar(place - 0.19, 100 * stops["efficacy"], width=0.36, color=EXPERIMENTAL, label="for efficacy")
        right.bar(place + 0.19, 100 * stops["futility"], width=0.36, color=CONTROL, label="for futility")
        for column, shift in (("efficacy", -0.19), ("futility", 0.19)):
            for spot, share in zip(place, stops[column], strict=True):
                if share >= 0.005:
                    right.text(
                        spot + shift,
                        100 * share + 1,
                        f"{100 * share:.0f}",
                        ha="center",
                        fontsize=7.5,
                        color=MUTED,
                    )
        right.set_xticks(place, [f"look {look}" for look in stops["look"]])
        right.set_title("Trials that stop at each look, %")
        right.set_ylim(0, max(10.0, 118 * float(stops[["efficacy", "futility"]].to_numpy().max())))
        right.legend(loc="upper right", labelcolor="linecolor")
    return figure


def ratio_over_time(table: pd.DataFrame, *, endpoint: str, width: float = FULL_WIDTH) -> Figure:
    """Hazard ratio as data mature, and in periods of follow-up.

    Parameters
    ----------
    table : pandas.DataFrame
        ``kind`` ("calendar" or "period"), ``start``, ``month``, ``low``, ``middle``, ``high``.
    endpoint : str
        Whose events.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(width, 3.1)
        left, right = figure.subplots(1, 2, sharey=True)
        mature = table[table["kind"] == "calendar"].sort_values("month")
        left.fill_between(
            mature["month"], mature["low"], mature["high"], color=tint(EXPERIMENTAL, 0.18), linewidth=0
        )
        left.plot(mature["month"], mature["middle"], color=EXPERIMENTAL)
        left.set_title(f"Hazard ratio of {endpoint} at a data cut")
        left.set_xlabel("Months since the trial opened")
        periods = table[table["kind"] == "period"].sort_values("start")
        place = np.arange(len(periods))
        right.vlines(place, periods["low"], periods["high"], color=tint(EXPERIMENTAL, 0.4), linewidth=4)
        right.plot(place, periods["middle"], "o", color=EXPERIMENTAL, markersize=5)
        right.set_xticks(place, [f"{row.start:.0f}–{row.month:.0f}" for row in periods.itertuples()])
        right.set_xlabel("Months since randomization")
        right.set_title("Hazard ratio of events in that period alone")
        for axes in (left, right):
            axes.axhline(1, color=MUTED, linewidth=0.8)
        left.set_yscale("log")
        shown = table[["low", "high"]].to_numpy(float)
        shown = shown[np.isfinite(shown) & (shown > 0)]
        low, high = max(shown.min(), 0.2), min(shown.max(), 5.0)
        ticks = [
            tick
            for tick in (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 3.0, 5.0)
            if low * 0.95 <= tick <= high * 1.05
        ]
        left.set_ylim(low * 0.93, high * 1.07)
        left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        left.set_yticks([], minor=True)
    return figure


def pool_survival(
    table: pd.DataFrame,
    *,
    endpoint: str,
    months: float,
    names: Mapping[str, str] | None = None,
    width: float = FULL_WIDTH,
) -> Figure:
    """Survival of the whole pool in each arm; median of the draws and the 90 % between them.

    Parameters
    ----------
    table : pandas.DataFrame
        ``arm``, ``month``, ``low``, ``middle``, ``high`` (0 to 1).
    endpoint : str
        What survival.
    months : float
        Shown so far.
    names : mapping of str to str, optional
        What to call the arms.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    arms = list(dict.fromkeys(table["arm"]))
    colors = arm_colors(arms)
    said = short_names(names or {arm: arm for arm in arms})
    with styled():
        figure = new_figure(width, 3.2)
        axes = figure.subplots()
        shown = table[table["month"] <= months]
        ends = []
        for arm in arms:
            line = shown[shown["arm"] == arm]
            axes.fill_between(
                line["month"],
                100 * line["low"],
                100 * line["high"],
                color=tint(colors[arm], 0.16),
                linewidth=0,
            )
            axes.plot(line["month"], 100 * line["middle"], color=colors[arm])
            ends.append(100 * float(line["middle"].iloc[-1]))
        for arm, y in zip(arms, spread(ends, 7.0), strict=True):
            axes.text(months * 1.015, y, said[arm], color=colors[arm], va="center", fontsize=8)
        axes.set_ylim(0, 100)
        axes.set_title(f"{endpoint} of the virtual patients, %")
        axes.set_xlabel("Months since randomization")
        month_ticks(axes, months)
    return figure


def moved_inputs(table: pd.DataFrame, *, planned: float, width: float = FULL_WIDTH) -> Figure:
    """Assurance when one input is moved at a time, the widest first.

    Parameters
    ----------
    table : pandas.DataFrame
        ``input``, ``setting``, ``power`` (0 to 1); two rows an input.
    planned : float
        As planned.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = {str(name): part for name, part in table.groupby("input", sort=False)}
    order = sorted(groups, key=lambda name: float(np.ptp(groups[name]["power"])), reverse=True)
    with styled():
        figure = new_figure(width, 0.8 + 0.52 * len(order))
        axes = figure.subplots()
        for place, name in enumerate(order):
            part = groups[name].sort_values("power")
            low, high = 100 * part["power"].iloc[0], 100 * part["power"].iloc[-1]
            axes.barh(place, low - 100 * planned, left=100 * planned, height=0.5, color=CONTROL)
            axes.barh(place, high - 100 * planned, left=100 * planned, height=0.5, color=EXPERIMENTAL)
            for value, setting, side, color in (
                (min(low, 100 * planned), part["setting"].iloc[0], "right", CONTROL),
                (max(high, 100 * planned), part["setting"].iloc[-1], "left", EXPERIMENTAL),
            ):
                shift = -1 if side == "right" else 1
                axes.text(value + shift, place, f"{setting}", ha=side, va="center", fontsize=7.5, color=color)
        axes.axvline(100 * planned, color=INK, linewidth=0.9)
        axes.set_yticks(np.arange(len(order)), ["\n".join(wrap(name, 30)) for name in order])
        for tick in axes.get_yticklabels():
            tick.set_color(INK)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_xlim(-32, 132)
        axes.set_xticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])
        axes.grid(visible=False)
        axes.set_xlabel("Assurance; the line is the plan", loc="center")
    return figure


def picked_doses(
    table: pd.DataFrame, *, names: Mapping[str, str], rules: Mapping[str, str], width: float = FULL_WIDTH
) -> Figure:
    """How often each rule recommends each dose, beside the toxicity of the doses.

    Parameters
    ----------
    table : pandas.DataFrame
        ``rule``, ``dose`` ("" for none), ``picked``, ``toxicity``, ``toxicity_low``,
        ``toxicity_high`` (0 to 1).
    names, rules : mapping of str to str
        What to call doses and rules.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    doses = list(dict.fromkeys(table["dose"]))
    with styled():
        figure = new_figure(width, 3.2)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.7))
        first = table[(table["rule"] == table["rule"].iloc[0]) & (table["dose"] != "")]
        place = np.arange(len(first))
        left.vlines(
            place,
            100 * first["toxicity_low"],
            100 * first["toxicity_high"],
            color=tint(CONTROL, 0.4),
            linewidth=4,
        )
        left.plot(place, 100 * first["toxicity"], "o", color=CONTROL, markersize=5)
        left.set_xticks(place, [names.get(dose, dose) for dose in first["dose"]])
        left.set_title("Dose-limiting events, % of patients")
        left.set_ylim(bottom=0)
        colors = arm_colors(list(rules))
        step = 0.8 / len(rules)
        for number, (rule, part) in enumerate(table.groupby("rule", sort=False)):
            spots = np.arange(len(doses)) + (number - (len(rules) - 1) / 2) * step
            right.bar(
                spots, 100 * part["picked"], width=0.9 * step, color=colors[str(rule)], label=rules[str(rule)]
            )
        right.set_xticks(np.arange(len(doses)), [names.get(dose, dose) if dose else "none" for dose in doses])
        right.set_title("Trials that recommend the dose, %")
        right.set_ylim(0, max(10.0, 120 * float(table["picked"].max())))
        if float(table["picked"].max()) > 0.5:
            right.set_yticks([0, 25, 50, 75, 100])
        right.legend(loc="upper left", ncols=len(rules), labelcolor="linecolor", fontsize=7.5)
        for axes in (left, right):
            axes.set_xlabel("Dose")
    return figure


def _say(
    axes: Axes, x: float, y: float, text: str, color: str, *, above: bool = False, side: str = "center"
) -> None:
    axes.annotate(
        text,
        (x, y),
        xytext=(0, 7 if above else -12),
        textcoords="offset points",
        color=color,
        fontsize=8,
        ha=side,
    )
