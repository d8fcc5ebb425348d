"""Two authors, one paper: ``twoarm.trial.recist`` against the naive reading on 10,000 random courses."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from twoarm.trial import recist

from .naive_recist import (
    NON_CR_NON_PD,
    Scan,
    best_response,
    course,
    first_progression,
    overall_response_without_target,
)

COURSES = 10_000
VISITS = 8  # after baseline, at most
LESIONS = 5
WORDS = {"NN": NON_CR_NON_PD, "none": None}
# Many courses stand exactly on a limit of the paper: -30 %, +20 %, 5 mm, 10 mm.
STEPS = np.array([0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.1, 1.2, 1.3, 1.6])


class Courses(NamedTuple):
    """Arrays as ``twoarm.trial.recist`` takes them; visit 0 is baseline."""

    diameters: np.ndarray
    nodal: np.ndarray
    non_target: np.ndarray
    new_lesion: np.ndarray
    days: np.ndarray
    held: np.ndarray


@pytest.fixture(scope="module")
def courses() -> Courses:
    rng = np.random.default_rng(20260101)
    lesions = rng.integers(0, LESIONS + 1, COURSES)
    there = np.arange(LESIONS) < lesions[:, None]
    nodal = there & (rng.random((COURSES, LESIONS)) < 0.3)
    baseline = np.where(nodal, rng.integers(15, 40, nodal.shape), rng.integers(10, 90, nodal.shape))
    whole = rng.random(COURSES) < 0.5  # readers round to whole millimeters, or to tenths
    mm = np.zeros((COURSES, VISITS + 1, LESIONS))
    mm[:, 0] = np.where(there, baseline, 0)
    trend = rng.choice(STEPS, (COURSES, 1))
    for visit in range(1, VISITS + 1):
        together = rng.random((COURSES, 1)) < 0.6
        factor = np.where(together, rng.choice(STEPS, (COURSES, 1)), rng.choice(STEPS, (COURSES, LESIONS)))
        from_baseline = rng.random((COURSES, 1)) < 0.3
        size = np.where(from_baseline, mm[:, 0] * trend, mm[:, visit - 1] * factor)
        size = size + rng.choice([0, 0, 0, 0.1, 3, 5], size.shape)
        size = np.where(whole[:, None], np.rint(size), np.round(size, 1))
        gone = rng.random(size.shape) < 0.1
        mm[:, visit] = np.where(there & ~gone, np.minimum(size, 400), 0.0)
    missing = rng.random((COURSES, VISITS + 1, LESIONS)) < rng.choice([0.0, 0.03, 0.2], (COURSES, 1, 1))
    no_scan = rng.random((COURSES, VISITS + 1, 1)) < 0.05
    missing = (missing | no_scan) & there[:, None]
    missing[:, 0] = False
    non_target = rng.choice(
        ["CR", "NN", "NN", "NN", "NE", "PD"], mm.shape[:2], p=[0.2, 0.2, 0.2, 0.3, 0.06, 0.04]
    )
    non_target[(rng.random(COURSES) < 0.4) & (lesions > 0)] = "none"
    new_lesion = rng.random(mm.shape[:2]) < 0.04
    gaps = rng.choice([14, 27, 28, 29, 42, 42, 63], (COURSES, VISITS))
    days = np.concatenate([np.zeros((COURSES, 1)), np.cumsum(gaps, axis=1)], axis=1)
    held = np.arange(VISITS + 1) <= rng.integers(0, VISITS + 1, COURSES)[:, None]
    return Courses(np.where(missing, np.nan, mm), nodal, non_target, new_lesion, days, held)


def naive_answers(courses: Courses, patient: int) -> list[str]:
    """Overall responses by the second author; SD stands for non-CR/non-PD where there are no targets."""
    visits = range(1, int(courses.held[patient].sum()))
    words = [WORDS.get(str(w), str(w)) for w in courses.non_target[patient]]
    own = courses.diameters[patient, 0] > 0
    if not own.any():
        answers: list[str] = []
        for visit in visits:
            answer = overall_response_without_target(
                str(words[visit]), bool(courses.new_lesion[patient, visit])
            )
            answer = "SD" if answer == NON_CR_NON_PD else answer
            answers.append("PD" if "CR" in answers and answer == "SD" else answer)
        return answers
    mm = [[None if np.isnan(d) else float(d) for d in row[own]] for row in courses.diameters[patient]]
    scans = [
        Scan(float(courses.days[patient, v]), mm[v], words[v], bool(courses.new_lesion[patient, v]))
        for v in visits
    ]
    return course([float(d) for d in mm[0]], courses.nodal[patient][own].tolist(), scans)


@pytest.fixture(scope="module")
def first_author(courses: Courses) -> np.ndarray:
    target = recist.target_course(courses.diameters, courses.nodal).response
    overall = recist.overall_response(target, courses.non_target, courses.new_lesion)
    return np.where(courses.held, overall, "")


@pytest.fixture(scope="module")
def second_author(courses: Courses) -> list[list[str]]:
    return [naive_answers(courses, patient) for patient in range(COURSES)]


def disagreements(courses: Courses, one: list[object], two: list[object]) -> list[str]:
    """Courses on which the authors differ, told so that a person can look them up."""
    return [
        f"patient {i}: {a} and {b}; {courses.diameters[i].tolist()} nodes {courses.nodal[i].tolist()} "
        f"non-target {courses.non_target[i].tolist()} new {courses.new_lesion[i].tolist()} "
        f"days {courses.days[i].tolist()}"
        for i, (a, b) in enumerate(zip(one, two, strict=True))
        if a != b
    ]


def test_every_time_point(courses, first_author, second_author):
    one = [[str(word) for word in row[1:] if word] for row in first_author]
    assert not disagreements(courses, one, second_author)[:3]
    seen = Counter(word for row in one for word in row)
    assert (
        min(seen[word] for word in ("CR", "PR", "SD", "PD", "NE")) > 300
    )  # the comparison has met every answer


@pytest.mark.parametrize("confirm", [True, False])
@pytest.mark.parametrize("stable_from", [35.0, 42.0, 84.0])
def test_best_overall_response(courses, first_author, second_author, confirm, stable_from):
    found = recist.best_response(first_author, courses.days, stable_from=stable_from, confirm=confirm)
    days = [courses.days[i, 1 : len(row) + 1].tolist() for i, row in enumerate(second_author)]
    wait = 28.0 if confirm else None
    naive = [
        best_response(when, row, stable_from, wait, unbroken=True)
        for when, row in zip(days, second_author, strict=True)
    ]
    assert not disagreements(courses, [str(word) for word in found.best], naive)[:3]
    assert set(naive) == {"CR", "PR", "SD", "PD", "NE"}


def test_day_of_progression(courses, first_author, second_author):
    found = recist.best_response(first_author, courses.days, stable_from=42.0).progression_day
    naive = []
    for patient, row in enumerate(second_author):
        day = first_progression(courses.days[patient, 1 : len(row) + 1].tolist(), row)
        naive.append(np.nan if day is None else day)
    np.testing.assert_array_equal(found, naive)


def test_the_one_rule_read_differently(courses, first_author, second_author):
    """PR, SD, PR: "met at a subsequent time point", taken literally, confirms; the package is stricter."""
    found = recist.best_response(first_author, courses.days, stable_from=42.0).best
    changed = 0
    for patient, row in enumerate(second_author):
        days = courses.days[patient, 1 : len(row) + 1].tolist()
        literal = best_response(days, row, 42.0, 28.0)
        if literal != found[patient]:
            before = row[: row.index("PD")] if "PD" in row else row
            assert "SD" in before and before.count("PR") + before.count("CR") >= 2
            assert literal in ("CR", "PR")
            changed += 1
    assert 0 < changed < 0.05 * COURSES
