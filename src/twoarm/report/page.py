"""Render the page and put it in place in one step."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from twoarm import bibliography
from twoarm.errors import MissingColumnError, UnnamedArmError

from . import pictures, tables
from .findings import Findings

if TYPE_CHECKING:
    from jinja2 import Environment

_SAFE_LINK = re.compile(r"https?://[\w.~:/?#@!$&'()*+,;=%-]+")
_SAFE_DOI = re.compile(r"10\.\d{4,9}/[\w.;()/:<>-]+")
_REQUIRED = {"patients": ("patient", "arm"), "measures": ("quantity", "arm", "value")}


class Source(NamedTuple):
    """A line of the bibliography and where it leads; ``link`` is empty where nothing safe is known."""

    key: str
    text: str
    link: str


def write_report(findings: Findings, path: str | Path) -> Path:
    """Write one HTML file that needs no other: style and figures are inside, there is no script.

    Parameters
    ----------
    findings : Findings
        What to show; text in it may come from strangers and is escaped.
    path : str or Path
        The file to write; its folder must exist. It appears whole or not at all.

    Returns
    -------
    Path
        Where the page lies.

    Raises
    ------
    MissingColumnError
        If a table that the page cannot do without lacks a column.
    UnnamedArmError
        If a patient belongs to an arm that `findings.arms` does not name.

    Examples
    --------
    >>> patients = pd.DataFrame({"patient": [0, 1], "arm": ["experimental", "control"]})
    >>> measures = pd.DataFrame({"quantity": ["ORR"] * 2, "arm": patients["arm"], "value": [36.0, 10.0]})
    >>> findings = Findings("A trial", {"experimental": "fusion", "control": "cytotoxic"}, patients, measures)
    >>> path = write_report(findings, Path(tempfile.mkdtemp()) / "report.html")
    >>> "Not for clinical decisions" in path.read_text(encoding="utf-8")
    True
    """
    _check(findings)
    path = Path(path)
    text = render(findings)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # mkstemp keeps it to its owner; a report is for handing on
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path


def render(findings: Findings) -> str:
    """Return the page as text; see `write_report`."""
    answer, covers = tables.headline(findings)
    fitted, predicted = _fitted_and_predicted(findings)
    keys = _source_keys(findings)
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            findings=findings,
            answer=answer,
            covers=covers,
            misses=tables.misses(findings),
            failures=tables.failures(findings),
            tiles=tables.tiles(findings),
            main=tables.main_table(findings),
            survival=pictures.survival(findings),
            response=pictures.response(findings),
            mechanism=pictures.mechanism(findings),
            flow=pictures.flow(findings),
            baseline=tables.baseline_table(findings),
            toxicity=tables.toxicity_table(findings),
            comparison=pictures.predicted_published(findings),
            uncertainty=pictures.uncertainty(findings),
            predicted=predicted,
            fitted=fitted,
            tuned=_tuned(findings),
            strata=pictures.strata(findings),
            ends=pictures.treatment_ends(findings),
            subgroups=tables.subgroup_table(findings),
            molecules=_molecules(findings),
            sources=_sources(keys),
            keys=keys - {bibliography.ASSUMED},
            assumed=bibliography.ASSUMED in keys,
        )
    )


def environment() -> Environment:
    """Templates of this room, every text in them escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("twoarm.report"),
        autoescape=True,  # of every template, whatever its name: text in cards and tables is a stranger's
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = _drawing
    environment.filters["source_key"] = source_key
    environment.filters["host"] = _host
    environment.tests["link"] = lambda text: bool(_SAFE_LINK.fullmatch(text))
    return environment


def _drawing(picture: pictures.Picture) -> str:
    """Pass our own SVG through unescaped; matplotlib has escaped the text in it."""
    from markupsafe import Markup

    return Markup(picture.svg)


def _check(findings: Findings) -> None:
    named = set(findings.arms)
    for name, columns in _REQUIRED.items():
        table = getattr(findings, name)
        for column in columns:
            if column not in table:
                raise MissingColumnError(column=column, table=name, purpose="by the report")
        strangers = sorted(set(table["arm"].fillna("").astype(str)) - named - {""})
        if strangers:
            raise UnnamedArmError(arms=strangers, named=list(findings.arms))


def _fitted_and_predicted(findings: Findings) -> tuple[tables.Table | None, tables.Table | None]:
    """Rows that were fitted to and rows that were not, never in one table."""
    if findings.comparison is None or findings.comparison.empty:
        return None, None
    ordered = tables.misses_first(findings.comparison)
    is_fitted = ordered["use"].astype(str) == "calibrate"
    fitted, predicted = ordered[is_fitted], ordered[~is_fitted]
    open_to = "Fitted: rows of cohorts that were tuned to; agreement here proves little"
    return (
        tables.comparison_table(fitted, open_to) if len(fitted) else None,
        tables.comparison_table(predicted, "Predicted: these rows tuned nothing") if len(predicted) else None,
    )


def _tuned(findings: Findings) -> tables.Table | None:
    if findings.tuned is None or findings.tuned.empty:
        return None
    columns = {
        "name": "Number",
        "value": "Value",
        "unit": "Unit",
        "fitted_to": "Fitted to",
        "source": "Source",
    }
    return tables.plain_table(findings.tuned, columns, "Numbers that were tuned")


def _molecules(findings: Findings) -> list[tables.Table]:
    columns = {"entry": "Entry", "value": "Value or range", "source": "Source", "note": "Note"}
    return [
        tables.plain_table(card, columns, f"Molecule card: {name}")
        for name, card in findings.molecules.items()
    ]


def _source_keys(findings: Findings) -> set[str]:
    said = list(findings.sources)
    for table in (*findings.molecules.values(), findings.comparison, findings.tuned):
        if isinstance(table, pd.DataFrame) and "source" in table:
            said += [str(text) for text in table["source"].dropna()]
    return {source_key(part) for text in said for part in text.split(";")} - {""}


def source_key(text: str) -> str:
    """Key of a source that is followed by its place, as "jones2021 (Table 1)".

    Examples
    --------
    >>> source_key(" jones2021 (Table 1)")
    'jones2021'
    """
    return text.strip().partition(" (")[0]


def _host(link: str) -> str:
    """Where a link leads, short enough for a cell."""
    host = link.split("/")[2].removeprefix("www.")
    return host if len(host) <= 22 else f"{host[:21]}…"


def _sources(keys: set[str]) -> Sequence[Source]:
    """Look up the lines of ``keys``; a key the bibliography lacks is shown and said to be unknown."""
    references = bibliography.read_references()
    lines = []
    for key in sorted(keys - {bibliography.ASSUMED}):
        entry = references.get(key)
        if entry is None:
            link = key if _SAFE_LINK.fullmatch(key) else ""
            lines.append(Source(key, "" if link else "not in the bibliography", link))
            continue
        doi, url = entry.fields.get("doi", ""), entry.fields.get("url", "")
        link = (
            f"https://doi.org/{doi}" if _SAFE_DOI.fullmatch(doi) else url if _SAFE_LINK.fullmatch(url) else ""
        )
        lines.append(Source(key, str(entry), link))
    return lines
