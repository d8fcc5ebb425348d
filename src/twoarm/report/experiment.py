"""The page of an experiment: the question, the verdicts, one figure, and what it rests on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

from twoarm.report.page import environment
from twoarm.report.tables import Table, number, with_interval

_SECOND = (
    "",
    "Cured",
    "Tumor-specific cells carried over, times naive",
    "Takes: cured",
    "Takes: cured, memory taken away",
    "Takes: naive",
)


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
    animals : str
        The figure of growth and survival, where there are animals.
    told : mapping of str to DataFrame
        What animals told: "inhibition", "survival", "second-tumors", and "published" rows.
    """

    title: str
    question: str
    verdicts: pd.DataFrame
    groups: pd.DataFrame
    svg: str
    limits: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    animals: str = ""
    told: Mapping[str, pd.DataFrame] = field(default_factory=dict)


class Drawing(NamedTuple):
    """A figure of the page."""

    svg: str


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
        .render(
            outcome=outcome,
            verdicts=_verdicts(outcome.verdicts),
            groups=_groups(outcome.groups),
            animals=Drawing(outcome.animals) if outcome.animals else None,
            told=animal_tables(outcome.told),
        )
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
            row["weakest"],
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
        "Weakest where (holds there, else)",
    )
    return Table("Claims and verdicts", head, rows, numeric=False)


def _share(row: Mapping[str, object]) -> str:
    if not int(str(row["draws"])):
        return "never asked"
    share = f"{100 * float(str(row['holds'])):.0f} %"
    if row["over"] == "draws of the card":
        low, high = (100 * float(str(row[name])) for name in ("holds_low", "holds_high"))
        return f"{share} of {row['draws']} draws ({low:.0f} to {high:.0f})"
    return f"{share} of resamples"


def animal_tables(told: Mapping[str, pd.DataFrame]) -> list[Table]:
    """Put what animals told into tables of text.

    Parameters
    ----------
    told : mapping of str to DataFrame
        As `Outcome.told`; what is missing is left out.

    Returns
    -------
    list of Table
        In the order in which a reader asks.
    """
    makers = {
        "inhibition": _inhibition,
        "survival": _survival,
        "second-tumors": _second,
        "published": _published,
    }
    return [make(told[name]) for name, make in makers.items() if name in told and len(told[name])]


def _inhibition(table: pd.DataFrame) -> Table:
    first = table.iloc[0]
    caption = (
        f"Tumor growth inhibition on day {first['day']:g}: 1 - T/C of the means of {first['animals']} "
        "animals, median and 90 % of the draws"
    )
    rows = [(row["group"], _told(row, "middle", "low", "high", "%")) for row in table.to_dict("records")]
    return Table(caption, ("", "Inhibition"), rows)


def _survival(table: pd.DataFrame) -> Table:
    end = f"{float(table['end'].iloc[0]):g}"
    rows = [
        (
            row["group"],
            number(row["animals"]),
            _told(row, "median", "median_low", "median_high"),
            _told(row, "staying", "staying_low", "staying_high", "%", 100),
        )
        for row in table.to_dict("records")
    ]
    caption = "Survival to the humane endpoint, by Kaplan-Meier; in brackets, 90 % of the draws"
    return Table(caption, ("", "Animals", "Median, days", f"Still in on day {end}"), rows)


def _second(table: pd.DataFrame) -> Table:
    rows = []
    for row in table.to_dict("records"):
        said = [row["group"], _told(row, "cured", "cured_low", "cured_high", "%", 100)]
        if row["rechallenged"]:
            said.append(_told(row, "memory", "memory_low", "memory_high"))
            takes = ("take", "take_forgetful", "take_naive")
            said += [_told(row, name, f"{name}_low", f"{name}_high", "%", 100) for name in takes]
        rows.append([*said, *[""] * (len(_SECOND) - len(said))])
    if not table["rechallenged"].any():
        return Table(
            "Cured; nobody was, so that no second tumor was given", ("", "Cured"), [r[:2] for r in rows]
        )
    caption = (
        "Second tumors in the cured: shares with 90 % of the draws (cured), 90 % of animals (cells), "
        "and the exact 95 % (takes)"
    )
    return Table(caption, _SECOND, rows)


def _told(
    row: Mapping[Hashable, Any], value: str, low: str, high: str, unit: str = "", factor: float = 1
) -> str:
    """Say a number with its interval; what rounds to nothing is 0, without a sign."""
    at, begin, end = (round(factor * float(row[name]), 4) for name in (value, low, high))
    if unit:
        at, begin, end = (round(x, 1) + 0.0 for x in (at, begin, end))
    return with_interval(at, begin, end, unit)


def _published(table: pd.DataFrame) -> Table:
    rows = [
        (f"{row['row']} ({row['source']})", row["says"], row["answer"]) for row in table.to_dict("records")
    ]
    return Table(
        "Published rows, and what answers them here", ("Row", "Published", "Here"), rows, numeric=False
    )


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
