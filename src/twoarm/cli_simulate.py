"""`twoarm simulate`: any model, any cohort, any doses, from files to a file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twoarm.terminal import note, patient_bar, say, say_table

if TYPE_CHECKING:
    import xarray as xr

    from twoarm.study import Files

_INTERRUPTED = 130  # what a shell expects after Ctrl+C
_LONG = 10.0  # seconds from which on it is said beforehand how long it will take
_MANY = 1000  # patients likewise


class Backend(StrEnum):
    """Back ends of the engine, as `simulate` names them."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    reference = "reference"


class Precision(StrEnum):
    """Of the arithmetic."""

    double = "double"
    single = "single"


class Failed(StrEnum):
    """What is done about a patient who cannot be integrated."""

    stop = "raise"
    mask = "mask"


def simulate(
    model: Annotated[str, typer.Argument(help="Name in the library, or an .ant or .xml file.")],
    end: Annotated[float, typer.Option(help="Last time, in the model's own unit of time.")],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write: .csv, .nc or .zarr. Left out, a small table is printed."),
    ] = None,
    steps: Annotated[int, typer.Option(help="Intervals between outputs.")] = 100,
    start: Annotated[
        float, typer.Option(help="First time of the output; the model itself begins at 0.")
    ] = 0.0,
    select: Annotated[str | None, typer.Option(help="Outputs to keep, commas between.")] = None,
    amounts: Annotated[bool, typer.Option("--amounts", help="Species as amounts.")] = False,
    concentrations: Annotated[
        bool, typer.Option("--concentrations", help="Species as concentrations.")
    ] = False,
    cohort: Annotated[
        Path | None,
        typer.Option(help="CSV: a row a patient, `id`, and a column a parameter or first state."),
    ] = None,
    doses: Annotated[
        Path | None,
        typer.Option(help="CSV in NONMEM's words: id time amt cmt [rate dur ii addl evid ss lag]."),
    ] = None,
    run_in: Annotated[
        float | None, typer.Option(help="How long a dose with ss 1 is repeated before it counts.")
    ] = None,
    rtol: Annotated[float, typer.Option(help="Relative tolerance of each step.")] = 1e-6,
    atol: Annotated[
        float | None, typer.Option(help="Absolute tolerance; left out, by each state's size.")
    ] = None,
    backend: Annotated[Backend, typer.Option(help="reference is slow and believed.")] = Backend.auto,
    precision: Annotated[
        Precision, typer.Option(help="single screens: 1 % runs again in double, and the error is printed.")
    ] = Precision.double,
    method: Annotated[str | None, typer.Option(help="Method of the fast back ends.")] = None,
    workers: Annotated[int | None, typer.Option(help="Threads; all cores if left out.")] = None,
    seed: Annotated[int, typer.Option(help="Chooses whom single precision is checked in.")] = 0,
    failed: Annotated[
        Failed, typer.Option(help="mask: NaN for who fails, and a list of them; raise: stop.")
    ] = Failed.stop,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was interrupted.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say how long it takes and how much memory, and stop.")
    ] = False,
    diagnose: Annotated[
        str | None, typer.Option(metavar="ID", help="Say what happens to this patient, and stop.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture of the curves, .png, .svg or .pdf.")] = None,
    progress: Annotated[
        bool | None, typer.Option("--progress/--no-progress", help="A bar; by default when it takes long.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result only.")] = False,
) -> None:
    """Simulate any SBML or Antimony model for any cohort.

    One patient: `twoarm simulate mine.xml --end 28 --steps 280 --select A,B --out run.csv`

    A cohort with doses: `twoarm simulate mine.ant --end 28 --cohort people.csv --doses d.csv --out run.nc`

    A large one, which may be interrupted and resumed: `twoarm simulate mine.ant --end 365 --failed mask
    --cohort million.csv --out run.zarr`, and the same with `--resume`

    What went wrong with patient 17: `twoarm simulate mine.ant --end 28 --cohort people.csv --diagnose 17`

    Time is in the model's own unit. A .csv has the columns time and one for each output, and id before them
    if there is a cohort; every digit is kept.
    """
    from twoarm.study import check_places, diagnose_files, plot_files, read_files, table_of, write_files

    if amounts and concentrations:
        raise typer.BadParameter("Species are written as amounts or as concentrations. Give one of the two.")
    check_places(out, plot)
    files = read_files(
        model,
        end=end,
        steps=steps,
        start=start,
        cohort=cohort,
        doses=doses,
        select=select,
        species="amount" if amounts else "concentration" if concentrations else "written",
        backend=backend.value,
        precision=precision.value,
        method=method,
        rtol=rtol,
        atol=atol,
        failed=failed.value,
        workers=workers,
        run_in=run_in,
        seed=seed,
    )
    if diagnose is not None:
        say(str(diagnose_files(files, diagnose)))
        return
    found = files.estimate(out) if estimate or len(files.job) >= _MANY else None
    if estimate:
        say(str(found))
        return
    long = found is not None and (found.seconds > _LONG or found.too_large)
    if found is not None and not quiet and (long or len(files.job) >= _MANY):
        note(str(found))
    try:
        with patient_bar(not quiet and (long if progress is None else progress)) as bar:
            run = write_files(files, out, resume=resume, progress=bar, estimate=found)
    except KeyboardInterrupt:
        kept = f"; what is done is kept beside {out}, go on with --resume" if out is not None else ""
        note(f"interrupted{kept}")
        raise typer.Exit(_INTERRUPTED) from None
    _say_notes(run, files, out)
    if plot is not None:
        plot_files(run, out, plot, alone=files.cohort is None)
    if out is None:
        say_table(table_of(run, alone=files.cohort is None), title=files.job.model.name)
    else:
        say(str(out))
    if plot is not None:
        say(str(plot))


def _say_notes(run: xr.Dataset, files: Files, out: Path | None) -> None:
    """Say what a reader of the result must know."""
    notes = run.attrs
    if "single_precision_error_rms" in notes:
        note(
            f"single precision: off by {notes['single_precision_error_rms']:.1e} (root mean square) and "
            f"{notes['single_precision_error_worst']:.1e} at worst, relative, in the "
            f"{notes['single_precision_checked']} patients who ran again in double"
        )
    stuck = int((run["status"] != 0).sum())
    if stuck:
        first = run["patient"].to_numpy()[(run["status"] != 0).to_numpy()][0]
        listed = f", listed in {out.with_name(out.stem + '.failed.csv')}" if out is not None else ""
        note(
            f"{stuck} of {len(files.job)} patients did not reach the end and are NaN{listed}; "
            f"--diagnose {first} says what happened to the first"
        )
