"""A drug beside available therapy: posterior densities side by side, reported above, simulated below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .style import (
    CONTROL,
    EXPERIMENTAL,
    FIFTH,
    FOURTH,
    FULL_WIDTH,
    MUTED,
    THIRD,
    new_figure,
    shorten,
    styled,
    tint,
    title_case,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OTHERS = (CONTROL, THIRD, FOURTH, FIFTH)
_EDGE = 0.004  # share of the highest density below which a curve is not drawn


def designation(
    densities: pd.DataFrame, *, drug: str, label: str, unit: str, width: float = FULL_WIDTH
) -> Figure:
    """Draw what is known of a drug and of available therapy as densities on one axis.

    Parameters
    ----------
    densities : pandas.DataFrame
        ``who`` ("drug" or a therapy), ``basis`` ("reported", "reported, last cut", "reported, earlier cut
        ...", "simulated"), ``value``, ``density``; equally many points a curve.
    drug : str
        Name of the drug.
    label, unit : str
        Of the axis.
    width : float
        Inch.

    Returns
    -------
    matplotlib.figure.Figure
    """
    bases = ["reported", "simulated"]
    parts = [(name, densities[densities["basis"].str.startswith(name)]) for name in bases]
    parts = [(name, part) for name, part in parts if len(part)]
    with styled():
        figure = new_figure(width, 0.5 + 2.4 * max(len(parts), 1))
        panels = figure.subplots(max(len(parts), 1), 1, sharex=True, squeeze=False)[:, 0]
        ends = []
        for axes, (name, part) in zip(panels, parts, strict=False):
            therapies = [who for who in dict.fromkeys(part["who"]) if who != "drug"]
            colors = {who: _OTHERS[place % len(_OTHERS)] for place, who in enumerate(therapies)}
            ends.append(_draw(axes, part, drug, colors))
            axes.set_title(f"{title_case(name)}", fontsize=9)
            axes.set_yticks([])
            axes.grid(visible=False)
            axes.grid(visible=True, axis="x")
            axes.set_ylim(bottom=0)
        if ends:
            panels[0].set_xlim(0, max(ends))
        panels[-1].set_xlabel(f"{label}, {unit}; curves are posterior densities, dashed: superseded cuts")
    return figure


def _draw(axes: Axes, part: pd.DataFrame, drug: str, colors: dict[str, str]) -> float:
    """Draw the curves of one panel; return how far to the right they reach."""
    last, top = 0.0, 0.0
    curves = list(part.groupby(["who", "basis"], sort=False))
    for (who, basis), points in curves:
        earlier = "earlier" in str(basis)
        color = EXPERIMENTAL if who == "drug" else colors[str(who)]
        x, y = points["value"].to_numpy(float), points["density"].to_numpy(float)
        peak = _peak(x, y)
        seen = y > _EDGE * peak
        last = max(last, float(x[seen].max()))
        name = drug if who == "drug" else str(who)
        if earlier:
            axes.plot(x, y, color=tint(color, 0.55), linewidth=1.0, linestyle=(0, (4, 2)))
            continue
        top = max(top, peak)
        axes.fill_between(x, y, color=tint(color, 0.22), linewidth=0)
        axes.plot(x, y, color=color, label=f"{shorten(name, 44)}: {_words(x, y)}")
    axes.set_ylim(0, 1.12 * top if top else 1)
    axes.legend(
        loc="upper right",
        labelcolor="linecolor",
        fontsize=8,
        title="median (95 % interval)",
        title_fontsize=7.5,
    )
    if not curves:
        axes.text(0.5, 0.5, "nothing is reported", transform=axes.transAxes, color=MUTED, ha="center")
    return last


def _peak(x: np.ndarray, y: np.ndarray) -> float:
    """Highest density that is no needle at an end of the axis, as a Jeffreys prior makes at 0."""
    inside = (x > 0.002 * x.max()) & (x < 0.998 * x.max())
    return float(y[inside].max()) if inside.any() else float(y.max())


def _words(x: np.ndarray, y: np.ndarray) -> str:
    """Median and 95 % interval of a density."""
    below = np.concatenate([[0.0], np.cumsum((y[1:] + y[:-1]) / 2 * np.diff(x))])
    middle, low, high = np.interp([0.5, 0.025, 0.975], below / below[-1], x)
    return f"{middle:.3g} ({low:.2g} to {high:.2g})"
