"""RECIST 1.1 against cases worked by hand from the paper, and properties that hold for any course."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm.errors import MissingBaselineError, VisitOrderError
from twoarm.trial import recist

NAN = np.nan


def target(*visits: list[float], nodal: list[bool] | None = None) -> str:
    node = None if nodal is None else np.array(nodal)
    return " ".join(recist.target_course(np.array(visits, float), node).response[1:])


@pytest.mark.parametrize(
    ("visits", "expected"),
    [
        ([[50], [35]], "PR"),  # exactly -30 % of baseline
        ([[50], [36]], "SD"),
        ([[90], [63]], "PR"),  # as floats 0.7 * 90 is 62.99...
        ([[50], [60]], "PD"),  # exactly +20 % and 10 mm
        ([[50], [59]], "SD"),
        ([[20], [24]], "SD"),  # +20 % and only 4 mm
        ([[20], [25]], "PD"),  # +25 % and exactly 5 mm
        ([[100], [40], [48]], "PR PD"),  # from the nadir, while still 52 % below baseline
        ([[100], [40], [46]], "PR PR"),
        ([[100], [80], [99]], "SD PD"),  # +24 % of nadir 80, still below baseline
        ([[30], [0], [4]], "CR PR"),  # regrowth is settled in the overall response
        ([[30], [0], [5]], "CR PD"),  # any rise of 5 mm from a nadir of 0
        ([[12.3, 13.0], [8.61, 9.1]], "PR"),  # 17.71 of 25.3 is 70 % exactly
        ([[30, 20], [30, NAN]], "NE"),
        ([[20, 15, 15], [45, 35, NAN]], "PD"),  # the paper's example: 50 mm, then 80 mm with a lesion missing
        ([[30, 20], [NAN, 10], [30, 20]], "NE SD"),  # a partial sum does not lower the nadir
        ([[30, 20], [NAN, NAN]], "NE"),
    ],
)
def test_target_by_hand(visits: list[list[float]], expected: str) -> None:
    assert target(*visits) == expected


def test_nodes_count_as_gone_below_10_mm() -> None:
    assert target([30, 18], [0, 9.9], nodal=[False, True]) == "CR"
    assert target([30, 18], [0, 10], nodal=[False, True]) == "PR"
    assert target([18], [9], nodal=[True]) == "CR"  # the sum is not 0 and the response is complete


def test_too_small_counts_5_mm() -> None:
    mm = recist.small_lesion_rule(np.array([[20.0, 20], [2, 0]]), np.array([[False, False], [True, False]]))
    assert mm.tolist() == [[20, 20], [5, 0]]


def test_baseline_must_be_measured() -> None:
    with pytest.raises(MissingBaselineError, match="lesion 1 of patient row 0"):
        recist.target_course(np.array([[30, NAN], [30, 20]]))


def test_nadir_and_totals() -> None:
    course = recist.target_course(np.array([[50.0], [40], [NAN], [45], [30]]))
    np.testing.assert_array_equal(course.total, [50, 40, NAN, 45, 30])
    np.testing.assert_array_equal(course.nadir, [NAN, 50, 40, 40, 40])


@pytest.mark.parametrize(
    ("target", "non_target", "new", "expected"),
    [  # Table 1 of the paper, then Table 2
        ("CR", "CR", False, "CR"), ("CR", "none", False, "CR"), ("CR", "NN", False, "PR"),
        ("CR", "NE", False, "PR"), ("PR", "NN", False, "PR"), ("PR", "NE", False, "PR"),
        ("PR", "CR", False, "PR"), ("SD", "NN", False, "SD"), ("SD", "NE", False, "SD"),
        ("NE", "NN", False, "NE"), ("PD", "CR", False, "PD"), ("PD", "NE", True, "PD"),
        ("SD", "PD", False, "PD"), ("NE", "PD", False, "PD"), ("NE", "NE", True, "PD"),
        ("CR", "CR", True, "PD"), ("none", "CR", False, "CR"), ("none", "NN", False, "SD"),
        ("none", "NE", False, "NE"), ("none", "PD", False, "PD"), ("none", "CR", True, "PD"),
    ],
)  # fmt: skip
def test_overall_tables(target: str, non_target: str, new: bool, expected: str) -> None:
    found = recist.overall_response(np.array([target]), np.array([non_target]), np.array([new]))
    assert found.tolist() == [expected]


def test_any_disease_after_complete_response_is_progression() -> None:
    target = np.array(["", "CR", "NE", "PR", "SD"])
    found = recist.overall_response(target, np.full(5, "none"), np.zeros(5, bool))
    assert found.tolist() == ["", "CR", "NE", "PD", "PD"]
    partial = recist.overall_response(target, np.full(5, "NN"), np.zeros(5, bool))
    assert partial.tolist() == ["", "PR", "NE", "PR", "SD"]  # it never was complete


@pytest.mark.parametrize(
    ("seen", "days", "best", "begins"),
    [
        ("CR CR PD", (42, 84, 126), "CR", 42),
        ("CR PD", (42, 84), "SD", NAN),  # unconfirmed, SD long enough
        ("CR PD", (28, 84), "PD", NAN),  # unconfirmed, too early for SD
        ("PR NE PR", (42, 84, 126), "PR", 42),
        ("PR SD PR", (42, 84, 126), "SD", NAN),
        ("PR CR CR", (42, 84, 126), "CR", 42),
        ("PR CR PD", (42, 84, 126), "PR", 42),
        ("PR PR", (42, 69), "SD", NAN),  # 27 days apart
        ("PR PR", (42, 70), "PR", 42),  # 28 days apart
        ("PR PR PR", (42, 63, 84), "PR", 42),
        ("NE NE", (42, 84), "NE", NAN),
        ("SD", (28,), "NE", NAN),  # SD too early, nothing else
        ("NE PD", (42, 84), "PD", NAN),
        ("SD PD PR PR", (42, 84, 126, 168), "SD", NAN),  # nothing counts after PD
    ],
)
def test_best_response_by_hand(seen: str, days: tuple[int, ...], best: str, begins: float) -> None:
    found = recist.best_response(np.array([seen.split()]), np.array([days], float), stable_from=35)
    assert found.best[0] == best
    np.testing.assert_array_equal(found.response_day, [begins])


def test_progression_lies_after_the_last_evaluable_scan() -> None:
    found = recist.best_response(
        np.array([["", "SD", "NE", "PD", "PD"], ["", "NE", "", "", ""]]), np.arange(5.0) * 42, stable_from=35
    )
    np.testing.assert_array_equal(found.progression_day, [126, NAN])
    np.testing.assert_array_equal(found.last_evaluable_day, [42, 0])


def test_days_must_rise() -> None:
    with pytest.raises(VisitOrderError, match="visit 1 of patient row 0"):
        recist.best_response(np.array([["SD", "SD"]]), np.array([[84.0, 42.0]]), stable_from=35)


RANK = {"CR": 0, "PR": 1, "SD": 2, "PD": 3, "NE": 3}
CODES = st.sampled_from(["CR", "PR", "SD", "PD", "NE"])


@given(st.lists(CODES, min_size=1, max_size=8), st.data())
def test_best_response_is_never_worse_for_one_more_complete_response(
    seen: list[str], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(seen) - 1))
    better = [*seen[:place], "CR", *seen[place + 1 :]]
    days = np.arange(1.0, len(seen) + 1)[None] * 42
    before, after = (
        recist.best_response(np.array([row]), days, stable_from=35).best[0] for row in (seen, better)
    )
    assert RANK[after] <= RANK[before]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_patients_do_not_see_each_other(seed: int) -> None:
    draw = np.random.default_rng(seed)
    mm = np.where(draw.random((6, 7, 3)) < 0.1, NAN, draw.integers(0, 60, (6, 7, 3)))
    mm[:, 0] = draw.integers(10, 60, (6, 3))
    order = draw.permutation(6)
    whole = recist.target_course(mm)
    np.testing.assert_array_equal(whole.response[order], recist.target_course(mm[order]).response)
    single = recist.target_course(mm[2])
    np.testing.assert_array_equal(whole.response[2], single.response)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_progression_needs_growth_from_the_nadir(seed: int) -> None:
    draw = np.random.default_rng(seed)
    mm = draw.integers(10, 60, (1, 8, 2)).astype(float)
    course = recist.target_course(mm)
    for visit in range(1, 8):
        nadir = mm[0, :visit].sum(axis=1).min()
        grown = mm[0, visit].sum() - nadir
        assert (course.response[0, visit] == "PD") == (grown >= 5 and 5 * grown >= nadir)


def test_a_phase_three_is_judged_fast() -> None:
    mm = np.random.default_rng(1).integers(10, 60, (600, 20, 5)).astype(float)
    start = time.perf_counter()
    course = recist.target_course(mm)
    overall = recist.overall_response(course.response, np.full((600, 20), "NN"), np.zeros((600, 20), bool))
    recist.best_response(overall, np.arange(20.0) * 42, stable_from=35)
    assert time.perf_counter() - start < 1.0
