"""The page of an experiment: the question, the verdicts, one figure, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from twoarm.report.page import environment
from twoarm.report.tables import Table, number


@dataclass(frozen=True)
class Outcome:
    """What the page of an experiment shows.

    Attributes
    ----------
    title, question : str
        What was asked.
    verdicts : DataFrame
        A row a claim, from `twoarm.experiment.judge`.
    groups : DataFrame
        `group`, `readout`, `unit`, `middle`, `low`, `high`.
    svg : str
        The figure.
    limits : sequence of str
        What the answer does not cover.
    provenance : mapping of str to str
        What ran.
    """

    title: str
    question: str
    verdicts: pd.DataFrame
    groups: pd.DataFrame
    svg: str
    limits: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)


def render_experiment(outcome: Outcome) -> str:
    """Write the page of an experiment as one HTML text that needs no other.

    Parameters
    ----------
    outcome : Outcome
        What to show; text in it is escaped.

    Returns
    -------
    str
        The page.
    """
    return (
        environment()
        .get_template("experiment.html.jinja")
        .render(outcome=outcome, verdicts=_verdicts(outcome.verdicts), groups=_groups(outcome.groups))
    )


def _verdicts(table: pd.DataFrame) -> Table:
    rows = tuple(
        (
            row["claim"],
            f"{number(row['middle'])} ({number(row['low'])} to {number(row['high'])})",
            _share(row),
            row["verdict"],
            row["rule"],
            row["measured"],
            row["drivers"],
        )
        for row in table.to_dict("records")
    )
    head = (
        "Claim",
        "Number (90 % of draws)",
        "Holds in",
        "Verdict",
        "Stated in advance",
        "Measured",
        "Goes with",
    )
    return Table("Claims and verdicts", head, rows, numeric=False)


def _share(row: Mapping[str, object]) -> str:
    share = f"{100 * float(str(row['holds'])):.0f} %"
    if row["over"] == "draws of the card":
        low, high = (100 * float(str(row[name])) for name in ("holds_low", "holds_high"))
        return f"{share} of the range ({low:.0f} to {high:.0f})"
    return f"{share} of resamples"


def _groups(table: pd.DataFrame) -> Table:
    readouts = list(dict.fromkeys(table["readout"]))
    groups = list(dict.fromkeys(table["group"]))
    cells = {(row["readout"], row["group"]): row for row in table.to_dict("records")}
    rows = []
    for readout in readouts:
        unit = next(str(row["unit"]) for (name, _), row in cells.items() if name == readout)
        said = [cells[readout, group] for group in groups]
        rows.append(
            (
                f"{readout}, {unit}" if unit else str(readout),
                *(
                    f"{number(row['middle'])} ({number(row['low'])} to {number(row['high'])})"
                    if row["middle"] == row["middle"]
                    else ""
                    for row in said
                ),
            )
        )
    return Table("Readouts by group: median and 90 % of patients and draws", ("", *groups), tuple(rows))
