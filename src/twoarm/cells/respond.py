"""What molecules do to cells in a dish: responses over doses, EC50, and the window between cells."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from twoarm.cells.bath import bath_table, bathe
from twoarm.cells.read import CellSet, read_cells
from twoarm.errors import QuantityRangeError, UnknownFieldError
from twoarm.molecule import Molecule, draw_cards, model_parameters, read_molecule
from twoarm.units import quantity

DOSES = "1e-4 nM:100 nM"
_A_DECADE = 6  # doses in a decade of a range
_LEAST = 1e-4  # pSTAT5 below which no EC50 is told
_SHOWN = {"pstat5": "pSTAT5", "signal": "Signaling IL-2 receptors", "occupancy": "PD-1 occupied"}
_UNITS = {"pstat5": "1", "signal": "complexes/cell", "occupancy": "1"}
Named = str | os.PathLike[str] | Molecule


def response(
    molecules: Named | Sequence[Named],
    *,
    cells: Sequence[str] | None = None,
    cell_set: str | os.PathLike[str] | CellSet = "human",
    doses: str | ArrayLike = DOSES,
    hours: ArrayLike = 1.0,
    pd1_blocked: float = 0.0,
    draws: int = 0,
    seed: int = 7,
) -> xr.Dataset:
    """Put cells into molecules and see what their receptors say.

    Parameters
    ----------
    molecules : name, path or Molecule, or several
        Cards. Only their arms matter, so a card of affinities and valency alone will do.
    cells : sequence of str, optional
        Names of cells; by default all of the set.
    cell_set : name, path or CellSet
        Which set of cells.
    doses : str or (dose,) array
        A range in words, as "1e-4 nM:100 nM", or numbers in nM.
    hours : float or (hour,) array [h]
        When to look.
    pd1_blocked : float
        Share of PD-1 that an earlier antibody holds for good.
    draws : int
        Members of each card's ensemble to draw, beside its nominal values.
    seed : int
        Seed of the draws.

    Returns
    -------
    xarray.Dataset
        `pstat5` (share of what endless complexes would give), `signal` (signaling complexes on a cell) and
        `occupancy` (share of PD-1 that is held), over (molecule, draw, cell, hour, dose); draw 0 is nominal.

    Raises
    ------
    UnknownFieldError
        If the set has no such cell.
    QuantityRangeError, UnitError
        If doses, hours or shares cannot be.

    Examples
    --------
    >>> seen = response("aldesleukin", cells=["treg", "nk"])
    >>> bool(potency(seen).ec50.sel(cell="treg").item() < potency(seen).ec50.sel(cell="nk").item())
    True
    """
    chosen = cell_set if isinstance(cell_set, CellSet) else read_cells(cell_set)
    names = _cells(chosen, cells)
    several = [molecules] if isinstance(molecules, (str, os.PathLike, Molecule)) else list(molecules)
    cards = [one if isinstance(one, Molecule) else read_molecule(one) for one in several]
    rows = [row for card in cards for row in _members(card, draws, seed)]
    dose, hour = _doses(doses), _hours(hours)
    table = bath_table(chosen, names, rows, dose, pd1_blocked=pd1_blocked)
    found = bathe(table, hour, tuple(_SHOWN))
    shape = (len(cards), draws + 1, len(names), dose.size, hour.size)
    axes = ("molecule", "draw", "cell", "hour", "dose")
    seen = xr.Dataset(
        {name: (axes, np.moveaxis(values.reshape(shape), -1, -2)) for name, values in found.items()},
        coords={
            "molecule": [card.name for card in cards],
            "draw": np.arange(draws + 1),
            "cell": names,
            "hour": ("hour", hour, {"units": "h"}),
            "dose": ("dose", dose, {"units": "nM"}),
            "label": ("cell", [chosen.cells[name].label for name in names]),
        },
        attrs={
            "cells": chosen.name,
            "tumor_specific": chosen.tumor_specific,
            "spared": list(chosen.spared),
            "pd1_blocked": pd1_blocked,
            "seed": seed,
        },
    )
    for name, words in _SHOWN.items():
        seen[name].attrs = {"long_name": words, "units": _UNITS[name]}
    return seen


def potency(seen: xr.Dataset) -> xr.Dataset:
    """Tell the EC50 and the maximum of each curve.

    Parameters
    ----------
    seen : xarray.Dataset
        Of `response`.

    Returns
    -------
    xarray.Dataset
        `maximum` (largest pSTAT5 among the doses) and `ec50` [nM] (dose of half of it, on the way up, between
        doses by logarithm; NaN where there is no response), over (molecule, draw, cell, hour).

    Examples
    --------
    >>> told = potency(response("aldesleukin", cells=["treg", "nk"]))
    >>> [f"{ec50:.0e}" for ec50 in told.ec50.values.ravel()]
    ['3e-02', '2e+00']
    """
    curves = np.asarray(seen["pstat5"].values, dtype=float)
    log_dose = np.log(np.asarray(seen["dose"].values, dtype=float))
    flat = curves.reshape(-1, curves.shape[-1])
    ec50 = np.array([half_way(log_dose, curve) for curve in flat]).reshape(curves.shape[:-1])
    axes = seen["pstat5"].dims[:-1]
    told = xr.Dataset(
        {
            "ec50": (axes, ec50, {"units": "nM", "long_name": "EC50"}),
            "maximum": (axes, curves.max(-1), {"units": "1", "long_name": "Largest pSTAT5"}),
        },
        coords={name: seen.coords[name] for name in (*axes, "label")},
        attrs=seen.attrs,
    )
    return told


def half_way(log_dose: NDArray[np.float64], curve: NDArray[np.float64]) -> float:
    """Find the dose at which a curve first reaches half of its largest value [unit of the dose]."""
    top = int(np.argmax(curve))
    if not curve[top] > _LEAST or top == 0:
        return float("nan")
    rising = np.maximum.accumulate(curve[: top + 1])
    half = curve[top] / 2
    return float(np.exp(np.interp(half, rising, log_dose[: top + 1]))) if rising[0] < half else float("nan")


def selectivity(seen: xr.Dataset) -> pd.DataFrame:
    """Tell the window between the cell a molecule is meant for and those to be spared.

    Parameters
    ----------
    seen : xarray.Dataset
        Of `response`, with the tumor-specific cell among its cells.

    Returns
    -------
    DataFrame
        A row for each molecule, hour and other cell: `ratio`, the other's EC50 over that of the
        tumor-specific cell (above 1: the tumor-specific cell answers first), and `there`, pSTAT5 of the other
        cell where the tumor-specific cell is half-way to its maximum; each with `_low` and `_high`, 5 and
        95 % of the draws. Empty where the tumor-specific cell was left out.

    Examples
    --------
    >>> window = selectivity(response("aldesleukin", cells=["effector", "nk"]))
    >>> bool(window.ratio[0] > 1)
    True
    """
    own = str(seen.attrs["tumor_specific"])
    if own not in seen["cell"].values:
        return pd.DataFrame(columns=["molecule", "hour", "cell", "ratio", "there"])
    ec50 = potency(seen)["ec50"]
    rows = []
    for molecule in seen["molecule"].values:
        for hour in seen["hour"].values:
            at = {"molecule": molecule, "hour": hour}
            half = ec50.sel({**at, "cell": own}).values
            for cell in [c for c in seen.attrs["spared"] if c in seen["cell"].values]:
                ratio = ec50.sel({**at, "cell": cell}).values / half
                curves = seen["pstat5"].sel({**at, "cell": cell}).transpose("draw", "dose").values
                there = np.array(
                    [
                        np.interp(np.log(d), np.log(seen["dose"].values), curve)
                        for d, curve in zip(half, curves, strict=True)
                    ]
                )
                rows.append({**at, "cell": cell} | interval("ratio", ratio) | interval("there", there))
    return pd.DataFrame(rows)


def interval(name: str, values: NDArray[np.float64]) -> dict[str, float]:
    """Lay out the nominal value, and 5 and 95 % of the draws that gave a number."""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.quantile(drawn, [0.05, 0.95]) if drawn.size else (values[0], values[0])
    return {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}


def response_map(
    molecule: Named,
    fields: Mapping[str, ArrayLike],
    *,
    dose: str | float,
    cells: Sequence[str] | None = None,
    cell_set: str | os.PathLike[str] | CellSet = "human",
    hours: float = 1.0,
    pd1_blocked: float = 0.0,
) -> xr.Dataset:
    """Let two fields of a card vary and see each cell's response.

    Parameters
    ----------
    molecule : name, path or Molecule
        The card; other fields keep their nominal values.
    fields : mapping of str to array
        Two fields, as "il2_arm.weakening_il2rb" and "pd1_arm.kd", and their values in house units.
    dose : str or float [nM]
        What is around the cells.
    cells, cell_set, hours, pd1_blocked
        As of `response`.

    Returns
    -------
    xarray.Dataset
        `pstat5` and `signal` over (first field, second field, cell), and `window`: pSTAT5 of the
        tumor-specific cell less that of each cell.

    Raises
    ------
    UnknownFieldError
        If the card has no such field.

    Examples
    --------
    >>> fields = {"il2_arm.weakening_il2rb": [1, 100], "il2_arm.kd_il2ra": [1, 10]}
    >>> mapped = response_map("aldesleukin", fields, dose="1 nM", cells=["nk"])
    >>> bool(mapped.pstat5[0, 0, 0] > mapped.pstat5[1, 0, 0])
    True
    """
    card = molecule if isinstance(molecule, Molecule) else read_molecule(molecule)
    nominal = card.nominal()
    for name in fields:
        if name not in nominal:
            raise UnknownFieldError(path=card.name, place="the card", field=name, known=nominal)
    (first, ones), (second, others) = (
        (name, np.atleast_1d(np.asarray(at, dtype=float))) for name, at in fields.items()
    )
    rows = [
        model_parameters({**nominal, first: one, second: other}, "cell") for one in ones for other in others
    ]
    chosen = cell_set if isinstance(cell_set, CellSet) else read_cells(cell_set)
    names = _cells(chosen, cells)
    given = float(dose) if isinstance(dose, (int, float)) else quantity(dose, "nM", what="dose", above=0)
    table = bath_table(chosen, names, rows, [given], pd1_blocked=pd1_blocked)
    found = bathe(table, [hours], ("pstat5", "signal"))
    shape = (ones.size, others.size, len(names))
    seen = xr.Dataset(
        {name: (("first", "second", "cell"), values.reshape(shape)) for name, values in found.items()},
        coords={
            "first": ("first", ones, {"long_name": first, "units": card.entries()[first].unit}),
            "second": ("second", others, {"long_name": second, "units": card.entries()[second].unit}),
            "cell": names,
            "label": ("cell", [chosen.cells[name].label for name in names]),
        },
        attrs={"molecule": card.name, "dose_nM": given, "hours": hours, "pd1_blocked": pd1_blocked},
    )
    if chosen.tumor_specific in names:
        seen["window"] = seen["pstat5"].sel(cell=chosen.tumor_specific, drop=True) - seen["pstat5"]
    return seen


def _cells(chosen: CellSet, cells: Sequence[str] | None) -> list[str]:
    names = list(chosen.cells) if cells is None else list(cells)
    for name in names:
        if name not in chosen.cells:
            raise UnknownFieldError(path=chosen.name, place="cells", field=name, known=chosen.cells)
    return names


def _members(card: Molecule, draws: int, seed: int) -> list[dict[str, float]]:
    """Parameters of the nominal card and of each draw."""
    rows = [model_parameters(card, "cell")]
    if draws:
        rows += [model_parameters(row, "cell") for _, row in draw_cards(card, draws, seed).iterrows()]
    return rows


def _doses(doses: str | ArrayLike) -> NDArray[np.float64]:
    if not isinstance(doses, str):
        dose = np.atleast_1d(np.asarray(doses, dtype=float))
        if dose.ndim != 1 or not (np.isfinite(dose).all() and (dose > 0).all() and (np.diff(dose) > 0).all()):
            raise QuantityRangeError(text=doses, what="doses", whose="", rule="above 0 and rising, in nM")
        return dose
    ends = doses.split(":")
    if len(ends) != 2:
        raise QuantityRangeError(text=doses, what="doses", whose="", rule='a range, as "1e-4 nM:100 nM"')
    low, high = (quantity(end.strip(), "nM", what="doses", above=0) for end in ends)
    if not low < high:
        raise QuantityRangeError(text=doses, what="doses", whose="", rule="a range whose low end is lower")
    decades = np.log10(high / low)
    return np.geomspace(low, high, max(int(np.ceil(decades * _A_DECADE)) + 1, 2))


def _hours(hours: ArrayLike) -> NDArray[np.float64]:
    hour = np.atleast_1d(np.asarray(hours, dtype=float))
    if not (np.isfinite(hour).all() and (hour > 0).all() and (np.diff(hour) > 0).all()):
        raise QuantityRangeError(text=hours, what="hours", whose="", rule="above 0 and rising")
    return hour
