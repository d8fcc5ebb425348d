"""`twoarm response` and `twoarm fit`: cells in molecules, and the fit behind them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twoarm.errors import QuantityRangeError, UnknownKindError
from twoarm.terminal import note, say, say_table

if TYPE_CHECKING:
    import pandas as pd


def response(
    molecules: Annotated[list[str], typer.Argument(help="Names in the library, or .toml cards.")],
    cells: Annotated[str | None, typer.Option(help="Cells, commas between; all by default.")] = None,
    cell_set: Annotated[str, typer.Option("--set", help="human, human_second or a file.")] = "human",
    hours: Annotated[str, typer.Option(help="When to look, commas between.")] = "1",
    doses: Annotated[str, typer.Option(help="Range of doses.")] = "1e-4 nM:100 nM",
    pd1_blocked: Annotated[float, typer.Option(help="Share of PD-1 that an earlier antibody holds.")] = 0.0,
    draws: Annotated[int, typer.Option(help="Members of each card's ensemble, for intervals.", min=0)] = 32,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 7,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", help="field=low:high, twice: a map of one card."),
    ] = None,
    dose: Annotated[str, typer.Option(help="The one dose of a map.")] = "1 nM",
    out: Annotated[Path | None, typer.Option(help="CSV of every curve, or of the map.")] = None,
    ec50: Annotated[Path | None, typer.Option(help="CSV of EC50 and maxima.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture, .png, .svg or .pdf.")] = None,
) -> None:
    """Put cells into molecules: pSTAT5, EC50, and the window between tumor-specific and other cells.

    A card of affinities and valency alone will do; docs/how-to.md, "My own mutein", has one to copy.
    Examples: `twoarm response my.toml --cells treg,nk`,
    `twoarm response one.toml other.toml --out curves.csv --plot curves.png`,
    `twoarm response my.toml --map "il2_arm.weakening_il2rb=1:3000" --map "pd1_arm.kd=0.05:50" --plot map.png`
    """
    from twoarm.dish import map_files, response_files

    chosen = [cell.strip() for cell in cells.split(",")] if cells else None
    when = _numbers(hours, "hours")
    if map_:
        pairs = [field.partition("=") for field in map_]
        fields = {name: span for name, _, span in pairs}
        table = map_files(
            molecules[0],
            fields,
            dose=dose,
            cells=chosen,
            cell_set=cell_set,
            hours=when[-1],
            pd1_blocked=pd1_blocked,
            out=out,
            plot=plot,
        )
        if out is None:
            say_table(table.round(6), title=f"{molecules[0]}, {dose}")
    else:
        tables = response_files(
            molecules,
            cells=chosen,
            cell_set=cell_set,
            hours=when,
            doses=doses,
            pd1_blocked=pd1_blocked,
            draws=draws,
            seed=seed,
            out=out,
            plot=plot,
            ec50=ec50,
        )
        for title, told in tables.items():
            if len(told):
                say_table(_short(told), title=_TITLES[title])
    for path in (out, ec50, plot):
        if path is not None:
            say(str(path))


_TITLES = {
    "potency": "EC50 [nM], largest pSTAT5, complexes on a cell and share of PD-1 held; 5 to 95 % of the card",
    "window": "EC50 over that of the tumor-specific cell; pSTAT5 where that cell is half-way",
}

_ORDER = (
    "Left out and predicted: EC50 within 3-fold of those measurable; pairs of cells that readings tell apart"
)


def fit(
    what: Annotated[str, typer.Argument(help="receptors: the receptor layer, to pSTAT5 of four cell types.")],
    out: Annotated[Path | None, typer.Option(help="Folder; by default results/fit-receptors.")] = None,
    cell_set: Annotated[str, typer.Option("--set", help="Set of cells: human or human_second.")] = "human",
    starts: Annotated[int, typer.Option(help="Searches, the first from the priors.", min=1)] = 3,
    plot: Annotated[Path | None, typer.Option(help="Picture of readings and fit at 1 h.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the profiles.")] = False,
) -> None:
    """Fit numbers of the library to measurements, and write what says how far to believe them.

    Parts that are there are kept: a stopped fit goes on. Example: `twoarm fit receptors`
    """
    if what != "receptors":
        raise UnknownKindError(kind=what, known=["receptors"])
    import pandas as pd

    from twoarm.calibrate import write_receptor_fit

    folder = out or Path("results/fit-receptors")
    values = write_receptor_fit(folder, cells=cell_set, starts=starts, profiles=not quick, say=note)
    say_table(_short(values), title=f"{cell_set}: value, 95 % interval, prior")
    order = pd.read_csv(folder / "order.csv").drop(columns=["ligand", "moieties"])
    say_table(order.groupby("hour", as_index=False).sum(), title=_ORDER)
    say(str(folder))
    if plot is not None:
        from twoarm.dish import draw_fit

        draw_fit(folder, plot)
        say(str(plot))


def _numbers(text: str, what: str) -> list[float]:
    """Read numbers with commas between."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise QuantityRangeError(text=text, what=what, whose="", rule="numbers with commas between") from None


def _short(table: pd.DataFrame) -> pd.DataFrame:
    """Four digits are enough for a reader."""
    return table.apply(lambda column: column.map("{:.4g}".format) if column.dtype.kind == "f" else column)
