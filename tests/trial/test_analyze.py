"""The analysis against what R's survival package prints for well-known data, and cases by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_leukemia, load_lung

from twoarm.errors import AnalysisCellError, ArmsToCompareError, MissingColumnError
from twoarm.trial import analyze as a

AML = pd.DataFrame(  # survival::aml of R, Miller 1997
    {
        "day": [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161, 5, 5, 8, 8, 12, 16, 23, 27, 30, 33, 43, 45],
        "event": [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1],
        "arm": ["maintained"] * 11 + ["not"] * 12,
    }
)


def as_cut(day: np.ndarray, event: np.ndarray, arm: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "arm": arm, "stratum": "all", "bor": "SD", "grade": 0, "OS_day": np.asarray(day, float),
            "OS_event": np.asarray(event, bool), "PFS_day": np.asarray(day, float),
            "PFS_event": np.asarray(event, bool),
        }
    )  # fmt: skip


def test_aml_as_in_r() -> None:
    """survfit, survdiff and coxph of R for Surv(time, status) ~ x, aml."""
    table = as_cut(AML["day"], AML["event"], AML["arm"])
    assert a.medians(table, endpoints=["OS"])["median"].tolist() == [31, 23]
    curve = a.kaplan_meier(table, endpoints=["OS"]).query("arm == 'maintained'").set_index("day")
    printed = {9: 0.909, 13: 0.818, 18: 0.716, 23: 0.614, 31: 0.491, 34: 0.368, 48: 0.184}
    for day, survival in printed.items():
        assert curve.loc[day, "survival"] == pytest.approx(survival, abs=5e-4)
    assert curve.loc[[9, 13, 18, 48], "at_risk"].tolist() == [11, 10, 8, 2]
    statistic, p = a.log_rank(AML["day"], AML["event"] == 1, AML["arm"] == "not")
    assert (statistic, p) == (pytest.approx(3.396, abs=5e-4), pytest.approx(0.0653, abs=5e-5))
    ratio, low, high = a.hazard_ratio(AML["day"], AML["event"] == 1, AML["arm"] == "not")
    assert [ratio, low, high] == [pytest.approx(x, abs=5e-4) for x in (2.4981, 0.9159, 6.8134)]


def test_leukemia_as_in_r() -> None:
    """MASS::gehan: survdiff 16.8, coxph (Efron) coef 1.5721, exp 4.817, 2.147 to 10.81; medians 8 and 23."""
    data = load_leukemia()
    table = as_cut(data["t"], data["status"], np.where(data["Rx"] == 1, "placebo", "6-MP"))
    middle = a.medians(table, endpoints=["OS"], arms=["6-MP", "placebo"])
    assert middle["median"].tolist() == [23, 8]
    assert middle[["low", "high"]].to_numpy().tolist() == [[13, np.inf], [4, 11]]  # PROC LIFETEST, log-log
    statistic, _ = a.log_rank(data["t"], data["status"] == 1, data["Rx"] == 1)
    assert statistic == pytest.approx(16.79, abs=5e-3)
    found = a.hazard_ratio(data["t"], data["status"] == 1, data["Rx"] == 1)
    assert found == (
        pytest.approx(4.817, abs=1e-3), pytest.approx(2.147, abs=1e-3), pytest.approx(10.81, abs=5e-3),
    )  # fmt: skip


def test_lung_as_in_r() -> None:
    """Surv(time, status) ~ sex, lung: medians 270 and 426, survdiff 10.3, coxph coef -0.5310, HR 0.588."""
    data = load_lung()
    table = as_cut(data["time"], data["status"], np.where(data["sex"] == 1, "male", "female"))
    assert a.medians(table, endpoints=["OS"], arms=["male", "female"])["median"].tolist() == [270, 426]
    statistic, p = a.log_rank(data["time"], data["status"] == 1, data["sex"] == 2)
    assert (statistic, p) == (pytest.approx(10.3, abs=0.05), pytest.approx(0.00131, abs=5e-6))
    ratio, low, high = a.hazard_ratio(data["time"], data["status"] == 1, data["sex"] == 2)
    assert np.log(ratio) == pytest.approx(-0.5310, abs=5e-5)
    assert [low, high] == [pytest.approx(0.4237, abs=5e-5), pytest.approx(0.816, abs=5e-4)]


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(11, 30, 19.9, 56.1), (6, 6, 54.1, 100), (0, 10, 0, 30.8), (5, 38, 4.4, 28.1)],
)
def test_exact_intervals(count: int, n: int, low: float, high: float) -> None:
    assert [100 * end for end in a.exact_interval(count, n)] == pytest.approx([low, high], abs=0.05)


def test_log_rank_by_hand() -> None:
    """Deaths 1, 2 in one group, 3, 4 in the other: O - E = 2 - (1/2 + 1/3), V = 1/4 + 2/9."""
    days, group = np.array([1.0, 2, 3, 4]), np.array([True, True, False, False])
    statistic, _ = a.log_rank(days, np.ones(4, bool), group)
    assert statistic == pytest.approx((2 - 5 / 6) ** 2 / (1 / 4 + 2 / 9))
    strata = np.repeat(["x", "y"], 4)
    twice, _ = a.log_rank(
        np.tile(days, 2) + np.repeat([0.0, 100.0], 4), np.ones(8, bool), np.tile(group, 2), strata
    )
    assert twice == pytest.approx(2 * statistic)  # two strata with the same story, at other times


def test_stratified_cox_of_two_copies() -> None:
    days = np.concatenate([AML["day"], AML["day"] + 500.0])
    events, group = np.tile(AML["event"] == 1, 2), np.tile(AML["arm"] == "not", 2)
    ratio, low, high = a.hazard_ratio(days, events, group, np.repeat([0, 1], len(AML)))
    assert ratio == pytest.approx(2.4981, abs=5e-4)
    assert np.log(high / low) == pytest.approx(np.log(6.8134 / 0.9159) / np.sqrt(2), abs=1e-3)


def test_measures_by_hand() -> None:
    """Ten patients an arm, everybody dead on day 61 (two months) or alive on day 600."""
    day = np.array([60.875] * 6 + [600.0] * 4 + [60.875] * 2 + [600.0] * 8)
    event = day < 100
    table = as_cut(day, event, np.repeat(["new", "old"], 10))
    table.loc[:2, "bor"], table.loc[10:13, "bor"], table.loc[5:6, "grade"] = "PR", "NE", 3
    found = a.analyze(table, stratified=False).set_index(["quantity", "arm"])
    assert found.loc[("ORR", "new"), ["value", "n", "events"]].tolist() == [30, 10, 3]
    assert found.loc[("DCR", "old"), "value"] == 60
    assert found.loc[("Grade >= 3 events", "new"), "value"] == 20
    assert found.loc[("Median OS", "new"), "value"] == pytest.approx(2)
    assert np.isinf(found.loc[("Median OS", "old"), "value"])
    assert found.loc[("OS at 12 months", "new"), "value"] == pytest.approx(40)
    assert found.loc[("PFS at 6 months", "old"), "value"] == pytest.approx(80)
    ratio = found.loc[("Hazard ratio of OS", "")]
    assert ratio["low"] < ratio["value"] < ratio["high"]
    assert ratio["value"] > 1


def test_nobody_died() -> None:
    table = as_cut(np.full(8, 50.0), np.zeros(8), np.repeat(["new", "old"], 4))
    found = a.analyze(table, stratified=False).set_index(["quantity", "arm"])
    assert np.isnan(found.loc[("Hazard ratio of OS", ""), "value"])
    assert np.isinf(found.loc[("Median OS", "new"), "value"])


def test_subgroups_cover_all_levels() -> None:
    table = as_cut(AML["day"], AML["event"], AML["arm"]).assign(region=["asia", "other"] * 11 + ["asia"])
    found = a.subgroups(table, ["region"])
    levels = found[found["level"] != ""]
    assert levels["level"].unique().tolist() == ["asia", "other"]
    ratios = found[found["quantity"] == "Hazard ratio of OS"]
    assert ratios["n"].tolist() == [len(AML), 12, 11]  # all of them first
    assert ratios["events"].tolist()[0] == ratios["events"].tolist()[1] + ratios["events"].tolist()[2] == 18
    p = found.set_index("quantity").loc["Interaction p of OS", "value"]
    assert 0 < p < 1


def test_errors_name_what_is_missing() -> None:
    table = as_cut(AML["day"], AML["event"], AML["arm"])
    with pytest.raises(MissingColumnError, match="grade"):
        a.analyze(table.drop(columns="grade"))
    with pytest.raises(ArmsToCompareError, match="placebo"):
        a.analyze(table, arms=["maintained", "placebo"])


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=2, max_size=30))
@settings(max_examples=20, deadline=None)
def test_survival_never_rises(courses: list[tuple[int, bool]]) -> None:
    day, event = np.array(courses, float).T
    curve = a.kaplan_meier(as_cut(day, event, np.array(["one"] * len(day))), endpoints=["OS"])
    assert (np.diff(curve["survival"]) <= 1e-12).all()
    assert (np.diff(curve["at_risk"]) <= 0).all()
    if event.all():
        middle = np.sort(day)[(len(day) + 1) // 2 - 1]
        assert (
            a.medians(as_cut(day, event, np.array(["one"] * len(day))), endpoints=["OS"])["median"][0]
            == middle
        )


def test_arms_that_their_events_separate_have_no_ratio_and_no_noise() -> None:
    """Everybody of one arm before anybody of the other: no number, and no warning."""
    days, treated = np.arange(1.0, 13), np.arange(12) < 6
    assert np.isnan(a.hazard_ratio(days, np.ones(12, bool), treated)).all()


def test_events_as_ones_and_zeros_are_events() -> None:
    table = as_cut(AML["day"], AML["event"], AML["arm"])
    counted = table.assign(OS_event=table["OS_event"].astype(int), PFS_event=table["PFS_event"].astype(float))
    pd.testing.assert_frame_equal(a.analyze(table), a.analyze(counted))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("OS_day", -3.0),
        ("PFS_day", np.nan),
        ("OS_day", np.inf),
        ("OS_event", None),
        ("PFS_event", 2),
        ("OS_event", "yes"),
    ],
)
def test_what_cannot_be_analyzed_is_named_by_column_and_row(column: str, value: object) -> None:
    table = as_cut(AML["day"], AML["event"], AML["arm"])
    table[column] = table[column].astype(object)
    table.loc[4, column] = value
    with pytest.raises(AnalysisCellError, match=rf"column {column} of row 4"):
        a.analyze(table)


def test_a_stratified_comparison_needs_strata_and_one_arm_does_not() -> None:
    table = as_cut(AML["day"], AML["event"], AML["arm"]).drop(columns="stratum")
    with pytest.raises(MissingColumnError, match="stratum"):
        a.analyze(table)
    assert len(a.analyze(table, stratified=False))
    assert len(a.analyze(table[table["arm"] == "maintained"], arms=["maintained"]))
