"""The second opinion must itself be right: the paper's tables and printed numbers from R."""

from __future__ import annotations

import math

import pytest

from .naive_recist import (
    CR,
    NE,
    NON_CR_NON_PD,
    PD,
    PR,
    SD,
    Scan,
    best_response,
    course,
    first_progression,
    overall_response,
    overall_response_without_target,
    target_response,
)
from .naive_survival import (
    can_be_permuted_blocks,
    clopper_pearson,
    cox_binary,
    kaplan_meier,
    log_rank,
    median,
    median_interval,
    stratified_log_rank,
    survival_at,
)

# Freireich's 42 children with leukemia (MASS::gehan): weeks in remission, relapse, 6-MP or control.
SIX_MP = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
SIX_MP_RELAPSE = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
CONTROL = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
WEEKS = [float(week) for week in SIX_MP + CONTROL]
RELAPSE = [bool(e) for e in SIX_MP_RELAPSE] + [True] * 21
TREATED = [True] * 21 + [False] * 21


@pytest.mark.parametrize(
    ("target", "non_target", "new", "expected"),
    [  # eisenhauer2009, Table 1, row by row
        (CR, CR, False, CR),
        (CR, None, False, CR),
        (CR, NON_CR_NON_PD, False, PR),
        (CR, NE, False, PR),
        (PR, NON_CR_NON_PD, False, PR),
        (PR, NE, False, PR),
        (SD, NON_CR_NON_PD, False, SD),
        (SD, NE, False, SD),
        (NE, NON_CR_NON_PD, False, NE),
        (PD, CR, False, PD),
        (PD, NE, True, PD),
        (CR, PD, False, PD),
        (NE, PD, True, PD),
        (CR, CR, True, PD),
        (NE, NE, True, PD),
    ],
)
def test_table_1(target, non_target, new, expected):
    assert overall_response(target, non_target, new) == expected


@pytest.mark.parametrize(
    ("non_target", "new", "expected"),
    [
        (CR, False, CR),
        (NON_CR_NON_PD, False, NON_CR_NON_PD),
        (NE, False, NE),
        (PD, False, PD),
        (CR, True, PD),
    ],
)
def test_table_2(non_target, new, expected):
    assert overall_response_without_target(non_target, new) == expected


@pytest.mark.parametrize(
    ("first", "second", "late_enough", "too_early"),
    [  # Table 3: answer when the first point satisfies the minimum for SD, and when it does not
        (CR, CR, CR, CR),
        (CR, PD, SD, PD),
        (CR, NE, SD, NE),
        (PR, CR, PR, PR),
        (PR, PR, PR, PR),
        (PR, PD, SD, PD),
        (PR, NE, SD, NE),
        (NE, NE, NE, NE),
    ],
)
def test_table_3(first, second, late_enough, too_early):
    assert best_response([42.0, 84.0], [first, second], 42.0, 28.0) == late_enough
    assert best_response([30.0, 58.0], [first, second], 100.0, 28.0) == too_early


def test_stable_then_progression_before_the_minimum_is_progression_and_lost_is_not_evaluable():
    assert best_response([28.0, 56.0], [SD, PD], 42.0, 28.0) == PD  # 4.4.3, the paper's own example
    assert best_response([28.0], [SD], 42.0, 28.0) == NE


def test_confirmation_needs_four_weeks_and_nothing_counts_after_progression():
    assert best_response([42.0, 69.0], [PR, PR], 42.0, 28.0) == SD
    assert best_response([42.0, 70.0], [PR, PR], 42.0, 28.0) == PR
    assert best_response([42.0, 69.0], [PR, PR], 42.0, None) == PR
    assert best_response([42.0, 84.0, 126.0], [PD, PR, PR], 42.0, 28.0) == PD
    assert best_response([42.0, 84.0, 126.0], [PR, NE, PR], 42.0, 28.0) == PR


def test_target_edges():
    two = [False, False]
    assert target_response([50.0, 40.0], [], [35.0, 28.0], two) == PR  # exactly -30 %
    assert target_response([50.0, 40.0], [], [35.0, 28.1], two) == SD
    assert target_response([10.0], [], [14.9], [False]) == SD  # +49 %, +4.9 mm
    assert target_response([10.0], [], [15.0], [False]) == PD
    assert target_response([100.0], [], [119.9], [False]) == SD  # +19.9 mm, +19.9 %
    assert target_response([100.0], [], [120.0], [False]) == PD
    assert target_response([100.0], [[50.0]], [60.0], [False]) == PD  # from the nadir, and -40 % of baseline
    assert target_response([30.0, 20.0], [], [0.0, 9.9], [False, True]) == CR
    assert target_response([30.0, 20.0], [], [0.0, 10.0], [False, True]) == PR
    assert target_response([20.0, 15.0, 15.0], [], [40.0, 40.0, None], [False] * 3) == PD  # the paper's case
    assert target_response([20.0, 15.0, 15.0], [], [5.0, 5.0, None], [False] * 3) == NE
    assert target_response([100.0], [[None]], [119.0], [False]) == SD  # a missing sum is no nadir


def test_a_course_reads_its_own_nadir():
    scans = [Scan(42, [30.0]), Scan(84, [None]), Scan(126, [36.0]), Scan(168, [36.0], new_lesion=True)]
    answers = course([50.0], [False], scans)
    assert answers == [PR, NE, PD, PD]
    assert first_progression([s.day for s in scans], answers) == 126


def test_disease_after_complete_response_is_progression():
    scans = [Scan(42, [0.0, 8.0]), Scan(84, [2.0, 8.0])]
    assert course([50.0, 20.0], [False, True], scans) == [CR, PD]
    assert course([50.0, 20.0], [False, True], [Scan(42, [0.0, None]), Scan(84, [2.0, 8.0])]) == [NE, PR]


def test_kaplan_meier_of_freireich():
    """R: survfit(Surv(time, cens) ~ 1, gehan[gehan$treat == "6-MP", ], conf.type = "log-log")."""
    steps = kaplan_meier(WEEKS[:21], RELAPSE[:21])
    printed = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for week, survival in printed.items():
        assert survival_at(steps, week) == pytest.approx(survival, abs=5e-4)
    assert median(steps) == 23
    low, high = median_interval(steps)
    assert (low, high) == (13, math.inf)
    assert median(kaplan_meier(WEEKS[21:], RELAPSE[21:])) == 8


def test_log_rank_and_cox_of_freireich():
    """R: survdiff chisq 16.8; coxph(ties = "efron") coef 1.572 for control, se 0.412."""
    assert log_rank(WEEKS, RELAPSE, TREATED) == pytest.approx(16.79, abs=5e-3)
    beta, error = cox_binary(WEEKS, RELAPSE, TREATED)
    assert beta == pytest.approx(-1.5721, abs=5e-5)
    assert error == pytest.approx(0.4124, abs=5e-5)


def test_one_stratum_is_no_stratum():
    one = ["a"] * len(WEEKS)
    assert stratified_log_rank(WEEKS, RELAPSE, TREATED, one) == pytest.approx(
        log_rank(WEEKS, RELAPSE, TREATED)
    )


def test_exact_interval():
    """R: binom.test(9, 18), binom.test(0, 10), binom.test(11, 30)."""
    assert clopper_pearson(9, 18) == pytest.approx((0.2601906, 0.7398094), abs=1e-6)
    assert clopper_pearson(0, 10) == pytest.approx((0.0, 0.3084971), abs=1e-6)
    assert clopper_pearson(11, 30) == pytest.approx((0.1992986, 0.5614402), abs=1e-6)


def test_blocks():
    one_to_one = {"a": 1, "b": 1}
    assert can_be_permuted_blocks(list("abbabbaaab"), one_to_one, [4])
    assert not can_be_permuted_blocks(list("aaabbb"), one_to_one, [4])
    assert can_be_permuted_blocks(list("abaabbba"), one_to_one, [2, 4])
    assert not can_be_permuted_blocks(list("abc"), one_to_one, [4])
    assert can_be_permuted_blocks(list("aabbaa"), {"a": 2, "b": 1}, [3])
