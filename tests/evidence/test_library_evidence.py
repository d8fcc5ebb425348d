"""The library's facts: complete, sourced, and each with one use."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import twoarm
from twoarm.evidence.read import read_curves, read_evidence, read_program, read_trials
from twoarm.evidence.use import decide_use

NAMES = ["ibi363", "comparators", "oak_squamous", "oak_nonsquamous"]
FACTS = read_evidence(NAMES)
FOLDER = Path(twoarm.__file__).parent / "library" / "evidence"


def test_no_row_was_lost() -> None:
    counts = [len(read_evidence(name)) for name in NAMES]
    assert counts == [36, 518, 10, 10]
    assert FACTS["id"].is_unique


def test_every_verified_fact_has_an_address_and_was_not_recalled() -> None:
    sound = FACTS[FACTS["verified"]]
    assert len(sound) == 424
    assert sound["source_url"].str.match(r"https?://[\w.-]+").all()
    assert not sound["note"].str.contains("recalled", case=False).any()
    assert (FACTS.loc[~FACTS["verified"], "use"] == "none").all()


def test_every_fact_names_its_source() -> None:
    assert (FACTS["source_title"].str.len() > 5).all()
    efficacy = FACTS[(FACTS["use"] == "calibrate") & (FACTS["endpoint"] != "TRAE_G3plus")]
    assert (efficacy["source"] == "gandara2018").all()
    nameless = FACTS[FACTS["source_url"] == ""]
    assert not nameless["verified"].any()


def test_every_fact_has_one_use_and_a_reason() -> None:
    assert set(FACTS["use"]) == {"calibrate", "validate", "none"}
    assert (FACTS["use_reason"].str.len() > 5).all()


def test_the_reference_molecule_is_never_fitted() -> None:
    reference = FACTS[FACTS["drug"].str.contains("IBI363|TAK-928")]
    assert len(reference) >= 30
    assert "calibrate" not in set(reference["use"])
    assert set(reference.loc[reference["use"] == "validate", "id"]) == {
        "C012", "C013", "C028", "C029", "C039", "C040", "C041",
    }  # fmt: skip


def test_efficacy_is_fitted_to_both_arms_of_oak_and_grades_to_checkmate_017() -> None:
    fitted = FACTS[FACTS["use"] == "calibrate"]
    severe = fitted["endpoint"] == "TRAE_G3plus"
    columns = ["trial_name", "drug", "histology"]
    assert set(fitted.loc[~severe, columns].itertuples(index=False, name=None)) == {
        ("OAK", drug, histology)
        for drug in ("docetaxel", "atezolizumab")
        for histology in ("squamous", "non-squamous")
    }
    assert set(fitted.loc[severe, columns].itertuples(index=False, name=None)) == {
        ("CheckMate 017", "docetaxel", "squamous"),
        ("CheckMate 017", "nivolumab", "squamous"),
    }


def test_nothing_is_both_fitted_and_checked() -> None:
    keys = ["trial_id", "drug", "tumor", "histology", "endpoint", "biomarker_subset"]
    fitted, checked = (
        set(FACTS.loc[FACTS["use"] == use, keys].itertuples(index=False, name=None))
        for use in ("calibrate", "validate")
    )
    assert not fitted & checked
    # a ratio against a fitted arm is half fitted
    ratios = FACTS[FACTS["unit"].eq("ratio") & FACTS["trial_name"].str.startswith("OAK")]
    assert len(ratios) > 0
    assert (ratios["use"] == "none").all()


def test_what_is_checked_can_be_scored() -> None:
    checked = FACTS[FACTS["use"] == "validate"]
    assert (checked["n"].notna() | checked["ci_low"].notna()).all()


def test_uses_of_comparators_are_those_of_the_rules() -> None:
    facts = read_evidence("comparators")
    decided = decide_use(facts)
    assert decided["use"].tolist() == facts["use"].tolist()
    assert decided["use_reason"].tolist() == facts["use_reason"].tolist()
    assert (decided["use"] == "validate").sum() > 300


def test_a_rule_holds_for_what_no_rule_before_it_fits(tmp_path: Path) -> None:
    facts = read_evidence("oak_squamous").iloc[:3]
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[[rules]]\nids = ["OAK-SQ-02"]\nuse = "calibrate"\nreason = "as asked"\n'
        '[[rules]]\ntrial_name = "oak"\nuse = "validate"\nreason = "the others"\n'
    )
    decided = decide_use(facts, tmp_path / "mine.toml")
    assert decided["use"].tolist() == ["validate", "calibrate", "validate"]


@pytest.mark.parametrize("column", ["value", "ci_low", "ci_high"])
def test_numbers_are_in_the_range_of_their_unit(column: str) -> None:
    numbers = FACTS[column].replace(np.inf, np.nan)
    assert (numbers[FACTS["unit"] == "%"].dropna() <= 100).all()
    assert (numbers[FACTS["unit"] == "months"].dropna() < 200).all()


def test_counts_agree_with_their_percentage() -> None:
    counted = FACTS[FACTS["events"].notna() & (FACTS["unit"] == "%")]
    share = 100 * counted["events"].astype(float) / counted["n"].astype(float)
    assert len(counted) > 50
    assert ((share - counted["value"]).abs() <= 0.5).all()


@pytest.mark.parametrize("name", ["oak_squamous", "oak_nonsquamous"])
def test_oak_curves_fall_and_agree_with_the_medians(name: str) -> None:
    curves, facts = read_curves(f"{name}_km"), read_evidence(name)
    assert set(curves["use"]) == {"calibrate"}
    assert set(curves["drug"]) == {"atezolizumab", "docetaxel"}
    for drug, arm in curves.groupby("drug"):
        assert arm["month"].is_monotonic_increasing
        for endpoint, row in (("PFS", "mPFS"), ("OS", "mOS")):
            assert arm[endpoint].is_monotonic_decreasing
            assert arm[endpoint].iloc[0] == 1
            median = facts.loc[(facts["drug"] == drug) & (facts["endpoint"] == row), "value"].item()
            below = arm.loc[arm[endpoint] < 0.5, "month"].min()
            assert below - 1 <= median <= below


def test_program_and_trials_are_complete() -> None:
    events, trials = read_program("ibi363_program"), read_trials("ibi363_trials")
    assert (len(events), len(trials)) == (27, 13)
    assert (events["verified"].sum(), trials["verified"].sum()) == (24, 11)
    assert (events["source_url"].str.len() > 0).equals(events["verified"])
    phase3 = trials[trials["trial_id"] == "NCT07217301"].iloc[0]
    assert phase3["n_planned"] == "600"
    assert "docetaxel" in phase3["arms"]


def test_spelling_is_that_of_the_house() -> None:
    for path in FOLDER.glob("*.csv"):
        header = path.read_text().splitlines()[0]
        assert not re.search("tumour|randomis", header)
    assert (
        not FACTS[["tumor", "histology", "biomarker_subset", "line"]]
        .map(lambda t: "tumour" in t)
        .any(axis=None)
    )
