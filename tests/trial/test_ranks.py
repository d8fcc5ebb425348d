"""Rank statistics of many trials against lifelines, one trial at a time."""

import numpy as np
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time

from twoarm.errors import RankArraysError
from twoarm.trial.analyze import hazard_ratio, log_rank
from twoarm.trial.ranks import (
    hazard_ratios,
    log_rank_scores,
    medians_of,
    restricted_means,
    risk_sets,
)

TRIALS, PATIENTS = 4, 90


@pytest.fixture(scope="module")
def trials():
    """Tied days, censoring, strata, unequal groups."""
    draw = np.random.default_rng(3)
    treated = draw.random((TRIALS, PATIENTS)) < 0.4
    strata = draw.integers(0, 3, (TRIALS, PATIENTS))
    days = np.ceil(draw.exponential(20, (TRIALS, PATIENTS)) * np.where(treated, 1.4, 1.0) * (1 + strata / 2))
    events = draw.random((TRIALS, PATIENTS)) < 0.8
    return days, events, treated, strata


def test_log_rank_is_that_of_single_trials(trials):
    days, events, treated, strata = trials
    for given in (None, strata):
        z = log_rank_scores(risk_sets(days, events, treated, given)).z
        for row in range(TRIALS):
            one = log_rank(days[row], events[row], treated[row], None if given is None else given[row])
            assert z[row] ** 2 == pytest.approx(one[0], rel=1e-10)


@pytest.mark.parametrize(("rho", "gamma"), [(0, 1), (1, 0), (1, 1), (0.5, 2)])
def test_weighted_log_rank_is_that_of_lifelines(trials, rho, gamma):
    days, events, treated, _ = trials
    z = log_rank_scores(risk_sets(days, events, treated), rho=rho, gamma=gamma).z
    for row in range(TRIALS):
        d, e, t = days[row], events[row], treated[row]
        other = logrank_test(d[t], d[~t], e[t], e[~t], weightings="fleming-harrington", p=rho, q=gamma)
        assert z[row] ** 2 == pytest.approx(other.test_statistic, rel=1e-9)


def test_hazard_ratio_and_its_error_are_those_of_lifelines(trials):
    days, events, treated, strata = trials
    for given in (None, strata):
        found = hazard_ratios(risk_sets(days, events, treated, given))
        for row in range(TRIALS):
            one = hazard_ratio(days[row], events[row], treated[row], None if given is None else given[row])
            assert np.exp(found.log_ratio[row]) == pytest.approx(one[0], rel=1e-6)
            assert np.exp(found.log_ratio[row] + 1.959963985 * found.error[row]) == pytest.approx(
                one[2], rel=1e-6
            )


def test_hazard_ratio_of_a_period_is_that_of_a_model_with_late_entry(trials):
    import pandas as pd

    days, events, treated, _ = trials
    found = hazard_ratios(risk_sets(days, events, treated), between=(10.0, 30.0))
    for row in range(TRIALS):
        d = np.minimum(days[row], 30.0)
        table = pd.DataFrame(
            {"day": d, "event": events[row] & (days[row] <= 30), "treated": treated[row] * 1.0, "entry": 10.0}
        )
        fit = CoxPHFitter().fit(
            table[table["day"] > 10], "day", "event", entry_col="entry", fit_options={"precision": 1e-12}
        )
        assert found.log_ratio[row] == pytest.approx(float(fit.params_["treated"]), rel=1e-5)


def test_restricted_mean_and_median_are_those_of_lifelines(trials):
    days, events, treated, _ = trials
    found = restricted_means(days, events, treated, until=30.0)
    for row in range(TRIALS):
        for group, mean in ((treated[row], found.treated[row]), (~treated[row], found.others[row])):
            fit = KaplanMeierFitter().fit(days[row][group], events[row][group])
            assert mean == pytest.approx(restricted_mean_survival_time(fit, 30.0), rel=1e-9)
    medians = medians_of(days, events, treated)
    for row in range(TRIALS):
        fit = KaplanMeierFitter().fit(days[row][treated[row]], events[row][treated[row]])
        assert medians[row] == fit.median_survival_time_


def test_variance_of_the_restricted_mean_is_the_spread_of_repeated_trials():
    draw = np.random.default_rng(5)
    shape = (1500, 120)
    event, out = draw.exponential(300, shape), draw.uniform(100, 900, shape)
    found = restricted_means(np.minimum(event, out), event <= out, draw.random(shape) < 0.5, until=365.0)
    assert found.z.std() == pytest.approx(1.0, abs=0.06)
    # mean of min(T, 365) for T exponential with mean 300
    assert found.treated.mean() == pytest.approx(300 * (1 - np.exp(-365 / 300)), abs=1.0)


def test_who_is_not_in_the_analysis_changes_nothing(trials):
    days, events, treated, strata = trials
    more = np.concatenate([days, np.full((TRIALS, 7), -1.0)], axis=1)
    add = [np.concatenate([part, part[:, :7]], axis=1) for part in (events, treated, strata)]
    before, after = risk_sets(days, events, treated, strata), risk_sets(more, *add)
    np.testing.assert_allclose(log_rank_scores(before).z, log_rank_scores(after).z)
    np.testing.assert_allclose(hazard_ratios(before).log_ratio, hazard_ratios(after).log_ratio)
    np.testing.assert_allclose(
        restricted_means(days, events, treated, until=25.0), restricted_means(more, *add[:2], until=25.0)
    )
    np.testing.assert_array_equal(medians_of(days, events, treated), medians_of(more, *add[:2]))


def test_groups_that_events_separate_have_no_ratio():
    found = hazard_ratios(
        risk_sets(np.array([[1.0, 2, 3, 4]]), np.array([[1, 1, 0, 0]]), np.array([[1, 1, 0, 0]]))
    )
    assert np.isnan(found.log_ratio[0])


def test_the_end_of_a_curve_that_is_not_reached_gives_no_mean():
    days, events = np.array([[5.0, 6, 7, 8]]), np.array([[1, 0, 1, 0]], bool)
    group = np.array([[1, 1, 0, 0]], bool)
    assert np.isnan(restricted_means(days, events, group, until=20.0).treated[0])


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(RankArraysError, match="one row a trial"):
        risk_sets(np.zeros((2, 3)), np.zeros((2, 3), bool), np.zeros((2, 4), bool))
