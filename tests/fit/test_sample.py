"""Draws through an emulator against closed forms, and against a grid where there is none."""

import numpy as np
import pytest

from twoarm.fit.emulator import Emulator, learn
from twoarm.fit.sample import as_wide_as, most_probable, sample_posterior, widened


def test_a_polynomial_is_learned_and_its_residual_is_the_noise():
    chance = np.random.default_rng(2)
    z = chance.normal(size=(2000, 3))
    g = 0.4 + 0.1 * z[:, :1] - 0.03 * z[:, 1:2] ** 2 + 0.05 * chance.normal(size=(2000, 1))
    found = learn([z[:1000], z[1000:]], [g[:1000], g[1000:]])
    np.testing.assert_allclose(found.slope, [[0.1, 0, 0]], atol=0.01)
    np.testing.assert_allclose(found.bend, [[0, -0.03, 0]], atol=0.01)
    assert found.residual[0] == pytest.approx(0.05**2, rel=0.1)
    assert found.at(np.full((1, 3), 50.0)).max() <= 1.0


def test_draws_of_a_linear_problem_have_its_mean_and_covariance():
    a = np.array([[1.0, 0.5, 0.0], [0.2, -1.0, 0.0]])
    variance, y = np.array([0.05, 0.3]), np.array([1.0, 0.4])
    line = Emulator(np.zeros(2), a, np.zeros((2, 3)), np.zeros(2))
    drawn = sample_posterior(line, y, variance, np.random.default_rng(1), draws=400, chains=24)
    precision = np.eye(3) + a.T @ (a / variance[:, None])
    flat = drawn.z.reshape(-1, 3)
    np.testing.assert_allclose(flat.mean(axis=0), np.linalg.solve(precision, a.T @ (y / variance)), atol=0.05)
    np.testing.assert_allclose(np.cov(flat.T), np.linalg.inv(precision), atol=0.05)
    assert flat[:, 2].var() == pytest.approx(1.0, abs=0.06)  # nothing is known of it: the prior
    assert drawn.accepted > 0.8
    assert drawn.r_hat.max() < 1.02


def test_draws_of_a_curved_problem_follow_its_density():
    curve = Emulator(np.zeros(1), np.array([[0.6]]), np.array([[0.4]]), np.zeros(1))
    y, variance = np.array([0.9]), np.array([0.09])
    drawn = sample_posterior(curve, y, variance, np.random.default_rng(3), draws=1500, chains=32)
    grid = np.linspace(-6, 6, 20001)
    density = np.exp(-0.5 * (0.6 * grid + 0.4 * grid**2 - y) ** 2 / variance - 0.5 * grid**2)
    density /= density.sum()
    upper = grid > -0.75  # the two modes are on either side; a chain stays in the one it started in
    own = drawn.z.ravel()[drawn.z.ravel() > -0.75]
    mean = (density * grid)[upper].sum() / density[upper].sum()
    assert own.mean() == pytest.approx(mean, abs=0.03)


def test_the_most_probable_point_has_no_slope():
    chance = np.random.default_rng(4)
    some = Emulator(
        chance.random(6), chance.normal(size=(6, 3)), 0.1 * chance.normal(size=(6, 3)), np.zeros(6)
    )
    y, variance = chance.random(6), np.full(6, 0.2)
    z = most_probable(some, y, variance)
    slope = some.slope + 2 * some.bend * z
    np.testing.assert_allclose(slope.T @ ((some.bare(z[None])[0] - y) / variance) + z, 0, atol=1e-4)


def _many(chance, real, weights, truths=1500):
    """Truths, data that err as `real`, and the mean of a posterior that weighs every reading on its own."""
    slope = chance.normal(size=(len(weights), 4))
    z = chance.normal(size=(truths, 4))
    y = z @ slope.T + chance.multivariate_normal(np.zeros(len(weights)), real, size=truths)
    precision = np.eye(4) + slope.T @ (slope / weights[:, None])
    mean = (y / weights) @ slope @ np.linalg.inv(precision)
    line = Emulator(np.zeros(len(weights)), slope, np.zeros_like(slope), np.zeros(len(weights)))
    return line, z - mean, np.linalg.cholesky(np.linalg.inv(precision))


def test_spread_draws_hold_truths_as_often_as_they_say_where_months_err_together():
    """Linear, so the error of the mean has a closed form; without the spread 90 % holds far fewer."""
    chance = np.random.default_rng(6)
    alike = np.exp(-np.abs(np.subtract.outer(np.arange(12), np.arange(12))) / 6.0)
    weights = np.full(12, 2.0)
    line, away, factor = _many(chance, 2.0 * alike, weights)
    draws = chance.normal(size=(4000, 4)) @ factor.T
    wide = as_wide_as(draws, line, weights, 2.0 * alike)
    for own, held in ((draws, False), (wide, True)):
        low, high = np.quantile(own, [0.05, 0.95], axis=0)
        share = ((away > low) & (away < high)).mean()
        assert (share == pytest.approx(0.90, abs=0.02)) == held
    np.testing.assert_allclose(wide.mean(axis=0), draws.mean(axis=0), atol=1e-9)


def test_errors_that_are_as_the_weights_say_change_nothing_and_no_direction_ends_wider_than_the_prior():
    chance = np.random.default_rng(8)
    line, _, factor = _many(chance, np.eye(12), np.ones(12), truths=2)
    draws = chance.normal(size=(500, 4)) @ factor.T
    same = as_wide_as(draws, line, np.ones(12), np.eye(12))
    np.testing.assert_allclose(np.cov(same.T), np.cov(draws.T), rtol=0.2, atol=0.01)
    huge = as_wide_as(chance.normal(size=(20000, 4)) @ factor.T, line, np.ones(12), np.full((12, 12), 1e4))
    assert np.linalg.eigvalsh(np.cov(huge.T)).max() < 1.1
    assert widened(draws, line, np.ones(12), np.eye(12), np.ones(12)).shape == draws.shape
