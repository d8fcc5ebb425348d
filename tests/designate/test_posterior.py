"""Densities on the grid against closed forms, integrals and draws."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import betaln, expit
from scipy.stats import beta, norm

from twoarm.designate.posterior import (
    axis_of,
    exceeds,
    interval,
    median_error,
    of_counts,
    of_median,
    of_one,
    of_therapy,
    on_values,
    spread_of,
    upper_share,
)


@pytest.mark.parametrize(("new", "old"), [((11, 30), (9, 110)), ((16, 26), (32, 193)), ((2, 9), (1, 4))])
@pytest.mark.parametrize("points", [0.0, 0.1])
def test_one_rate_above_another_is_the_integral_over_two_betas(new, old, points):
    axis = axis_of("rate")
    (k, n), (j, m) = new, old
    found = exceeds(
        axis, of_one(axis, of_counts(axis, k, n)), of_one(axis, of_counts(axis, j, m)), points=points
    )
    drug, therapy = beta(k + 0.5, n - k + 0.5), beta(j + 0.5, m - j + 0.5)
    said, _ = quad(lambda p: drug.pdf(p) * therapy.cdf(p - points), 0, 1, limit=400)
    assert found == pytest.approx(said, abs=2e-4)


def test_whole_numbers_have_a_closed_form():
    """Beta(11, 20) above Beta(10, 101) by the finite sum for whole parameters."""
    axis = axis_of("rate")
    found = exceeds(
        axis, of_one(axis, of_counts(axis, 10.5, 30.0)), of_one(axis, of_counts(axis, 9.5, 110.0))
    )
    (a, b), (c, d) = (10, 101), (11, 20)
    terms = [np.exp(betaln(a + i, b + d) - np.log(d + i) - betaln(1 + i, d) - betaln(a, b)) for i in range(c)]
    assert found == pytest.approx(sum(terms), abs=1e-5)


def test_interval_of_counts_is_the_beta_quantile():
    axis = axis_of("rate")
    middle, low, high = interval(axis, of_one(axis, of_counts(axis, 11, 30)))
    assert [middle, low, high] == pytest.approx(beta(11.5, 19.5).ppf([0.5, 0.025, 0.975]), abs=2e-4)


def test_density_of_the_value_integrates_to_one():
    axis = axis_of("rate")
    density = on_values(axis, of_one(axis, of_counts(axis, 11, 30)))
    assert np.trapezoid(density, axis.values) == pytest.approx(1, abs=1e-3)


def test_without_spread_trials_are_one_trial():
    axis = axis_of("rate")
    trials = [of_counts(axis, 9, 110), of_counts(axis, 10, 63)]
    pooled = of_therapy(axis, trials, 0.0)
    flat = of_counts(axis, 19, 173)
    flat = flat / np.trapezoid(flat, dx=axis.step)
    assert np.abs(pooled.density - flat).max() < 1e-9
    assert pooled.spread == (0, 0, 0)


def test_a_further_trial_is_what_drawing_says():
    """Given the spread, middle and further trial are normal; the rest is an average over the spread."""
    axis, scale = axis_of("time"), 0.4
    medians, errors = np.array([3.0, 4.0, 6.0]), np.array([0.1, 0.2, 0.15])
    found = of_therapy(
        axis, [of_median(axis, m, e) for m, e in zip(medians, errors, strict=True)], scale
    ).density
    spreads = np.linspace(1e-3, 5 * scale, 4000)
    weight, mean, variance = [], [], []
    for spread in spreads:
        precision = 1 / (errors**2 + spread**2)
        center = np.sum(precision * np.log(medians)) / precision.sum()
        fit = np.exp(-0.5 * np.sum(precision * (np.log(medians) - center) ** 2))
        weight.append(norm(0, scale).pdf(spread) * fit * np.sqrt(np.prod(precision) / precision.sum()))
        mean.append(center)
        variance.append(1 / precision.sum() + spread**2)
    weight = np.array(weight) / np.sum(weight)
    above = sum(w * norm(m, np.sqrt(v)).sf(np.log(5)) for w, m, v in zip(weight, mean, variance, strict=True))
    assert upper_share(axis, found, 5.0) == pytest.approx(above, abs=3e-3)


def test_trials_that_differ_widen_what_a_further_one_may_be():
    axis = axis_of("rate")
    alike = of_therapy(axis, [of_counts(axis, 20, 100)] * 4, 0.5)
    apart = of_therapy(axis, [of_counts(axis, k, 100) for k in (5, 15, 25, 45)], 0.5)
    assert spread_of(axis, apart.density) > 1.8 * spread_of(axis, alike.density)
    assert apart.spread[0] > alike.spread[0]


def test_ratio_of_medians_is_normal_on_the_log():
    axis = axis_of("time")
    drug, therapy = (of_one(axis, of_median(axis, m, e)) for m, e in ((9.3, 0.26), (4.0, 0.1)))
    for ratio in (1.0, 1.5, 2.0):
        z = (np.log(9.3 / 4.0) - np.log(ratio)) / np.hypot(0.26, 0.1)
        assert exceeds(axis, drug, therapy, ratio=ratio) == pytest.approx(norm.cdf(z), abs=1e-4)


def test_error_of_a_median_is_what_samples_show():
    """1/(ln 2 sqrt n) for the median of exponential times."""
    draws = np.random.default_rng(1).exponential(size=(4000, 101))
    found = np.log(np.median(draws, axis=1)).std()
    assert found == pytest.approx(median_error(1.0, np.nan, np.nan, 101)[0], rel=0.05)


def test_an_end_that_was_not_reached_leaves_the_other_half():
    assert median_error(4.0, 2.0, np.inf, 30)[0] == pytest.approx(2 * np.log(2) / 3.92)


@pytest.mark.parametrize(("events", "n"), [(5, 4), (-1, 4), (0, 0)])
def test_impossible_counts_are_refused(events, n):
    with pytest.raises(ValueError, match="cannot be"):
        of_counts(axis_of("rate"), events, n)


def test_grid_reaches_rare_and_certain_events():
    axis = axis_of("rate")
    assert interval(axis, of_one(axis, of_counts(axis, 0, 6)))[2] == pytest.approx(
        beta(0.5, 6.5).ppf(0.975), abs=1e-3
    )
    assert axis.values[0] < expit(-13)
