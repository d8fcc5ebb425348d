"""`twoarm plan`: what a design does, from virtual patients simulated once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twoarm.terminal import say, say_table, share_bar


def plan(
    name: Annotated[str, typer.Argument(help="A design, protocol or study of the library, or a .toml file.")],
    design: Annotated[
        str | None, typer.Option(help="Design of a protocol; one analysis if left out.")
    ] = None,
    replicates: Annotated[int, typer.Option(help="Trials of each scenario and draw.", min=2)] = 2000,
    vary: Annotated[
        list[str] | None,
        typer.Option(help='As n=300:900:100 or "dose=1 mg/kg,3 mg/kg"; several are crossed.'),
    ] = None,
    draws: Annotated[int, typer.Option(help="Draws of the molecules' cards.", min=1)] = 8,
    pool: Annotated[
        int, typer.Option(help="Virtual patients of each arm that trials are drawn from.")
    ] = 1000,
    null: Annotated[int | None, typer.Option(help="Trials without a difference.", min=2)] = None,
    population: Annotated[str | None, typer.Option(help="Instead of the protocol's.")] = None,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Take the calibrated population of that name.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 11,
    out: Annotated[Path | None, typer.Option(help="Folder to write; results/plans/NAME if left out.")] = None,
    backend: Annotated[str, typer.Option(help="auto, cpu or reference.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the page's path only.")] = False,
) -> None:
    """Plan a trial: power, assurance, type I error, duration, stops, and what changes the answer most.

    Patients are simulated once and kept: the same command goes on where it was interrupted, and another
    design of the same protocol uses the same patients.

    Examples: `twoarm plan marslight-11 --design three_looks`,
    `twoarm plan marslight-11 --vary n=300:900:100`, `twoarm plan first_in_human`
    """
    from twoarm.plan import plan_table, plan_trial

    folder = out or Path("results") / "plans" / Path(name).stem
    with share_bar(quiet) as progress:
        summary = plan_trial(
            name,
            folder,
            design=design,
            replicates=replicates,
            vary=vary or (),
            seed=seed,
            draws=draws,
            pool=pool,
            null=null,
            population=population,
            frozen=frozen,
            backend=backend,
            progress=progress,
        )
    if not quiet:
        say_table(plan_table(summary), title=f"Plan of {name}", drawn=True)
        say("Not for clinical decisions.")
    say(str(folder / "report.html"))
