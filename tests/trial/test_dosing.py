"""Dose by dose, on hand-made orders: priming, holding, reducing, priming again, stopping."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm.trial import courses, dosing
from twoarm.trial.protocol import Protocol, read_protocol
from twoarm.trial.toxicity import Orders

PROTOCOL = read_protocol("marslight_11")
NO = np.zeros(1, bool)
YES = np.ones(1, bool)


def course(
    days: int, asks: dict[int, Orders] | None = None, arm: str = "experimental", protocol: Protocol = PROTOCOL
) -> tuple[list[tuple[int, int]], dosing.Schedule]:
    """(day, level) of each dose given to one patient who is looked at every day."""
    rules = dosing.rules_of(protocol.arms, np.array([arm]))
    schedule = dosing.open_schedule(rules)
    given = []
    for day in range(days):
        orders = (asks or {}).get(day, Orders(NO, NO, NO))
        level = dosing.decide(schedule, rules, np.array([float(day)]), orders, recheck=7.0)[0, 0]
        if level >= dosing.PRIMING:
            given.append((day, int(level)))
    return given, schedule


def test_priming_on_day_1_full_dose_on_day_8_then_every_3_weeks() -> None:
    given, schedule = course(60)
    assert given == [(0, -1), (7, 0), (28, 0), (49, 0)]
    assert schedule.reason[0] == ""


def test_treatment_ends_after_its_planned_duration() -> None:
    given, schedule = course(900)
    assert schedule.reason[0] == "completed"
    assert 709 < given[-1][0] < 731


def test_held_dose_is_looked_at_weekly() -> None:
    given, _ = course(60, {28: Orders(YES, NO, NO)})
    assert given == [(0, -1), (7, 0), (35, 0), (56, 0)]


def test_reduced_twice_then_stopped() -> None:
    less = Orders(NO, YES, NO)
    given, schedule = course(120, {28: less, 49: less, 70: less})
    assert given == [(0, -1), (7, 0), (28, 1), (49, 2)]
    assert schedule.reason[0] == "toxicity"
    assert schedule.off_day[0] == 70
    arm = PROTOCOL.arms["experimental"].treatments[0]
    assert [dosing.dose_words(arm, level) for level in (-1, 0, 1, 2)] == [
        "0.1 mg/kg", "3 mg/kg", "1.5 mg/kg", "1 mg/kg",
    ]  # fmt: skip


def test_primed_again_after_ten_days_and_after_five_weeks() -> None:
    wait = Orders(YES, NO, NO)
    given, _ = course(40, {7: wait})
    assert given[:3] == [(0, -1), (14, -1), (21, 0)]  # 14 days after priming: again
    held = {day: wait for day in (28, 35)}
    given, _ = course(60, held)
    assert given[:4] == [(0, -1), (7, 0), (42, -1), (49, 0)]  # 35 days after the last dose: again
    given, _ = course(60, {28: wait})
    assert given[:3] == [(0, -1), (7, 0), (35, 0)]  # 28 days: not


def test_stopped_when_held_too_long() -> None:
    given, schedule = course(120, dict.fromkeys(range(21, 120), Orders(YES, NO, NO)), arm="docetaxel")
    assert given == [(0, 0)]
    assert schedule.reason[0] == "delay"


def test_stop_is_for_good_and_keeps_its_first_reason() -> None:
    given, schedule = course(200, {28: Orders(NO, NO, YES)})
    assert given == [(0, -1), (7, 0)]
    dosing.stop(schedule, YES, np.array([90.0]), "progression")
    assert (schedule.reason[0], schedule.off_day[0]) == ("toxicity", 28)


def test_exposures_say_the_dose_in_words() -> None:
    labels, arms = np.array([4, 9]), np.array(["experimental", "docetaxel"])
    given = courses.at_decision(np.array([[-1], [1]]), np.array([0.0, 21.0]))
    table = courses.exposures(labels, arms, given, PROTOCOL.arms)
    assert table["dose"].tolist() == ["0.1 mg/kg", "55 mg/m2"]
    assert table["day"].tolist() == [0, 21]


@pytest.mark.parametrize("arm", ["experimental", "docetaxel"])
def test_patients_do_not_see_each_other(arm: str) -> None:
    rules = dosing.rules_of(PROTOCOL.arms, np.array([arm, "docetaxel"]))
    schedule = dosing.open_schedule(rules)
    nobody = Orders(*(np.zeros(2, bool),) * 3)
    dosing.decide(schedule, rules, np.array([0.0, np.nan]), nobody, 7.0)
    assert np.isnan(schedule.last[1]).all()
    assert not np.isnan(schedule.last[0]).all()
