"""What a check found, in tables of text and one page."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from twoarm import figures
from twoarm.check.pictures import picture_of
from twoarm.check.run import KNOWN, RANGED, Checked, rows_counted
from twoarm.check.widths import PARTS
from twoarm.report.pictures import Picture
from twoarm.report.sections import Page, Section, as_tables, render_sections
from twoarm.report.tables import Table
from twoarm.study.folder import write_whole

PAGE = "check.html"
_PERCENT = 100


def rows_told(table: pd.DataFrame) -> pd.DataFrame:
    """Say every predicted row in words, in the order of the table.

    Parameters
    ----------
    table : DataFrame
        Of `Checked`.

    Returns
    -------
    DataFrame of str
        `id study regimen endpoint n reported predicted z verdict`, the parts of the width in %, `naive`
        (other trials pooled) and `use`.
    """
    parts = {name: [_share(value) for value in table[name]] for name in PARTS}
    return pd.DataFrame(
        {
            "id": table["id"],
            "study": table["trial_name"].str.slice(0, 24),
            "regimen": table["regimen"].str.slice(0, 40),
            "endpoint": table["endpoint"],
            "n": table["n"].astype(str).str.replace("<NA>", ""),
            "reported": table["reported"].map("{:.4g}".format),
            "predicted": [_between(row.predicted, row.low, row.high) for row in table.itertuples()],
            "z": table["z"].map("{:+.1f}".format),
            "verdict": table["verdict"],
            **parts,
            "naive": [
                "" if math.isnan(row.naive_low) else f"{row.naive_low:.3g} to {row.naive_high:.3g}"
                for row in table.itertuples()
            ],
            "use": table["use"],
        }
    )


def tables_told(found: Checked) -> dict[str, pd.DataFrame]:
    """Say what a check found over all rows, in tables of text.

    Parameters
    ----------
    found : Checked
        From `check_evidence`.

    Returns
    -------
    dict of str to DataFrame
        By title: coverage, widths, where the misses are, what makes predictions wide, how much trials differ,
        why rows are not predicted.
    """
    counted, words = rows_counted(found.table)
    told = {
        f"Coverage over rows that {words}": found.coverage.round(3),
        "Median width of 90 % intervals, beside other trials pooled": found.widths.round(3),
    }
    if len(counted):
        told["Where the misses are"] = misses_by(counted)
        shares = counted.groupby(["which", "unit"], sort=False)[list(PARTS)].mean().map(_share).reset_index()
        told["What makes predictions wide: mean share of the variance, %"] = shares
    told["Standard deviation between trials, from rows that do not validate"] = found.between.round(3)
    if len(found.missing):
        why = found.missing["reason"].str.partition(":")[0].value_counts()
        told[f"Why {len(found.missing)} rows are not predicted; each is in not_predicted.csv"] = pd.DataFrame(
            {"rows": why.to_numpy(), "reason": why.index}
        )
    return told


def misses_by(counted: pd.DataFrame) -> pd.DataFrame:
    """Count misses by endpoint, by tumor and by drug.

    Parameters
    ----------
    counted : DataFrame
        Rows of a check's table.

    Returns
    -------
    DataFrame
        `by what rows inside below above z`: rows whose report lies inside the 90 % interval, below and above
        it, and the mean distance.
    """
    landmarks = counted["endpoint"].str.replace(r"_\d+m$", " at a month", regex=True)
    rows = []
    for by, keys in (("endpoint", landmarks), ("tumor", counted["tumor"]), ("drug", counted["drug"])):
        for what, own in counted.groupby(keys, sort=True):
            outside = own["inside_90"] == 0
            below, above = (outside & (own["z"] < 0)).sum(), (outside & (own["z"] > 0)).sum()
            inside = len(own) - int(outside.sum())
            rows.append(
                (by, what, len(own), inside, int(below), int(above), round(float(own["z"].mean()), 2))
            )
    return pd.DataFrame(rows, columns=["by", "what", "rows", "inside", "below", "above", "z"])


def write_page(found: Checked, folder: Path) -> Path:
    """Write what a check found as one page.

    Parameters
    ----------
    found : Checked
        From `check_evidence`.
    folder : Path
        Where `check.html` is written.

    Returns
    -------
    Path
        The page.
    """
    page = render_sections(_page(found))
    write_whole(folder / PAGE, lambda path: path.write_text(page, encoding="utf-8"))
    return folder / PAGE


def _page(found: Checked) -> Page:
    counted, words = rows_counted(found.table)
    answer = " ".join(_covered(found.coverage, which) for which in (KNOWN, RANGED)).strip()
    return Page(
        title="Predictions beside everything published",
        question="How often does a predicted 90 % interval hold what a trial reported?",
        kicker="Check",
        answer=answer or "No row is scored.",
        sections=[
            Section("coverage", "How often intervals hold", pictures=_curve(found, counted, words)),
            Section("ranged", "Molecules whose card is a set of ranges", tables=_rows(found, RANGED)),
            Section("known", "Comparators, misses first", tables=_rows(found, KNOWN)),
            Section("told", "Over all rows", words=_WORDS, tables=as_tables(tables_told(found))),
        ],
    )


_WORDS = (
    "The variance of a prediction has five parts: the card's unknown numbers; what is not known of the "
    "population; what a trial has of its own; which patients are in the cohort; and what chance does to the "
    "same patients.",
    "Naive: the interval that other trials of the same drug and setting give, with random effects.",
)


def _curve(found: Checked, counted: pd.DataFrame, words: str) -> list[Picture]:
    """Picture of the coverage, with words for those who cannot see it."""
    if counted.empty:
        return []
    figure = picture_of(found, counted, words)
    alt = "Nominal against observed coverage, and the ranks of the reports"
    caption = (
        "Left: how often intervals hold the report. Right: share of draws below each report, "
        "even where predictions are right."
    )
    return [Picture(figures.svg(figure, name="coverage", alt=alt), caption)]


def _rows(found: Checked, which: str) -> list[Table]:
    """Rows of one group as a table."""
    own = found.table[found.table["which"] == which]
    return as_tables({f"{len(own)} rows; parts of the variance in %": rows_told(own)}) if len(own) else []


def _covered(coverage: pd.DataFrame, which: str) -> str:
    """Say how many 90 % intervals of a group hold."""
    own = coverage[(coverage["which"] == which) & (coverage["nominal"].round(2) == 0.9)]
    return "" if own.empty else f"Of {which}, {own['inside'].iloc[0]} of {own['rows'].iloc[0]} do."


def _between(middle: float, low: float, high: float) -> str:
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{_PERCENT * value:.0f}"
