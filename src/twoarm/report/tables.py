"""Findings as rows of text: numbers with their intervals, misses first, fitted apart from predicted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from twoarm.figures.style import level_words, short_names, title_case

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
    """One row a quantity, one column an arm, the last the comparison; the primary's endpoint first."""
    measures, arms = findings.measures, findings.arms
    draws = 0 if findings.draws is None else len(findings.draws)
    rows = []
    for quantity in sorted(dict.fromkeys(measures["quantity"].astype(str)), key=_rank(findings.primary)):
        part = measures[measures["quantity"].astype(str) == quantity]
        cells = [_cell(part, arm) for arm in [*arms, ""]]
        unit = str(part["unit"].iloc[0]) if "unit" in part else ""
        of = f", median of {draws} draws" if draws > 1 and is_p_value(quantity) else ""
        rows.append([f"{quantity}, months" if unit == "month" else f"{say(quantity)}{of}", *cells])
    compared = "" if len(arms) < 2 else "comparison"
    caption = "Main results with 95 % intervals"
    if compared:
        caption += "; comparison: hazard ratio, difference of the first arm to the last, or two-sided p"
    return Table(caption, ["", *arms.values(), compared], rows)


def _rank(primary: str) -> Callable[[str], tuple[int, int]]:
    """Order quantities: of the primary's endpoint, of another time to an event, the rest; ratios first."""
    first = {primary.rsplit(maxsplit=1)[-1]} if primary else set()

    def rank(quantity: str) -> tuple[int, int]:
        words = set(quantity.split())
        place = 0 if words & first else 1 if words & {"OS", "PFS"} else 2
        return place, 0 if quantity.lower().startswith("hazard ratio") else 1 if is_p_value(quantity) else 2

    return rank


def say(quantity: object) -> str:
    """Say a quantity as a reader writes it.

    Examples
    --------
    >>> say("Grade >= 3 events")
    'Grade ≥ 3 events'
    """
    return str(quantity).replace(">=", "≥")


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
    >>> say_endpoint("mPFS"), say_endpoint("OS_12m"), say_endpoint("TRAE_G3plus"), say_endpoint("HR_OS")
    ('Median PFS', 'OS at 12 months', 'Grade >= 3 events', 'Hazard ratio of OS')
    """
    text = re.sub(r"^m(PFS|OS|DOR)$", r"Median \1", str(endpoint))
    text = re.sub(r"^HR_(PFS|OS)$", r"Hazard ratio of \1", text)
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
        shown = shown_unit(unit)
        size = (
            f", n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{number(row['n'])}"
            if "n" in row and pd.notna(row["n"])
            else ""
        )
        about = [row[name] for name in ("differences", "use_reason") if row.get(name)]
        differences = "; ".join(text for text in about if isinstance(text, str))
        source = row["source"] if "source" in row and isinstance(row["source"], str) else ""
        body.append(
            [
                f"{row['label']}{size}",
                say(row["endpoint"]) + (f", {unit}" if shown != "%" and unit not in ("", "ratio") else ""),
                _unbroken(row, "published", shown),
                _unbroken(row, "predicted", shown),
                _judged(row),
                differences,
                source,
            ]
        )
    head = [
        "Cohort",
        "Endpoint",
        "Published",
        "Predicted",
        "",
        "Populations differ in; about the fact",
        "Source",
    ]
    return Table(caption, head, body, numeric=False)


def shown_unit(unit: object) -> str:
    """Say a unit of the evidence as `number` knows it.

    Examples
    --------
    >>> shown_unit("months"), shown_unit("%"), shown_unit("ratio")
    ('month', '%', '')
    """
    text = str(unit)
    return "%" if text == "%" else "month" if text.startswith("month") else ""


def _judged(row: pd.Series) -> str:
    if row["missed"]:
        return "miss"
    return "no interval" if row.get("verdict") == "no interval" else "within"


def _unbroken(row: pd.Series, column: str, unit: str) -> str:
    text = with_interval(row[column], row[f"{column}_low"], row[f"{column}_high"], unit)
    return _together(text)


def _together(text: str) -> str:
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


def subgroup_table(findings: Findings) -> Table | None:
    """One row a level of a stratum, one column a quantity; nothing where there are no strata."""
    subgroups, names = findings.subgroups, findings.arms
    if subgroups is None:
        return None
    quantities = list(dict.fromkeys(subgroups["quantity"].astype(str)))
    rows = []
    known = subgroups.fillna({"level": ""})
    for (stratum, level), part in known.groupby(["stratum", "level"], sort=False):
        own = part.drop_duplicates("quantity").set_index("quantity")
        cells = [_stratum_cell(own, quantity) for quantity in quantities]
        said = f"{title_case(stratum)}: {level_words(level)}" if level else title_case(stratum)
        rows.append([said, number(part["n"].max()), *cells])
    heads = [_short_arm(quantity, names) for quantity in quantities]
    return Table("Within strata, with 95 % intervals", ["Stratum", "Patients", *heads], rows, numeric=False)


def _stratum_cell(own: pd.DataFrame, quantity: str) -> str:
    if quantity not in own.index:
        return ""
    row = own.loc[quantity]
    if is_p_value(quantity):
        return say_p(float(row["value"]))
    return with_interval(row["value"], row["low"], row["high"], _unit_of({**row, "quantity": quantity}))


def _short_arm(quantity: str, names: Mapping[str, str]) -> str:
    """Say the arm of "ORR, experimental" by the name of what it is given."""
    head, comma, arm = quantity.partition(", ")
    return f"{head}, {short_names(names).get(arm, arm)}" if comma else head


def _unit_of(row: Mapping[Any, Any]) -> str:
    """Say the unit of a stratum's row; rates are percentages where the table does not say."""
    if "unit" in row:
        return str(row["unit"])
    return "%" if str(row["quantity"]).startswith(("ORR", "DCR")) else ""


def baseline_table(findings: Findings) -> Table | None:
    """Who was randomized, one column an arm."""
    if findings.baseline is None or findings.baseline.empty:
        return None
    sizes = findings.patients["arm"].value_counts()
    heads = {
        a: f"{n}, {_together(f'n = {sizes.get(a, 0)}')}"
        for a, n in findings.arms.items()
        if a in findings.baseline
    }
    columns = {"characteristic": "", **heads}
    return plain_table(findings.baseline, columns, "Baseline characteristics")


def toxicity_table(findings: Findings) -> Table | None:
    """Share of patients with each kind of event, any grade and 3 or worse, worst first."""
    table = findings.toxicity
    if table is None or table.empty:
        return None
    pairs = [(arm, grade) for arm in findings.arms for grade in sorted(table["grade"].unique())]
    severe = table[table["grade"] >= 3].groupby("kind")["value"].max().sort_values(ascending=False)
    by_place = table.set_index(["kind", "arm", "grade"])
    rows = []
    for kind in severe.index:
        cells = [""] * len(pairs)
        for column, pair in enumerate(pairs):
            if (kind, *pair) in by_place.index:
                value, low, high = by_place.loc[(kind, *pair), ["value", "low", "high"]]
                several = findings.draws is not None
                text = with_interval(value, low, high, "%") if several else number(value, "%")
                cells[column] = _together(text)
        rows.append([f"{str(kind)[:1].upper()}{str(kind)[1:]}", *cells])
    short = short_names(findings.arms)
    heads = [
        f"{short[arm]}, {_together('any grade' if grade <= 1 else f'grade ≥ {grade}')}"
        for arm, grade in pairs
    ]
    caption = "Patients with an event by the data cut"
    caption += "" if findings.draws is None else ": median, and least to greatest over the draws"
    return Table(caption, ["", *heads], rows, numeric=False)


class Misses(NamedTuple):
    """Published results that the model does not reproduce, a line a cohort."""

    summary: str
    cohorts: list[tuple[str, str]]  # whose, and what was published and predicted


def headline(findings: Findings) -> tuple[str, str]:
    """Answer in one sentence, what its interval says of the question, and what the interval covers."""
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
    text = f"{versus}: predicted {quantity} {number(row['value'], str(row.get('unit', '')))}"
    if math.isfinite(low) and math.isfinite(high):
        text += f", 95 % interval {number(low)} to {number(high)}"
        if findings.primary.lower().startswith("hazard ratio") and len(arms) > 1:
            text += f", {_verdict(low, high, arms)}"
    covers = f"The interval covers {findings.covers.rstrip('.')}." if findings.covers else ""
    return " ".join([f"{text}.", *_worst(findings)]), covers


def _verdict(low: float, high: float, arms: list[str]) -> str:
    if low <= 1 <= high:
        return "which includes no difference"
    return f"in favor of {arms[0] if high < 1 else arms[-1]}"


def _worst(findings: Findings) -> list[str]:
    """Say which cohort the model misses most often, of the arm that is asked about where there is one."""
    blind = _blind(findings)
    if "arm" in blind and (blind["arm"] == next(iter(findings.arms))).any():
        blind = blind[blind["arm"] == next(iter(findings.arms))]
    missed = blind[blind["missed"]] if len(blind) else blind
    if missed.empty:
        return []
    label = missed["label"].value_counts(sort=False).idxmax()
    own = blind[blind["label"] == label]
    return [f"The model misses {int(own['missed'].sum())} of {len(own)} published results of {label}."]


def _blind(findings: Findings) -> pd.DataFrame:
    """Rows of the comparison that tuned nothing, misses first."""
    if findings.comparison is None or findings.comparison.empty:
        return pd.DataFrame()
    ordered = misses_first(findings.comparison)
    return ordered[ordered["use"].astype(str) != "calibrate"]


def misses(findings: Findings) -> Misses | None:
    """Say every published result that is missed, cohort by cohort; nothing where there is none."""
    blind = _blind(findings)
    if blind.empty or not blind["missed"].any():
        return None
    missed = blind[blind["missed"]]
    cohorts = [
        (str(label), "; ".join(_pair(row) for _, row in part.iterrows()) + ".")
        for label, part in missed.groupby("label", sort=False)
    ]
    summary = f"Of {len(blind)} published results that tuned nothing, the same model misses {len(missed)}."
    tuned = misses_first(findings.comparison) if findings.comparison is not None else blind
    tuned = tuned[tuned["use"].astype(str) == "calibrate"]
    if tuned["missed"].any():
        which = "; ".join(
            f"{row['endpoint']} of {row['label']}" for _, row in tuned[tuned["missed"]].iterrows()
        )
        summary += f" Of {len(tuned)} that it was tuned to, it misses {int(tuned['missed'].sum())}: {which}."
    return Misses(summary, cohorts)


def _pair(row: pd.Series) -> str:
    unit = shown_unit(row["unit"])
    words = " months" if unit == "month" else ""
    said = [
        _together(with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"], unit))
        for name in ("published", "predicted")
    ]
    return f"{row['endpoint']} {said[0]}{words} published, {said[1]}{words} predicted"


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
        months = ", months" if unit == "month" else ""
        said = f"{name}, difference{months}" if by_arm else name
        answer.append((said, number(row["value"], unit), interval))
    return answer
