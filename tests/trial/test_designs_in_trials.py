"""What a protocol may ask beside two arms and blocks: crossover, minimization, regions, review."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from tests.trial.stand_in import advance, biology, people

from twoarm.errors import CardEntryError, EmptyStratumError, NoReviewError
from twoarm.trial.conduct import run_trial
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.protocol import Enrollment, Protocol, read_protocol
from twoarm.trial.review import review_readings

PROTOCOL = read_protocol("marslight_11")


def trial_of(protocol: Protocol, n: int = 120, **how):
    return run_trial(biology(), protocol, people(n), seed=5, advance=advance, **how)


def with_crossover(share: float) -> Protocol:
    """Docetaxel, and after progression the drug of the other arm."""
    arm = PROTOCOL.arms["docetaxel"]
    later = (
        PROTOCOL.arms["experimental"]
        .treatments[0]
        .model_copy(
            update={
                "after": "progression",
                "start": 14.0,
                "taken_by": share,
                "priming": None,
                "re_priming": None,
            }
        )
    )
    changed = arm.model_copy(update={"treatments": (*arm.treatments, later)})
    return PROTOCOL.model_copy(update={"arms": {**PROTOCOL.arms, "docetaxel": changed}})


def test_crossover_begins_after_progression_and_only_there():
    trial = trial_of(with_crossover(0.5))
    people_, doses = trial.patients, trial.exposures
    crossed = people_["crossed_on"].notna()
    progressed = (people_["arm"] == "docetaxel") & people_["progression_day"].notna()
    assert (people_.loc[crossed, "crossed_on"] == people_.loc[crossed, "progression_day"]).all()
    assert not crossed[~progressed].any()
    assert 0.3 < crossed[progressed].mean() < 0.7
    later = doses[(doses["arm"] == "docetaxel") & (doses["treatment"] == 1)]
    assert len(later)
    assert later["patient"].isin(people_.index[crossed]).all()
    first = later.groupby("patient")["day"].min()
    np.testing.assert_allclose(first - people_.loc[first.index, "crossed_on"], 14.0)
    before = doses[(doses["arm"] == "docetaxel") & (doses["treatment"] == 0)]
    end = before["patient"].map(people_["progression_day"]).fillna(np.inf)
    assert (before["day"] <= end).all()
    assert people_.loc[crossed, "off_reason"].isin(["progression", "toxicity", "completed", "delay"]).all()


def test_without_takers_a_crossover_changes_nothing():
    plain, none = trial_of(PROTOCOL), trial_of(with_crossover(1e-9))
    for column in ("death_day", "progression_day", "off_day", "doses"):
        pd.testing.assert_series_equal(plain.patients[column], none.patients[column])


def test_crossover_helps_those_who_take_it():
    outcomes = read_outcomes("squamous_nsclc")
    alone = outcomes.survival.model_copy(update={"next_therapy_share": 0.0})
    link = outcomes.model_copy(update={"survival": alone})
    lived = [
        trial.patients.loc[trial.patients["arm"] == "docetaxel", "death_day"].fillna(1500).mean()
        for trial in (trial_of(PROTOCOL, outcomes=link), trial_of(with_crossover(1.0), outcomes=link))
    ]
    assert lived[1] > lived[0]


def test_who_crosses_over_gains_from_no_other_line_besides():
    trial = trial_of(with_crossover(1.0))
    crossed = trial.patients["arm"] == "docetaxel"
    assert trial.patients.loc[crossed, "crossed_on"].notna().any()
    assert trial.patients.loc[crossed, "next_therapy_day"].isna().all()
    assert trial.patients.loc[~crossed, "next_therapy_day"].notna().any()


def test_minimization_balances_every_factor():
    plan = PROTOCOL.randomization.model_copy(update={"minimize": 0.9})
    trial = trial_of(PROTOCOL.model_copy(update={"randomization": plan}))
    for factor in plan.factors:
        counts = trial.patients.groupby([factor, "arm"]).size().unstack()
        assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 8
    assert trial.patients["block"].eq(-1).all()


def test_regions_enter_at_their_own_speed_or_not_at_all():
    regions = {"asia": {"rate": "20 1/month"}, "non_asia": {"rate": "10 1/month", "start": "12 months"}}
    speed = Enrollment(rate="30 1/month", regions=regions)
    trial = trial_of(PROTOCOL.model_copy(update={"enrollment": speed}))
    late = trial.patients["region"] == "non_asia"
    assert trial.patients.loc[late, "enrolled_on"].min() >= 365
    assert trial.patients.loc[~late, "enrolled_on"].min() < 30
    only = Enrollment(rate="20 1/month", regions={"asia": {"rate": "20 1/month"}})
    with pytest.raises(EmptyStratumError, match="non_asia"):
        trial_of(PROTOCOL.model_copy(update={"enrollment": only}))


def test_regions_must_sum_to_the_whole(tmp_path):
    from twoarm import catalog

    text = catalog.find("protocols", "marslight_11").read_text(encoding="utf-8")
    source = 'source = "assumed", note = "a test"'
    text += f'\n[enrollment.regions.asia]\nrate = {{ value = "10 1/month", {source} }}\n'
    path = tmp_path / "trial.toml"
    path.write_text(text)
    with pytest.raises(CardEntryError, match="sum to"):
        read_protocol(path)
    path.write_text(text.replace('"10 1/month"', '"-10 1/month"'))
    with pytest.raises(CardEntryError, match="above 0"):
        read_protocol(path)
    with pytest.raises(ValidationError, match="above 0"):
        Enrollment(rate="-3 1/month")


REVIEW = read_protocol("squamous_crossover").imaging.review
REVIEWED = PROTOCOL.model_copy(update={"imaging": PROTOCOL.imaging.model_copy(update={"review": REVIEW})})


def with_readers(**how):
    """The protocol with readers that differ otherwise."""
    rule = REVIEW.model_copy(update=how)
    return PROTOCOL.model_copy(update={"imaging": PROTOCOL.imaging.model_copy(update={"review": rule})})


@pytest.fixture(scope="module")
def reviewed():
    trial = trial_of(PROTOCOL, n=200)
    outcomes = read_outcomes("squamous_nsclc")
    return trial, outcomes, review_readings(trial, REVIEWED, outcomes, seed=5)


def test_reviewers_agree_often_and_not_always(reviewed):
    trial, _, table = reviewed
    assert 0.15 < table["differ"].mean() < 0.6  # a third, as series of reviews have it
    investigator = trial.patients["progression_day"]
    both = table["progression_day"].notna() & investigator.notna()
    assert both.mean() > 0.4
    # nobody reads a scan that was not held: the investigator's call is the last
    held = trial.visits[trial.visits["held"]].groupby("patient")["day"].max()
    assert (
        table["progression_day"].dropna() <= held.reindex(table.index)[table["progression_day"].notna()]
    ).all()
    agreed = ~table["differ"]
    pd.testing.assert_series_equal(
        table.loc[agreed, "progression_day"], table.loc[agreed, "first"], check_names=False
    )
    third = table[table["differ"]].dropna(subset=["first", "second", "third"])
    nearer = np.where(
        (third["second"] - third["third"]).abs() < (third["first"] - third["third"]).abs(),
        third["second"],
        third["first"],
    )
    np.testing.assert_array_equal(third["progression_day"], nearer)


def test_readers_differ_more_the_more_they_choose_and_miss(reviewed):
    trial, outcomes, usual = reviewed

    def differ(one, picks, misses):
        rule = with_readers(picks=picks, misses_new=misses)
        return review_readings(one, rule, outcomes, seed=5)["differ"].mean()

    assert differ(trial, 1.0, 0.0) < 0.1  # what measuring alone makes
    assert differ(trial, 1.0, 0.4) > usual["differ"].mean() > differ(trial, 1.0, 0.0)
    # lesions of this biology grow alike; let the first stand still, so that it matters who follows it
    still = trial.courses["diameter_1"].copy(data=0 * trial.courses["diameter_1"].to_numpy())
    still = still + trial.patients["diameter_baseline_1"].to_numpy()[:, None]
    mixed = trial._replace(courses=trial.courses.assign(diameter_1=still))
    assert differ(mixed, 0.5, 0.0) > differ(mixed, 1.0, 0.0)


def test_a_new_lesion_that_is_missed_is_seen_on_a_later_scan(reviewed):
    trial, outcomes, _ = reviewed
    sharp, slow = (
        review_readings(trial, with_readers(picks=1.0, misses_new=misses), outcomes, seed=5)["first"]
        for misses in (0.0, 0.8)
    )
    assert (slow.fillna(np.inf) >= sharp.fillna(np.inf)).all()
    assert (slow.fillna(np.inf) > sharp.fillna(np.inf)).any()


def test_readers_without_error_agree_with_each_other(reviewed):
    trial, outcomes, _ = reviewed
    exact = outcomes.reader.model_copy(update={"proportional": 0.0, "additive": 0.0})
    same = outcomes.non_target.model_copy(update={"limit_spread": 0.0})
    sure = outcomes.model_copy(update={"reader": exact, "non_target": same})
    sharp = with_readers(picks=1.0, misses_new=0.0)
    assert not review_readings(trial, sharp, sure, seed=5)["differ"].any()


def test_a_review_that_nobody_planned_is_refused(reviewed):
    trial, outcomes, _ = reviewed
    with pytest.raises(NoReviewError, match="imaging.review"):
        review_readings(trial, PROTOCOL, outcomes, seed=5)


def test_versions_of_readers_are_other_readers(reviewed):
    trial, outcomes, table = reviewed
    other = review_readings(trial, REVIEWED, outcomes, seed=5, version=1)
    assert (other["first"].fillna(0) != table["first"].fillna(0)).any()
    pd.testing.assert_frame_equal(table, review_readings(trial, REVIEWED, outcomes, seed=5))
