"""From a calibration file to populations."""

from dataclasses import replace

import numpy as np
import pytest

from twoarm import catalog
from twoarm.errors import CardEntryError, FitFieldError, FitTargetError
from twoarm.fit.card import Parameter, read_calibration
from twoarm.fit.knobs import fields_of, moved, read_texts, values_at
from twoarm.fit.targets import Reading, covariance, read_targets
from twoarm.frozen.fields import member_of, read_field

NAMES = ["oak_squamous", "oak_nonsquamous"]


@pytest.fixture(params=NAMES)
def calibration(request):
    return read_calibration(request.param)


def test_every_parameter_has_its_field_and_its_prior_at_the_value_of_the_file(calibration):
    texts = read_texts(calibration)
    fields = fields_of(calibration, texts)
    assert fields["infiltration"] == [
        f"infiltration.{case}.median" for case in ("inflamed", "excluded", "desert")
    ]
    for name in ("doubling_time", "killing", "exhausted_share", "cytotoxic_sensitivity"):
        assert read_field(texts, fields[name][0]) == pytest.approx(calibration.parameters[name].value)


def test_low_and_high_are_the_central_95_percent(calibration):
    for parameter in calibration.parameters.values():
        low, high = parameter.natural(np.array([-1.96, 1.96]))
        if parameter.scale == "linear":
            assert high - low == pytest.approx(parameter.high - parameter.low, rel=1e-3)
        assert float(parameter.natural(0.0)) == pytest.approx(parameter.value)


def test_what_exceeds_a_limit_is_lognormal_and_never_reaches_it():
    """Half of the members of a fit had a limit of non-target growth below 1, which no file may say."""
    limit = read_calibration("oak_squamous").parameters["non_target_limit"]
    drawn = limit.natural(np.array([-6.0, -1.96, 0.0, 1.96]))
    assert drawn.min() > 1
    assert drawn[2] == pytest.approx(limit.value)
    excess = drawn[[1, 3]] - 1
    assert np.log(excess[1] / excess[0]) == pytest.approx(np.log(0.65 / 0.1), rel=1e-3)
    assert limit.shifted(1.7, 1.35, 1.175) == pytest.approx(1.35)  # half of the excess there, half of it here


@pytest.mark.parametrize("said", [{"above": 0.1}, {"above": 0.02, "scale": "logit"}])
def test_a_scale_begins_below_what_is_believed_and_only_where_it_is_logarithmic(said):
    plain = {
        "fields": ("a.b",),
        "value": 0.2,
        "low": 0.05,
        "high": 0.5,
        "unit": "-",
        "source": "assumed",
        "note": "n",
    }
    Parameter(**plain)
    with pytest.raises(ValueError, match="above"):
        Parameter(**plain, **said)


def test_a_field_that_is_not_said_changes_no_digest():
    dumped = read_calibration("oak_nonsquamous").model_dump()["parameters"]
    assert not any("above" in each for each in dumped.values())
    assert read_calibration("oak_squamous").model_dump()["parameters"]["non_target_limit"]["above"] == 1


def test_any_point_of_the_prior_is_a_population(calibration):
    texts = read_texts(calibration)
    for z in np.random.default_rng(2).normal(size=(5, len(calibration.parameters))):
        member = member_of(moved(calibration, texts, z))
        values = values_at(calibration, texts, z)
        assert member.population.variables["killing"].shape.median == values["killing.median"]
        shares = member.population.variables["phenotype"].shape.probabilities
        assert sum(shares.values()) == pytest.approx(1)
        assert shares["inflamed"] == pytest.approx(values["phenotype.inflamed"])
        assert shares["excluded"] / shares["desert"] == pytest.approx(0.35 / 0.20, rel=0.3)
        assert member.outcomes.new_lesions.hazard == pytest.approx(values["outcomes:new_lesions.hazard"])


def test_the_files_are_left_as_they_are(calibration):
    texts = read_texts(calibration)
    before = read_field(texts, "killing.median")
    moved(calibration, texts, np.ones(len(calibration.parameters)))
    assert read_field(texts, "killing.median") == before


def test_only_what_may_be_fitted_is_fitted(calibration):
    for readings in read_targets(calibration).values():
        assert all(0 <= reading.value <= 1 and reading.n > 1 for reading in readings)
        assert {reading.what for reading in readings} >= {"PFS", "OS", "ORR_evaluable", "best_change"}
        assert any(not reading.fitted for reading in readings) or readings[0].cohort == "docetaxel"


def test_rows_kept_for_validation_are_refused(calibration, tmp_path):
    text = catalog.read_text(catalog.find("calibrations", calibration.name))
    changed = text.replace('ids = ["OAK-', 'ids = ["CMP-0002", "OAK-', 1).replace(
        f'evidence = "{calibration.name}"', 'evidence = "comparators"', 1
    )
    path = tmp_path / "mine.toml"
    path.write_text(changed)
    with pytest.raises(FitTargetError, match="validate|no row"):
        read_targets(read_calibration(path))


def test_severe_events_are_no_target_of_a_fit_though_they_are_marked_calibrate(calibration):
    """Thresholds of grades were set to them; a fit to them would count them twice."""
    target = calibration.targets["docetaxel_response"].model_copy(
        update={"evidence": "comparators", "ids": ("CMP-0011",)}
    )
    with pytest.raises(FitTargetError, match="TRAE_G3plus is not read off a simulated cohort"):
        read_targets(calibration.model_copy(update={"targets": {"severe": target}}))


def test_a_field_that_does_not_exist_is_named(calibration):
    parameter = calibration.parameters["killing"].model_copy(update={"fields": ("kiling.median",)})
    wrong = calibration.model_copy(update={"parameters": {"killing": parameter}})
    with pytest.raises(FitFieldError, match=r"kiling\.median"):
        fields_of(wrong, read_texts(calibration))


def test_a_range_the_wrong_way_round_is_refused(tmp_path):
    text = catalog.read_text(catalog.find("calibrations", "oak_squamous"))
    path = tmp_path / "mine.toml"
    path.write_text(text.replace("low = 45\nhigh = 200", "low = 200\nhigh = 45"))
    with pytest.raises(CardEntryError, match="low and high"):
        read_calibration(path)


def test_a_target_to_be_met_within_a_distance_counts_as_known_to_half_of_it():
    few = Reading("t", "c", "PFS", 6.0, 0.3, 110.0, 0.01, True, ())
    asked = replace(few, within=0.05)
    many = replace(asked, n=1e6)
    chance = 0.3 * 0.7
    assert few.variance(300) == pytest.approx(chance / 110 + chance / 300 + 1e-4)
    assert asked.variance(300) == pytest.approx(0.025**2 + chance / 300 + 1e-4)
    assert many.variance(300) == pytest.approx(chance / 1e6 + chance / 300 + 1e-4)


def test_months_of_a_curve_err_as_cohorts_drawn_again_do(calibration):
    """Greenwood by simulation: curves of cohorts of the published size, drawn from the published curve."""
    own = [r for r in read_targets(calibration)["docetaxel"] if r.target == "docetaxel_os"][::3]
    share = np.array([r.value for r in own])
    time = np.searchsorted(-share, -np.random.default_rng(3).random((6000, int(own[0].n))))
    drawn = (time[..., None] > np.arange(len(own))).mean(axis=1)
    clear = [type(r)(**{**vars(r), "discrepancy": 0.0}) for r in own]
    np.testing.assert_allclose(np.cov(drawn.T), covariance(clear), rtol=0.12, atol=3e-5)


def test_readings_of_different_targets_count_as_independent_and_the_matrix_is_a_covariance(calibration):
    every = [r for each in read_targets(calibration).values() for r in each]
    found = covariance(every)
    names = np.array([r.target for r in every])
    assert (found[names[:, None] != names] == 0).all()
    assert np.linalg.eigvalsh(found).min() > -1e-12
