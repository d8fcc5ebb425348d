"""Courses over time as they come out of a simulation: one patient as a line, a cohort as median and band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import EXPERIMENTAL, FULL_WIDTH, new_figure, shorten, styled, tint

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

_MOST, _ACROSS, _HEIGHT = 12, 3, 1.9  # panels, panels in a row, inches


def courses(run: xr.Dataset, names: Sequence[str]) -> Figure:
    """Draw outputs over time, a panel each.

    Parameters
    ----------
    run : Dataset
        Curves over (patient, day).
    names : sequence of str
        Which; at most the first 12 are drawn.

    Returns
    -------
    Figure
        Of one patient lines; of several the median and the band that holds 90 % of them.

    Examples
    --------
    >>> import xarray as xr
    >>> run = xr.Dataset({"x": (("patient", "day"), np.array([[1.0, 0.5]]))}, {"day": [0.0, 1.0]})
    >>> len(courses(run, ["x"]).axes)
    1
    """
    shown = list(names)[:_MOST]
    rows = -(-len(shown) // _ACROSS)
    with styled():
        figure = new_figure(FULL_WIDTH, _HEIGHT * rows + 0.4)
        for place, name in enumerate(shown):
            axes = figure.add_subplot(rows, min(_ACROSS, len(shown)), place + 1)
            time, values = run["day"].to_numpy(), run[name].to_numpy()
            values = values[~np.isnan(values).all(axis=1)]
            if len(values) > 1:
                low, middle, high = np.nanquantile(values, [0.05, 0.5, 0.95], axis=0)
                axes.fill_between(time, low, high, color=tint(EXPERIMENTAL, 0.25), linewidth=0)
                axes.plot(time, middle, color=EXPERIMENTAL)
            elif len(values):
                axes.plot(time, values[0], color=EXPERIMENTAL)
            unit = run[name].attrs.get("units", "")
            axes.set_title(shorten(f"{name} [{unit}]" if unit else name, 36), loc="left")
            if place >= len(shown) - _ACROSS:
                axes.set_xlabel("time")
    return figure
