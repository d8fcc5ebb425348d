"""Regimens: words to nmol and days, plans, rows for the engine, and each patient's own clearance."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm import doses
from twoarm.errors import (
    DoseLevelError,
    MissingColumnError,
    NoSlotError,
    QuantityRangeError,
    RegimenError,
    SlotTakenError,
    UnitError,
)
from twoarm.molecule import draw_cards, read_molecule
from twoarm.regimen import Regimen, combine

FUSION = read_molecule("ibi363")
ANTIBODY = read_molecule("pembrolizumab")
CYTOTOXIC = read_molecule("docetaxel")


@pytest.fixture
def patients():
    return pd.DataFrame(
        {
            "weight": [50.0, 76.8, 90.0],
            "body_surface": [1.5, 1.8, 2.0],
            "albumin": [30.0, 40.0, 45.0],
            "clearance_factor": [1.0, 1.0, 2.0],
            "volume_factor": [1.0, 1.0, 0.5],
            "cytotoxic_clearance_factor": [1.0, 3.0, 1.0],
        },
        index=pd.Index([7, 3, 12], name="patient"),
    )


@pytest.fixture
def primed():
    return Regimen(
        FUSION,
        dose="3 mg/kg",
        every="3 weeks",
        start_day=7,
        priming=[("0.1 mg/kg", 0)],
        infusion="1 h",
        max_duration="24 months",
        reductions=("1.5 mg/kg", "1 mg/kg"),
        reprime_after="5 weeks",
        reprime_after_priming="10 days",
    )


def test_milligrams_become_nanomoles_by_the_mass_of_the_card(patients, primed):
    assert primed.amounts(patients) == pytest.approx(3 * patients.weight.to_numpy() / 170 * 1000)
    assert Regimen(ANTIBODY, "200 mg").amounts(patients) == pytest.approx([200 / 149 * 1000] * 3)
    assert Regimen(CYTOTOXIC, "75 mg/m2").amounts(patients) == pytest.approx(
        75 * patients.body_surface.to_numpy() / 0.808 * 1000
    )
    assert Regimen(FUSION, "10 ug/kg").amounts(patients) == pytest.approx(primed.amounts(patients) / 300)
    assert Regimen(FUSION, "5 nmol").amounts(patients) == pytest.approx([5.0] * 3)


def test_the_mass_of_a_draw_counts(patients):
    row = draw_cards(FUSION, 1, 4).iloc[0]
    drawn = Regimen(FUSION, "3 mg/kg", draw=row)
    assert drawn.amounts(patients) == pytest.approx(3 * patients.weight.to_numpy() / row["mass"] * 1000)


def test_levels_are_the_dose_and_its_reductions(patients, primed):
    full, first, second = (primed.amounts(patients, level) for level in range(3))
    assert full == pytest.approx(2 * first)
    assert full == pytest.approx(3 * second)
    with pytest.raises(DoseLevelError, match="Level 0 is the full dose and the last is 2"):
        primed.amounts(patients, 3)
    with pytest.raises(DoseLevelError):
        primed.amounts(patients, -1)


def test_the_plan_is_priming_then_doses(primed):
    plan = primed.schedule(until=60)
    assert [(dose.day, dose.dose, dose.purpose) for dose in plan] == [
        (0.0, "0.1 mg/kg", "priming"),
        (7.0, "3 mg/kg", "dose"),
        (28.0, "3 mg/kg", "dose"),
        (49.0, "3 mg/kg", "dose"),
    ]


def test_a_loading_dose_stands_in_for_the_first(patients):
    loaded = Regimen(ANTIBODY, "2 mg/kg", "3 weeks", loading="10 mg/kg", max_doses=3)
    assert [dose.dose for dose in loaded.schedule()] == ["10 mg/kg", "2 mg/kg", "2 mg/kg"]
    rows = doses.expand(loaded.dose_rows(patients))
    of_first = rows.amount[rows.patient == 7]
    assert of_first / of_first[-1] == pytest.approx([5, 1, 1])


@pytest.mark.parametrize(
    ("duration", "count"), [("24 months", 35), ("21 days", 1), ("22 days", 2), ("42 days", 2)]
)
def test_no_dose_at_the_end_of_the_duration(duration, count):
    assert len(Regimen(ANTIBODY, "200 mg", "3 weeks", max_duration=duration).schedule()) == count


def test_without_interval_there_is_one_dose(patients):
    once = Regimen(ANTIBODY, "200 mg", start_day="2 weeks")
    assert [dose.day for dose in once.schedule()] == [14.0]
    assert once.dose_rows(patients).addl.tolist() == [0, 0, 0]


@settings(max_examples=30, deadline=None)
@given(
    every=st.integers(1, 60),
    start=st.integers(0, 30),
    count=st.integers(1, 12),
    primings=st.integers(0, 2),
    loading=st.booleans(),
    course=st.integers(1, 4),
)
def test_rows_expand_to_the_plan(every, start, count, primings, loading, course):
    first = start + primings
    several = {"doses_per_course": course, "apart": "5 h"} if course > 1 else {}
    regimen = Regimen(
        FUSION,
        "3 mg/kg",
        f"{every} day",
        start_day=first,
        priming=[("0.1 mg/kg", day) for day in range(primings)],
        loading="5 mg/kg" if loading else None,
        max_doses=count,
        **several,
    )
    patients = pd.DataFrame({"weight": [60.0, 70.0]}, index=[4, 2])
    rows = doses.expand(regimen.dose_rows(patients))
    plan = regimen.schedule()
    for label in patients.index:
        mine = rows.patient == label
        amounts = [regimen.amounts_of(dose.dose, patients.loc[[label]])[0] for dose in plan]
        assert rows.time[mine] == pytest.approx([dose.day for dose in plan])
        assert rows.amount[mine] == pytest.approx(amounts)
        assert set(rows.state[mine]) == {"drug_central"}


def test_a_course_is_several_doses_each_time(patients):
    regimen = Regimen(
        ANTIBODY,
        "200 mg",
        "2 weeks",
        doses_per_course=3,
        apart="8 h",
        max_duration="4 weeks",
        loading="400 mg",
    )
    plan = regimen.schedule()
    assert [dose.day for dose in plan] == pytest.approx([0, 1 / 3, 2 / 3, 14, 14 + 1 / 3, 14 + 2 / 3])
    assert [dose.purpose for dose in plan] == ["loading", *["dose"] * 5]
    assert [dose.day for dose in regimen.schedule(until=14.5)] == pytest.approx(
        [0, 1 / 3, 2 / 3, 14, 14 + 1 / 3]
    )
    once = Regimen(ANTIBODY, "200 mg", doses_per_course=5, apart="1 day")
    assert [dose.day for dose in once.schedule()] == [0, 1, 2, 3, 4]
    rows = once.dose_rows(patients)
    assert rows[["ii", "addl"]].to_numpy().tolist() == [[1, 4]] * 3


def test_a_course_stands_in_few_rows(patients):
    """Of few courses each is a row; of many, each dose of the course."""
    few = Regimen(ANTIBODY, "200 mg", "2 weeks", doses_per_course=14, apart="8 h", max_doses=28)
    assert few.dose_rows(patients.iloc[:1]).addl.tolist() == [13, 13]
    many = Regimen(ANTIBODY, "200 mg", "2 weeks", doses_per_course=2, apart="8 h", max_doses=100)
    rows = many.dose_rows(patients.iloc[:1])
    assert rows[["time", "ii", "addl"]].to_numpy() == pytest.approx(np.array([[0, 14, 49], [1 / 3, 14, 49]]))


def test_rows_are_by_patient_and_time(patients, primed):
    rows = primed.dose_rows(patients)
    assert rows.id.tolist() == [3, 3, 7, 7, 12, 12]
    assert rows.time.tolist() == [0.0, 7.0] * 3
    assert rows.dur.tolist() == pytest.approx([1 / 24] * 6)
    assert rows.ii.tolist() == [0.0, 21.0] * 3


def test_one_dose_to_some_patients_on_their_own_days(patients, primed):
    some = patients.loc[[12, 7]]
    rows = primed.dose_row(some, [30.0, 31.0], "1 mg/kg")
    assert rows.id.tolist() == [12, 7]
    assert rows.time.tolist() == [30.0, 31.0]
    assert rows.amt.tolist() == pytest.approx(primed.amounts(some, 2).tolist())


def test_slots_choose_the_state(patients):
    assert Regimen(FUSION, "1 mg").target == "drug_central"
    assert Regimen(ANTIBODY, "1 mg", slot="competitor").target == "competitor_central"
    assert Regimen(CYTOTOXIC, "75 mg/m2").target == "cytotoxic_central"
    with pytest.raises(NoSlotError):
        Regimen(FUSION, "1 mg", slot="cytotoxic")


def test_under_the_skin_goes_to_the_depot_with_its_share(patients):
    regimen = Regimen(read_molecule("aldesleukin"), "1 mg", route="subcutaneous")
    rows = regimen.dose_rows(patients)
    assert set(rows.cmt) == {"drug_depot"}
    assert set(rows.bioavailability) == {0.3}
    assert doses.expand(rows).amount == pytest.approx([0.3 / 15.3 * 1000] * 3)


# --- individual parameters ---


def test_the_reference_patient_has_the_values_of_the_card(patients):
    own = Regimen(ANTIBODY, "200 mg").parameters(patients).loc[3]
    assert own[["drug_cl", "drug_vc", "drug_q", "drug_vp"]].tolist() == pytest.approx(
        [0.22, 3.48, 0.795, 4.06]
    )


def test_covariates_act_by_the_exponents_of_the_card(patients):
    own = Regimen(ANTIBODY, "200 mg").parameters(patients)
    weight, albumin = 50 / 76.8, 30 / 40
    assert own.loc[7, "drug_cl"] == pytest.approx(0.22 * weight**0.595 * albumin**-0.907)
    assert own.loc[7, "drug_vc"] == pytest.approx(3.48 * weight**0.489 * albumin**-0.208)
    assert own.loc[7, "drug_q"] == pytest.approx(0.795 * weight**0.595)
    assert own.loc[7, "drug_vp"] == pytest.approx(4.06 * weight**0.489)


def test_own_factors_multiply(patients):
    own = Regimen(ANTIBODY, "200 mg").parameters(patients)
    typical = Regimen(ANTIBODY, "200 mg").parameters(
        patients.drop(columns=["clearance_factor", "volume_factor"])
    )
    assert (own.drug_cl / typical.drug_cl).tolist() == pytest.approx([1, 1, 2])
    assert (own.drug_vp / typical.drug_vp).tolist() == pytest.approx([1, 1, 0.5])
    cytotoxic = Regimen(CYTOTOXIC, "75 mg/m2").parameters(patients)
    assert cytotoxic.cytotoxic_cl.tolist() == pytest.approx([864, 2592, 864])
    assert cytotoxic.cytotoxic_vc.nunique() == 1


def test_what_was_taken_as_in_the_reference_patient_is_said(patients):
    whole = patients.assign(ada_susceptibility=0.5, female=0, ecog=0, lung=0, sld_baseline=89.6, egfr=88.5)
    assert Regimen(ANTIBODY, "200 mg").parameters(whole).attrs["as_reference"] == []
    bare = Regimen(ANTIBODY, "200 mg").parameters(pd.DataFrame(index=[0, 1]))
    own = ["weight", "albumin", "clearance_factor", "volume_factor", "ada_susceptibility"]
    effects = ["female", "ecog", "lung", "sld_baseline", "egfr"]
    assert sorted(set(bare.attrs["as_reference"])) == sorted([*own, *effects])
    assert bare.drug_cl.tolist() == pytest.approx([0.22, 0.22])


def test_anti_drug_antibodies_follow_the_card():
    """The same patients make them or not by the card's incidence; nobody does where a card has none."""
    ranks = pd.DataFrame({"ada_susceptibility": [0.1, 0.3, 0.9]})
    fusion = read_molecule("ibi363")
    often = fusion.with_values({"immunogenicity.ada_incidence": 0.5})
    assert Regimen(fusion, "3 mg/kg").parameters(ranks).ada.tolist() == [1, 0, 0]
    assert Regimen(often, "3 mg/kg").parameters(ranks).ada.tolist() == [1, 1, 0]
    assert Regimen(fusion, "3 mg/kg").parameters(pd.DataFrame(index=[0])).ada.tolist() == [0]


@given(st.floats(30, 150), st.floats(30, 150))
def test_heavier_patients_clear_more(one, other):
    light, heavy = sorted((one, other))
    own = Regimen(ANTIBODY, "200 mg").parameters(pd.DataFrame({"weight": [light, heavy]}))
    assert own.drug_cl[0] <= own.drug_cl[1]
    assert np.isfinite(own.to_numpy()).all()


# --- refusals ---


@pytest.mark.parametrize("dose", ["3 mgs/kg", "3", "3 nM", "3 days", "", None, "mg"])
def test_what_is_no_dose_is_refused(dose):
    with pytest.raises(UnitError, match='regimen of "ibi363"'):
        Regimen(FUSION, dose)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dose": "-3 mg/kg"},
        {"dose": "0 mg"},
        {"dose": "3 mg", "every": "0 weeks"},
        {"dose": "3 mg", "start_day": -1},
        {"dose": "3 mg", "start_day": float("nan")},
        {"dose": "3 mg", "infusion": "-1 h"},
        {"dose": "3 mg", "doses_per_course": 2, "apart": "0 h"},
        {"dose": "3 mg", "every": "3 weeks", "max_duration": "-1 day"},
        {"dose": "3 mg", "reductions": ["-1 mg"]},
        {"dose": "3 mg", "start_day": 3, "priming": [("-1 mg", 0)]},
    ],
)
def test_what_cannot_be_is_refused_at_once(wrong):
    with pytest.raises((QuantityRangeError, UnitError)):
        Regimen(FUSION, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"priming": [("0.1 mg/kg", 0)]},
        {"max_doses": 3},
        {"max_duration": "1 year"},
        {"every": "1 day", "infusion": "25 h"},
        {"every": "1 day", "max_doses": 0},
        {"route": "subcutaneous"},
        {"route": "oral"},
        {"doses_per_course": 0},
        {"doses_per_course": 2.0, "apart": "8 h"},
        {"doses_per_course": 5},
        {"apart": "8 h"},
        {"doses_per_course": 5, "apart": "1 day", "every": "4 days"},
        {"doses_per_course": 5, "apart": "1 day", "every": "100 h", "infusion": "5 h"},
        {"doses_per_course": 2, "apart": "1 h", "infusion": "2 h"},
        {"doses_per_course": 2, "apart": "1 h", "max_doses": 3},
    ],
)
def test_parts_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(RegimenError, match='of the regimen of "ibi363"'):
        Regimen(FUSION, "3 mg/kg", **wrong)


def test_a_missing_or_broken_size_is_named(patients):
    with pytest.raises(MissingColumnError, match=r'"weight".*3 mg/kg'):
        Regimen(FUSION, "3 mg/kg").amounts(patients.drop(columns="weight"))
    for value in (np.nan, 0.0, -70.0, np.inf):
        with pytest.raises(QuantityRangeError, match="patient 3"):
            Regimen(FUSION, "3 mg/kg").amounts(patients.assign(weight=[60.0, value, 70.0]))


def test_a_regimen_is_frozen(primed):
    with pytest.raises(AttributeError):
        primed.dose = "9 mg/kg"


def test_a_combination_gives_each_slot_one_molecule():
    fusion, antibody = Regimen(FUSION, "1 mg/kg"), Regimen(ANTIBODY, "200 mg")
    with pytest.raises(SlotTakenError, match='ibi363 and pembrolizumab both fill the slot "drug"'):
        combine(fusion, antibody)
    beside = Regimen(ANTIBODY, "200 mg", slot="competitor")
    assert combine(fusion, beside) == (fusion, beside)


def test_covariates_of_the_card_change_clearance_and_volume():
    """Folds where they apply, powers of the patient's value over the reference."""
    patients = pd.DataFrame(
        {
            "weight": 76.8,
            "albumin": 40.0,
            "female": [0, 1, 0, 0, 0],
            "lung": [0, 0, 1, 0, 0],
            "ecog": [0, 0, 0, 1, 0],
            "sld_baseline": [89.6, 89.6, 89.6, 89.6, 2 * 89.6],
            "egfr": 88.5,
        }
    )
    told = Regimen(ANTIBODY, "200 mg").parameters(patients)
    assert (told.drug_cl / 0.22).tolist() == pytest.approx([1, 0.848, 1.145, 0.926, 2**0.0872])
    assert (told.drug_vc / 3.48).tolist() == pytest.approx([1, 0.866, 1, 1, 1])


def test_clearance_changes_with_time_as_the_card_and_the_patient_say():
    card = read_molecule("nivolumab")
    told = Regimen(card, "3 mg/kg").parameters(pd.DataFrame({"clearance_change": [0.0, 0.1]}))
    assert told.drug_change_cl.tolist() == pytest.approx([-0.295, -0.195])
    assert told.drug_change_half.tolist() == pytest.approx([58.75, 58.75])
    assert Regimen(ANTIBODY, "200 mg").parameters(pd.DataFrame(index=[0])).drug_change_cl[0] == 0
