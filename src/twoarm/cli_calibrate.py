"""`twoarm calibrate`: fit a population to what was published, say how far to believe it, and freeze it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twoarm.terminal import note, say, say_table, share_bar

if TYPE_CHECKING:
    import pandas as pd


def calibrate(
    name: Annotated[
        str, typer.Argument(help="A calibration, as oak_squamous, or a file; or a file of priors.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder; by default results/fit-NAME.")] = None,
    members: Annotated[int, typer.Option(help="Members of the ensemble.", min=4)] = 100,
    iterations: Annotated[int, typer.Option(help="Steps from the prior toward the data.", min=1, max=20)] = 2,
    rounds: Annotated[int, typer.Option(help="Rounds of drawing through an emulator.", min=1, max=20)] = 3,
    patients: Annotated[int, typer.Option(help="Virtual patients of each cohort and member.", min=20)] = 300,
    seed: Annotated[int, typer.Option(help="Seed of all draws.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 2,
    minutes: Annotated[
        float | None, typer.Option(help="Time there is: fewer, larger steps where it is short.", min=0.1)
    ] = None,
    after: Annotated[
        Path | None, typer.Option(help="Folder of an earlier fit to go on from, with more rounds.")
    ] = None,
    ranks: Annotated[
        int,
        typer.Option(min=0, help="Truths of a simulation-based calibration; 20 take a minute of a core."),
    ] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A small fit to look at: 24 members.")] = False,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Freeze the result in the library, as the calibration file says.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No bar.")] = False,
) -> None:
    """Fit a population to trials of comparators; the cost is printed first, and a stopped fit goes on.

    Examples: `twoarm calibrate oak_squamous --quick`,
    `twoarm calibrate oak_squamous --workers 2 --minutes 30 --freeze`
    """
    from twoarm import catalog
    from twoarm.fit.run import MORE_COHORTS

    if name in catalog.names("priors"):
        _freeze_priors(name, members, seed)
        return
    from twoarm.errors import NoDiagnosticsError
    from twoarm.fit import (
        coverage,
        diagnose_fit,
        fit_population,
        freeze_into_library,
        rank_check,
        write_told,
    )

    folder = out or Path(f"results/fit-{Path(name).stem}")
    if quick:
        members, iterations, rounds, patients = 24, 1, 1, min(patients, 150)
    runs = members * (iterations + rounds + 1 + MORE_COHORTS)
    note(f"{runs} simulations of every cohort with {patients} patients, {workers} at a time")
    with share_bar(quiet) as bar:
        fitted = fit_population(
            name,
            folder,
            members=members,
            iterations=iterations,
            rounds=rounds,
            patients=patients,
            seed=seed,
            workers=workers,
            minutes=minutes,
            after=after,
            progress=bar,
        )
    tables = write_told(fitted, folder / "report")
    if ranks:
        tables["coverage"] = coverage(rank_check(fitted, repeats=ranks, seed=seed))
    try:
        tables["sampling"] = diagnose_fit(fitted, folder / "report", figures=False)
    except NoDiagnosticsError as missing:
        note(str(missing))
    say_table(_short(tables["demands"]), title="Largest difference of each curve, in percentage points")
    say_table(_short(tables["contraction"]), title="From prior to posterior")
    missed = tables["conflicts"][tables["conflicts"]["verdict"] != "met"]
    if len(missed):
        say_table(_short(missed), title="Targets that are missed, and why")
    note(f"{fitted.facts['cohorts']} cohorts in {fitted.facts['seconds'] / 60:.1f} minutes")
    if freeze:
        for place in freeze_into_library(fitted, tables):
            say(str(place))
    say(str(folder))


def _freeze_priors(name: str, members: int, seed: int) -> None:
    """Freeze the populations of a file of priors as they are, and say that nothing was fitted."""
    from twoarm import catalog
    from twoarm.check.ensemble import read_prior
    from twoarm.fit import freeze_prior, read_calibration
    from twoarm.study.card import BIOLOGY

    prior = read_prior(name)
    note(f"{name} is a prior: nothing is fitted, its populations are frozen as they are")
    folder = Path(catalog.__file__).parent / "library" / "frozen"
    fits = [read_calibration(each) for each in catalog.names("calibrations")]
    fitted = {freeze: fit.name for fit in fits for freeze in (fit.freezes, *fit.carried)}
    for population, outcomes in prior.populations.items():
        if population in fitted:
            note(f"{population} is left: twoarm calibrate {fitted[population]} freezes it, fitted")
            continue
        place = freeze_prior(
            population,
            folder,
            outcomes=outcomes,
            model=BIOLOGY,
            parameters=prior.parameters,
            members=members,
            seed=seed,
        )
        say(str(place))


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """Four digits are enough for a reader."""
    return table.apply(lambda column: column.map("{:.4g}".format) if column.dtype.kind == "f" else column)
