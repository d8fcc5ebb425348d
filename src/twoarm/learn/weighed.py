"""What reports said of a card: tables of text, a figure, a page, and weights for later predictions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from twoarm.learn.beside import BASES
from twoarm.learn.fields import place_of
from twoarm.learn.reports import Update
from twoarm.learn.update import Learned
from twoarm.molecule import Molecule, read_molecule
from twoarm.report.pictures import Picture
from twoarm.report.sections import Page, Section, as_tables, render_sections
from twoarm.study.folder import PLAN, read_record, write_record, write_table, write_whole
from twoarm.study.weights import RECORD, WEIGHTS

FIGURE, PAGE = "learned.svg", "update.html"
_CLEAR = 0.05  # chance that any of the entries moves so far by shuffling alone, to be told from its prior


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
        By title: the card before and after; reports beside what is predicted; how many draws are left.
    """
    many = (
        f"{found.emulated.draws} draws through an emulator that explains {_percent(found.emulated.explained)}"
    )
    return {
        f"The card before and after (90 % of draws; {many})": _fields(found),
        "Reports beside cohorts of the same size, predicted (90 %), misses first": _predictions(found),
        "Draws that are left (effective number)": _looks(found),
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
    clear = found.fields.loc[_told(found.fields), "field"]
    own = found.predictions[found.predictions["scored"]]
    missed = own[own["all_inside_90"] == 0]
    notes = [
        "This is a posterior on the unknown molecule, given the model. The predictions of this package are "
        "those of the card as stated; nothing here is put back into them.",
        f"{float(answer['effective'].iloc[0]):.1f} of {len(found.weights)} draws are left in effect; "
        f"through the emulator {found.emulated.effective:.0f} of {found.emulated.draws}.",
        _inside(own),
        "Members of the populations: "
        + "; ".join(f"{name}: {source}" for name, source in found.sources.items())
        + ".",
        "Cohorts: " + "; ".join(f"{each.name}, {each.label}" for each in update.cohorts) + ".",
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


def _inside(own: pd.DataFrame) -> str:
    """Count the reports inside their intervals on each basis."""
    said = []
    words = {"stated": "from the card as stated", "others": "weighed by the other cohorts", "all": "by all"}
    for basis in BASES:
        known = own[f"{basis}_inside_90"].dropna()
        if len(known):
            said.append(f"{int(known.sum())} of {len(known)} {words[basis]}")
    return (
        f"Reports inside their 90 % intervals: {', '.join(said)}. What is weighed by all has seen the very "
        "report it is laid beside."
    )


def _fields(found: Learned) -> pd.DataFrame:
    table = found.fields.merge(found.emulated.fields, on="field", suffixes=("", "_smooth"))
    table = table.sort_values("chance", kind="stable")
    rows = table.to_dict("records")
    smooth = ("middle_smooth", "low_smooth", "high_smooth")
    return pd.DataFrame(
        {
            "entry": table["field"],
            "unit": table["unit"],
            "as stated": [_span(row, "prior", "prior_low", "prior_high") for row in rows],
            "weighed": [_span(row, "middle", "low", "high") for row in rows],
            "through the emulator": [_span(row, *smooth) for row in rows],
            "moved by, sd": [
                f"{one:+.2f} / {two:+.2f}"
                for one, two in zip(table["shift"], table["shift_smooth"], strict=True)
            ],
            "narrower by": [_percent(x) for x in table["contraction"]],
            "by chance": [f"{x:.2f}" for x in table["chance"]],
            "told": np.where(_told(table), "yes", "no"),
        }
    )


def _told(fields: pd.DataFrame) -> pd.Series:
    """Whether an entry moved more than shuffled weights move any: one of many moves far by chance."""
    return fields["chance"] < _CLEAR / len(fields)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _span(row: Mapping[Hashable, object], middle: str, low: str, high: str) -> str:
    ends = [f"{float(str(row[name])):.3g}" for name in (middle, low, high)]
    return "" if "nan" in ends else f"{ends[0]} ({ends[1]} to {ends[2]})"


def _predictions(found: Learned) -> pd.DataFrame:
    table = found.predictions.assign(
        first=~found.predictions["scored"], far=-found.predictions["stated_z"].abs()
    )
    table = table.sort_values(["first", "stated_inside_90", "far", "row"], kind="stable")
    told = {
        "row": table["row"],
        "cohort": table["cohort"],
        "endpoint": table["endpoint"],
        "n": table["n"].astype(str).replace("<NA>", "?"),
        "reported": table["reported"].map("{:.3g}".format),
    }
    heads = {"stated": "card as stated", "others": "weighed by the others", "all": "weighed by all"}
    for basis, head in heads.items():
        told[head] = [
            _span(row, *(f"{basis}_{key}" for key in ("predicted", "low", "high")))
            for row in table.to_dict("records")
        ]
    inside = {1.0: "inside", 0.0: "outside"}
    said = [
        " / ".join(inside.get(row[f"{basis}_inside_90"], "–") for basis in heads)
        for row in table.to_dict("records")
    ]
    told["verdict"] = [
        words + ("" if scored else ", not scored")
        for words, scored in zip(said, table["scored"], strict=True)
    ]
    return pd.DataFrame(told)


def _looks(found: Learned) -> pd.DataFrame:
    table = found.looks
    last = table.groupby(["cohort", "discrepancy"])["cut"].transform("max") == table["cut"]
    when = np.where(table["cohort"] == "all", "", np.where(last, "last cut", "superseded"))
    return pd.DataFrame(
        {
            "cohort": table["cohort"].replace("all", "all together"),
            "rows": table["rows"],
            "cut": when,
            "discrepancy": ["as stated" if x == 1.0 else f"times {x:g}" for x in table["discrepancy"]],
            "effective draws": table["effective"].map("{:.1f}".format),
        }
    )


def _places(found: Learned, molecule: Molecule) -> pd.DataFrame:
    """Every draw's place in every range, with its weight."""
    parts = [
        pd.DataFrame(
            {
                "field": field,
                "place": place_of(molecule, field, found.weights[field].to_numpy(float)),
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
        places = {name: float(place_of(molecule, field, np.array([row[name]]))[0]) for name in ends}
        clear = "" if row["chance"] < _CLEAR / len(found.fields) else ", as by chance"
        told = f"{row['middle']:.3g} {row['unit']}".strip() + clear
        rows.append({"field": field, "label": field, "told": told, **places})
    return pd.DataFrame(rows)


def _labeled(found: Learned, update: Update) -> pd.DataFrame:
    labels = {each.name: each.label.split(",")[0] for each in update.cohorts}
    table = found.predictions
    return table.assign(label=table["endpoint"] + ", " + table["cohort"].map(labels))


def _page(found: Learned, update: Update, drawing: str, plan: dict[str, object]) -> Page:
    tables = update_tables(found, update)
    names = list(tables)
    card = Picture(
        drawing,
        "Above, each entry of the card in its stated range; below, what the card predicts of each "
        "report: as stated, weighed by the other cohorts, and weighed by all.",
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
