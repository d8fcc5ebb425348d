"""A cohort from files: model, parameters and doses in; curves as CSV or NetCDF out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from twoarm import catalog
from twoarm.engine.simulate import simulate
from twoarm.errors import CurveFileError, FileTextError
from twoarm.model.sbml import read_model
from twoarm.study.folder import write_curves, write_whole

_LARGEST = 1_000_000_000  # bytes; a cohort of a million patients with a hundred parameters
_LABELS = ("patient", "id", "ID")


def simulate_files(
    model: str | Path,
    out: Path,
    *,
    end: float,
    steps: int,
    cohort: Path | None = None,
    doses: Path | None = None,
    select: str | None = None,
    backend: Literal["auto", "cpu", "reference"] = "auto",
) -> xr.Dataset:
    r"""Simulate a model for the cohort of a table, and write the curves.

    Parameters
    ----------
    model : str or Path
        Name in the library, or an `.ant` or `.xml` file.
    out : Path
        `.csv` (a row a patient and day) or `.nc`.
    end : float [day]
        Last day.
    steps : int
        Intervals between outputs.
    cohort : Path, optional
        CSV, a row a patient; a column `patient` or `id` labels them, others are parameters or first states.
    doses : Path, optional
        CSV in NONMEM's words: `id time amt cmt` and more.
    select : str, optional
        Outputs to keep, commas between.
    backend : {"auto", "cpu", "reference"}
        As in `simulate`.

    Returns
    -------
    Dataset
        What was written.

    Raises
    ------
    CurveFileError
        If `out` ends in neither `.csv` nor `.nc`.
    TwoarmError
        As `read_model` and `simulate`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "decay.ant").write_text("model decay() x' = -k*x; x = 1; k = 0.5; end")
    >>> _ = (folder / "cohort.csv").write_text("patient,k\n0,0.1\n1,0.2\n")
    >>> run = simulate_files(
    ...     folder / "decay.ant", folder / "x.csv", end=10, steps=2, cohort=folder / "cohort.csv"
    ... )
    >>> print((folder / "x.csv").read_text().splitlines()[0])
    patient,day,x
    """
    if out.suffix not in (".csv", ".nc"):
        raise CurveFileError(path=out)
    run = simulate(
        read_model(model),
        None if cohort is None else _cohort(cohort),
        None if doses is None else _table(doses),
        days=end,
        visits=np.linspace(0.0, end, steps + 1),
        outputs=None if select is None else [name.strip() for name in select.split(",")],
        backend=backend,
    )
    if out.suffix == ".nc":
        write_curves(run, out)
    else:
        curves = [name for name, values in run.items() if values.dims == ("patient", "day")]
        rows = run[curves].to_dataframe().reset_index()
        write_whole(out, lambda place: rows.to_csv(place, index=False, lineterminator="\n"))
    return run


def _cohort(path: Path) -> pd.DataFrame:
    table = _table(path)
    label = next((name for name in _LABELS if name in table), None)
    return table if label is None else table.set_index(label).rename_axis("patient")


def _table(path: Path) -> pd.DataFrame:
    catalog.read_text(path, limit=_LARGEST)  # bounded, there, and text
    try:
        return pd.read_csv(path)
    except (ValueError, pd.errors.ParserError) as wrong:
        raise FileTextError(path=path, form="CSV", reason=str(wrong)) from None
