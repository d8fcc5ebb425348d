"""Curves of any size as a CSV table or a NetCDF file, a block of patients at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.engine.status import sentence
from twoarm.study.folder import write_whole

_CELLS = 4_000_000  # of all variables of a block


def write_csv(run: xr.Dataset, path: Path, *, labeled: bool) -> None:
    """Write curves as a table with every digit: `time` and a column for each output.

    Parameters
    ----------
    run : Dataset
        Curves over (patient, day), in memory or not.
    path : Path
        The file, which appears whole.
    labeled : bool
        Whether a first column `id` says whose row it is; a row a patient and time, patient by patient.
    """

    def write(place: Path) -> None:
        with place.open("w", encoding="utf-8", newline="") as file:
            for number, block in enumerate(_blocks(run)):
                table = _table(block, labeled=labeled)
                table.to_csv(file, index=False, header=number == 0, lineterminator="\n", na_rep="NaN")

    write_whole(path, write)


def write_netcdf(run: xr.Dataset, path: Path) -> None:
    """Write a result as NetCDF, in the precision it has.

    Parameters
    ----------
    run : Dataset
        With the dimension `patient`, in memory or not.
    path : Path
        The file, which appears whole.
    """
    import h5netcdf

    def write(place: Path) -> None:
        with h5netcdf.File(place, "w") as file:
            file.dimensions = {str(name): size for name, size in run.sizes.items()}
            file.attrs.update({str(key): _plain(value) for key, value in run.attrs.items()})
            for name, values in run.variables.items():
                text = values.dtype.kind in "OUT"
                made = file.create_variable(
                    str(name),
                    tuple(str(dim) for dim in values.dims),
                    dtype=_text_type() if text else values.dtype,
                    **(
                        {}
                        if text or not values.ndim or not values.size
                        else {"compression": "gzip", "shuffle": True}
                    ),
                )
                made.attrs.update({str(key): _plain(value) for key, value in values.attrs.items()})
                if "patient" not in values.dims:
                    made[...] = _writable(values)
            first = 0
            for block in _blocks(run):
                last = first + block.sizes["patient"]
                for name, values in block.variables.items():
                    if "patient" in values.dims:
                        file.variables[str(name)][first:last] = _writable(values)
                first = last

    write_whole(path, write)


def failures(run: xr.Dataset) -> pd.DataFrame:
    """List those who failed: when, why, in which state, and after which dose.

    Parameters
    ----------
    run : Dataset
        With `status`, `final_day`, `stiffest` and `last_dose`.

    Returns
    -------
    DataFrame
        Columns `id time why stiffest last_dose`, a row a patient.
    """
    status = run["status"].to_numpy()
    stuck = np.flatnonzero(status != 0)
    states = run["state"].to_numpy() if "state" in run.variables else np.array([], dtype=object)
    worst = run["stiffest"].to_numpy()[stuck]
    return pd.DataFrame(
        {
            "id": run["patient"].to_numpy()[stuck],
            "time": run["final_day"].to_numpy()[stuck],
            "why": [sentence(int(code)) for code in status[stuck]],
            "stiffest": [str(states[i]) if 0 <= i < len(states) else "" for i in worst],
            "last_dose": run["last_dose"].to_numpy()[stuck],
        }
    )


def curves(run: xr.Dataset) -> list[str]:
    """Names of what follows time.

    Parameters
    ----------
    run : Dataset
        A result.

    Returns
    -------
    list of str
        Variables over (patient, day).
    """
    return [str(name) for name, values in run.data_vars.items() if values.dims == ("patient", "day")]


def _blocks(run: xr.Dataset) -> Iterator[xr.Dataset]:
    """Take some patients at a time into memory."""
    cells = sum(int(np.prod(v.shape[1:])) for v in run.variables.values() if "patient" in v.dims)
    size = max(1, _CELLS // max(cells, 1))
    for first in range(0, run.sizes["patient"], size):
        yield run.isel(patient=slice(first, first + size)).load()


def _table(block: xr.Dataset, *, labeled: bool) -> pd.DataFrame:
    days = block["day"].to_numpy()
    columns: dict[str, Any] = {}
    if labeled:
        columns["id"] = np.repeat(block["patient"].to_numpy(), len(days))
    columns["time"] = np.tile(days, block.sizes["patient"])
    for name in curves(block):
        columns[name if name not in columns else f"{name}_"] = block[name].to_numpy().ravel()
    return pd.DataFrame(columns)


def _text_type() -> Any:
    import h5py

    return h5py.string_dtype()


def _writable(values: xr.Variable) -> np.ndarray:
    content = values.to_numpy()
    return content.astype(object) if content.dtype.kind in "OUT" else content


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
