"""A cohort from files: model, parameters and doses in; curves as CSV or NetCDF out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from twoarm import catalog
from twoarm.engine.simulate import simulate
from twoarm.errors import CurveFileError, DoseRowError, FileTextError, SimulationInputError
from twoarm.model.sbml import read_model
from twoarm.study.folder import check_writable, write_curves, write_whole

_LARGEST = 1_000_000_000  # bytes; a cohort of a million patients with a hundred parameters
_MOST_STEPS = 1_000_000
_END = "It must be a day above 0. Pass, as an example, --end 28."
_STEPS = f"It must be a whole number from 1 to {_MOST_STEPS:,}. Pass, as an example, --steps 100."
_NOTHING = "It has no state or output that follows time, so there is no curve to write. Give another model."
_STRANGER = "It must be the label of a patient of the cohort"
_ALONE = "It must be 0, the only patient where no cohort is given"
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
    NotWrittenError
        If `out` cannot be written; asked before anything is simulated.
    SimulationInputError, DoseRowError
        If `end` or `steps` cannot be, or doses are for somebody who is not in the cohort.
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
    if not 0 < end < np.inf:
        raise SimulationInputError(what="end", value=end, rule=_END)
    if not 1 <= steps <= _MOST_STEPS:
        raise SimulationInputError(what="steps", value=steps, rule=_STEPS)
    check_writable(out)
    patients = None if cohort is None else _cohort(cohort)
    rows = None if doses is None else _table(doses)
    _check_doses(rows, patients)
    run = simulate(
        read_model(model),
        patients,
        rows,
        days=end,
        visits=np.linspace(0.0, end, steps + 1),
        outputs=None if select is None else [name.strip() for name in select.split(",")],
        backend=backend,
    )
    if out.suffix == ".nc":
        write_curves(run, out)
    else:
        curves = [name for name, values in run.items() if values.dims == ("patient", "day")]
        if not curves:
            raise SimulationInputError(what="model", value=str(model), rule=_NOTHING)
        table = run[curves].to_dataframe().reset_index()
        write_whole(out, lambda place: table.to_csv(place, index=False, lineterminator="\n"))
    return run


def _cohort(path: Path) -> pd.DataFrame:
    table = _table(path)
    label = next((name for name in _LABELS if name in table), None)
    if label is None:
        return table
    if table[label].isna().any():
        row = int(table[label].isna().to_numpy().argmax()) + 2
        raise FileTextError(path=path, form="a cohort", reason=f'line {row} has no "{label}"')
    return table.set_index(label).rename_axis("patient")


def _check_doses(doses: pd.DataFrame | None, cohort: pd.DataFrame | None) -> None:
    """Refuse doses of somebody who is not in the cohort: they would go to nobody."""
    if doses is None:
        return
    label = next((name for name in doses if str(name).lower() == "id"), None)
    known = [0] if cohort is None else cohort.index
    if label is not None and len(strangers := doses.index[~doses[label].isin(known)]):
        patient = doses.loc[strangers[0], label]
        rule = _ALONE if cohort is None else _STRANGER
        raise DoseRowError(row=int(strangers[0]) + 1, patient=patient, column="id", value=patient, rule=rule)


def _table(path: Path) -> pd.DataFrame:
    catalog.read_text(path, limit=_LARGEST)  # bounded, there, and text
    try:
        table = pd.read_csv(path)
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("a row has more cells than the header has names")
        return table
    except (ValueError, pd.errors.ParserError) as wrong:
        raise FileTextError(path=path, form="CSV", reason=str(wrong)) from None
