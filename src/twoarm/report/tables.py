"""Findings as rows of text: numbers with their intervals, misses first, fitted apart from predicted."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .findings import Findings

MISSING = "–"


class Table(NamedTuple):
    """A table of text for the page; the first cell of each row is its header."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: bool = True  # all but the first column are numbers


def number(value: object, unit: str = "") -> str:
    """Say a number with as many digits as a reader can use.

    Examples
    --------
    >>> number(0.6789), number(12.345), number(34.6, "%"), number(float("inf"), "month")
    ('0.68', '12.3', '35 %', 'not reached')
    """
    try:
        x = float(str(value))
    except ValueError:
        return str(value)
    if math.isnan(x):
        return MISSING
    if math.isinf(x):
        return "not reached"
    if unit == "%":
        return f"{x:.0f} %" if abs(x) >= 10 or x == round(x) else f"{x:.1f} %"
    if unit == "month":
        return f"{x:.1f}"
    if x == round(x) and abs(x) < 1e5:
        return f"{x:.0f}"
    if 0.01 <= abs(x) < 10:
        return f"{x:.2f}"
    return f"{x:.3g}" if abs(x) < 1e4 else f"{x:.2e}"


def between(low: object, high: object, unit: str = "") -> str:
    """Say an interval; nothing where there is none.

    Examples
    --------
    >>> between(41.9, 53.5, "%"), between(float("nan"), float("nan"))
    ('42 to 54', '')
    """
    ends = [number(x, unit).removesuffix(" %") for x in (low, high)]
    if ends[0] == ends[1] and ends[0] in (MISSING, "not reached"):
        return ""
    return f"{ends[0]} to {ends[1]}"


def with_interval(value: object, low: object, high: object, unit: str = "") -> str:
    """Say a number and its interval.

    Examples
    --------
    >>> with_interval(0.68, 0.56, 0.82)
    '0.68 (0.56 to 0.82)'
    """
    interval = between(low, high, unit)
    return f"{number(value, unit)} ({interval})" if interval else number(value, unit)


def main_table(findings: Findings) -> Table:
    """One row a quantity, one column an arm, the last the comparison."""
    measures, arms = findings.measures, findings.arms
    rows = []
    for quantity in dict.fromkeys(measures["quantity"].astype(str)):
        part = measures[measures["quantity"].astype(str) == quantity]
        cells = [_cell(part, arm) for arm in [*arms, ""]]
        unit = str(part["unit"].iloc[0]) if "unit" in part else ""
        rows.append([f"{quantity}, months" if unit == "month" else quantity, *cells])
    compared = "" if len(arms) < 2 else "comparison"
    return Table("Main results with 95 % intervals", ["", *arms.values(), compared], rows)


def _cell(part: pd.DataFrame, arm: str) -> str:
    own = part[part["arm"].fillna("").astype(str) == arm]
    if own.empty:
        return ""
    row = own.iloc[0]
    if is_p_value(row["quantity"]):
        return say_p(float(row["value"]))
    return with_interval(
        row["value"], row.get("low", np.nan), row.get("high", np.nan), str(row.get("unit", ""))
    )


def headline(findings: Findings) -> tuple[str, str]:
    """Answer in one sentence, and what its interval covers."""
    measures = findings.measures
    own = measures[measures["quantity"].astype(str) == findings.primary]
    if own.empty:
        return "", ""
    row = own.iloc[0]
    low, high = float(row.get("low", np.nan)), float(row.get("high", np.nan))
    arms = list(findings.arms.values())
    versus = f"{arms[0]} against {arms[-1]}" if len(arms) > 1 else "".join(arms[:1])
    quantity = findings.primary[:1].lower() + findings.primary[1:]
    if math.isnan(float(row["value"])):
        return f"{versus}: {quantity} could not be estimated.", ""
    text = f"{versus}: {quantity} {number(row['value'], str(row.get('unit', '')))}"
    if math.isfinite(low) and math.isfinite(high):
        text += f", 95 % interval {number(low)} to {number(high)}"
    return f"{text}.", f"The interval covers {findings.covers.rstrip('.')}." if findings.covers else ""


def failures(findings: Findings) -> str:
    """Say how many patients could not be simulated to their end; nothing where all could."""
    flow = findings.flow
    if flow is None:
        return ""
    steps = flow["step"].astype(str)
    failed = int(flow.loc[steps == "simulation failed", "count"].sum())
    if not failed:
        return ""
    whole = int(flow.loc[steps == "randomized", "count"].sum())
    return (
        f"The simulation of {failed} of {whole} patients stopped before its end. "
        "They are counted as censored on that day, so the results below lean on the others."
    )


def tiles(findings: Findings) -> list[tuple[str, str, str]]:
    """(quantity, value, interval) of the comparisons of arms for the top of the page, the primary first."""
    measures = findings.measures
    comparisons = measures[measures["arm"].fillna("").astype(str) == ""]
    comparisons = comparisons[~comparisons["quantity"].map(is_p_value).astype(bool)]
    answer = []
    known = comparisons[comparisons["value"].notna()].to_dict("records")
    for row in sorted(known, key=lambda row: row["quantity"] != findings.primary)[:4]:
        unit = str(row.get("unit", ""))
        name = str(row["quantity"])
        by_arm = ((measures["quantity"].astype(str) == name) & (measures["arm"].fillna("") != "")).any()
        interval = between(row.get("low", np.nan), row.get("high", np.nan), unit)
        answer.append((f"{name}, difference" if by_arm else name, number(row["value"], unit), interval))
    return answer


def say_p(p: float) -> str:
    """Say the p of a test.

    Examples
    --------
    >>> say_p(0.0441), say_p(1e-7), say_p(float("nan"))
    ('0.044', '< 0.001', '–')
    """
    if math.isnan(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def is_p_value(quantity: object) -> bool:
    """Whether a measure is the p of a test, which has no interval and makes no headline."""
    return " p of " in f" {quantity} "


def say_endpoint(endpoint: object) -> str:
    """Say an endpoint of the evidence in words.

    Examples
    --------
    >>> say_endpoint("mPFS"), say_endpoint("OS_12m"), say_endpoint("TRAE_G3plus"), say_endpoint("ORR")
    ('Median PFS', 'OS at 12 months', 'Grade >= 3 events', 'ORR')
    """
    text = re.sub(r"^m(PFS|OS|DOR)$", r"Median \1", str(endpoint))
    text = re.sub(r"^(PFS|OS)_(\d+)m$", r"\1 at \2 months", text)
    return {"TRAE_G3plus": "Grade >= 3 events"}.get(text, text)


def missed(row: pd.Series) -> bool:
    """Whether a prediction misses, as the comparison's ``verdict`` says.

    Without a verdict, by the same rule: a prediction outside the published interval or, where none was
    published, a published value outside the predicted interval.
    """
    if isinstance(row.get("verdict"), str):
        return bool(row["verdict"] == "outside")
    inside, outside = (
        ("predicted", "published") if pd.notna(row["published_low"]) else ("published", "predicted")
    )
    return bool(row[inside] < row[f"{outside}_low"] or row[inside] > row[f"{outside}_high"])


def misses_first(comparison: pd.DataFrame) -> pd.DataFrame:
    """Rows sorted by how far prediction and publication are apart, with a column ``missed``.

    Endpoints are said in words.
    """
    table = comparison.copy()
    words = table["endpoint"].map(say_endpoint)
    table["label"] = [
        str(label).removesuffix(f": {said}") for label, said in zip(table["label"], words, strict=True)
    ]
    table["endpoint"] = words
    table["missed"] = [missed(row) for _, row in table.iterrows()] if len(table) else []
    ratio = table["predicted"].astype(float) / table["published"].astype(float).replace(0.0, np.nan)
    distance = ratio.where(ratio > 0).map(math.log, na_action="ignore").abs().fillna(0.0)
    if "z" in table:
        distance = table["z"].astype(float).abs().fillna(0.0)
    order = np.lexsort((-distance.to_numpy(float), ~table["missed"].to_numpy(bool)))
    return table.iloc[order].reset_index(drop=True)


def comparison_table(rows: pd.DataFrame, caption: str) -> Table:
    """Predicted against published, in the order given."""
    body = []
    for _, row in rows.iterrows():
        unit = str(row["unit"])
        shown = "%" if unit == "%" else "month" if unit.startswith("month") else ""
        size = (
            f", n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{number(row['n'])}"
            if "n" in row and pd.notna(row["n"])
            else ""
        )
        differences = (
            row["differences"] if "differences" in row and isinstance(row["differences"], str) else ""
        )
        source = row["source"] if "source" in row and isinstance(row["source"], str) else ""
        body.append(
            [
                f"{row['label']}{size}",
                f"{row['endpoint']}" + (f", {unit}" if shown != "%" and unit else ""),
                _unbroken(row, "published", shown),
                _unbroken(row, "predicted", shown),
                _judged(row),
                differences,
                source,
            ]
        )
    head = ["Cohort", "Endpoint", "Published", "Predicted", "", "Populations differ in", "Source"]
    return Table(caption, head, body, numeric=False)


def _judged(row: pd.Series) -> str:
    if row["missed"]:
        return "miss"
    return "no interval" if row.get("verdict") == "no interval" else "within"


def _unbroken(row: pd.Series, column: str, unit: str) -> str:
    text = with_interval(row[column], row[f"{column}_low"], row[f"{column}_high"], unit)
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def plain_table(table: pd.DataFrame, columns: dict[str, str], caption: str) -> Table:
    """Show some columns of a table as they are; those it lacks, or has nothing in, are left out."""
    present = [c for c in columns if c in table and any(_text(value) for value in table[c])]
    rows = [[_text(row[c]) for c in present] for _, row in table.iterrows()]
    return Table(caption, [columns[c] for c in present], rows, numeric=False)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float | int | np.number):
        return number(value)
    return MISSING if value is None or value is pd.NaT else str(value)


def subgroup_table(subgroups: pd.DataFrame) -> Table:
    """One row a stratum's level, with its interval."""
    rows = [
        [
            f"{row['stratum']}: {row['level']}".replace("_", " ").capitalize(),
            str(row["quantity"]),
            number(row["n"]),
            with_interval(row["value"], row["low"], row["high"], _unit_of(row)),
        ]
        for row in subgroups.to_dict("records")
    ]
    return Table("Within strata", ["Stratum", "Quantity", "n", "Value (95 % interval)"], rows, numeric=False)


def _unit_of(row: Mapping[Any, Any]) -> str:
    """Say the unit of a stratum's row; rates are percentages where the table does not say."""
    if "unit" in row:
        return str(row["unit"])
    return "%" if str(row["quantity"]).startswith(("ORR", "DCR")) else ""
