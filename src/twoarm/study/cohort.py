"""A cohort from files: model, parameters and doses in; curves as CSV, NetCDF or a Zarr store out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.engine.diagnose import Diagnosis, diagnose
from twoarm.engine.estimate import Estimate, estimate_job
from twoarm.engine.job import Job, plan_job
from twoarm.engine.request import read_settings
from twoarm.engine.stream import run_job
from twoarm.errors import NoSuchPatientError, OutputFileError, PictureFileError, SimulationInputError
from twoarm.model.sbml import read_model
from twoarm.study.export import curves, failures, write_csv, write_netcdf
from twoarm.study.folder import check_writable, write_whole
from twoarm.study.tables import read_cohort, read_doses

_FORMS, _PICTURES = (".csv", ".nc", ".zarr"), (".png", ".svg", ".pdf")
_UNNAMED = re.compile(r"_J\d+")  # what Antimony calls a reaction that nobody named
_MOST_STEPS = 1_000_000
_END = "It must be a time after --start. Pass, as an example, --end 28."
_START = "It must be a time at or after 0, where the model begins. Pass, as an example, --start 0."
_STEPS = f"It must be a whole number from 1 to {_MOST_STEPS:,}. Pass, as an example, --steps 100."
_NOTHING = "It has no state or output that follows time, so there is no curve to write. Give another model."
_LOST = 20.0  # seconds of work that an interruption may cost
_WIDEST = 8  # outputs side by side in a small table
_CHUNKS = (256, 16384)  # patients, least and most at a time


@dataclass(frozen=True)
class Files:
    """What `twoarm simulate` is asked, read and checked.

    Attributes
    ----------
    job : Job
        Who, with which doses, until when and how.
    cohort, doses : DataFrame or None
        The tables.
    """

    job: Job
    cohort: pd.DataFrame | None
    doses: pd.DataFrame | None

    def estimate(self, out: Path | None) -> Estimate:
        """Time and memory that writing to a file will take."""
        on_disk = out is not None and self._on_disk(out, resume=False)
        return estimate_job(self.job, on_disk=on_disk, together=_together)

    def _on_disk(self, out: Path, *, resume: bool) -> bool:
        return resume or out.suffix == ".zarr" or len(self.job) > _CHUNKS[0]


def read_files(
    model: str | Path,
    *,
    end: float,
    steps: int,
    start: float = 0.0,
    cohort: Path | None = None,
    doses: Path | None = None,
    select: str | None = None,
    species: Literal["written", "amount", "concentration"] = "written",
    backend: Literal["auto", "cpu", "cuda", "reference"] = "auto",
    precision: Literal["double", "single"] = "double",
    method: str | None = None,
    rtol: float = 1e-6,
    atol: float | Mapping[str, float] | None = None,
    failed: Literal["raise", "mask", "keep"] = "raise",
    workers: int | None = None,
    run_in: float | None = None,
    seed: int = 0,
) -> Files:
    """Read model, cohort and doses, and check all of it before anything is simulated.

    Parameters
    ----------
    model : str or Path
        Name in the library, or an `.ant` or `.xml` file.
    end : float
        Last time, in the model's own unit of time.
    steps : int
        Intervals between outputs.
    start : float
        First time of the output. The model itself always begins at 0, as SBML has it.
    cohort : Path, optional
        CSV, a row a patient; a column `patient` or `id` labels them, others are parameters or first states.
    doses : Path, optional
        CSV in NONMEM's words: `id time amt cmt` and more.
    select : str, optional
        Outputs to keep, commas between; by default all that follow time, without reactions that have no name.
    species, backend, precision, method, rtol, atol, failed, workers, run_in
        As for `simulate`.
    seed : int
        Chooses who is run again in double where `precision` is single.

    Returns
    -------
    Files
        Ready for `write_files`.

    Raises
    ------
    SimulationInputError, TableCellError, TwoarmError
        If something cannot be right.
    """
    if not 0 <= start < np.inf:
        raise SimulationInputError(what="start", value=start, rule=_START)
    if not start < end < np.inf:
        raise SimulationInputError(what="end", value=end, rule=_END)
    if not 1 <= steps <= _MOST_STEPS:
        raise SimulationInputError(what="steps", value=steps, rule=_STEPS)
    read = read_model(model)
    patients = None if cohort is None else read_cohort(cohort, read)
    rows = None if doses is None else read_doses(doses, read, patients)
    constant = set(read.parameters)
    names = [name for name in read.outputs if name not in constant and not _UNNAMED.fullmatch(name)]
    settings = read_settings(
        read,
        outputs=names if select is None else [name.strip() for name in select.split(",")],
        rtol=rtol,
        atol=atol,
        method=method,
        precision=precision,
        max_steps=200_000,
        workers=workers,
        failed=failed,
        chunk=_CHUNKS[0],
        run_in=run_in,
        species=species,
    )
    if not settings.outputs:
        raise SimulationInputError(what="model", value=str(model), rule=_NOTHING)
    people = pd.DataFrame(index=pd.Index([0], name="patient")) if patients is None else patients
    people.attrs["seed"] = seed
    job = plan_job(
        read,
        people,
        rows,
        days=end,
        visits=np.linspace(start, end, steps + 1),
        reduce=None,
        backend=backend,
        settings=settings,
    )
    return Files(job, patients, rows)


def check_places(out: Path | None, picture: Path | None) -> None:
    """Make sure that results can be written where they shall be, before anything is simulated.

    Parameters
    ----------
    out, picture : Path or None
        Files of curves and of a picture.

    Raises
    ------
    OutputFileError, PictureFileError
        If a name ends in another way than those that are written.
    NotWrittenError
        If the system does not let one be written.
    """
    if out is not None and out.suffix not in _FORMS:
        raise OutputFileError(path=out)
    if picture is not None and picture.suffix not in _PICTURES:
        raise PictureFileError(path=picture, known=_PICTURES)
    for path in (out, picture):
        if path is not None and path.suffix != ".zarr":
            check_writable(path)


def write_files(
    files: Files,
    out: Path | None,
    *,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
    estimate: Estimate | None = None,
) -> xr.Dataset:
    r"""Simulate what was read, and write the curves.

    Parameters
    ----------
    files : Files
        From `read_files`.
    out : Path or None
        `.csv` (column `time`, and `id` before it for a cohort; a column an output), `.nc` or `.zarr`; None to
        write nothing. Those who failed are listed in `NAME.failed.csv` beside it.
    resume : bool
        Go on with what an interrupted run has left beside `out`.
    progress : callable, optional
        Called with (patients done, patients in all).
    estimate : Estimate, optional
        By which patients are taken together; otherwise one is made for more than a few.

    Returns
    -------
    Dataset
        How each patient ended; attributes say what ran. With the curves, if `out` is None or ends in `.zarr`.

    Raises
    ------
    OutputFileError
        If `out` ends in another way.
    NotWrittenError
        If `out` cannot be written; asked before anything is simulated.
    TwoarmError
        As `stream`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "decay.ant").write_text("model decay() x' = -k*x; x = 1; k = 0.5; end")
    >>> _ = (folder / "cohort.csv").write_text("id,k\n0,0.1\n1,0.2\n")
    >>> files = read_files(folder / "decay.ant", end=10, steps=2, cohort=folder / "cohort.csv")
    >>> run = write_files(files, folder / "x.csv")
    >>> print(*(folder / "x.csv").read_text().splitlines()[:2], sep="\n")
    id,time,x
    0,0.0,1.0
    """
    job = files.job
    if out is None:
        return run_job(job, None, progress=progress)
    check_places(out, None)
    if not files._on_disk(out, resume=resume):
        return _export(run_job(job, None, progress=progress), files, out)
    found = estimate or estimate_job(job, on_disk=True, together=_together)
    job = replace(job, settings=replace(job.settings, chunk=found.chunk))
    kept = out if out.suffix == ".zarr" else out.with_name(out.name + ".zarr")
    run = run_job(job, kept, resume=resume, progress=progress)
    ends = _export(run, files, out)
    if kept != out:
        run.close()
        shutil.rmtree(kept)
    return ends


def diagnose_files(files: Files, label: str) -> Diagnosis:
    """Run one patient of the files again, on the reference too, and say what happened.

    Parameters
    ----------
    files : Files
        From `read_files`.
    label : str
        Label of the patient, as it stands in the table.

    Returns
    -------
    Diagnosis
        Print it.

    Raises
    ------
    NoSuchPatientError
        If nobody has the label.
    """
    job = files.job
    known = list(job.patients.index) if isinstance(job.patients, pd.DataFrame) else []
    found = next((each for each in known if str(each) == label), None)
    if found is None:
        raise NoSuchPatientError(label=label, known=known)
    tolerance = job.settings.tolerance
    states: dict[str, float] = dict(zip(job.model.states, tolerance.floor.tolist(), strict=True))
    return diagnose(
        job.model,
        files.cohort,
        files.doses,
        found,
        days=job.days,
        backend=job.asked,  # type: ignore[arg-type]
        precision=job.settings.precision,  # type: ignore[arg-type]
        method=job.settings.method,
        rtol=tolerance.relative,
        atol=None if tolerance.share else states,
        run_in=job.settings.run_in,
    )


def table_of(run: xr.Dataset, *, alone: bool) -> pd.DataFrame:
    """Say a result in a small table: a patient's course, or what a cohort has come to at its end.

    Parameters
    ----------
    run : Dataset
        With curves.
    alone : bool
        Whether it is one patient without a cohort.

    Returns
    -------
    DataFrame
        Of one patient a row a time, at most 11; of a cohort a row an output, with median, 5 % and 95 %.
    """
    names = curves(run)
    if alone:
        rows = np.unique(np.linspace(0, run.sizes["day"] - 1, 11).round().astype(int))
        columns = {"time": run["day"].to_numpy()[rows]}
        columns |= {name: run[name].to_numpy()[0, rows] for name in names[:_WIDEST]}
        table = pd.DataFrame(columns)
        return table.map(lambda value: f"{value:.6g}")
    last = {name: run[name].to_numpy()[:, -1] for name in names}
    found = [[name, *_quantiles(values)] for name, values in last.items()]
    end = float(run["day"].to_numpy()[-1])
    return pd.DataFrame(found, columns=[f"at time {end:g}", "5 %", "median", "95 %"])


def _quantiles(values: np.ndarray) -> list[str]:
    if np.isnan(values).all():
        return ["NaN"] * 3
    return [f"{value:.6g}" for value in np.nanquantile(values, [0.05, 0.5, 0.95])]


def _together(each: float) -> int:
    """How many patients make a piece, so that an interruption costs seconds."""
    wanted = np.floor(np.log2(max(_LOST / max(each, 1e-9), 1)))
    return int(2 ** np.clip(wanted, *np.log2(_CHUNKS)))


def _export(run: xr.Dataset, files: Files, out: Path) -> xr.Dataset:
    if out.suffix == ".csv":
        write_csv(run, out, labeled=files.cohort is not None)
    elif out.suffix == ".nc":
        write_netcdf(run, out)
    ends = run[["status", "final_day", "stiffest", "last_dose"]].assign_coords(state=run["state"]).load()
    beside = out.with_name(out.stem + ".failed.csv")
    stuck = failures(ends)
    if len(stuck):
        write_whole(beside, lambda place: stuck.to_csv(place, index=False, lineterminator="\n"))
    else:
        beside.unlink(missing_ok=True)
    return run if out.suffix == ".zarr" else ends


def plot_files(run: xr.Dataset, out: Path | None, picture: Path, *, alone: bool) -> None:
    """Draw the curves that `write_files` gave or wrote.

    Parameters
    ----------
    run : Dataset
        From `write_files`.
    out : Path or None
        What it wrote.
    picture : Path
        File to write, `.png`, `.svg` or `.pdf`.
    alone : bool
        Whether it is one patient without a cohort.

    Raises
    ------
    PictureFileError
        If it ends in another way.
    NotWrittenError
        If it cannot be written.
    """
    from twoarm.figures.courses import courses

    check_places(None, picture)
    if not curves(run) and out is not None:
        run = _read_back(out, alone=alone)
    figure = courses(run, curves(run))
    write_whole(picture, lambda place: figure.savefig(place, format=picture.suffix[1:], dpi=150))


def _read_back(out: Path, *, alone: bool) -> xr.Dataset:
    if out.suffix == ".nc":
        with xr.open_dataset(out, engine="h5netcdf") as run:
            return run.load()
    table = pd.read_csv(out)
    table["patient"] = 0 if alone else table.pop("id")
    return xr.Dataset.from_dataframe(table.rename(columns={"time": "day"}).set_index(["patient", "day"]))
