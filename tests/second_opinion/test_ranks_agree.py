"""Fast statistics of many trials against those of single trials: written apart, they must agree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.trial.analyses.curves import medians, restricted_mean, restricted_mean_difference
from twoarm.trial.analyses.hazards import hazard_ratio, log_rank
from twoarm.trial.ranks import hazard_ratios, log_rank_scores, medians_of, restricted_means, risk_sets

TRIALS, PATIENTS = 6, 70


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, ...]:
    """Trials with ties, censoring, strata and a hazard that changes."""
    rng = np.random.default_rng(12)
    shape = (TRIALS, PATIENTS)
    treated, strata = rng.random(shape) < 0.5, rng.integers(0, 3, shape)
    death = rng.weibull(1.0 + 0.6 * treated, shape) * (200 + 60 * strata)
    loss = rng.exponential(500, shape)
    days = np.maximum(np.ceil(np.minimum(death, loss) / 14) * 14, 1.0)
    return days, death <= loss, treated, strata


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("weights", [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
def test_log_rank(many, stratified, weights):
    days, events, treated, strata = many
    sets = risk_sets(days, events, treated, strata if stratified else None)
    fast = log_rank_scores(sets, rho=weights[0], gamma=weights[1]).z ** 2
    for trial in range(TRIALS):
        own = strata[trial] if stratified else None
        slow = log_rank(days[trial], events[trial], treated[trial], own, weights=weights)[0]
        assert fast[trial] == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("stratified", [False, True])
def test_hazard_ratio(many, stratified):
    days, events, treated, strata = many
    fast = hazard_ratios(risk_sets(days, events, treated, strata if stratified else None))
    for trial in range(TRIALS):
        own = strata[trial] if stratified else None
        ratio, low, high = hazard_ratio(days[trial], events[trial], treated[trial], own)
        assert fast.log_ratio[trial] == pytest.approx(np.log(ratio), abs=1e-6)  # lifelines stops within 1e-7
        error = np.log(high / low) / (2 * 1.959963984540054)
        assert fast.error[trial] == pytest.approx(error, rel=1e-6)


def test_restricted_mean_and_median(many):
    days, events, treated, _ = many
    fast = restricted_means(days, events, treated, until=250.0)
    middle = medians_of(days, events, treated)
    for trial in range(TRIALS):
        group = treated[trial]
        slow = restricted_mean(pd.Series(days[trial][group]), pd.Series(events[trial][group]), 250.0)
        assert (fast.treated[trial], np.sqrt(fast.variance_treated[trial])) == pytest.approx(slow, rel=1e-9)
        difference = restricted_mean_difference(days[trial], events[trial], group, 250.0)[0]
        assert fast.difference[trial] == pytest.approx(difference, rel=1e-9)
        table = pd.DataFrame({"arm": "x", "OS_day": days[trial][group], "OS_event": events[trial][group]})
        assert middle[trial] == medians(table, endpoints=["OS"])["median"][0]
