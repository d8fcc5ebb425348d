"""Rank statistics of many trials against lifelines, one trial at a time."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time

from twoarm.errors import RankArraysError
from twoarm.trial.analyses.curves import restricted_mean
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


@pytest.mark.parametrize(("rho", "gamma"), [(0, 1), (1, 1)])
def test_weighted_log_rank_with_strata_adds_what_lifelines_says_of_each(trials, rho, gamma):
    days, events, treated, strata = trials
    z = log_rank_scores(risk_sets(days, events, treated, strata), rho=rho, gamma=gamma).z
    for row in range(TRIALS):
        excess = variance = 0.0
        for stratum in np.unique(strata[row]):
            own = strata[row] == stratum
            d, e, t = days[row, own], events[row, own], treated[row, own]
            one = log_rank_scores(risk_sets(d[None], e[None], t[None]), rho=rho, gamma=gamma)
            other = logrank_test(d[t], d[~t], e[t], e[~t], weightings="fleming-harrington", p=rho, q=gamma)
            assert one.z[0] ** 2 == pytest.approx(other.test_statistic, rel=1e-9)
            excess, variance = excess + one.excess[0], variance + one.variance[0]
        assert z[row] == pytest.approx(excess / np.sqrt(variance), rel=1e-12)
        single = log_rank(days[row], events[row], treated[row], strata[row], weights=(rho, gamma))
        assert z[row] ** 2 == pytest.approx(single[0], rel=1e-10)


def test_restricted_mean_with_strata_weighs_lifelines_means_by_their_patients(trials):
    days, events, treated, strata = trials
    found = restricted_means(days, events, treated, strata, until=20.0)
    for row in range(TRIALS):
        rows = []
        for stratum in np.unique(strata[row]):
            own = strata[row] == stratum
            pair = []
            for group in (treated[row], ~treated[row]):
                d, e = days[row, own & group], events[row, own & group]
                fit = KaplanMeierFitter().fit(d, e)
                mean, error = restricted_mean(pd.Series(d), pd.Series(e), 20.0)
                assert mean == pytest.approx(restricted_mean_survival_time(fit, 20.0), rel=1e-9)
                pair += [mean, error]
            if not np.isnan(pair).any():
                rows.append((own.sum(), *pair))
        n, one, one_error, other, other_error = np.array(rows).T
        share = n / n.sum()
        assert found.difference[row] == pytest.approx((share * (one - other)).sum(), rel=1e-9)
        error = np.sqrt((share**2 * (one_error**2 + other_error**2)).sum())
        assert found.z[row] == pytest.approx(found.difference[row] / error, rel=1e-9)


def test_restricted_mean_with_strata_has_its_closed_form_without_censoring():
    draw = np.random.default_rng(8)
    days, group = draw.integers(1, 40, (1, 60)).astype(float), draw.random((1, 60)) < 0.5
    strata = draw.integers(0, 2, (1, 60))
    found = restricted_means(days, np.ones((1, 60), bool), group, strata, until=30.0)
    held, gain, variance = np.minimum(days, 30.0), 0.0, 0.0
    for stratum in (0, 1):
        here = strata == stratum
        share = here.sum() / 60
        one, other = held[here & group], held[here & ~group]
        gain += share * (one.mean() - other.mean())
        variance += share**2 * (one.var() / one.size + other.var() / other.size)
    assert found.difference[0] == pytest.approx(gain, rel=1e-12)
    assert found.z[0] == pytest.approx(gain / np.sqrt(variance), rel=1e-12)


def test_strata_that_matter_take_their_noise_out_of_every_test():
    draw = np.random.default_rng(9)
    shape = (600, 200)
    strata = draw.integers(0, 2, shape)
    treated = draw.permuted(np.arange(200)[None].repeat(600, 0) % 2 == 0, axis=1)
    days = draw.exponential(300, shape) * np.where(strata == 1, 6.0, 1.0) * np.where(treated, 1.5, 1.0)
    events, days = days <= 900, np.minimum(days, 900.0)
    power = [
        [(x > 1.96).mean() for x in (restricted_means(days, events, treated, given, until=800.0).z, -late.z)]
        for given in (None, strata)
        for late in [log_rank_scores(risk_sets(days, events, treated, given), gamma=1.0)]
    ]
    assert power[1][0] > power[0][0] + 0.1
    assert power[1][1] > power[0][1] + 0.02
    same = restricted_means(days, events, draw.random(shape) < 0.5, strata, until=800.0).z
    assert same.std() == pytest.approx(1.0, abs=0.09)


def test_a_stratum_whose_curve_ends_early_is_left_out():
    days = np.array([[5.0, 30, 30, 30, 2, 3, 2, 3]])
    events = np.array([[1, 0, 0, 0, 1, 0, 1, 0]], bool)
    group = np.array([[1, 1, 0, 0, 1, 1, 0, 0]], bool)
    strata = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
    found = restricted_means(days, events, group, strata, until=20.0)
    assert found.difference[0] == pytest.approx((5 + 20) / 2 - 20)
    assert np.isnan(restricted_means(days[:, 4:], events[:, 4:], group[:, 4:], until=20.0).difference[0])


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
