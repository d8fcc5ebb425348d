"""The analysis against textbook sums, on random trials with ties, heavy censoring and empty corners."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from twoarm.trial import analyze

from .naive_survival import (
    clopper_pearson,
    cox_binary,
    kaplan_meier,
    log_rank,
    median,
    median_interval,
    stratified_log_rank,
    survival_at,
)

SEEDS = range(12)


def random_trial(seed: int) -> pd.DataFrame:
    """Two arms, two strata; days rounded so that deaths and losses fall together."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 90))
    arm = rng.choice(["experimental", "control"], n)
    stratum = rng.choice(["primary", "acquired"], n)
    scale = np.where(arm == "experimental", rng.uniform(150, 500), 200.0) * np.where(
        stratum == "primary", 0.7, 1.0
    )
    death, loss = rng.exponential(scale), rng.exponential(rng.uniform(200, 900), n)
    grid = float(rng.choice([1, 21, 60]))
    days = np.maximum(np.ceil(np.minimum(death, loss) / grid) * grid, 1.0)
    return pd.DataFrame({"arm": arm, "stratum": stratum, "OS_day": days, "OS_event": death <= loss})


def columns(table: pd.DataFrame) -> tuple[list[float], list[bool], list[bool], list[str]]:
    """Plain lists: days, events, treated, strata."""
    return (
        table["OS_day"].tolist(),
        table["OS_event"].tolist(),
        (table["arm"] == "experimental").tolist(),
        table["stratum"].tolist(),
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_kaplan_meier(seed):
    table = random_trial(seed)
    curves = analyze.kaplan_meier(table, endpoints=["OS"])
    for arm, part in curves.groupby("arm"):
        own = table[table["arm"] == arm]
        steps = kaplan_meier(own["OS_day"].tolist(), own["OS_event"].tolist())
        at_day = {step.day: step for step in steps}
        for row in part.itertuples():
            assert row.survival == pytest.approx(survival_at(steps, row.day), abs=1e-12)
            assert row.at_risk == (own["OS_day"] >= row.day).sum()
            assert row.censored == ((own["OS_day"] == row.day) & ~own["OS_event"]).sum()
            step = at_day.get(row.day)
            if step is not None and not math.isnan(step.low):
                assert (row.low, row.high) == pytest.approx((step.low, step.high), abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_medians(seed):
    table = random_trial(seed)
    for row in analyze.medians(table, endpoints=["OS"]).itertuples():
        own = table[table["arm"] == row.arm]
        steps = kaplan_meier(own["OS_day"].tolist(), own["OS_event"].tolist())
        assert row.median == median(steps)
        low, high = median_interval(steps)
        assert row.low == low
        if steps[-1].survival == 0.0 and math.isinf(high):
            # At zero the log(-log) band has no width: R prints no upper end, lifelines the last day.
            assert row.high == steps[-1].day
        else:
            assert row.high == high


@pytest.mark.parametrize("seed", SEEDS)
def test_log_rank(seed):
    table = random_trial(seed)
    days, events, treated, strata = columns(table)
    found = analyze.log_rank(np.array(days), np.array(events), np.array(treated))
    assert found[0] == pytest.approx(log_rank(days, events, treated), rel=1e-10)
    assert found[1] == pytest.approx(math.erfc(math.sqrt(found[0] / 2)), rel=1e-9)
    found = analyze.log_rank(np.array(days), np.array(events), np.array(treated), np.array(strata))
    assert found[0] == pytest.approx(stratified_log_rank(days, events, treated, strata), rel=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stratified", [False, True])
def test_hazard_ratio(seed, stratified):
    table = random_trial(seed)
    days, events, treated, strata = columns(table)
    beta, error = cox_binary(days, events, treated, strata if stratified else None)
    found = analyze.hazard_ratio(
        np.array(days), np.array(events), np.array(treated), np.array(strata) if stratified else None
    )
    reach = 1.959963984540054 * error
    # lifelines stops its Newton steps early: the log hazard ratio may be off by a thousandth of its error.
    assert np.log(found) == pytest.approx([beta, beta - reach, beta + reach], abs=1e-3 * error)


def test_freireich_as_r_prints_it():
    """R: coxph(Surv(time, cens) ~ treat, gehan): exp(coef) 4.817, 95 % 2.147 to 10.81; survdiff 16.8."""
    from .test_naive import RELAPSE, TREATED, WEEKS

    control = ~np.array(TREATED)
    found = analyze.hazard_ratio(np.array(WEEKS), np.array(RELAPSE), control)
    assert found == pytest.approx([4.817, 2.147, 10.81], rel=5e-4)
    assert analyze.log_rank(np.array(WEEKS), np.array(RELAPSE), control)[0] == pytest.approx(16.8, abs=0.05)


@pytest.mark.parametrize(("count", "n"), [(0, 1), (1, 1), (0, 37), (37, 37), (9, 18), (11, 30), (66, 300)])
def test_exact_interval(count, n):
    assert analyze.exact_interval(count, n) == pytest.approx(clopper_pearson(count, n), abs=1e-9)


def test_exact_interval_of_the_evidence_is_the_same():
    from twoarm.evidence.compare import exact_interval

    for count, n in [(0, 18), (9, 18), (18, 18), (11, 30)]:
        assert exact_interval(count, n) == pytest.approx(clopper_pearson(count, n), abs=1e-9)
