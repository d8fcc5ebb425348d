"""`twoarm matter` and `twoarm update`: what a prediction hangs on, and what reports say of a molecule."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from twoarm import catalog
from twoarm.terminal import note, say, say_table, share_bar

_INTERRUPTED = 130  # what a shell expects after Ctrl+C


class Populations(StrEnum):
    """Which populations a trial draws from, as `run_study` names them."""

    frozen = "frozen"
    prior = "prior"


def matter(
    study: Annotated[str, typer.Argument(help="Study or protocol in the library, or a .toml file.")],
    out: Annotated[Path | None, typer.Option(help="Folder; by default results/matter-STUDY.")] = None,
    groups: Annotated[
        str, typer.Option(help="Which numbers vary, commas between: card, biology, population, clinic.")
    ] = "card,biology,population,clinic",
    screen: Annotated[str, typer.Option(help="Screen in the library, or a .toml file.")] = "trial",
    patients: Annotated[
        int | None, typer.Option(help="Twins of each run; as the screen says if left out.", min=2)
    ] = None,
    trajectories: Annotated[int, typer.Option(help="Of the screening, one run a parameter each.", min=1)] = 2,
    runs: Annotated[int, typer.Option(help="Runs in which everything varies.", min=16)] = 256,
    kept: Annotated[int, typer.Option(help="Parameters that the emulator keeps.", min=1)] = 12,
    populations: Annotated[
        Populations | None,
        typer.Option(
            help="As fitted and frozen, over its posterior, or the file; frozen where there is one."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 2,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 11,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the page's path only.")] = False,
) -> None:
    """Find which parameters a trial hangs on, and which measurement would narrow it most.

    The cost is printed first. Finished runs are kept: the same command goes on where it was interrupted.

    Examples: `twoarm matter marslight-11`, or the card alone:
    `twoarm matter marslight-11 --groups card --runs 64 --out try`
    """
    from twoarm.learn import matter_tables, what_matters, write_matter

    folder = out or Path("results") / f"matter-{Path(study).stem}"
    try:
        with share_bar(quiet) as progress:
            found = what_matters(
                study,
                folder,
                seed=seed,
                groups=[name.strip() for name in groups.split(",")],
                screen=screen,
                patients=patients,
                count=trajectories,
                runs=runs,
                kept=kept,
                populations=populations.value if populations else None,
                workers=workers,
                announce=None if quiet else note,
                progress=progress,
            )
    except KeyboardInterrupt:
        note(f"interrupted; what is done is kept in {folder}: give the same command again")
        raise typer.Exit(_INTERRUPTED) from None
    page = write_matter(found, folder)
    if not quiet:
        for title, table in matter_tables(found).items():
            say_table(table, title=title, drawn=True)
    say(str(page))


def update(
    cohorts: Annotated[
        list[str] | None, typer.Argument(help="Cohorts of the update, as squamous_3; all if left out.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Update in the library, or a .toml file; by default its first.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; by default results/update-NAME.")] = None,
    draws: Annotated[int, typer.Option(help="Draws of the card.", min=8)] = 128,
    members: Annotated[
        int, typer.Option(help="Members of each population; draws are paired with them in turn.", min=1)
    ] = 32,
    pool: Annotated[int, typer.Option(help="Simulated patients of each draw and population.", min=16)] = 16,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 11,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the page's path only.")] = False,
) -> None:
    """Weigh the draws of a molecule's card by its reports: a posterior, kept apart from predictions.

    Reports stand beside three predictions: from the card as stated, weighed by the other cohorts, by all.
    `twoarm run STUDY --weights FOLDER` takes the weights.

    The cost is printed first. Simulated patients are kept: the same command goes on where it was interrupted.

    Examples: `twoarm update`, `twoarm update squamous_3 --draws 32 --out try`
    """
    from twoarm.learn import notes_of, read_update, update_card, update_tables, write_update

    chosen = by or catalog.names("updates")[0]
    asked = read_update(chosen)
    folder = out or Path("results") / f"update-{Path(chosen).stem}"
    try:
        with share_bar(quiet) as progress:
            found = update_card(
                asked,
                folder,
                cohorts=cohorts or None,
                draws=draws,
                members=members,
                pool=pool,
                seed=seed,
                announce=None if quiet else note,
                progress=progress,
            )
    except KeyboardInterrupt:
        note(f"interrupted; what is done is kept in {folder}: give the same command again")
        raise typer.Exit(_INTERRUPTED) from None
    page = write_update(found, asked, folder)
    if not quiet:
        for title, table in update_tables(found, asked).items():
            say_table(table, title=title, drawn=True)
        for sentence in notes_of(found, asked):
            say(sentence)
    say(str(page))
