"""A whole trial judged again from what its readers wrote down: responses, PFS and OS by the second author."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from tests.trial.stand_in import advance, biology, people

from twoarm.trial.conduct import run_trial
from twoarm.trial.cutoff import cut
from twoarm.trial.ledger import Trial
from twoarm.trial.protocol import read_protocol

from .naive_recist import NON_CR_NON_PD, Scan, best_response, course

TOO_SMALL = 5.0  # eisenhauer2009, 4.3.2: "a default value of 5 mm should be assigned"
WORDS = {"NN": NON_CR_NON_PD, "none": None}


@pytest.fixture(scope="module")
def trial() -> Trial:
    protocol = read_protocol("marslight_11")
    follow_up = protocol.follow_up.model_copy(update={"horizon": 700.0})
    shorter = protocol.model_copy(update={"follow_up": follow_up})
    return run_trial(biology(), shorter, people(160, seed=8), seed=21, advance=advance)


def readings_of(trial: Trial, patient: int) -> tuple[list[float], list[tuple[float, str, Scan]]]:
    """Baseline diameters, and (day, what the trial wrote, what the reader saw) of each later visit."""
    own = trial.readings[trial.readings["patient"] == patient]
    visits = trial.visits[trial.visits["patient"] == patient].sort_values("visit")
    lesions = sorted(own.loc[own["visit"] == 0, "lesion"])
    table = {(r.visit, r.lesion): TOO_SMALL if r.too_small else float(r.diameter) for r in own.itertuples()}
    baseline = [table[0, lesion] for lesion in lesions]
    scans = []
    for row in visits[visits["visit"] > 0].itertuples():
        non_target = WORDS.get(row.non_target, row.non_target)
        mm = [table.get((row.visit, lesion)) for lesion in lesions]
        scans.append((row.day, row.overall, Scan(row.day, mm, non_target, bool(row.new_lesion))))
    return baseline, scans


@pytest.fixture(scope="module")
def judged(trial: Trial) -> dict[int, tuple[list[float], list[str], list[str]]]:
    """Days, the trial's responses and ours, of each patient."""
    answers = {}
    for patient in trial.patients.index:
        baseline, scans = readings_of(trial, patient)
        ours = course(baseline, [False] * len(baseline), [scan for _, _, scan in scans])
        answers[patient] = ([day for day, _, _ in scans], [said for _, said, _ in scans], ours)
    return answers


def test_every_visit(judged):
    wrong = {patient: pair for patient, (_, *pair) in judged.items() if pair[0] != pair[1]}
    assert not wrong
    assert {word for _, ours, _ in judged.values() for word in ours} == {"CR", "PR", "SD", "PD", "NE"}


@pytest.mark.parametrize("cutoff", [None, "12 months"])
def test_best_response_and_both_times(trial, judged, cutoff):
    table = cut(trial, cutoff=cutoff)
    how = trial.provenance
    seen = set()
    for patient, row in table.iterrows():
        days, _, ours = judged[patient]
        until = [(d, a) for d, a in zip(days, ours, strict=True) if d <= row["last_day"]]
        days, ours = [d for d, _ in until], [a for _, a in until]
        wait = 28.0 if how["confirm"] else None
        assert row["bor"] == best_response(days, ours, how["stable_from"], wait, unbroken=True), patient
        death = float(trial.patients.loc[patient, "death_day"])
        died = not math.isnan(death) and death <= row["last_day"]
        assert row["OS_event"] == died
        assert row["OS_day"] == pytest.approx(max(death if died else row["last_day"], 1.0))
        day, event = naive_pfs(days, ours, death if died else math.inf)
        assert row["PFS_event"] == event
        assert row["PFS_day"] == pytest.approx(max(day, 1.0))
        began = naive_response_day(days, ours, wait) if row["bor"] in ("CR", "PR") else math.nan
        assert row["response_day"] == pytest.approx(began, nan_ok=True)
        # a response lasts to progression or death, else to the last scan that could be judged
        assert row["DOR_day"] == pytest.approx(day - began, nan_ok=True)
        assert row["DOR_event"] == (event and row["bor"] in ("CR", "PR"))
        seen.add((row["bor"], event))
    assert len(seen) >= 5


def naive_pfs(days: list[float], answers: list[str], death: float) -> tuple[float, bool]:
    """First of recorded progression and death; else censored at the last scan that could be judged."""
    last = 0.0
    for day, answer in zip(days, answers, strict=True):
        if answer == "PD":
            return day, True
        if answer != "NE":
            last = day
    return (death, True) if math.isfinite(death) else (last, False)


def naive_response_day(days: list[float], answers: list[str], wait: float | None) -> float:
    """First scan with a response that a later one shows too, nothing but responses and NE between."""
    until = answers.index("PD") if "PD" in answers else len(answers)
    for first in range(until):
        if answers[first] not in ("CR", "PR"):
            continue
        if wait is None:
            return days[first]
        for later in range(first + 1, until):
            if answers[later] in ("CR", "PR") and days[later] - days[first] >= wait:
                return days[first]
            if answers[later] not in ("CR", "PR", "NE"):
                break
    return math.nan


def test_best_change_is_the_deepest_complete_sum(trial):
    table = cut(trial)
    for patient in table.index:
        baseline, scans = readings_of(trial, patient)
        sums = [
            sum(scan.diameters)
            for day, _, scan in scans
            if day <= table.loc[patient, "last_day"] and None not in scan.diameters
        ]
        change = 100 * (min(sums) / sum(baseline) - 1) if sums else math.nan
        assert table.loc[patient, "best_change"] == pytest.approx(change, nan_ok=True)


def test_patients_come_once(trial):
    assert not pd.Index(cut(trial).index).has_duplicates
