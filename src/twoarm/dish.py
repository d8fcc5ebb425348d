"""A design question, end to end: molecules into cells; tables to print, a file to keep, a picture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.cells import potency, response, response_map, selectivity
from twoarm.cells.respond import interval
from twoarm.errors import FileFormError, QuantityRangeError
from twoarm.molecule import read_molecule
from twoarm.units import quantity

_PICTURES = (".png", ".svg", ".pdf")
_POINTS = 25  # a side of a map


def response_files(
    molecules: Sequence[str],
    *,
    cells: Sequence[str] | None = None,
    cell_set: str = "human",
    hours: Sequence[float] = (1.0,),
    doses: str = "1e-4 nM:100 nM",
    pd1_blocked: float = 0.0,
    draws: int = 32,
    seed: int = 7,
    out: str | os.PathLike[str] | None = None,
    plot: str | os.PathLike[str] | None = None,
    ec50: str | os.PathLike[str] | None = None,
) -> dict[str, pd.DataFrame]:
    """Put cells into molecules; write curves and a picture; give back the tables to print.

    Parameters
    ----------
    molecules : sequence of str
        Names or files of cards.
    cells, cell_set, hours, doses, pd1_blocked, draws, seed
        As of `twoarm.cells.response`.
    out : path, optional
        CSV of every curve: a row for each molecule, cell, hour and dose, with 5 and 95 % of the draws.
    plot : path, optional
        Picture of pSTAT5 over dose.
    ec50 : path, optional
        CSV of EC50 and maxima, as `potency_table` lays them out.

    Returns
    -------
    dict of str to DataFrame
        `potency` (EC50, maximum, complexes) and `window` (against the cells to be spared).

    Raises
    ------
    FileFormError
        If `out`, `ec50` or `plot` has a suffix that is not written.
    """
    for table in (out, ec50):
        _check_suffix(table, (".csv",))
    _check_suffix(plot, _PICTURES)
    ensemble = draws if any(read_molecule(name).is_ensemble for name in molecules) else 0
    seen = response(
        list(molecules),
        cells=cells,
        cell_set=cell_set,
        doses=doses,
        hours=np.asarray(hours, dtype=float),
        pd1_blocked=pd1_blocked,
        draws=ensemble,
        seed=seed,
    )
    if out is not None:
        _save(curve_table(seen), Path(out))
    if plot is not None:
        from twoarm.figures.dish import dose_response

        _draw(dose_response(seen), Path(plot))
    told = potency_table(seen)
    if ec50 is not None:
        _save(told, Path(ec50))
    return {"potency": told, "window": selectivity(seen)}


def map_files(
    molecule: str,
    fields: Mapping[str, str],
    *,
    dose: str,
    cells: Sequence[str] | None = None,
    cell_set: str = "human",
    hours: float = 1.0,
    pd1_blocked: float = 0.0,
    out: str | os.PathLike[str] | None = None,
    plot: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Let two fields of a card vary; write the map and its picture; give back its table.

    Parameters
    ----------
    molecule : str
        Name or file of a card.
    fields : mapping of str to str
        Two fields, each with a range in words, as ``{"pd1_arm.kd": "0.05 nM:50 nM"}``; steps are even in the
        logarithm.
    dose, cells, cell_set, hours, pd1_blocked
        As of `twoarm.cells.response_map`.
    out, plot : path, optional
        CSV and picture.

    Returns
    -------
    DataFrame
        `first`, `second`, `cell`, `pstat5`, `signal` and `window`, the fields under their own names.
    """
    _check_suffix(out, (".csv",))
    _check_suffix(plot, _PICTURES)
    if len(fields) != 2:
        raise QuantityRangeError(
            text=", ".join(fields), what="map", whose="", rule="over two different fields of the card"
        )
    entries = read_molecule(molecule).entries()
    axes = {
        name: _range(text, entries[name].unit if name in entries else "", name)
        for name, text in fields.items()
    }
    mapped = response_map(
        molecule, axes, dose=dose, cells=cells, cell_set=cell_set, hours=hours, pd1_blocked=pd1_blocked
    )
    table = mapped.drop_vars("label").to_dataframe().reset_index()
    table = table.rename(columns=dict(zip(("first", "second"), axes, strict=True)))
    if out is not None:
        _save(table, Path(out))
    if plot is not None:
        from twoarm.figures.dish import response_heat

        _draw(response_heat(mapped), Path(plot))
    return table


def draw_fit(folder: str | os.PathLike[str], plot: str | os.PathLike[str], *, hour: float = 1.0) -> None:
    """Draw the readings of a receptor fit beside what was fitted.

    Parameters
    ----------
    folder : path
        Where `twoarm.calibrate.write_receptor_fit` wrote.
    plot : path
        Picture to write.
    hour : float
        Which time.

    Raises
    ------
    FileFormError
        If `plot` has a suffix that is not written.
    """
    from twoarm.figures.dish import fitted_readings

    _check_suffix(plot, _PICTURES)
    _draw(fitted_readings(pd.read_csv(Path(folder) / "readings.csv"), hour=hour), Path(plot))


def potency_table(seen: xr.Dataset) -> pd.DataFrame:
    """Lay out EC50 and maxima: a row for each molecule, hour and cell.

    Parameters
    ----------
    seen : xarray.Dataset
        Of `twoarm.cells.response`.

    Returns
    -------
    DataFrame
        `molecule`, `hour`, `cell`, `ec50` [nM], `maximum` (pSTAT5), `complexes` (most signaling complexes on
        a cell) and `occupancy` (largest share of PD-1 held), each with `_low` and `_high`, 5 and 95 % of the
        draws.
    """
    told = potency(seen)
    most = {"ec50": told["ec50"], "maximum": told["maximum"]}
    most |= {name: seen[of].max("dose") for name, of in (("complexes", "signal"), ("occupancy", "occupancy"))}
    rows = []
    for molecule in seen["molecule"].values:
        for hour in seen["hour"].values:
            for cell in seen["cell"].values:
                at = {"molecule": molecule, "hour": hour, "cell": cell}
                row = dict(at)
                for name, values in most.items():
                    row |= interval(name, values.sel(at).values)
                rows.append(row)
    return pd.DataFrame(rows)


def curve_table(seen: xr.Dataset) -> pd.DataFrame:
    """Lay out every curve: a row for each molecule, cell, hour and dose, with 5 and 95 % of the draws."""
    parts = {}
    for name in ("pstat5", "signal", "occupancy"):
        nominal, drawn = seen[name].isel(draw=0, drop=True), seen[name].isel(draw=slice(1, None))
        parts[name] = nominal
        for end, quantile in (("low", 0.05), ("high", 0.95)):
            some = drawn.quantile(quantile, "draw").drop_vars("quantile") if drawn.sizes["draw"] else nominal
            parts[f"{name}_{end}"] = some
    table = xr.Dataset(parts).drop_vars("label").to_dataframe().reset_index()
    return table.rename(columns={"dose": "dose_nM", "hour": "hour"})


def _range(text: str, unit: str, name: str) -> np.ndarray:
    ends = text.split(":")
    if len(ends) != 2:
        raise QuantityRangeError(text=text, what=name, whose="the map", rule='a range, as "1:3000"')
    low, high = (quantity(_with_unit(end.strip(), unit), unit, what=name, above=0) for end in ends)
    if not low < high:
        raise QuantityRangeError(text=text, what=name, whose="the map", rule="a range whose low end is lower")
    return np.geomspace(low, high, _POINTS)


def _with_unit(text: str, unit: str) -> str | float:
    """Take a bare number as one in the house unit of its field."""
    try:
        bare = float(text)
    except ValueError:
        return text
    return f"{bare!r} {unit}" if unit else bare


def _check_suffix(path: str | os.PathLike[str] | None, suffixes: Sequence[str]) -> None:
    if path is not None and Path(path).suffix.lower() not in suffixes:
        raise FileFormError(path=Path(path), suffixes=suffixes)


def _save(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")


def _draw(figure: object, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, facecolor="white")  # type: ignore[attr-defined]
