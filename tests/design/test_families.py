"""Baskets that share an error: Holm and Bonferroni against closed forms and against drawn p-values."""

import numpy as np
import pytest

from twoarm.design.families import steps_of, together
from twoarm.errors import DesignNumberError


def test_without_control_the_error_grows_with_the_number():
    below = np.full((4, 4), 0.05)
    found = together(below)
    assert found.any_rejects(np.ones(4, bool)) == pytest.approx(1 - 0.95**4, rel=1e-12)
    np.testing.assert_allclose(found.each, 0.05)
    assert found.chance.sum() == pytest.approx(1, rel=1e-12)
    assert steps_of(0.05, 4, "none").tolist() == [0.05] * 4


def test_bonferroni_keeps_the_error_of_all():
    levels = steps_of(0.05, 4, "bonferroni")
    found = together(np.tile(levels, (4, 1)))
    assert found.any_rejects(np.ones(4, bool)) == pytest.approx(1 - (1 - 0.0125) ** 4, rel=1e-12)


def holm(p, alpha):
    """Step down, one set of p-values at a time."""
    order, rejected = np.argsort(p), np.zeros(p.size, bool)
    for step, test in enumerate(order):
        if p[test] > alpha / (p.size - step):
            break
        rejected[test] = True
    return rejected


@pytest.mark.parametrize("effects", [(0.0, 0.0, 0.0), (0.0, 2.0, 3.0), (1.0, 2.5, 0.5)])
def test_holm_is_the_step_down_of_drawn_p_values(effects):
    draw = np.random.default_rng(4)
    from scipy.stats import norm

    alpha, shift = 0.1, np.array(effects)
    p = norm.sf(draw.normal(size=(20000, 3)) + shift)
    drawn = np.array([holm(one, alpha) for one in p])
    levels = steps_of(alpha, 3, "holm")
    found = together(norm.sf(norm.isf(levels)[None, :] - shift[:, None]))
    np.testing.assert_allclose(found.each, drawn.mean(axis=0), atol=0.012)
    useless = shift == 0
    assert found.any_rejects(useless) == pytest.approx(drawn[:, useless].any(axis=1).mean(), abs=0.012)
    assert found.any_rejects(useless) <= alpha + 1e-12


def test_holm_never_does_less_than_bonferroni():
    rates = np.array([0.02, 0.4, 0.8])[:, None]
    strict = together(np.tile(rates, (1, 3)))
    steps = together(np.minimum(rates * np.array([1.0, 1.3, 1.7]), 1.0))
    assert (steps.each >= strict.each - 1e-12).all()


def test_too_many_tests_are_refused():
    with pytest.raises(DesignNumberError, match="Plan fewer together"):
        together(np.full((8, 8), 0.05))
