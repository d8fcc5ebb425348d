"""The whole of a fit, on a stand-in for the biology; and one member on the biology itself."""

import json

import numpy as np
import pytest

from twoarm.errors import FitFailedError, OtherStudyError
from twoarm.fit import run, told
from twoarm.fit.card import read_calibration
from twoarm.fit.cohorts import conduct, set_scene
from twoarm.fit.report import write_report
from twoarm.fit.targets import read_targets
from twoarm.fit.trust import coverage, rank_check


def test_it_finds_what_the_data_were_made_from_and_leaves_the_rest_at_the_prior(fitted):
    table = told.contraction(fitted).set_index("parameter")
    names = list(fitted.calibration.parameters)
    assert fitted.weights @ fitted.z[-1][:, 0] == pytest.approx(1.0, abs=0.5)
    assert table.loc[names[0], "verdict"] == "learned"
    assert (table.loc[names[8:], "verdict"] == "as the prior").mean() > 0.7
    assert told.demands(told.in_sample(fitted))["kept"].all()


def test_what_no_arm_can_tell_keeps_draws_of_the_prior(fitted):
    untold = [n for n, each in enumerate(fitted.calibration.parameters.values()) if each.only_prior]
    assert untold
    drawn = fitted.z[-1][:, untold]
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.05)  # one in each slice of the prior
    np.testing.assert_allclose(drawn.std(axis=0), 1, atol=0.05)
    table = told.contraction(fitted).iloc[untold]
    assert (table["verdict"] == "as the prior").all()


def test_another_rounding_of_the_same_member_is_the_same_member(quick, tmp_path, monkeypatch):
    how = {"members": 12, "iterations": 1, "rounds": 1, "patients": 100, "seed": 2}
    run.fit_population("oak_squamous", tmp_path, **how)
    step = run.kalman_step
    monkeypatch.setattr(run, "kalman_step", lambda *a: step(*a) * (1 + 1e-14))
    monkeypatch.setattr(run, "_one", lambda *a: pytest.fail("simulated again"))
    run.fit_population("oak_squamous", tmp_path, **how)


def test_the_same_seed_gives_the_same_numbers_and_a_stopped_fit_goes_on(quick, tmp_path, monkeypatch):
    how = {"members": 12, "iterations": 1, "rounds": 1, "patients": 100, "seed": 2}
    whole = run.fit_population("oak_squamous", tmp_path / "whole", **how)
    calls = []

    def stops(member, z, patients, seed):
        calls.append(member)
        if len(calls) == 17:
            raise KeyboardInterrupt
        return quick(member, z, patients, seed)

    monkeypatch.setattr(run, "_one", stops)
    with pytest.raises(KeyboardInterrupt):
        run.fit_population("oak_squamous", tmp_path / "part", **how)
    calls.clear()
    monkeypatch.setattr(run, "_one", lambda *a: (calls.append(a[0]), quick(*a))[1])
    again = run.fit_population("oak_squamous", tmp_path / "part", **how)
    assert len(calls) == 12 * (3 + 4) - 16  # three ensembles, four more cohorts to weigh and judge the last
    np.testing.assert_array_equal(again.z[-1], whole.z[-1])
    np.testing.assert_array_equal(again.weights, whole.weights)


def test_a_member_that_fails_only_where_it_is_judged_has_no_weight(quick, tmp_path, monkeypatch):
    judged = 4 * run._FINAL_SEEDS  # seeds of the cohort that no weight has seen

    def fails_late(member, z, patients, seed):
        member, values, reason = quick(member, z, patients, seed)
        return member, values * np.nan if member == 3 and seed >= judged else values, reason

    monkeypatch.setattr(run, "_one", fails_late)
    fitted = run.fit_population(
        "oak_squamous", tmp_path, members=30, iterations=1, rounds=1, patients=300, seed=1
    )
    assert np.isnan(fitted.simulated[-1][3]).all()
    assert fitted.weights[3] == 0 and fitted.weights.sum() == pytest.approx(1)
    assert told.in_sample(fitted)["simulated"].notna().all()


def test_another_fit_does_not_go_into_the_same_folder(quick, tmp_path):
    run.fit_population("oak_squamous", tmp_path, members=8, iterations=1, rounds=1, patients=100, seed=1)
    with pytest.raises(OtherStudyError, match="seed"):
        run.fit_population("oak_squamous", tmp_path, members=8, iterations=1, rounds=1, patients=100, seed=2)


def test_where_time_is_short_fewer_and_larger_steps_take_in_all_of_the_data(quick, tmp_path):
    said = []
    fitted = run.fit_population(
        "oak_squamous", tmp_path, members=8, iterations=4, patients=100, minutes=1e-9,
        progress=lambda step, share: said.append((step, share)),
    )  # fmt: skip
    assert fitted.steps == [1.0]
    assert len(fitted.simulated) == 3
    assert "min to go" in said[0][0]


def test_a_fit_of_which_most_members_fail_is_no_fit(quick, tmp_path, monkeypatch):
    def fails(member, z, patients, seed):
        _, g, _ = quick(member, z, patients, seed)
        return member, np.full_like(g, np.nan), "it cannot"

    monkeypatch.setattr(run, "_one", fails)
    with pytest.raises(FitFailedError, match="it cannot"):
        run.fit_population("oak_squamous", tmp_path, members=8, iterations=1, rounds=1, patients=100)


def test_a_target_that_contradicts_another_is_named(quick, tmp_path, monkeypatch):
    """Two curves that both follow the first parameter alone, asked to go opposite ways."""
    readings = [r for each in read_targets(read_calibration("oak_squamous")).values() for r in each]
    sign = {"docetaxel_pfs": 1.0, "docetaxel_os": -1.0}
    slope = np.array([sign.get(r.target, 0.0) for r in readings])

    def opposed(member, z, patients, seed):
        return member, np.array([r.value for r in readings]) + 0.2 * np.abs(slope) + 0.2 * slope * z[0], ""

    monkeypatch.setattr(run, "_one", opposed)
    fitted = run.fit_population("oak_squamous", tmp_path, members=60, iterations=1, rounds=1, patients=300)
    verdicts = told.conflicts(fitted).set_index("target")["verdict"]
    assert {verdicts["docetaxel_pfs"], verdicts["docetaxel_os"]} == {
        "conflicts with docetaxel_os", "conflicts with docetaxel_pfs",
    }  # fmt: skip


@pytest.mark.slow
def test_ranks_of_truths_are_near_uniform(fitted):
    """On this stand-in a little too sure: 80 % of truths in 90 % intervals, of 100 members or of 150."""
    table = coverage(rank_check(fitted, repeats=50))
    assert table["held_90"].mean() > 0.75
    assert table["held_50"].mean() == pytest.approx(0.5, abs=0.15)


def test_tables_and_report_are_written(fitted, tmp_path):
    tables = told.write_told(fitted, tmp_path / "report")
    write_report(fitted, tables, tmp_path / "report")
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names >= {
        "in_sample.csv",
        "contraction.csv",
        "conflicts.csv",
        "curves.png",
        "report.md",
        "facts.json",
    }
    assert json.loads((tmp_path / "report" / "facts.json").read_text())["members"] == 100


@pytest.mark.slow
def test_a_member_on_the_biology_has_the_readings_and_the_same_seed_the_same_numbers():
    calibration = read_calibration("oak_squamous")
    scene, readings = set_scene(calibration), read_targets(calibration)
    assert all(len(model.states) < 70 for model in scene.models.values())
    z = np.zeros(len(calibration.parameters))
    one, two = (conduct(scene, z, readings, patients=40, seed=3) for _ in range(2))
    for name, values in one.items():
        assert len(values) == len(readings[name])
        assert ((values >= 0) & (values <= 1)).all()
        np.testing.assert_array_equal(values, two[name])
        curve = [v for v, r in zip(values, readings[name], strict=True) if r.what == "OS"]
        assert (np.diff(curve) <= 0).all()


def test_a_fit_goes_on_from_the_members_of_an_earlier_one(fitted, tmp_path):
    more = run.fit_population(
        "oak_squamous", tmp_path / "more", members=50, rounds=2, patients=300, seed=4, after=tmp_path / "fit"
    )
    assert [len(z) for z in more.z] == [100] * 6 + [50] * 2
    assert more.steps == fitted.steps
    assert more.weights @ more.z[-1][:, 0] == pytest.approx(1.0, abs=0.5)
