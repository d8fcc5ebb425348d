"""The command line: each command is one call to a verb of the package."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twoarm import __version__
from twoarm.cli_calibrate import calibrate
from twoarm.cli_cells import fit, response
from twoarm.cli_check import check
from twoarm.cli_designate import designate
from twoarm.cli_export import export
from twoarm.cli_learn import Populations, matter, update
from twoarm.cli_plan import plan
from twoarm.cli_simulate import simulate
from twoarm.errors import OtherStudyError, TwoarmError
from twoarm.terminal import say, say_table, share_bar

if TYPE_CHECKING:
    from twoarm.report import Findings


class Backend(StrEnum):
    """Back ends for whole studies, as `simulate` names them."""

    auto = "auto"
    cpu = "cpu"
    reference = "reference"


app = typer.Typer(
    name="twoarm",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Not for clinical decisions. Each command explains itself: `twoarm run --help`.",
)


@app.callback(invoke_without_command=True)
def begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
) -> None:
    """From the two arms of an immunocytokine to the two arms of a trial.

    Start with: `twoarm run marslight-11 --patients 60 --draws 2 --out results/first`
    """
    context.obj = {"debug": debug}
    if version:
        say(__version__)
        raise typer.Exit


def run(
    protocol: Annotated[str, typer.Argument(help="Name in the library, or a .toml file of your own.")],
    patients: Annotated[
        int | None, typer.Option(help="Patients; as the protocol says if left out.", min=2)
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers to the last digit.")] = 11,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write; if left out, results/PROTOCOL, and an older study there is moved aside."
        ),
    ] = None,
    draws: Annotated[int, typer.Option(help="Draws of the molecule's card, a trial each.", min=1)] = 12,
    replicates: Annotated[int, typer.Option(help="Further trials that differ by chance only.", min=0)] = 4,
    populations: Annotated[
        Populations | None,
        typer.Option(
            help="As fitted and frozen, a member a draw, or the file as it stands; frozen where there is one."
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of `twoarm update`: the card as reports have weighed it.")
    ] = None,
    backend: Annotated[Backend, typer.Option(help="reference is slow and believed.")] = Backend.auto,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the page's path only.")] = False,
) -> None:
    """Simulate a trial from the molecule card to the hazard ratio, and write its folder.

    Finished draws are kept: the same command goes on where it was interrupted.

    Examples: `twoarm run marslight-11`, or smaller:
    `twoarm run marslight-11 --patients 100 --draws 2 --out try`, or with what reports say of the molecule:
    `twoarm run marslight-11 --weights results/update-ibi363 --out weighed`
    """
    from twoarm.study import move_aside, run_study, tables_of

    folder = out or Path("results") / Path(protocol).stem

    def go() -> Findings:
        with share_bar(quiet) as progress:
            return run_study(
                protocol,
                folder,
                seed=seed,
                patients=patients,
                draws=draws,
                replicates=replicates,
                populations=populations.value if populations else None,
                weights=weights,
                backend=backend.value,
                progress=progress,
            )

    try:
        findings = go()
    except OtherStudyError as other:
        if out is not None:
            raise
        aside = move_aside(folder)
        typer.echo(
            f"{folder} held a study with another {', '.join(other.changed)}; it is now {aside}", err=True
        )
        findings = go()
    if not quiet:
        for title, table in tables_of(findings).items():
            say_table(table, title=title, drawn=True)
        say("Not for clinical decisions.")
    say(str(folder / "report.html"))


def list_(
    kind: Annotated[
        str, typer.Argument(help="molecules, populations, protocols, outcomes, studies, evidence or models.")
    ],
) -> None:
    """List what the library holds, one line each.

    Examples: `twoarm list molecules`, `twoarm list evidence`
    """
    from twoarm.listing import list_library

    say_table(list_library(kind), title=kind)


def show(
    kind: Annotated[
        str, typer.Argument(help="molecule, population, protocol, outcomes, study, evidence or model.")
    ],
    name: Annotated[str, typer.Argument(help="Name, alias or file; of evidence the ID of a row.")],
) -> None:
    """Print one entry of the library: values, ranges, units and sources.

    Examples: `twoarm show molecule ibi363`, `twoarm show protocol marslight-11`, `twoarm show model pd1_il2`
    """
    from twoarm.listing import show_library

    say_table(show_library(kind, name), title=f"{kind} {name}")


def cite(
    name: Annotated[str, typer.Argument(help="A name of the library, a file, or the folder of a run.")],
) -> None:
    """Print the bibliography behind a name, or behind a whole run.

    Examples: `twoarm cite ibi363`, `twoarm cite results/marslight-11`
    """
    from twoarm.bibliography import cite as look_up
    from twoarm.listing import sources_behind

    for reference in look_up(sources_behind(name)):
        say(f"[{reference.key}] {reference}")


def experiment(
    name: Annotated[str, typer.Argument(help="Name in the library, or a .toml file of your own.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; if left out, results/experiments/NAME.")
    ] = None,
    patients: Annotated[
        int | None, typer.Option(help="Patients; as the experiment says if left out.", min=1)
    ] = None,
    draws: Annotated[
        int | None, typer.Option(help="Draws of the molecule's card; as the experiment says.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 11,
    backend: Annotated[Backend, typer.Option(help="reference is slow and believed.")] = Backend.auto,
    biology: Annotated[
        bool, typer.Option("--biology", help="Draw numbers of the biology too: what do claims hang on?")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the page's path only.")] = False,
) -> None:
    """Put a claim to the model: groups, knock-outs, and the number that would refute it.

    Groups that a stopped run has finished are kept: say the same again and it goes on.
    Examples: `twoarm experiment priming`, `twoarm experiment sinks --draws 12 --patients 2 --out try`
    """
    from twoarm.experiment import run_experiment, told_in, verdict_table

    folder = out or Path("results") / "experiments" / Path(name).stem
    with share_bar(quiet) as progress:
        verdicts = run_experiment(
            name,
            folder,
            seed=seed,
            patients=patients,
            draws=draws,
            backend=backend.value,
            biology=biology,
            progress=progress,
        )
    if not quiet:
        say_table(verdict_table(verdicts), title=f"{name}: claims and verdicts", drawn=True)
        for caption, table in told_in(folder).items():
            say_table(table, title=caption, drawn=True)
        say("Not for clinical decisions.")
    say(str(folder / "experiment.html"))


def report(folder: Annotated[Path, typer.Argument(help="The folder of a run.")]) -> None:
    """Write the page of a run again, from its files.

    Example: `twoarm report results/marslight-11`
    """
    from twoarm.study import report_study

    say(str(report_study(folder)))


def app_(
    folder: Annotated[Path, typer.Argument(help="Folder with the pages of runs.")] = Path("results"),
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8363,
) -> None:
    """Serve the pages of finished runs to a browser on this machine. There is no interactive app yet.

    Example: `twoarm app results`
    """
    from twoarm.app import serve

    say("Pages of finished runs; Ctrl+C stops.")
    serve(folder, say, port=port)


#: What is on the first screen, in the order in which somebody meets it.
_JOBS: dict[str, dict[str, Callable[..., None]]] = {
    "The molecule": {"response": response, "experiment": experiment},
    "The trial": {"run": run, "plan": plan, "export": export, "report": report, "app": app_},
    "The evidence": {
        "check": check,
        "calibrate": calibrate,
        "fit": fit,
        "update": update,
        "matter": matter,
        "designate": designate,
    },
    "Any model": {"simulate": simulate},
    "The library": {"list": list_, "show": show, "cite": cite},
}
for _job, _commands in _JOBS.items():
    for _name, _command in _commands.items():
        app.command(name=_name, rich_help_panel=_job)(_command)


def main() -> None:
    """Run the command line; an error of this package is a message and exit code 2."""
    try:
        app()
    except TwoarmError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(2)
