"""Scores, coverage and the naive interval, against closed forms and draws of which the truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from twoarm.check.naive import naive_intervals
from twoarm.check.score import LEVELS, coverage, score_row, widths_of

EVEN = np.ones(4000)


@pytest.mark.parametrize("unit", ["%", "months", "ratio"])
def test_a_report_from_the_same_distribution_is_inside_as_often_as_claimed(unit: str) -> None:
    chance = np.random.default_rng(3)
    draws = {"%": 100 * chance.beta(20, 30, 4000)}.get(unit, np.exp(chance.normal(0, 0.4, 4000)))
    reports = chance.choice(draws, 600)
    found = pd.DataFrame([score_row(draws, EVEN, value, unit) for value in reports]).assign(trial_name="")
    told = coverage(found)
    assert told["observed"].to_numpy() == pytest.approx(LEVELS, abs=0.06)
    assert found["z"].std() == pytest.approx(1, abs=0.1)
    assert found["rank"].mean() == pytest.approx(0.5, abs=0.05)


def test_weights_count() -> None:
    values = np.array([1.0, 2.0, 3.0])
    assert score_row(values, np.array([1.0, 1.0, 8.0]), 3.0, "months")["predicted"] == 3.0
    assert score_row(values, np.array([8.0, 1.0, 1.0]), 3.0, "months")["predicted"] == 1.0


def test_rounded_reports_and_ties_are_given_the_benefit() -> None:
    draws = np.repeat(100 * np.arange(31) / 30, 10)
    found = score_row(draws, np.ones(310), 36.7, "%")
    assert found["rank"] == pytest.approx(11.5 / 31)
    assert score_row(np.full(50, 8.96), np.ones(50), 9.0, "months")["inside_50"] == 1.0


def test_medians_that_are_not_reached_are_kept() -> None:
    draws = np.r_[np.linspace(1, 9, 60), np.full(40, np.inf)]
    found = score_row(draws, np.ones(100), 30.0, "months")
    assert found["high"] == np.inf
    assert found["inside_90"] == 1.0
    assert found["rank"] == pytest.approx(0.6)
    assert score_row(np.full(9, np.nan), np.ones(9), 3.0, "months") == {}


def test_a_report_beyond_all_draws_is_as_far_as_its_distance() -> None:
    draws = np.exp(norm(1, 0.1).ppf((np.arange(500) + 0.5) / 500))
    near = score_row(draws, np.ones(500), float(np.exp(1.36)), "months")["z"]
    assert near == pytest.approx(3.6, abs=0.1)
    assert score_row(draws, np.ones(500), 400.0, "months")["z"] == 4.0
    assert score_row(draws, np.ones(500), 0.0, "months")["z"] == -4.0


def test_rows_of_one_trial_are_not_counted_as_many() -> None:
    rows = pd.DataFrame({f"inside_{round(100 * level)}": [1.0] * 10 + [0.0] * 10 for level in LEVELS})
    together = coverage(rows.assign(trial_name=["a"] * 10 + ["b"] * 10)).loc[2]
    apart = coverage(rows.assign(trial_name=[f"t{k}" for k in range(20)])).loc[2]
    assert together["high"] - together["low"] > 1.5 * (apart["high"] - apart["low"])


def facts(values: list[float], n: int = 100, unit: str = "months") -> pd.DataFrame:
    rows = [
        {"id": f"R{k}", "value": value, "unit": unit, "n": n, "ci_low": np.nan, "ci_high": np.nan,
         "trial_name": f"T{k}", "group": "g"}
        for k, value in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_other_trials_that_agree_leave_the_sampling_of_the_new_one() -> None:
    table = facts([10.0] * 40)
    found = naive_intervals(table, table).loc["R0"]
    error = 1 / (np.log(2) * 10)
    reach = 1.687 * error * np.sqrt(1 + 1 / 39)  # t of 37 degrees of freedom
    assert found["naive_low"] == pytest.approx(10 * np.exp(-reach), rel=1e-3)
    assert found["naive_high"] == pytest.approx(10 * np.exp(reach), rel=1e-3)
    assert found["naive_rows"] == 39


def test_a_new_trial_is_held_by_its_naive_interval_as_often_as_claimed() -> None:
    chance, held = np.random.default_rng(2), []
    for _ in range(300):
        truth = np.exp(chance.normal(2, 0.3, 12) + chance.normal(0, 1 / (np.log(2) * 10), 12))
        table = facts(list(truth))
        found = naive_intervals(table.iloc[:1], table).iloc[0]
        held.append(found["naive_low"] <= truth[0] <= found["naive_high"])
    assert np.mean(held) == pytest.approx(0.9, abs=0.06)


def test_without_two_other_trials_there_is_no_naive_interval() -> None:
    table = facts([10.0, 12.0])
    assert np.isnan(naive_intervals(table, table)["naive_low"]).all()
    same = facts([10.0, 12.0, 14.0, 9.0]).assign(trial_name=["T0", "T1", "T1", "T0"])
    assert np.isnan(naive_intervals(same, same)["naive_low"]).all()


def test_shares_of_nobody_have_a_naive_interval() -> None:
    table = facts([0.0, 1.0, 0.0, 2.0], unit="%")
    found = naive_intervals(table, table)
    assert np.isfinite(found[["naive_low", "naive_high"]]).all(axis=None)
    assert (found["naive_low"] >= 0).all()


def test_widths_are_told_by_unit() -> None:
    rows = pd.DataFrame(
        {"unit": ["%", "%", "months"], "low": [10.0, 20, 2], "high": [20.0, 60, 8], "naive_low": np.nan,
         "naive_high": np.nan, "reported": [15.0, 30, 4]}
    )  # fmt: skip
    found = widths_of(rows).set_index("unit")
    assert found.loc["%", "predicted"] == 25
    assert found.loc["months", "predicted"] == 4
    assert found.loc["%", "naive_rows"] == 0
