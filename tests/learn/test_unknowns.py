"""What is not known: ranges come from files, the middle is the library, points reach where they should."""

import numpy as np
import pytest

import twoarm as ta
from twoarm import catalog
from twoarm.errors import NoUnknownError
from twoarm.learn.lab import Recipe, lab_of
from twoarm.learn.posterior import ties_of
from twoarm.learn.screen import read_screen
from twoarm.learn.unknowns import (
    GROUPS,
    Known,
    matching,
    molecules_of,
    setting_at,
    shifted,
    unknowns_of,
)
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import read_population
from twoarm.study.card import read_study
from twoarm.trial.outcomes import outcomes_text, read_outcomes


@pytest.fixture(scope="module")
def known():
    study, protocol = read_study("marslight-11")
    return Known(
        protocol=protocol,
        molecules=molecules_of(protocol),
        model=ta.read_model(study.model),
        biology=study.model,
        population=read_population(protocol.population),
        clinic=outcomes_text(catalog.find("outcomes", protocol.outcomes)),
        doubt=read_screen("trial").population,
    )


def test_every_group_has_unknowns_and_every_name_is_given_once(known):
    found = unknowns_of(known)
    assert {each.group for each in found} == set(GROUPS)
    assert len({each.name for each in found}) == len(found)
    assert all(each.low < each.high and 0 <= each.middle <= 1 for each in found)


def test_a_card_gives_its_own_ranges(known):
    found = {each.place: each for each in unknowns_of(known, ["card"])}
    card = ta.read_molecule("ibi363")
    drawn = [name for name, entry in card.entries().items() if entry.is_drawn]
    assert set(found) == {f"ibi363.{name}" for name in drawn}
    kd = found["ibi363.pd1_arm.kd"]
    assert (kd.low, kd.high, kd.scale) == (0.05, 5.0, "log")
    point = {"card:ibi363.pd1_arm.kd": 0.25}
    cards = setting_at(known, list(found.values()), point).cards
    assert cards["ibi363"]["pd1_arm.kd"] == pytest.approx(0.05 * 100**0.25)


def test_what_a_card_or_a_patient_sets_is_no_unknown_of_the_biology(known):
    names = {each.place for each in unknowns_of(known, ["biology"])}
    patients = set(draw_patients(known.population, n=1, seed=0).columns)
    assert not names & patients
    assert not {name for name in names if name.startswith(("drug_", "competitor_"))}
    assert "k_kill" in names


def test_the_middle_is_the_library(known):
    found = unknowns_of(known)
    middle = setting_at(known, found, {each.name: each.middle for each in found})
    for name, value in middle.parameters.items():
        assert value == pytest.approx(
            dict(zip(known.model.parameters, known.model.values, strict=True))[name], rel=1e-6
        )
    assert middle.outcomes.survival.intercept == pytest.approx(
        read_outcomes(known.protocol.outcomes).survival.intercept
    )
    assert middle.cards["ibi363"] == pytest.approx(dict(ta.read_molecule("ibi363").nominal()))
    people, said = (
        draw_patients(population, n=6, seed=3) for population in (middle.population, known.population)
    )
    assert people["il2ra_effector"].to_numpy() == pytest.approx(said["il2ra_effector"].to_numpy())


def test_a_shift_moves_everybody_and_keeps_their_order(known):
    before = draw_patients(known.population, n=40, seed=3)
    after = draw_patients(shifted(known.population, {"il2ra_effector": 1.0}), n=40, seed=3)
    assert (after["il2ra_effector"] > before["il2ra_effector"]).all()
    assert np.argsort(after["il2ra_effector"]).to_list() == np.argsort(before["il2ra_effector"]).to_list()
    assert after["killing"].to_numpy() == pytest.approx(before["killing"].to_numpy())


def test_the_clinical_link_takes_values_in_its_own_units(known):
    found = unknowns_of(known, ["clinic"])
    hazard = next(each for each in found if each.place == "new_lesions.hazard")
    setting = setting_at(known, found, {hazard.name: 1.0, "clinic:survival.dropout": 0.0})
    assert setting.outcomes.new_lesions.hazard == pytest.approx(hazard.high)
    assert setting.outcomes.survival.dropout == pytest.approx(
        next(each for each in found if each.place == "survival.dropout").low / 365.25, rel=1e-3
    )


def test_measurements_of_the_screen_name_unknowns_or_courses(known):
    found = unknowns_of(known)
    for measurement in read_screen("trial").measurements:
        assert bool(matching(found, measurement.unknowns)) == bool(measurement.unknowns)
        assert {each.course for each in measurement.readings} <= set(known.model.outputs)


@pytest.fixture(scope="module")
def fitted():
    return lab_of(Recipe("marslight-11", ("population", "clinic"), "trial", None, 1, "frozen"))


def test_what_was_fitted_is_spread_over_its_posterior(fitted, known):
    """Quantiles of the ensemble by its weights, counted here by sorting; nothing fitted has a range."""
    frozen = fitted.known.frozen
    found = {each.name: each for each in fitted.unknowns if each.scale == "posterior"}
    tied = [field for tie in ties_of(frozen) for field in tie]
    assert len(tied) == len(set(tied)) == (frozen.ensemble.drop(columns="weight").nunique() > 1).sum()
    assert len(found) == len(ties_of(frozen))
    one = found["clinic:survival.intercept"]
    table = frozen.ensemble.sort_values("outcomes:survival.intercept")
    below = np.cumsum(table["weight"]) <= 0.05
    assert abs(one.low - table["outcomes:survival.intercept"][~below].iloc[0]) < 0.05
    clinic = {each.place for each in fitted.unknowns if each.group == "clinic"}
    assert sum(place == "survival.intercept" for place in clinic) == 1
    stated = {each.place: each for each in unknowns_of(known, ["clinic"])}["survival.intercept"]
    assert one.high - one.low < stated.high - stated.low


def test_a_quantile_reaches_population_and_clinical_link(fitted):
    frozen = fitted.known.frozen
    tie = next(tie for tie in ties_of(frozen) if tie[0].startswith("il2_tumor"))
    name = f"population:{tie[0]}"
    settings = [setting_at(fitted.known, fitted.unknowns, {name: u}) for u in (0.1, 0.9)]
    low, high = (draw_patients(each.population, n=20, seed=3)["il2_tumor"] for each in settings)
    assert len(tie) == 3
    assert (low < high).all()
    link = [
        setting_at(
            fitted.known, fitted.unknowns, {"clinic:survival.intercept": u}
        ).outcomes.survival.intercept
        for u in (0.1, 0.9)
    ]
    assert link[0] < link[1]


def test_without_a_fit_the_file_is_what_varies(known):
    lab = lab_of(Recipe("marslight-11", ("population", "clinic"), "trial", None, 1, "prior"))
    assert lab.known.frozen is None
    assert [each.name for each in lab.unknowns] == [
        each.name for each in unknowns_of(known, ["population", "clinic"])
    ]
    assert lab.said == {"which": "prior", "name": "io_resistant_squamous_nsclc"}


def test_no_range_is_said(known):
    fixed = known._replace(molecules={"docetaxel": ta.read_molecule("docetaxel")})
    with pytest.raises(NoUnknownError, match="no number with a range"):
        unknowns_of(fixed, ["card"])
