"""`twoarm designate`: a cohort beside available therapy, in the words of an agency's criterion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from twoarm.terminal import say, say_table


def designate(
    cohort: Annotated[str, typer.Argument(help="Name in the library, as squamous-nsclc, or a .toml file.")],
    agency: Annotated[str, typer.Option(help="nmpa-btd, fda-btd, fda-ft, or a .toml file.")] = "nmpa-btd",
    endpoint: Annotated[
        str | None, typer.Option(help="One of the cohort's, as ORR or mPFS; its first if left out.")
    ] = None,
    simulation: Annotated[
        Path | None, typer.Option(help="Folder of a run with the drug in an arm; answered separately.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables, figure and page.")] = None,
) -> None:
    """Work out how probable it is that a drug exceeds available therapy. Evidence, never a decision.

    Reported counts and a simulation are answered apart. Cohorts of different trials never stand side by side
    without the differences of their patients.

    Examples: `twoarm designate squamous-nsclc --agency nmpa-btd`, `twoarm designate squamous-nsclc --agency
    fda-btd --endpoint mPFS --simulation results/marslight-11 --out try`
    """
    from twoarm.designate import notes_of, tables_of, weigh_designation, write_designation

    weighed = weigh_designation(cohort, agency, endpoint=endpoint, simulation=simulation)
    for title, table in tables_of(weighed).items():
        if len(table):
            say_table(table, title=title, drawn=True)
    for sentence in notes_of(weighed):
        say(sentence)
    if out is not None:
        say(str(write_designation(weighed, out, simulation)))
