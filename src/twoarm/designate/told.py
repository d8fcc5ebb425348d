"""What was weighed, in tables of text, a figure and a page."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from twoarm import __version__, catalog
from twoarm.designate.criteria import AGENCIES, COHORTS
from twoarm.designate.weigh import AGAINST_CONTROL, AGAINST_FACTS, COUNTS, Weighed
from twoarm.report.pictures import Picture
from twoarm.report.sections import Page, Section, as_tables, render_sections
from twoarm.study.folder import check_writable, write_record, write_table, write_whole

ANSWERS, FACTS, HISTORY, DENSITIES = "answers.csv", "facts.csv", "history.csv", "densities.csv"
RECORD, FIGURE, PAGE = "designation.json", "figure.svg", "designation.html"
DISCLAIMER = (
    "This is evidence, not a decision: an agency weighs more than one endpoint, "
    "and nobody here speaks for it."
)
_NAMES = {
    "ORR": "Objective response rate",
    "DCR": "Disease control rate",
    "mPFS": "Median PFS",
    "mOS": "Median OS",
}
_UNITS = {"rate": "%", "time": "months"}


def tables_of(weighed: Weighed) -> dict[str, pd.DataFrame]:
    """Say what was weighed in tables of text.

    Parameters
    ----------
    weighed : Weighed
        From `weigh_designation`.

    Returns
    -------
    dict of str to DataFrame
        By title: the criterion; how probable; which facts; how the populations differ; what was granted.

    Examples
    --------
    >>> from twoarm.designate.weigh import weigh_designation
    >>> list(tables_of(weigh_designation("squamous-nsclc", "fda-ft")))[0]
    'What the law asks for (Fast track, US FDA)'
    """
    agency = weighed.agency
    asks = pd.DataFrame([(each.part, each.words, each.answered) for each in agency.asks])
    asks.columns = pd.Index(["part", "words", "answered here"])
    return {
        f"What the law asks for ({agency.title})": asks,
        f"How probable it is that the drug exceeds available therapy: {_endpoint(weighed)}": _answers(
            weighed
        ),
        "Facts, used and not used": _facts(weighed),
        "Where each row was read": _sources(weighed),
        "How the populations differ": _differences(weighed),
        "Designations of the program so far": _history(weighed),
    }


def notes_of(weighed: Weighed) -> list[str]:
    """Say what a reader must know beside the tables.

    Parameters
    ----------
    weighed : Weighed
        From `weigh_designation`.

    Returns
    -------
    list of str
        Sentences.
    """
    scales = ", ".join(f"{scale:g}" for scale in weighed.cohort.spread)
    notes = [DISCLAIMER, f"{weighed.agency.checked} (sources: {weighed.agency.source})."]
    if weighed.endpoint.caution:
        notes.append(f"Caution: {weighed.endpoint.caution}.")
    if not (weighed.answers["basis"] == COUNTS).any():
        notes.append("No reported count of drug and therapy both: nothing can be worked out from reports.")
    notes.append(
        "The drug has the posterior of its own counts (Jeffreys prior; a median is normal on the log). The "
        "therapy's value is that of a further trial, drawn from trials that differ; the standard deviation "
        f"between trials has a half-normal prior of scale {scales} (the first answers, the others say how "
        "much hangs on it)."
    )
    return notes


def write_designation(weighed: Weighed, folder: str | Path, simulation: str | Path | None = None) -> Path:
    """Write tables, figure, record and page.

    Parameters
    ----------
    weighed : Weighed
        From `weigh_designation`.
    folder : str or Path
        Made if it is not there.
    simulation : str or Path, optional
        Where the simulation came from, for the record.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    NotWrittenError
        If the system does not let a file be written.
    """
    place = Path(folder)
    check_writable(place / PAGE)
    for table, file in (
        (weighed.answers, ANSWERS),
        (weighed.facts, FACTS),
        (weighed.history, HISTORY),
        (weighed.densities, DENSITIES),
    ):
        write_table(table, place / file, index=False)
    record = _record(weighed, simulation)
    write_record(record, place / RECORD)
    drawing = draw(weighed)
    write_whole(place / FIGURE, lambda path: path.write_text(drawing, encoding="utf-8"))
    page = render_sections(_page(weighed, drawing, record))
    write_whole(place / PAGE, lambda path: path.write_text(page, encoding="utf-8"))
    return place / PAGE


def draw(weighed: Weighed) -> str:
    """Draw drug and therapy side by side.

    Parameters
    ----------
    weighed : Weighed
        From `weigh_designation`.

    Returns
    -------
    str
        An SVG element.
    """
    from twoarm import figures

    kind = "time" if weighed.endpoint.name.startswith("m") else "rate"
    label = _NAMES.get(weighed.endpoint.name, weighed.endpoint.name)
    figure = figures.designation(
        weighed.densities, drug=weighed.cohort.drug.upper(), label=label, unit=_UNITS[kind]
    )
    alt = f"Posterior densities of {label.lower()}: the drug and available therapy"
    return figures.svg(figure, name="designation", alt=alt)


def _endpoint(weighed: Weighed) -> str:
    return _NAMES.get(weighed.endpoint.name, weighed.endpoint.name)


def _answers(weighed: Weighed) -> pd.DataFrame:
    """Margins side by side; one row a way to ask."""
    answers = weighed.answers
    late = answers["cut"].str.startswith("earlier")
    order = answers["basis"].map({COUNTS: 0, AGAINST_CONTROL: 2, AGAINST_FACTS: 3}).mask(late, 1)
    answers = answers.loc[order.sort_values(kind="stable").index]
    keys = ["basis", "cut", "therapy", "spread", "drug", "drug_low", "drug_high"]
    keys += ["beside", "beside_low", "beside_high"]
    rows = []
    for said, part in answers.groupby(keys, sort=False, dropna=False):
        row = dict(zip(keys, said, strict=True))
        told = {
            "from": f"{row['basis']}, {row['cut']}" if row["cut"] else row["basis"],
            "therapy": row["therapy"],
            "spread": "" if pd.isna(row["spread"]) else f"{row['spread']:g}",
            "drug": _interval(row["drug"], row["drug_low"], row["drug_high"]),
            "therapy's": _interval(row["beside"], row["beside_low"], row["beside_high"]),
        }
        chances = zip(part["margin"], part["probability"], strict=True)
        rows.append(told | {f"better {margin}": _chance(value) for margin, value in chances})
    return pd.DataFrame(rows)


def _interval(middle: float, low: float, high: float) -> str:
    said = [f"{x:.1f}" if x < 99.95 else f"{x:.0f}" for x in (middle, low, high)]
    return f"{said[0]} ({said[1]} to {said[2]})"


def _chance(value: float) -> str:
    """Say a probability without more digits than it has."""
    if value > 0.999 or value < 0.001:
        return "above 0.999" if value > 0.5 else "below 0.001"
    return f"{value:.3f}" if value > 0.99 or value < 0.01 else f"{value:.2f}"


def _facts(weighed: Weighed) -> pd.DataFrame:
    facts = weighed.facts
    said = [
        f"{row['events']:.4g} of {row['n']}"
        if row["events"] == row["events"]
        else (f"{row['value']:g} {row['unit']}" if row["value"] == row["value"] else "no value")
        for row in facts.to_dict("records")
    ]
    return pd.DataFrame(
        {
            "for": facts["role"],
            "row": facts["id"],
            "what": facts["drug"],
            "trial": facts["trial_name"],
            "patients": [", ".join(filter(None, each)) for each in _patients(facts)],
            "said": said,
            "used": [
                basis if used else f"no: {why}"
                for basis, used, why in zip(facts["basis"], facts["used"], facts["why"], strict=True)
            ],
        }
    )


def _sources(weighed: Weighed) -> pd.DataFrame:
    rows = pd.concat([weighed.facts, weighed.history], ignore_index=True)
    said = {"row": rows["id"], "source": rows["source_title"] + ", " + rows["source_url"]}
    return pd.DataFrame(said).drop_duplicates()


def _patients(facts: pd.DataFrame) -> list[tuple[str, ...]]:
    words = facts["prior_io"].map({"no": "no immunotherapy before", "yes": "after immunotherapy"})
    return list(zip(facts["histology"], facts["line"], words.fillna(facts["prior_io"]), strict=True))


def _differences(weighed: Weighed) -> pd.DataFrame:
    used = weighed.facts[~weighed.facts["role"].str.startswith("drug")]
    rows = [("the drug's own cohort", weighed.cohort.population)]
    rows += list(dict.fromkeys(zip(used["trial_name"], used["difference"], strict=True)))
    return pd.DataFrame(rows, columns=["trial", "patients"])


def _history(weighed: Weighed) -> pd.DataFrame:
    history = weighed.history
    yes = {True: "yes", False: "no"}
    return pd.DataFrame(
        {
            "date": history["date"].replace("", "not stated"),
            "agency": history["agency_or_party"],
            "event": history["detail"],
            "indication": history["indication"],
            "this cohort": history["this_cohort"].map(yes),
            "this designation": history["same_designation"].map(yes),
            "row": history["id"],
        }
    )


def _record(weighed: Weighed, simulation: str | Path | None) -> dict[str, object]:
    cohort, agency = weighed.cohort, weighed.agency
    tables = {name: catalog.digest(catalog.find("evidence", name)) for name in cohort.evidence}
    return {
        "cohort": cohort.name,
        "agency": agency.name,
        "endpoint": weighed.endpoint.name,
        "simulation": "" if simulation is None else str(simulation),
        "decision": "none: this is evidence",
        "digests": tables | {"program": catalog.digest(catalog.find("evidence", cohort.program))},
        "kinds": [AGENCIES, COHORTS],
        "twoarm": __version__,
    }


def _page(weighed: Weighed, drawing: str, record: dict[str, object]) -> Page:
    tables = list(tables_of(weighed).items())
    notes = notes_of(weighed)
    answer = dict(tables[1:2]) if len(weighed.answers) else {}
    caption = "Posterior densities of the drug and of available therapy, with medians and 95 % intervals."
    drawn = [Picture(drawing, caption)] if drawing else []
    return Page(
        title=f"{weighed.cohort.title}: {weighed.agency.title}",
        question=f"How probably does the drug exceed available therapy on {_endpoint(weighed).lower()}?",
        sections=[
            Section("criterion", "The criterion", notes[:2], tables=as_tables(dict(tables[:1]))),
            Section("evidence", "The evidence", notes[2:], drawn, as_tables(answer)),
            Section("facts", "What it rests on", tables=as_tables(dict(tables[2:5]))),
            Section("granted", "What was granted", tables=as_tables(dict(tables[5:]))),
        ],
        warning="Evidence, not a decision. Not for clinical decisions.",
        provenance={key: str(value) for key, value in record.items()},
    )
