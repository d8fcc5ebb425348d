"""`twoarm export`: a trial as files that statisticians use."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from twoarm.terminal import say, share_bar


def export(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    formats: Annotated[
        str, typer.Option("--format", help="csv, parquet, xpt: one or more, commas between.")
    ] = "parquet,csv,xpt",
    out: Annotated[Path | None, typer.Option(help="Folder to write; if left out, FOLDER/export.")] = None,
    draw: Annotated[
        int | None,
        typer.Option(help="Draw of the molecule's card; if left out, the one the page shows.", min=0),
    ] = None,
    opened: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Date the trial opened; all dates count from it.")
    ] = datetime(2000, 1, 1),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the page's path only.")] = False,
) -> None:
    """Write ADSL, ADTR, ADRS, ADTTE, ADEX, ADPC and ADAE, their dictionary, and a NONMEM data set.

    Parquet and SAS transport files need `pip install "twoarm[export]"`.

    Examples: `twoarm export results/marslight-11`,
    `twoarm export results/marslight-11 --format csv --out adam`
    """
    from twoarm.export import export_study

    chosen = [part.strip() for part in formats.split(",") if part.strip()]
    with share_bar(quiet) as progress:
        page = export_study(folder, out, formats=chosen, draw=draw, opened=opened.date(), progress=progress)
    say(str(page))
