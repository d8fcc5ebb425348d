"""Equal expressions are one node, and what is simplified keeps its value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoarm.model.graph import OPERATIONS, Graph, evaluate, reachable, support

NUMBERS = st.floats(-1e3, 1e3)


def test_equal_expressions_are_one_node_in_either_order() -> None:
    g = Graph()
    x, y = g.state(0), g.parameter(0)
    assert g.mul(x, y) == g.mul(y, x)
    assert g.sub(x, y) != g.sub(y, x)


def test_nan_and_signed_zero_are_constants_like_others() -> None:
    g = Graph()
    assert g.const(math.nan) == g.const(math.nan)
    assert g.const(0.0) != g.const(-0.0)


def test_constants_fold_and_identities_vanish() -> None:
    g = Graph()
    x = g.state(0)
    assert g.constant_of(g.add(g.const(2), g.const(3))) == 5
    assert g.add(x, g.const(0)) == g.mul(x, g.const(1)) == g.div(x, g.const(1)) == g.neg(g.neg(x)) == x
    assert g.constant_of(g.sub(x, x)) == 0
    assert g.choose(g("lt", g.const(1), g.const(2)), x, g.const(7)) == x


def test_an_operation_that_does_not_exist_is_an_error() -> None:
    g = Graph()
    with pytest.raises(KeyError, match="sec"):
        g("sec", g.const(1))


@given(x=NUMBERS, y=NUMBERS, power=st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0]))
def test_simplified_expressions_keep_their_value(x: float, y: float, power: float) -> None:
    g = Graph()
    a, b, zero, one = g.state(0), g.state(1), g.const(0), g.const(1)
    with np.errstate(all="ignore"):
        raised = np.float64(x) ** power
    pairs = [
        (g.add(a, g.neg(b)), x - y),
        (g.sub(zero, g.sub(a, b)), y - x),
        (g.mul(g.neg(a), b), -x * y),
        (g.mul(g.const(-1), a), -x),
        (g.pow(a, g.const(power)), raised),
        (g.pow(one, a), 1.0),
    ]
    with np.errstate(all="ignore"):
        values = evaluate(g.nodes, [x, y], [])
        for node, want in pairs:
            np.testing.assert_allclose(values[node], want, rtol=1e-15)


@given(st.lists(NUMBERS, min_size=3, max_size=3))
def test_evaluating_many_patients_is_evaluating_each(values: list[float]) -> None:
    g = Graph()
    leaves = [g.state(0), g.parameter(0), g.time()]
    two = {"add", "sub", "mul", "div", "pow", "min", "max", "lt", "le", "gt", "ge", "eq", "ne", "and", "or"}
    for op in OPERATIONS:
        g(op, *leaves[: 3 if op == "if" else 2 if op in two else 1])
    states, parameters = np.array([values]), np.array([values[::-1]])
    together = evaluate(g.nodes, states, parameters, 2.0)
    for i in range(3):
        alone = evaluate(g.nodes, states[:, i], parameters[:, i], 2.0)
        for node in range(len(g.nodes)):
            np.testing.assert_array_equal(np.broadcast_to(together[node], 3)[i], alone[node])


def test_support_and_reachable_follow_what_a_node_needs() -> None:
    g = Graph()
    x, y = g.state(0), g.state(1)
    product, other = g.mul(x, y), g.add(x, g.parameter(0))
    assert support(g.nodes, "state")[product] == 0b11
    assert support(g.nodes, "state")[other] == 0b01
    assert reachable(g.nodes, [other]) == sorted({x, other, g.parameter(0)})
