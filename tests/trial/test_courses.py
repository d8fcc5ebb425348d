"""Courses of several doses: cut by scans, ended by progression and death, counted dose by dose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.trial.stand_in import people

from twoarm.model.sbml import read_model
from twoarm.molecule import read_molecule
from twoarm.regimen import Regimen
from twoarm.study.lean import advance_lean
from twoarm.trial import courses, dosing
from twoarm.trial.conduct import run_trial
from twoarm.trial.ledger import Trial
from twoarm.trial.protocol import Arm, Protocol
from twoarm.trial.toxicity import Orders

CYTOKINE = read_molecule("aldesleukin")
# what is given leaves at one rate and is counted where it goes; nothing grows, nothing harms
BIOLOGY = """
model counted()
  drug_central = 0; gone = 0; keep = 2; growth = 0; pressed = 0; size = 30;
  drug_central' = -keep * drug_central;
  gone' = keep * drug_central;
  size' = growth * size;
  drug_central_nM := drug_central; effector_tumor := gone; sld := size; diameter_1 := size;
  diameter_2 := 0; diameter_3 := 0; diameter_4 := 0; diameter_5 := 0;
  neutrophils := 4 + pressed; leak := pressed; il6 := 3 + pressed; cytotoxic_central_nM := pressed;
  pd1_block_exposure := pressed; activation_exposure := pressed;
end
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory):
    path: Path = tmp_path_factory.mktemp("biology") / "counted.ant"
    path.write_text(BIOLOGY)
    return read_model(path)


def protocol(
    *, calls: str = "12 weeks", scans: str = "6 weeks", beyond: bool = False, **course: object
) -> Protocol:
    given = {"dose": "0.037 mg/kg", "every": "2 weeks", "doses_per_course": 14, "apart": "8 h", **course}
    made = Protocol(
        arms={"only": Regimen(CYTOKINE, **given)},
        enrollment="5 per month",
        imaging=f"every {scans}",
        follow_up="45 days",
        outcomes="melanoma",
    )
    follow_up = made.follow_up.model_copy(update={"every": 7 * float(calls.split(maxsplit=1)[0])})
    imaging = made.imaging.model_copy(update={"treat_beyond_progression": beyond})
    return made.model_copy(update={"follow_up": follow_up, "imaging": imaging})


def conducted(model, n: int = 6, growth: float = 0.0, **words: object) -> Trial:
    patients = people(n).assign(growth=growth)
    patients["diameter_baseline_1"] = 30.0
    for j in range(2, 6):
        patients[f"diameter_baseline_{j}"] = 0.0
    return run_trial(model, protocol(**words), patients, seed=3, advance=advance_lean(1e-9, model))


def given_until(trial: Trial, day: float) -> pd.Series:
    """Amount that each patient was given before a day, by the record."""
    doses = trial.exposures[trial.exposures["day"] < day].groupby("patient").size()
    amounts = Regimen(CYTOKINE, "0.037 mg/kg").amounts(trial.patients)
    return doses.reindex(trial.patients.index, fill_value=0) * amounts


def test_what_is_given_is_the_number_of_doses_times_the_dose(model) -> None:
    trial = conducted(model, beyond=True)  # readers err, and would end treatment
    followed = trial.patients["death_day"].isna()
    assert followed.any()
    doses = trial.exposures.groupby("patient")["day"].agg(list)
    plan = [14 * course + place / 3 for course in range(4) for place in range(14)]
    for days in doses[followed]:
        np.testing.assert_allclose(days, [day for day in plan if day < 45], atol=1e-9)
    assert (trial.patients["doses"][followed] == 51).all()  # three courses, and nine doses of the fourth
    for day in (7.0, 35.0, 42.0):
        there = trial.courses["drug_central_nM"].sel(day=day) + trial.courses["effector_tumor"].sel(day=day)
        np.testing.assert_allclose(there[followed.to_numpy()], given_until(trial, day)[followed], rtol=1e-6)


def test_a_course_that_windows_cut_is_the_course_that_none_cuts(model) -> None:
    """Scans and calls fall inside courses: the same doses, the same amounts."""
    whole = conducted(model, beyond=True)
    finer = conducted(model, calls="0.4 weeks", beyond=True)
    scanned = conducted(model, scans="0.3 weeks", calls="0.4 weeks", beyond=True)
    assert finer.provenance["windows"] > 2 * whole.provenance["windows"]
    assert scanned.provenance["windows"] > finer.provenance["windows"]
    for other in (finer, scanned):
        np.testing.assert_allclose(
            other.courses["drug_central_nM"], whole.courses["drug_central_nM"], rtol=1e-6, atol=1e-9
        )
        same = ["patient", "treatment", "day", "level", "dose"]
        pd.testing.assert_frame_equal(other.exposures[same], whole.exposures[same])


def test_an_infusion_that_a_window_cuts_goes_on_in_the_next(model) -> None:
    words = {"doses_per_course": 5, "apart": "30 h", "infusion": "29 h"}
    whole, finer = (conducted(model, calls=calls, beyond=True, **words) for calls in ("12 w", "0.4 w"))
    np.testing.assert_allclose(
        finer.courses["drug_central_nM"], whole.courses["drug_central_nM"], rtol=1e-6, atol=1e-9
    )


def test_progression_and_death_end_a_course(model) -> None:
    """Scans every two days find a disease that doubles in days: what is left of the course is not given."""
    trial = conducted(model, n=60, growth=0.15, scans="0.3 weeks")
    people_ = trial.patients
    progressed = people_["progression_day"].notna()
    assert progressed.sum() > 20
    last = trial.exposures.groupby("patient")["day"].max().reindex(people_.index)
    assert (last[progressed] < people_["progression_day"][progressed]).all()
    inside = progressed & (people_["progression_day"] < 4)
    assert inside.any()
    assert (people_["doses"][inside] < 14).all()
    died = people_["death_day"].notna()
    assert died.any()
    assert (last[died] < people_["death_day"][died]).all()


def test_a_course_of_one_is_a_dose(model) -> None:
    alone = conducted(model, doses_per_course=1, apart=None)
    arms = protocol(doses_per_course=1, apart=None).arms["only"].model_dump()
    part = arms["treatments"][0]
    days = {name: f"{part[name]} days" for name in ("every", "start", "max_duration", "longest_delay")}
    course = {"doses": 1, "apart": "8 h"}
    one = Arm(**{**arms, "treatments": [{**part, **days, "molecule": CYTOKINE, "course": course}]})
    asked = protocol(doses_per_course=1, apart=None).model_copy(update={"arms": {"only": one}})
    patients = alone.patients[list(people(6).columns)]
    again = run_trial(model, asked, patients, seed=3, advance=advance_lean(1e-9, model))
    pd.testing.assert_frame_equal(again.exposures, alone.exposures)
    np.testing.assert_array_equal(again.courses["drug_central_nM"], alone.courses["drug_central_nM"])


NO = Orders(*(np.zeros(1, bool),) * 3)


def opened(**words: object) -> tuple[dosing.Schedule, dosing.Rules]:
    rules = dosing.rules_of(protocol(**words).arms, np.array(["only"]))
    schedule = dosing.open_schedule(rules)
    dosing.decide(schedule, rules, np.zeros(1), NO, 7.0)
    return schedule, rules


def test_a_dose_at_the_end_of_a_window_is_for_the_next() -> None:
    schedule, rules = opened()
    who = np.zeros(1, int)
    first = courses.go_on(schedule, rules, who, np.array([2.0]))
    assert first.day.tolist() == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])
    assert schedule.last[0, 0] == first.day[-1]
    second = courses.go_on(schedule, rules, who, np.array([2.0]))
    assert not second.row.size
    third = courses.go_on(schedule, rules, who, np.array([14.0]))
    assert third.day[[0, -1]].tolist() == pytest.approx([2.0, 13 / 3])
    assert not schedule.left.any()
    assert schedule.due[0, 0] == 14


def test_what_is_left_is_dropped_as_treatment_stops() -> None:
    schedule, rules = opened()
    dosing.stop(schedule, np.ones(1, bool), np.array([2.0]), "progression")
    assert not courses.go_on(schedule, rules, np.zeros(1, int), np.array([9.0])).row.size


def test_a_priming_dose_is_no_course() -> None:
    schedule, rules = opened(start_day=7, priming=[("0.001 mg/kg", 0)])
    assert not courses.go_on(schedule, rules, np.zeros(1, int), np.array([7.0])).row.size
    dosing.decide(schedule, rules, np.array([7.0]), NO, 7.0)
    assert courses.go_on(schedule, rules, np.zeros(1, int), np.array([14.0])).row.size == 13


def test_exposures_say_the_dose_in_words() -> None:
    arms = protocol(reductions=["0.02 mg/kg"]).arms
    given = courses.Singles(np.array([0, 0]), np.zeros(2, int), np.array([0.0, 1 / 3]), np.array([0, 1]))
    table = courses.exposures(np.array([4]), np.array(["only"]), given, arms)
    assert table["dose"].tolist() == ["0.037 mg/kg", "0.02 mg/kg"]
    assert table["patient"].tolist() == [4, 4]
