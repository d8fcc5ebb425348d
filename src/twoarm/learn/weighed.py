"""What reports said of a card: tables of text, a figure, a page, and weights for later predictions."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from twoarm.learn.update import Learned, Update
from twoarm.molecule import Molecule, read_molecule
from twoarm.report.pictures import Picture
from twoarm.report.sections import Page, Section, as_tables, render_sections
from twoarm.study.folder import PLAN, read_record, write_record, write_table, write_whole
from twoarm.study.weights import RECORD, WEIGHTS

FIGURE, PAGE = "learned.svg", "update.html"
_CLEAR = 0.05  # share of shuffled weights below which a move is more than chance


def update_tables(found: Learned, update: Update) -> dict[str, pd.DataFrame]:
    """Say what reports did to a card in tables of text.

    Parameters
    ----------
    found : Learned
        From `update_card`.
    update : Update
        What was asked.

    Returns
    -------
    dict of str to DataFrame
        By title: the card before and after; predictions before and after; how many draws are left.
    """
    return {
        "The card before and after (90 % of draws)": _fields(found),
        "Cohorts of the reported size, predicted before and after (90 %)": _predictions(found, update),
        "Draws that are left (effective number)": _looks(found, update),
    }


def write_update(found: Learned, update: Update, folder: str | Path) -> Path:
    """Write tables, weights, figure and page into the folder of the update.

    Parameters
    ----------
    found : Learned
        From `update_card`.
    update : Update
        What was asked.
    folder : str or Path
        The same that holds its simulated patients.

    Returns
    -------
    Path
        The page.
    """
    from twoarm import figures

    place = Path(folder)
    plan = read_record(place / PLAN)
    for name in ("fields", "predictions", "looks", "draws"):
        write_table(getattr(found, name), place / f"{name}.csv", index=False)
    write_table(found.weights, place / WEIGHTS, index=False)
    said = {"molecule": update.molecule, "seed": plan["seed"], "draws": len(found.weights)}
    write_record(
        {**said, "digest": plan["digests"][f"card of {update.molecule}"], "plan": plan}, place / RECORD
    )
    molecule = read_molecule(update.molecule)
    figure = figures.learned(_places(found, molecule), _ranges(found, molecule), _labeled(found, update))
    drawing = figures.svg(figure, name="learned", alt="A card before and after reports, and what it predicts")
    write_whole(place / FIGURE, partial(_write_text, text=drawing))
    page = render_sections(_page(found, update, drawing, plan))
    write_whole(place / PAGE, partial(_write_text, text=page))
    return place / PAGE


def notes_of(found: Learned, update: Update) -> list[str]:
    """Say what a reader must know beside the tables.

    Parameters
    ----------
    found : Learned
        From `update_card`.
    update : Update
        What was asked.

    Returns
    -------
    list of str
        Sentences.
    """
    answer = found.looks[(found.looks["cohort"] == "all") & (found.looks["discrepancy"] == 1.0)]
    clear = found.fields.loc[found.fields["chance"] < _CLEAR, "field"]
    missed = found.predictions[
        (found.predictions["reported"] > found.predictions["high"])
        | (found.predictions["reported"] < found.predictions["low"])
    ]
    notes = [
        "This is a posterior on the unknown molecule, given the model. The predictions of this package are "
        "those of the card as stated; nothing here is put back into them.",
        f"{float(answer['effective'].iloc[0]):.1f} of {len(found.weights)} draws are left in effect.",
        "More than chance moved: "
        + (", ".join(clear) or "none of the entries")
        + ". The others are as they were "
        "stated: the reports do not tell them from their prior.",
    ]
    if len(missed):
        rows = ", ".join(
            f"{row} ({endpoint})" for row, endpoint in zip(missed["row"], missed["endpoint"], strict=True)
        )
        notes.append(
            f"Even the weighed card misses {rows}: in this model no affinity of the card brings them about."
        )
    for each in update.cohorts:
        if each.note and each.name in set(found.looks["cohort"]):
            notes.append(f"{each.label}: {each.note}.")
    return notes


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _fields(found: Learned) -> pd.DataFrame:
    table = found.fields.sort_values("chance", kind="stable")
    return pd.DataFrame(
        {
            "entry": table["field"],
            "as stated": [_span(row, "prior_low", "prior", "prior_high") for row in table.to_dict("records")],
            "weighed": [_span(row, "low", "middle", "high") for row in table.to_dict("records")],
            "unit": table["unit"],
            "contraction": [f"{100 * x:.0f} %" for x in table["contraction"]],
            "moved by, sd": table["shift"].map("{:+.2f}".format),
            "by chance alone": [f"{x:.2f}" for x in table["chance"]],
            "told from its prior": np.where(table["chance"] < _CLEAR, "yes", "no"),
        }
    )


def _span(row: dict[str, object], low: str, middle: str, high: str) -> str:
    ends = [f"{float(str(row[name])):.3g}" for name in (middle, low, high)]
    return f"{ends[0]} ({ends[1]} to {ends[2]})"


def _predictions(found: Learned, update: Update) -> pd.DataFrame:
    table = found.predictions
    labels = {each.name: each.label for each in update.cohorts}
    return pd.DataFrame(
        {
            "row": table["row"],
            "cohort": table["cohort"].map(labels),
            "endpoint": table["endpoint"],
            "n": table["n"].astype(str),
            "reported": table["reported"].map("{:.3g}".format),
            "card as stated": [
                _span(row, "prior_low", "prior", "prior_high") for row in table.to_dict("records")
            ],
            "card weighed": [_span(row, "low", "middle", "high") for row in table.to_dict("records")],
        }
    )


def _looks(found: Learned, update: Update) -> pd.DataFrame:
    labels = {each.name: each.label for each in update.cohorts} | {"all": "all together"}
    table = found.looks
    last = table.groupby(["cohort", "discrepancy"])["cut"].transform("max") == table["cut"]
    when = np.where(table["cohort"] == "all", "", np.where(last, "last cut", "superseded"))
    return pd.DataFrame(
        {
            "cohort": table["cohort"].map(labels),
            "rows": table["rows"],
            "cut": when,
            "discrepancy": ["as stated" if x == 1.0 else f"times {x:g}" for x in table["discrepancy"]],
            "effective draws": table["effective"].map("{:.1f}".format),
        }
    )


def _place(molecule: Molecule, field: str, value: np.ndarray) -> np.ndarray:
    """Where in its range a value lies, 0 to 1."""
    entry = molecule.entries()[field]
    if entry.choices:
        low, high = min(entry.choices), max(entry.choices)
        return np.asarray((value - low) / (high - low))
    assert entry.low is not None and entry.high is not None  # a drawn entry has a range
    if entry.scale == "log":
        return np.asarray(np.log(value / entry.low) / np.log(entry.high / entry.low))
    return np.asarray((value - entry.low) / (entry.high - entry.low))


def _places(found: Learned, molecule: Molecule) -> pd.DataFrame:
    """Every draw's place in every range, with its weight."""
    parts = [
        pd.DataFrame(
            {
                "field": field,
                "place": _place(molecule, field, found.weights[field].to_numpy(float)),
                "weight": found.weights["weight"],
            }
        )
        for field in found.fields["field"]
    ]
    return pd.concat(parts, ignore_index=True)


def _ranges(found: Learned, molecule: Molecule) -> pd.DataFrame:
    rows = []
    ends = ["prior_low", "prior", "prior_high", "low", "middle", "high"]
    for row in found.fields.sort_values("chance", kind="stable").to_dict("records"):
        field = str(row["field"])
        places = {name: float(_place(molecule, field, np.array([row[name]]))[0]) for name in ends}
        clear = "" if row["chance"] < _CLEAR else ", as by chance"
        told = f"{row['middle']:.3g} {row['unit']}".strip() + clear
        rows.append({"field": field, "label": field, "told": told, **places})
    return pd.DataFrame(rows)


def _labeled(found: Learned, update: Update) -> pd.DataFrame:
    labels = {each.name: each.label.split(",")[0] for each in update.cohorts}
    table = found.predictions
    unit = np.where(table["endpoint"].str.startswith("m"), "months", "%")
    return table.assign(label=table["endpoint"] + ", " + table["cohort"].map(labels), unit=unit)


def _page(found: Learned, update: Update, drawing: str, plan: dict[str, object]) -> Page:
    tables = update_tables(found, update)
    names = list(tables)
    card = Picture(
        drawing,
        "Above, each entry of the card in its stated range; below, what the card predicts of each "
        "report, before and after.",
    )
    return Page(
        title=f"What reports say of {update.molecule}",
        question="Which draws of the card make the reports probable, and which entries do they settle?",
        sections=[
            Section(
                "belief",
                "How far to believe it",
                notes_of(found, update),
                tables=as_tables({names[2]: tables[names[2]]}),
            ),
            Section("card", "The card", pictures=[card], tables=as_tables({names[0]: tables[names[0]]})),
            Section("predictions", "Predictions", tables=as_tables({names[1]: tables[names[1]]})),
        ],
        provenance={key: str(value) for key, value in plan.items()},
    )
