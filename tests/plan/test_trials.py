"""Trials drawn from pools: what must balance balances, and a cut is what the data cut says."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from tests.plan.invented import ask, course, pool
from tests.trial.stand_in import advance, biology, people

from twoarm.design.boundaries import efficacy_boundary, with_futility
from twoarm.design.card import Limiting, read_design
from twoarm.design.events import schoenfeld_power
from twoarm.errors import EmptyStratumError
from twoarm.plan.operate import conduct_many, pool_error, ratios_over_time, summarize
from twoarm.plan.pool import course_of, follow, record
from twoarm.plan.trials import Drawn, draw_trials, event_day, happen, observe, scans_of
from twoarm.trial.analyze import analyze
from twoarm.trial.conduct import run_trial
from twoarm.trial.cutoff import cut
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.protocol import Enrollment, read_protocol
from twoarm.trial.randomize import fill_day


def test_power_is_that_of_schoenfelds_formula():
    draw = pool(20000, ratio=0.73)
    found = conduct_many(draw, draw.arms["new"], draw.arms["old"], ask(), replicates=1500, seed=3)
    # three standard errors of 1500 trials, and the pool's own
    assert found["rejected"].mean() == pytest.approx(schoenfeld_power(0.73, 430), abs=0.035)
    assert np.exp(found["final_log_ratio"].mean()) == pytest.approx(0.73, abs=0.02)
    assert found["error"].mean() == pytest.approx(2 / np.sqrt(430), rel=0.02)
    assert found["final_log_ratio"].std() == pytest.approx(found["error"].mean(), rel=0.06)


def test_without_a_difference_a_fortieth_of_the_trials_claims_one():
    draw = pool(4000)
    looks = (215, 323, 430)
    found = conduct_many(
        draw, draw.arms["old"], draw.arms["old"], ask(events=looks, stratified=True), replicates=2000, seed=4
    )
    # four standard errors of 2,000 trials; 20,000 are run by benchmarks/type_one_error.py
    assert found["rejected"].mean() == pytest.approx(0.025, abs=0.014)
    assert found["z_mean"].std() == pytest.approx(1, abs=0.06)
    assert found["z_late"].std() == pytest.approx(1, abs=0.06)


def test_trials_stop_where_the_boundary_says():
    draw = pool(4000, ratio=0.6)
    upper = efficacy_boundary([0.5, 1.0], 0.025, "pocock")
    wanted = ask(events=(150, 300), looks=with_futility(upper, 0.1, "obrien_fleming"))
    found = conduct_many(draw, draw.arms["new"], draw.arms["old"], wanted, replicates=300, seed=1)
    early = found["look"] == 1
    assert (found.loc[early & found["rejected"], "events"] >= 150).all()
    assert (found["day"] == np.where(early, found["day_1"], found["day_2"])).all()
    assert not (found["rejected"] & found["futile"]).any()
    assert (found["enrolled"] <= 600).all()
    said = summarize(found, 2, 0.025)
    assert said["efficacy_1"] + said["efficacy_2"] == pytest.approx(said["power"])
    overruled = conduct_many(
        draw, draw.arms["old"], draw.arms["old"], wanted, replicates=300, seed=1, overrule=True
    )
    assert not overruled["futile"].any()


def test_the_same_trials_come_again_and_first_patients_stay():
    draw, small, large = pool(500), ask(patients=100).setting, ask(patients=200).setting
    one, two = (draw_trials(draw, small, seed=5, chunk=0, trials=20) for _ in range(2))
    for before, after in zip(one, two, strict=True):
        np.testing.assert_array_equal(before, after)
    more = draw_trials(draw, large, seed=5, chunk=0, trials=20)
    np.testing.assert_array_equal(one.who, more.who[:, :100])
    other = draw_trials(draw, small, seed=5, chunk=1, trials=20)
    assert (other.who != one.who).any()


def test_trials_that_were_interrupted_go_on_and_are_the_same(tmp_path, monkeypatch):
    draw = pool(500)
    one = partial(conduct_many, draw, draw.arms["old"], draw.arms["old"], ask(patients=60, events=(40,)))

    class Stopped(Exception):
        """As from the keyboard."""

    def stop(share):
        if share > 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        one(replicates=900, seed=5, keep=tmp_path, progress=stop)
    kept = sorted(path.name for path in tmp_path.rglob("*.csv"))
    assert kept == ["0000-250.csv", "0001-250.csv", "0002-250.csv"]
    drawn, real = [], draw_trials
    monkeypatch.setattr(
        "twoarm.plan.operate.draw_trials", lambda *a, **how: drawn.append(how["chunk"]) or real(*a, **how)
    )
    found = one(replicates=900, seed=5, keep=tmp_path)
    assert drawn == [3]
    pd.testing.assert_frame_equal(found, one(replicates=900, seed=5), check_exact=True)
    one(replicates=250, seed=6, keep=tmp_path)  # other trials are not these
    one(replicates=250, seed=5, keep=tmp_path, overrule=True)
    assert drawn == [3, 0, 1, 2, 3, 0, 0]


def test_strata_change_every_test_of_a_trial():
    draw = pool(2000, ratio=0.8)
    both = [
        conduct_many(draw, draw.arms["new"], draw.arms["old"], ask(stratified=how), replicates=20, seed=2)
        for how in (False, True)
    ]
    for name in ("z_log_rank", "z_late", "z_mean", "final_log_ratio", "log_ratio"):
        assert not np.allclose(both[0][name], both[1][name])
        assert np.corrcoef(both[0][name], both[1][name])[0, 1] > 0.9


@pytest.mark.parametrize("minimized", [None, 0.9])
@pytest.mark.parametrize("shares", [(1, 1), (2, 1)])
def test_arms_balance_within_strata(minimized, shares):
    draw = pool(500)
    drawn = draw_trials(draw, ask(shares=shares, minimize=minimized).setting, seed=2, chunk=0, trials=40)
    goal = shares[0] / sum(shares)
    assert np.abs(drawn.treated.mean(axis=1) - goal).max() < 0.03
    region = (draw.patients["region"] == "asia").to_numpy()[drawn.who]
    per_region = (drawn.treated & region).sum(axis=1) / region.sum(axis=1)
    assert np.abs(per_region - goal).max() < 0.04
    assert (np.diff(drawn.enrolled, axis=1) >= 0).all()


def test_minimization_is_not_a_list_that_can_be_guessed():
    draw = pool(500)
    setting = ask(minimize=0.8).setting
    one, two = (draw_trials(draw, setting, seed=seed, chunk=0, trials=50).treated for seed in (1, 2))
    assert 0.4 < (one == two).mean() < 0.6


def test_regions_enroll_at_their_own_speed():
    draw = pool(2000)
    regions = {"asia": {"rate": "10 1/month"}, "other": {"rate": "20 1/month", "start": "6 months"}}
    setting = ask().setting._replace(enrollment=Enrollment(rate="30 1/month", regions=regions))
    drawn = draw_trials(draw, setting, seed=2, chunk=0, trials=60)
    asia = (draw.patients["region"] == "asia").to_numpy()[drawn.who]
    early = drawn.enrolled < 180
    assert asia[early].all()
    # the end T solves 10 T + 20 (T - 6) = 600 months' patients: T = 24
    assert asia.mean() == pytest.approx(240 / 600, abs=0.02)
    assert np.median(drawn.enrolled[:, -1]) == pytest.approx(24 * 365.25 / 12, abs=20)
    nobody = setting._replace(
        enrollment=Enrollment(rate="30 1/month", regions={"moon": {"rate": "30 1/month"}})
    )
    with pytest.raises(EmptyStratumError, match="moon"):
        draw_trials(draw, nobody, seed=2, chunk=0)


@pytest.fixture(scope="module")
def conducted():
    """A real trial without dropout by the stand-in biology, and the course of its patients."""
    protocol = read_protocol("marslight_11")
    patients = people(80)
    outcomes = read_outcomes("squamous_nsclc")
    arms = {name: pd.Series(name, index=patients.index) for name in protocol.arms}
    trials = {}
    for name, assignment in arms.items():
        never = outcomes.survival.model_copy(update={"dropout": 0.0})
        link = outcomes.model_copy(update={"survival": never})
        trials[name] = run_trial(
            biology(), protocol, patients, seed=4, outcomes=link, assignment=assignment, advance=advance
        )
    return protocol, patients, outcomes, trials


def test_a_drawn_trial_is_cut_and_analyzed_as_a_simulated_one(conducted):
    _, patients, _, trials = conducted
    courses = {name: course_of(record(trial)) for name, trial in trials.items()}
    draw = np.random.default_rng(1)
    treated = draw.random(len(patients)) < 0.5
    enrolled = np.sort(draw.integers(0, 300, len(patients))).astype(float)
    one = Drawn(
        np.arange(len(patients))[None],
        enrolled[None],
        treated[None],
        np.zeros((1, len(patients)), int),
        np.full((1, len(patients)), np.inf),
        np.zeros((1, len(patients))),
    )
    new, old = trials.values()
    arm = np.where(treated, *trials)

    def mixed(one_table, other_table):
        own = pd.Series(treated, patients.index)
        return pd.concat(
            [one_table[one_table["patient"].map(own)], other_table[~other_table["patient"].map(own)]]
        )

    happened_to = new.patients.where(pd.Series(treated, patients.index), old.patients)
    # a column of both kinds of words keeps its own
    happened_to = happened_to.assign(arm=arm, enrolled_on=enrolled).infer_objects()
    visits, toxicity = mixed(new.visits, old.visits), mixed(new.toxicity, old.toxicity)
    facts = {**new.provenance, "arms": {name: name for name in trials}}
    whole = new._replace(patients=happened_to, visits=visits, toxicity=toxicity, provenance=facts)
    for endpoint, events in (("OS", 40), ("PFS", 40)):
        table = cut(whole, events=events, endpoint=endpoint)
        happened = happen(one, *courses.values(), endpoint)
        scans = scans_of(one, *courses.values()) if endpoint == "PFS" else None
        cutoff = event_day(one, happened, events)
        assert cutoff[0] == table.attrs["cutoff"]
        days, seen = observe(one, happened, cutoff, scans)
        here = days[0] >= 0
        assert (np.flatnonzero(here) == table.index.to_numpy()).all()
        np.testing.assert_allclose(days[0][here], table[f"{endpoint}_day"])
        np.testing.assert_array_equal(seen[0][here], table[f"{endpoint}_event"])
    assert len(analyze(table))


def test_what_is_kept_of_a_pool_is_what_was_simulated(conducted, tmp_path):
    protocol, patients, outcomes, trials = conducted
    patients = patients.assign(albumin=patients["albumin"])
    asked = {"seed": 4, "limiting": Limiting(window="28 days", grade=3)}
    follow_one = partial(follow, biology(), protocol, "docetaxel", patients, outcomes, tmp_path, **asked)
    first = follow_one(advance=advance)

    def nobody(*_, **__):
        raise AssertionError("simulated again")

    again = follow_one(advance=nobody)
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(
        np.isfinite(first.death), trials["docetaxel"].patients["death_day"].notna().to_numpy()
    )


def test_limiting_events_count_by_kind_grade_and_window(conducted):
    trial = conducted[3]["experimental"]
    rows = [
        (0, "hypotension", 3, 28.0),  # the last day of the window
        (1, "hypotension", 3, 29.0),  # too late
        (2, "hypotension", 2, 5.0),  # too mild
        (3, "neutropenia", 3, 9.0),  # counts from grade 4 only
        (4, "neutropenia", 4, 9.0),
        (5, "hypotension", 3, 20.0),
        (5, "hypotension", 4, 12.0),  # the first day is kept
    ]
    events = pd.DataFrame(rows, columns=["patient", "toxicity", "grade", "day"])
    rule = read_design("first_in_human").escalation.limiting
    days = record(trial._replace(toxicity=events), limiting=rule)["limiting"]
    assert (rule.window, rule.grade, rule.kinds) == (28.0, 3, {"neutropenia": 4})
    np.testing.assert_array_equal(days[:6], [28.0, np.nan, np.nan, np.nan, 9.0, 12.0])
    assert days[6:].isna().all()


def test_trials_fill_by_the_day_that_is_expected():
    regions = {
        "asia": {"rate": "10 1/month", "ramp": "3 months"},
        "other": {"rate": "20 1/month", "start": "6 months"},
    }
    speed = Enrollment(rate="30 1/month", regions=regions)
    drawn = draw_trials(
        pool(500), ask().setting._replace(enrollment=speed), seed=2, chunk=0, trials=100
    ).enrolled
    for place in (100, 300, 590):
        assert drawn[:, place - 1].mean() == pytest.approx(fill_day(speed, place), abs=6)


def test_dropout_is_drawn_at_its_rate():
    draw = pool(500)
    lost = draw_trials(draw, ask(dropout=0.001).setting, seed=2, chunk=0, trials=60).lost
    assert lost.mean() == pytest.approx(1000, rel=0.03)


def test_delayed_separation_shows_in_the_periods():
    size, draw = 6000, np.random.default_rng(2)
    unit = draw.exponential(size=size)
    late = np.where(unit < 0.3, 300 * unit, 90 + 600 * (unit - 0.3))  # hazard halves after 90 days
    draw_pool = pool(size)
    new, old = course(late), course(300 * draw.exponential(size=size))
    found = ratios_over_time(draw_pool, new, old, ask(events=(380,)), trials=50, seed=1)
    periods = found[found["kind"] == "period"].groupby("month")["ratio"].median()
    assert periods[3.0] == pytest.approx(1.0, abs=0.12)
    assert periods[12.0] == pytest.approx(0.5, abs=0.1)
    cuts = found[found["kind"] == "calendar"].groupby("month")["ratio"].median()
    assert cuts.iloc[-1] < cuts.iloc[2]


def test_the_pools_own_error_is_that_of_its_size():
    draw = pool(1000)
    error = pool_error(draw, draw.arms["new"], draw.arms["old"], ask(until=1461.0), seed=1)
    assert error == pytest.approx(np.sqrt(2 / 1000), rel=0.35)
