"""Rows of evidence to cohorts: the library's, and texts of strangers."""

from __future__ import annotations

import string
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm import catalog
from twoarm.check.mapping import Mapped, map_rows
from twoarm.check.rules import read_rules
from twoarm.errors import CardEntryError
from twoarm.evidence.read import read_evidence
from twoarm.patients.population import read_population
from twoarm.trial.protocol import read_protocol

RULES = read_rules()
FACTS = read_evidence(["comparators", "oak_squamous", "ibi363"])
MAPPED, REASONS = map_rows(FACTS, RULES)
ROW = {
    "id": "A1",
    "drug": "docetaxel",
    "regimen": "",
    "dose": "75 mg/m2 IV",
    "schedule": "Q3W",
    "combination": "none",
    "tumor": "NSCLC",
    "histology": "squamous",
    "line": "2L",
    "prior_io": "no",
    "biomarker_subset": "",
    "n": 110,
    "endpoint": "ORR",
    "value": 8.2,
    "unit": "%",
    "follow_up_months": "",
    "note": "",
    "trial_name": "",
    "verified": True,
}


HIGH_DOSE = {
    "drug": "aldesleukin",
    "regimen": "high-dose IL-2",
    "dose": "600,000-720,000 IU/kg IV",
    "schedule": "Q8H up to 14 doses per cycle, 2 cycles per course",
    "tumor": "melanoma",
    "histology": "all",
    "line": "1L+",
    "prior_io": "mixed",
}


def mapped(**cells: object) -> Mapped:
    found, reasons = map_rows(pd.DataFrame([ROW | cells]), RULES)
    assert found, reasons
    return found["A1"]


def reason(**cells: object) -> str:
    found, reasons = map_rows(pd.DataFrame([ROW | cells]), RULES)
    assert not found
    return reasons["A1"]


def test_every_row_of_the_library_is_mapped_or_has_a_reason() -> None:
    assert set(MAPPED) | set(REASONS) == set(FACTS["id"])
    assert not set(MAPPED) & set(REASONS)
    assert len(MAPPED) >= 230
    assert all(len(why) > 5 for why in REASONS.values())


def test_what_the_rules_name_is_there() -> None:
    for drug in RULES.drugs:
        if not drug.reason:
            name, _, arm = drug.like.partition(":")
            assert arm in read_protocol(name).arms
    for tumor in RULES.tumors:
        if not tumor.reason:
            read_protocol(tumor.calendar)
            for setting in tumor.settings:
                for histology in tumor.histologies:
                    for one in setting.shares:
                        for other in histology.shares:
                            read_population(tumor.population.format(setting=one, histology=other))


@pytest.mark.parametrize(
    ("dose", "schedule", "label"),
    [
        ("75 mg/m2 IV", "Q3W", "docetaxel 75 mg/m2 every 21 days"),
        ("", "", "docetaxel 75 mg/m2 every 21 days"),
        ("60mg/m2", "every 3 weeks", "docetaxel 60 mg/m2 every 21 days"),
        ("35 mg/m2", "weekly", "docetaxel 35 mg/m2 every 7 days"),
        ("75 mg/m2", "Q21D", "docetaxel 75 mg/m2 every 21 days"),
        ("60 or 75 mg/m2", "3-weekly", "docetaxel 67.5 mg/m2 every 21 days"),
        ("20 mg/m2 or 75 mg/m2", "Q3W", "docetaxel 20 mg/m2 every 21 days"),
    ],
)
def test_doses_and_schedules_are_read(dose: str, schedule: str, label: str) -> None:
    assert mapped(dose=dose, schedule=schedule).cohort.arms[0].label == label


def test_high_dose_il2_is_a_course_as_tolerated_before_anti_pd1() -> None:
    found = mapped(**HIGH_DOSE)
    part = found.cohort.arms[0].treatments[0]
    assert (part.course.doses, part.course.apart, part.every) == (9, pytest.approx(1 / 3), 14)
    assert part.max_duration == 28  # two cycles
    assert part.dose == "0.0405 mg/kg"  # 660,000 units
    assert dict(found.cohort.parts) == {"io_naive_cutaneous_melanoma": 1.0}
    assert any("as tolerated" in note for note in found.notes)
    once = mapped(**{**HIGH_DOSE, "dose": "600000 IU/kg", "schedule": "Q2W"})
    assert once.cohort.arms[0].label == "aldesleukin 0.037 mg/kg every 14 days"


def test_days_in_a_row_are_a_course_of_the_agent_that_has_courses() -> None:
    cells = {
        "drug": "nemvaleukin alfa",
        "dose": "6 ug/kg/day IV",
        "schedule": "D1-5 Q3W",
        "tumor": "melanoma",
    }
    cells |= {"histology": "all", "prior_io": "yes"}
    label = "nemvaleukin_alfa 6 ug/kg, 5 doses 24 h apart, every 21 days"
    assert mapped(**cells).cohort.arms[0].label == label
    beside = mapped(**cells, combination="pembrolizumab").cohort.arms[0]
    assert beside.label == f"{label} + pembrolizumab 200 mg every 21 days"
    assert [part.slot for part in beside.treatments] == ["drug", "competitor"]
    assert beside.treatments[1].course is None


def test_the_two_arms_of_a_combination_are_given_what_its_rows_say() -> None:
    """A row of a ratio names the combination, which is the regimen of the rows of its arm."""
    first, second = MAPPED["CMP-0412"].cohort.arms
    assert first == MAPPED["CMP-0405"].cohort.arms[0]._replace(n=391)
    assert [part.slot for part in first.treatments] == ["drug", "competitor"]
    assert (second.label, second.treatments[0].slot) == ("nivolumab 360 mg every 21 days", None)


@pytest.mark.parametrize("name", ["CMP-0573", "CMP-0575", "CMP-0591", "CMP-0597", "CMP-0405", "CMP-0626"])
def test_rows_of_the_il2_class_are_predicted(name: str) -> None:
    assert name in MAPPED


def test_a_bare_number_of_a_table_in_mg_per_kg_is_one() -> None:
    found = mapped(drug="IBI363", dose="1 or 1.5", schedule="", prior_io="yes", line="")
    assert found.cohort.arms[0].label.startswith("ibi363 1.25 mg/kg every 21 days")
    assert found.cohort.parts == (("io_resistant_squamous_nsclc", 1.0),)


@pytest.mark.parametrize(
    ("cells", "parts"),
    [
        (
            {"histology": "all (26% squamous)"},
            {"io_naive_squamous_nsclc": 0.26, "io_naive_nonsquamous_nsclc": 0.74},
        ),
        (
            {"histology": "all (57% non-squamous)"},
            {"io_naive_squamous_nsclc": 0.43, "io_naive_nonsquamous_nsclc": 0.57},
        ),
        (
            {"prior_io": "mixed (32% prior ICI)"},
            {"io_resistant_squamous_nsclc": 0.32, "io_naive_squamous_nsclc": 0.68},
        ),
        (
            {"prior_io": "8 of 9 checkpoint inhibitor"},
            {"io_resistant_squamous_nsclc": 8 / 9, "io_naive_squamous_nsclc": 1 / 9},
        ),
        ({"line": "1L"}, {"untreated_squamous_nsclc": 1.0}),
        ({"prior_io": "", "line": "post-IO"}, {"io_resistant_squamous_nsclc": 1.0}),
        (
            {"tumor": "melanoma", "histology": "acral", "drug": "pembrolizumab", "dose": "200 mg"},
            {"io_naive_acral_melanoma": 1.0},
        ),
        (
            {"tumor": "CRC", "histology": "adenocarcinoma", "line": "3L+", "drug": "placebo", "dose": ""},
            {"third_line_mss_colorectal": 1.0},
        ),
    ],
)
def test_populations_and_their_shares_are_read(cells: dict[str, object], parts: dict[str, float]) -> None:
    assert dict(mapped(**cells).cohort.parts) == pytest.approx(parts, abs=1e-5)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"tumor": "RCC"}, "tumor without population"),
        ({"line": "post EGFR-TKI"}, "no population with a driver"),
        ({"prior_io": "", "line": ""}, "neither line nor earlier immunotherapy"),
        ({"biomarker_subset": "elevated LDH"}, "no population describes"),
        ({"drug": "ramucirumab + docetaxel", "combination": "docetaxel"}, "combination not modeled"),
        ({"drug": "pembrolizumab", "combination": "carboplatin + paclitaxel"}, "combination not modeled"),
        ({"drug": "ipilimumab"}, "CTLA-4"),
        ({"drug": "unobtainium"}, "no card of this agent"),
        ({"dose": "75 parsecs"}, "dose not understood"),
        ({"dose": "0.1-3 mg/kg"}, "doses of a range"),
        ({"dose": ">=60 ug/kg"}, "doses of a range"),
        ({"schedule": "D1,D8 Q3W"}, "several days a cycle"),
        ({"schedule": "D1-5 Q3W"}, "several days a cycle"),
        ({"schedule": "Q8H up to 14 doses per cycle"}, "several days a cycle"),
        ({**HIGH_DOSE, "dose": "1,000-600,000 IU/kg"}, "doses of a range"),
        ({**HIGH_DOSE, "schedule": "D1-30 Q3W"}, "schedule not understood"),
        ({**HIGH_DOSE, "tumor": "RCC"}, "tumor without population"),
        ({"drug": "STK-012"}, "partial agonism"),
        ({"drug": "KY-0118"}, "without a card"),
        ({"schedule": "whenever"}, "schedule not understood"),
        ({"schedule": "Q900W"}, "schedule not understood"),
        ({"prior_io": "", "line": "2L+"}, "earlier immunotherapy not stated"),
        ({"tumor": "advanced solid tumors"}, "tumor without population"),
        ({"endpoint": "TRAE_G5"}, "deaths from treatment"),
        ({"endpoint": "mOS", "unit": "months", "value": float("inf")}, "without the length of follow-up"),
        ({"endpoint": "quality_of_life"}, "not simulated"),
        ({"endpoint": "mPFS"}, "in %, not in months"),
        ({"value": float("nan")}, "no figure"),
        ({"endpoint": "HR_OS", "unit": "ratio"}, "a ratio needs two arms"),
        ({"histology": "150% squamous"}, "beyond 0 to 100"),
        ({"n": 10**9}, "more than the 100,000"),
        ({"endpoint": "OS_999m"}, "later than 120 months"),
    ],
)
def test_what_cannot_be_predicted_says_why(cells: dict[str, object], said: str) -> None:
    assert said in reason(**cells)


@pytest.mark.parametrize(
    ("said", "unit", "endpoint"),
    [
        ("TRAE_G3plus", "%", "TRAE_G3plus"),
        ("treatment-related AE grade >=3", "%", "TRAE_G3plus"),
        ("irAE_G3plus", "%", "TRAE_G3plus"),
        ("TEAE_G3plus", "%", "TEAE_G3plus"),
        ("AE grade >= 3", "%", "TEAE_G3plus"),
        ("discontinuation_due_to_AE", "%", "stopped"),
        ("TRAE_discontinuation", "%", "stopped"),
        ("DCR", "%", "DCR"),
        ("CRR", "%", "CRR"),
        ("median DoR", "months", "mDOR"),
        ("DOR_12m", "%", "DOR_12m"),
        ("PFS rate at 9 months", "%", "PFS_9m"),
        ("OS-30m", "%", "OS_30m"),
    ],
)
def test_endpoints_have_many_names(said: str, unit: str, endpoint: str) -> None:
    assert mapped(endpoint=said, unit=unit).endpoint == endpoint


@pytest.mark.parametrize(
    ("cells", "parts"),
    [
        ({"tumor": "squamous NSCLC", "histology": ""}, {"io_naive_squamous_nsclc": 1.0}),
        ({"tumor": "lung adenocarcinoma", "histology": ""}, {"io_naive_nonsquamous_nsclc": 1.0}),
        ({"tumor": "LUSC", "histology": ""}, {"io_naive_squamous_nsclc": 1.0}),
        (
            {"tumor": "NSCLC", "histology": ""},
            {"io_naive_squamous_nsclc": 0.26, "io_naive_nonsquamous_nsclc": 0.74},
        ),
        (
            {"tumor": "mucosal melanoma", "histology": "", "drug": "sugemalimab", "dose": "1200 mg"},
            {"io_naive_mucosal_melanoma": 1.0},
        ),
        (
            {"tumor": "advanced solid tumors", "histology": "", "endpoint": "TRAE_G3plus"},
            {"io_naive_squamous_nsclc": 0.5, "io_naive_nonsquamous_nsclc": 0.5},
        ),
    ],
)
def test_the_histology_may_stand_in_the_tumor(cells: dict[str, object], parts: dict[str, float]) -> None:
    assert dict(mapped(**cells).cohort.parts) == pytest.approx(parts)


def test_a_median_that_was_not_reached_is_laid_beside_its_follow_up() -> None:
    found = mapped(endpoint="mOS", unit="months", value=float("inf"), follow_up_months="14")
    assert found.value == float("inf")
    assert found.cohort.follow_up == (7.0, 21.0)


def test_the_arms_of_a_ratio_may_stand_in_the_regimen() -> None:
    found = mapped(
        drug="nivolumab",
        regimen="nivolumab vs docetaxel",
        dose="",
        schedule="",
        endpoint="OS_HR",
        unit="ratio",
    )
    assert [arm.label.split()[0] for arm in found.cohort.arms] == ["nivolumab", "docetaxel"]
    assert found.endpoint == "HR_OS"


def test_two_arms_are_given_what_their_own_rows_say() -> None:
    rows = [
        ROW | {"trial_name": "T", "drug": "nivolumab", "dose": "3 mg/kg", "schedule": "Q2W", "id": "A0"},
        ROW | {"trial_name": "T", "drug": "nivolumab vs docetaxel", "dose": "", "schedule": "", "n": 272,
               "endpoint": "HR_OS", "value": 0.6, "unit": "ratio"},
    ]  # fmt: skip
    found, _ = map_rows(pd.DataFrame(rows), RULES)
    first, second = found["A1"].cohort.arms
    assert (first.label, first.n) == ("nivolumab 3 mg/kg every 14 days", 136)
    assert (second.label, second.n) == ("docetaxel 75 mg/m2 every 21 days", 136)


def test_the_number_of_patients_may_stand_in_another_row_of_the_arm() -> None:
    rows = [
        ROW | {"trial_name": "T", "id": "A0", "n": 77},
        ROW | {"trial_name": "T", "n": pd.NA, "endpoint": "DCR"},
    ]
    found, _ = map_rows(pd.DataFrame(rows), RULES)
    assert found["A1"].cohort.arms[0].n == 77
    assert found["A1"].scored
    alone = mapped(n=pd.NA)
    assert not alone.scored
    assert alone.cohort.arms[0].n == RULES.missing_n


def test_counts_become_shares_and_confirmation_is_heeded() -> None:
    found = mapped(endpoint="partial_responses", unit="patients", value=7, n=9)
    assert found.value == pytest.approx(700 / 9)
    assert mapped(note="2 PR, 1 unconfirmed").endpoint == "ORR_any"
    assert mapped().endpoint == "ORR"


def test_follow_up_cuts_short_cohorts_only() -> None:
    assert mapped(follow_up_months="10.0 (median)").cohort.follow_up == (5.0, 15.0)
    assert mapped(follow_up_months="12 (minimum)").cohort.follow_up == (12.0, 18.0)
    assert mapped(follow_up_months="60 (minimum)").cohort.follow_up is None
    assert mapped(follow_up_months="").cohort.follow_up is None


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "drug",
                "regimen",
                "dose",
                "schedule",
                "combination",
                "tumor",
                "histology",
                "line",
                "prior_io",
                "biomarker_subset",
                "endpoint",
                "follow_up_months",
                "note",
                "trial_name",
            ]
        ),
        st.text(alphabet=string.printable + "µ≥–", max_size=400),
        max_size=4,
    )
)
def test_no_text_of_a_stranger_breaks_the_mapping(cells: dict[str, str]) -> None:
    found, reasons = map_rows(pd.DataFrame([ROW | cells]), RULES)
    assert len(found) + len(reasons) == 1


def test_a_pattern_that_is_none_is_named(tmp_path: Path) -> None:
    text = (
        catalog.find("mappings", "clinic")
        .read_text()
        .replace("match = 'ipilimumab|tremelimumab|cadonilimab|botensilimab'", "match = '('")
    )
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(CardEntryError, match="no regular expression"):
        read_rules(tmp_path / "mine.toml")
