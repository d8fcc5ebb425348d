"""The figures of a report, each with a caption for readers and words for those who cannot see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from twoarm import figures
from twoarm.figures.curves import BIOMARKERS, CELL_CLASSES, EXPOSURES, unseen
from twoarm.figures.survival import months_text

from .findings import Findings
from .tables import MISSING, between, misses_first, number, say, say_p, with_interval

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

_ENDPOINTS = {"PFS": "progression-free survival", "OS": "overall survival"}
_HALF_A_YEAR = 182.0  # days shown of exposure and biomarkers: single cycles stay visible
_DASHED = " Dashed: published, in other patients; the differences are listed further down."
_LANES = {"treatment_end", "last_day"}


class Picture(NamedTuple):
    """An inline SVG and what stands below it."""

    svg: str
    caption: str


def _picture(figure: Figure, name: str, alt: str, caption: str) -> Picture:
    return Picture(figures.svg(figure, name=name, alt=alt), caption)


def survival(findings: Findings) -> list[Picture]:
    """Kaplan-Meier curves of every endpoint in the table, overall survival first."""
    table = findings.survival
    if table is None or table.empty:
        return []
    pictures = []
    for endpoint in sorted(table["endpoint"].unique(), key=lambda e: (e != "OS", e)):
        pictures += survival_draws(findings, endpoint)
        own = table[table["endpoint"] == endpoint]
        medians, published = _of(findings.medians, endpoint), published_curves(findings, endpoint)
        note = hazard_ratio(findings, endpoint) if findings.draws is None else ""
        figure = figures.kaplan_meier(
            own, endpoint=endpoint, medians=medians, published=published, note=note, names=findings.arms
        )
        words = _ENDPOINTS.get(endpoint, endpoint)
        alt = f"Kaplan-Meier curves of {words} by arm. {_say_medians(findings, medians)} {note}"
        caption = f"{words.capitalize()}{_one_trial(findings)}. Bands: 95 % confidence; ticks: censored."
        caption += _DASHED if published is not None else ""
        pictures.append(_picture(figure, f"survival-{endpoint}", alt, caption))
    return pictures


def survival_draws(
    findings: Findings, endpoint: str, *, title: str = "", below: Sequence[str] = ()
) -> list[Picture]:
    """Survival over all draws of the card; nothing where there is one.

    Parameters
    ----------
    findings : Findings
        What a report is made from.
    endpoint : str
        "PFS" or "OS".
    title : str
        Over a figure that stands alone.
    below : sequence of str
        Lines below a figure that stands alone.

    Returns
    -------
    list of Picture
        One or none.
    """
    table = _of(findings.survival_draws, endpoint)
    if table is None:
        return []
    published = published_curves(findings, endpoint)
    note, draws = hazard_ratio(findings, endpoint), int(table["draws"].max())
    words = _ENDPOINTS.get(endpoint, endpoint)
    figure = figures.survival_range(
        table,
        endpoint=endpoint,
        published=published,
        title=title,
        note=note,
        caption=below,
        names=_with_medians(findings, endpoint),
    )
    caption = f"{words.capitalize()}. Lines: median of {draws} draws of the cards; bands: all of them."
    caption += _DASHED if published is not None else ""
    alt = f"Predicted {words} by arm over {draws} draws of the molecules' cards. {note}"
    return [_picture(figure, f"survival-draws-{endpoint}", alt, caption)]


def _with_medians(findings: Findings, endpoint: str) -> dict[str, str]:
    """Name each arm with its pooled median."""
    rows = findings.measures[findings.measures["quantity"].astype(str) == f"Median {endpoint}"]
    said = {
        str(row["arm"]): f"{number(row['value'], 'month')} months (95 % interval "
        f"{between(row['low'], row['high'], 'month')})"
        for row in rows.to_dict("records")
    }
    return {
        arm: f"{name}: median {said[arm]}" if arm in said else name for arm, name in findings.arms.items()
    }


def published_curves(findings: Findings, endpoint: str) -> pd.DataFrame | None:
    """Overlays of an endpoint, each said to be published."""
    own = _of(findings.published_survival, endpoint)
    if own is None:
        return None
    said = [f"{'' if str(label).startswith('Published') else 'Published: '}{label}" for label in own["label"]]
    return own.assign(label=said)


def _one_trial(findings: Findings) -> str:
    return "" if findings.draws is None else " in one trial, the middle draw by hazard ratio of OS"


def _of(table: pd.DataFrame | None, endpoint: str) -> pd.DataFrame | None:
    if table is None:
        return None
    own = table[table["endpoint"] == endpoint]
    return None if own.empty else own


def hazard_ratio(findings: Findings, endpoint: str) -> str:
    """Say the hazard ratio of an endpoint and what its interval is over."""
    measures = findings.measures
    own = measures[measures["quantity"].astype(str).str.lower() == f"hazard ratio of {endpoint.lower()}"]
    if own.empty:
        return ""
    row = own.iloc[0]
    if number(row["value"]) == MISSING:
        return ""
    text = f"Hazard ratio {number(row['value'])}"
    low, high = number(row.get("low", np.nan)), number(row.get("high", np.nan))
    over = "" if findings.draws is None else f" over {len(findings.draws)} draws, patients and chance"
    return text if MISSING in (low, high) else f"{text} (95 % interval {low} to {high}{over})"


def _say_medians(findings: Findings, medians: pd.DataFrame | None) -> str:
    if medians is None:
        return ""
    said = [
        f"{findings.arms.get(row['arm'], row['arm'])}: median {months_text(row['median'])}"
        for row in medians.to_dict("records")
    ]
    return "; ".join(said) + "."


def response(findings: Findings) -> list[Picture]:
    """Waterfall, spider and swimmer, as far as the tables go."""
    patients, pictures = findings.patients, []
    if {"best_change", "bor"} <= set(patients):
        share = patients.groupby("arm")["best_change"].apply(lambda x: 100 * float((x <= -30).mean()))
        said = "; ".join(f"{findings.arms.get(str(a), str(a))}: {s:.0f} %" for a, s in share.items())
        pictures.append(
            _picture(
                figures.waterfall(patients, names=findings.arms),
                "waterfall",
                f"Best change in the sum of diameters, by arm. Patients with a fall of 30 % or more: {said}.",
                f"Best change of the sum of diameters from baseline{_one_trial(findings)}, a bar a patient, "
                "colored by best overall response: the deeper the better, progression in gray, also where "
                "the targets shrank and new lesions came. Dashed: −30 % (response) "
                "and +20 % (which RECIST counts from the nadir).",
            )
        )
    if findings.changes is not None and not findings.changes.empty:
        pictures.append(
            _picture(
                figures.spider(findings.changes, names=findings.arms),
                "spider",
                "Change of the sum of diameters over time, a line a patient, by arm.",
                "Change from baseline as read at scans. Patients are spaced evenly along their best change.",
            )
        )
    if set(patients) >= _LANES:
        pictures.append(
            _picture(
                figures.swimmer(patients, names=findings.arms),
                "swimmer",
                "Time on treatment and follow-up of sampled patients, with response, progression and death.",
                f"Time on treatment and follow-up{_one_trial(findings)}; patients spaced evenly along it. "
                "White line: how long a response lasts.",
            )
        )
    return pictures


def mechanism(findings: Findings) -> list[Picture]:
    """Exposure, selectivity and biomarkers."""
    courses = findings.courses
    if courses is None:
        return []
    arms = findings.patients.set_index("patient")["arm"]
    names, pictures = findings.arms, []
    if any(v in courses for v in EXPOSURES):
        alt = "Concentrations in blood and PD-1 occupancy over time, median and middle 90 %, by arm."
        caption = (
            "Exposure and PD-1 occupancy in the first half year, once a week, before a dose that is due: "
            "peaks are higher. Line: median patient; band: middle 90 %; patients off treatment included. "
            f"Without the study's drug, PD-1 is held by antibody given before.{_left_out(courses, EXPOSURES)}"
        )
        pictures.append(
            _picture(
                figures.exposure(courses, arms, days=_HALF_A_YEAR, names=names), "exposure", alt, caption
            )
        )
    if any(f"pstat5_{c}" in courses for c in CELL_CLASSES):
        alt = "Peak STAT5 phosphorylation of each class of cells, by arm, median patient and middle 90 %."
        caption = (
            "Who hears the cytokine: the highest weekly STAT5 phosphorylation in each class of cells. Cells "
            "of patients without the cytokine hear their own IL-2."
        )
        pictures.append(
            _picture(figures.selectivity(courses, arms, names=names), "selectivity", alt, caption)
        )
    if any(v in courses for v in BIOMARKERS):
        alt = "Cells and cytokines over time, median and middle 90 % of patients, by arm."
        caption = (
            "Biomarkers in the first half year among patients still followed, off treatment included. "
            f"Line: median patient; band: middle 90 %.{_left_out(courses, BIOMARKERS)}"
        )
        pictures.append(
            _picture(
                figures.biomarkers(courses, arms, days=_HALF_A_YEAR, names=names), "biomarkers", alt, caption
            )
        )
    return pictures


def _left_out(courses: xr.Dataset, variables: Sequence[str]) -> str:
    """Say which curves are not shown because they come and go between two points."""
    labels = [str(courses[v].attrs.get("label", v)) for v in unseen(courses) if v in variables]
    if not labels:
        return ""
    return f" Not shown: {', '.join(labels)}, which rises and falls between two weekly points."


def strata(findings: Findings) -> list[Picture]:
    """Draw the hazard ratios within strata, each with the test of its interaction."""
    table = findings.subgroups
    if table is None:
        return []
    quantities = table["quantity"].astype(str)
    own = table[quantities.str.startswith("Hazard ratio") & table["value"].notna()]
    pictures: list[Picture] = []
    for quantity, part in own.groupby("quantity", sort=False):
        tests = table[quantities == str(quantity).replace("Hazard ratio of", "Interaction p of")]
        shown = part.assign(p=part["stratum"].map(tests.set_index("stratum")["value"]).astype(float))
        said = "; ".join(
            f"{row['stratum']} {row['level']}: {with_interval(row['value'], row['low'], row['high'])}"
            for row in part.to_dict("records")
        )
        alt = f"{quantity} within strata. {said}"
        caption = f"{quantity} within strata{_one_trial(findings)}, with 95 % intervals, not stratified."
        caption += " They are not adjusted for looking at several."
        pictures.append(_picture(figures.subgroups(shown), f"strata-{len(pictures)}", alt, caption))
    return pictures


def treatment_ends(findings: Findings) -> list[Picture]:
    """Draw why and when treatment ended; nothing where no cause did."""
    table, compared = findings.ends, findings.ends_compared
    if table is None or table.empty:
        return []
    notes = {}
    if compared is not None:
        for row in compared.to_dict("records"):
            ratio = with_interval(row["value"], row["low"], row["high"])
            said = [f"HR {ratio}"] if number(row["value"]) != MISSING else []
            gray = float(row.get("gray_p", math.nan))
            said += [] if math.isnan(gray) else [f"Gray p {say_p(gray).replace('< ', '<')}"]
            notes[str(row["cause"])] = ", ".join(said)
    figure = figures.cumulative_incidence(table, notes=notes, names=findings.arms)
    alt = "Share of patients whose treatment ended for each cause over time, by arm."
    caption = (
        f"Why treatment ended{_one_trial(findings)}: share of patients by Aalen and Johansen, with 95 % "
        "bands; each cause takes the others into account. HR: cause-specific hazard ratio among those still "
        "treated, stratified. Gray p: test that the shares are the same, stratified. Treatment completed and "
        "loss to follow-up are censored."
    )
    return [_picture(figure, "treatment-ends", alt, caption)]


def flow(findings: Findings) -> list[Picture]:
    """Draw the CONSORT diagram."""
    if findings.flow is None or findings.flow.empty:
        return []
    alt = "Flow of virtual patients: " + "; ".join(
        " ".join(str(row[c]) for c in ("step", "arm", "count") if str(row[c]))
        for row in findings.flow.to_dict("records")
    )
    figure = figures.consort(_consort_rows(findings.flow), names=findings.arms)
    caption = f"Flow of virtual patients{_one_trial(findings)}, after CONSORT."
    return [_picture(figure, "consort", alt, caption)]


def _consort_rows(flow: pd.DataFrame) -> pd.DataFrame:
    """Put deaths and failures into the box of those analyzed: they are no step on the way to it."""
    rows = flow.assign(arm=flow["arm"].fillna("").astype(str))
    count = {(row["arm"], row["step"]): int(row["count"]) for row in rows.to_dict("records")}
    details = []
    for row in rows.to_dict("records"):
        own = {step: n for (arm, step), n in count.items() if arm == row["arm"]}
        said = [str(row["detail"])] if isinstance(row.get("detail"), str) and row["detail"] else []
        if row["step"] == "treatment ended" and "treated" in own:
            said.append(f"still on treatment {own['treated'] - own['treatment ended']}")
        if row["step"] == "analyzed":
            if "died" in own:
                said.append(f"died {own['died']}, alive or lost {own['analyzed'] - own['died']}")
            if own.get("simulation failed"):
                said.append(f"simulation failed {own['simulation failed']}")
        details.append("; ".join(said))
    return rows.assign(detail=details)[~rows["step"].isin(["died", "simulation failed"])]


def predicted_published(findings: Findings) -> list[Picture]:
    """Predicted against published, worst miss first within each endpoint."""
    if findings.comparison is None or findings.comparison.empty:
        return []
    ordered = misses_first(findings.comparison)
    said = "; ".join(
        f"{row['label']}, {row['endpoint']}: published "
        f"{with_interval(row['published'], row['published_low'], row['published_high'])}, predicted "
        f"{with_interval(row['predicted'], row['predicted_low'], row['predicted_high'])}"
        for row in ordered.head(12).to_dict("records")
    )
    caption = (
        "Published and predicted values with 95 % intervals side by side, the widest misses on top of each "
        "panel; a diamond alone was published without an interval."
    )
    fitted = ordered["use"].astype(str) == "calibrate"
    shown = ordered.assign(
        label=ordered["label"].astype(str).where(~fitted, ordered["label"].astype(str) + " (fitted)"),
        endpoint=ordered["endpoint"].map(say),
    )
    figure = figures.predicted_published(shown)
    return [_picture(figure, "predicted-published", f"Predicted against published. {said}", caption)]


def uncertainty(findings: Findings) -> list[Picture]:
    """Hazard ratios over draws of the card, and the shares of each interval."""
    pictures = []
    draws = findings.draws
    for endpoint in ("OS", "PFS"):
        column = f"hazard_ratio_{endpoint.lower()}"
        if draws is None or column not in draws or draws[column].notna().sum() < 2:
            continue
        low, middle, high = draws[column].quantile([0.05, 0.5, 0.95])
        alt = (
            f"Hazard ratio of {endpoint} over {len(draws)} draws of the molecule card: median {middle:.2f}, "
        )
        caption = (
            f"Hazard ratio of {_ENDPOINTS[endpoint]} over draws of the molecule card: every draw is one "
        )
        pictures.append(
            _picture(
                figures.hazard_ratios(draws, column=column, endpoint=endpoint),
                f"hazard-ratio-{endpoint}",
                f"{alt}middle 90 % from {low:.2f} to {high:.2f}.",
                f"{caption}molecule within the ranges of the card, tried in one trial. A dot is an estimate "
                "without its own interval, which the answer on top covers too.",
            )
        )
    if findings.shares is not None and not findings.shares.empty:
        said = "; ".join(
            f"{row['quantity']}, {row['part']}: {100 * float(row['share']):.0f} %"
            for row in findings.shares.to_dict("records")
        )
        pictures.append(
            _picture(
                figures.uncertainty(findings.shares),
                "uncertainty",
                f"Shares of the variance. {said}.",
                "Share of each result's variance from the molecule card, the patients drawn, and chance.",
            )
        )
    return pictures
