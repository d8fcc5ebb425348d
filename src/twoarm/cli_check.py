"""`twoarm check`: every published row beside its prediction, misses first, and how often intervals held."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twoarm.terminal import note, say, say_table, share_bar

if TYPE_CHECKING:
    from twoarm.check import Checked, Cost


_FEW = 60  # rows that are printed one by one


class Populations(StrEnum):
    """Which populations are asked."""

    frozen = "frozen"
    prior = "prior"


class Use(StrEnum):
    """What rows are for."""

    validate = "validate"
    calibrate = "calibrate"
    none = "none"


def check(
    evidence: Annotated[
        list[str] | None,
        typer.Option(help="A table of the library or a .csv of the same shape; may be given again."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder; pools of patients in it are used again.")] = Path(
        "results/check"
    ),
    use: Annotated[Use | None, typer.Option(help="Only rows of this use.")] = None,
    drug: Annotated[str | None, typer.Option(help="Only rows of this drug, spelled as there.")] = None,
    populations: Annotated[
        Populations, typer.Option(help="Frozen where they are there, or priors everywhere.")
    ] = Populations.frozen,
    draws: Annotated[int, typer.Option(help="Draws of a card that is a range.", min=1)] = 6,
    members: Annotated[int, typer.Option(help="Members of each population.", min=2)] = 8,
    pool: Annotated[int, typer.Option(help="Patients of each draw and member.", min=8)] = 128,
    replicates: Annotated[int, typer.Option(help="Cohorts of each draw and member.", min=4)] = 50,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 2,
    rules: Annotated[str, typer.Option(help="The mapping from rows to cohorts.")] = "clinic",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bar.")] = False,
) -> None:
    """Predict each row of evidence at its cohort's size, and say for every other row why not.

    The cost is printed first; a stopped check goes on.

    Examples: `twoarm check`, `twoarm check --evidence comparators --use validate`,
    `twoarm check --evidence mine.csv --out results/mine --populations prior`
    """
    from twoarm.check import EVIDENCE, check_evidence, draw_check, write_page

    with share_bar(quiet) as bar:
        found = check_evidence(
            evidence or EVIDENCE,
            out,
            use=None if use is None else use.value,
            drug=drug,
            draws=draws,
            members=members,
            replicates=replicates,
            pool=pool,
            seed=seed,
            populations=populations.value,
            rules=rules,
            workers=workers,
            tell=_tell_cost,
            progress=bar,
        )
    _say(found)
    for path in (*draw_check(found, out), write_page(found, out)):
        say(str(path))
    say(str(out / "predicted.csv"))


def _tell_cost(cost: Cost) -> None:
    note(
        f"{cost.rows} rows, {cost.cohorts} cohorts; to simulate: {cost.pools} pools, "
        f"{cost.patients:,} patients, about {cost.minutes:.0f} min of one core"
    )


def _say(found: Checked) -> None:
    """Print rows, reasons, coverage and widths."""
    from twoarm.check import rows_told, tables_told

    title = "Rows predicted, misses first; 90 % intervals at the cohort's n; parts of the variance in %"
    say_table(rows_told(found.table), title=title)
    if 0 < len(found.missing) <= _FEW:
        say_table(found.missing, title="Rows not predicted")
    for words, table in tables_told(found).items():
        say_table(table, title=words)
