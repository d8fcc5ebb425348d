"""Coefficients against the conditions they must meet, not against the paper they were typed from."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm.engine.methods import METHODS, Method, consistency_defect, method, order_defect, trees
from twoarm.errors import UnknownMethodError

EVERY = pytest.mark.parametrize("one", METHODS.values(), ids=METHODS)


def test_number_of_trees() -> None:
    assert [len(list(trees(order))) for order in range(1, 8)] == [1, 1, 2, 4, 9, 20, 48]


@EVERY
def test_order_of_the_step_is_what_it_says_and_no_more(one: Method) -> None:
    assert order_defect(one, one.order) < 1e-10
    assert order_defect(one, one.order + 1) > 1e-3


@EVERY
@pytest.mark.parametrize("theta", [0.1, 0.35, 0.5, 0.9])
def test_order_between_the_ends(one: Method, theta: float) -> None:
    assert order_defect(one, one.dense_order, theta) < 1e-10


@EVERY
def test_interpolant_meets_both_ends(one: Method) -> None:
    assert np.all(one.continuous_weights(0.0) == 0.0)
    np.testing.assert_allclose(one.continuous_weights(1.0), one.weights, atol=1e-13)


@EVERY
def test_time_is_treated_as_a_state(one: Method) -> None:
    assert consistency_defect(one) < 1e-12


@EVERY
def test_stiffest_component_vanishes_at_once(one: Method) -> None:
    """L-stability: for y' = λy and hλ → -∞ the step multiplies by 0."""
    z = -1e9
    size = one.stages
    k = np.zeros(size)
    for i in range(size):
        k[i] = (z * (1.0 + one.a[i] @ k) + one.c[i] @ k) / (1.0 / one.gamma - z)
    assert abs(1.0 + one.weights @ k) < 1e-6


@EVERY
def test_error_estimate_is_one_order_lower(one: Method) -> None:
    """For y' = y the last stage, which is the error estimate, shrinks as h to the order of the method."""

    def last(h: float) -> float:
        k = np.zeros(one.stages)
        for i in range(one.stages):
            k[i] = (h * (1.0 + one.a[i] @ k) + one.c[i] @ k) / (1.0 / one.gamma - h)
        return abs(float(k[-1]))

    slope = np.log2(last(0.02) / last(0.01))
    assert abs(slope - one.order) < 0.3


def test_unknown_method() -> None:
    with pytest.raises(UnknownMethodError, match="rodas5p"):
        method("euler")
