"""What commands print: lines, tables, and bars on the error stream, so that output can be piped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd


def say(text: str) -> None:
    """Print a line of the result."""
    typer.echo(text)


def note(text: str) -> None:
    """Print a line about the result, on the error stream."""
    typer.echo(text, err=True)


def say_table(table: pd.DataFrame, *, title: str, drawn: bool = False) -> None:
    """Print a table: drawn on a terminal, with tabs between columns elsewhere, for other tools to read."""
    if not (drawn or sys.stdout.isatty()):
        typer.echo(table.to_csv(index=False, sep="\t", lineterminator="\n"), nl=False)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table = table.loc[:, [drawn or bool(table[name].astype(str).any()) for name in table]]
    for name in table.columns:
        shown.add_column(str(name), overflow="fold")
    for row in table.itertuples(index=False):
        shown.add_row(*(str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 120).print(shown, markup=False)


@contextmanager
def share_bar(quiet: bool) -> Iterator[Callable[[str, float], None] | None]:
    """Show how far a study is, as a share of the whole."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("begin", total=1.0)
        yield lambda step, share: bar.update(task, description=step, completed=share)


@contextmanager
def patient_bar(shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show how many patients are done, how many a second, and how long the rest will take."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("patients"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:

        def tell(done: int, of: int) -> None:
            if not bar.tasks:  # what an earlier run has done is no part of this one's rate
                bar.add_task("patients", total=of, completed=done, rate="")
                return
            known = bar.tasks[0]
            bar.update(known.id, completed=done)
            bar.update(known.id, rate=f"{known.speed:,.0f} a second" if known.speed else "")

        yield tell
