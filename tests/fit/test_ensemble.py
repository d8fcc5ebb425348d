"""Kalman steps against closed forms."""

import numpy as np
import pytest
from scipy.stats import kstest

from twoarm.fit.ensemble import first_ensemble, kalman_step, misfits, steps_of, weigh


def test_first_ensemble_is_standard_normal_and_fills_every_slice():
    z = first_ensemble(200, 3, np.random.default_rng(1))
    assert z.shape == (200, 3)
    assert all(kstest(column, "norm").pvalue > 0.5 for column in z.T)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_steps_take_in_all_of_the_data(n):
    assert steps_of(n).sum() == pytest.approx(1.0)
    assert (np.diff(steps_of(n)) > 0).all()


def test_several_steps_of_a_linear_problem_give_its_posterior():
    """Prior N(0, I), y = A z + e: the posterior is known in closed form."""
    chance = np.random.default_rng(3)
    a = np.array([[1.0, 0.5], [0.2, -1.0], [0.7, 0.7]])
    variance, y = np.array([0.2, 0.3, 0.1]), np.array([1.0, 0.4, 1.5])
    precision = np.eye(2) + a.T @ (a / variance[:, None])
    mean = np.linalg.solve(precision, a.T @ (y / variance))
    z = first_ensemble(4000, 2, chance)
    for step in steps_of(3):
        z = kalman_step(z, z @ a.T, y, variance, step, chance)
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), np.linalg.inv(precision), atol=0.03)


def test_a_parameter_that_nothing_depends_on_keeps_its_prior():
    chance = np.random.default_rng(5)
    z = first_ensemble(100, 10, chance)
    for step in steps_of(3):
        g = z[:, :1] + 0.3 * chance.normal(size=(100, 20))
        z = kalman_step(z, g, np.ones(20), np.full(20, 0.2), step, chance)
    assert z[:, 0].var() < 0.3
    assert z[:, 1:].var(axis=0).mean() > 0.85  # without the taper, a hundred members lose half


def test_members_that_could_not_run_are_replaced():
    chance = np.random.default_rng(7)
    z = first_ensemble(50, 2, chance)
    g = z.copy()
    g[:5] = np.nan
    new = kalman_step(z, g, np.array([0.5, 0.5]), np.array([1.0, 1.0]), 0.5, chance)
    assert np.isfinite(new).all()
    assert np.isinf(misfits(g, np.zeros(2), np.ones(2))[:5]).all()


def test_weights_keep_enough_members_and_leave_out_those_that_failed():
    chance = np.random.default_rng(9)
    w = weigh(np.zeros(80), np.r_[np.inf, 50 * chance.random(79)])
    assert w[0] == 0
    assert w.sum() == pytest.approx(1.0)
    assert 1 / (w**2).sum() == pytest.approx(0.5 * 79, rel=1e-3)
    np.testing.assert_allclose(weigh(np.ones(80), np.ones(80)), 1 / 80)
