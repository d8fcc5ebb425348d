"""Derivatives against finite differences, over every operation that has one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoarm.engine import simulate
from twoarm.errors import UnsupportedModelError
from twoarm.model import Graph, Model, derivative, evaluate, jacobian, parameter_derivatives, time_derivative
from twoarm.model.sbml import read_model

SMOOTH = [
    "exp",
    "ln",
    "log10",
    "sqrt",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "atan",
    "abs",
    "neg",
]
INNER = ["asin", "acos", "atanh"]  # arguments in (-1, 1)
PAIRS = ["add", "sub", "mul", "div", "pow", "min", "max"]


def slope_by_difference(g: Graph, node: int, x: np.ndarray, index: int, h: float = 1e-6) -> float:
    up, down = x.copy(), x.copy()
    up[index] += h
    down[index] -= h
    above, below = evaluate(g.nodes, up, [1.7])[node], evaluate(g.nodes, down, [1.7])[node]
    return float((above - below) / (2 * h))


@st.composite
def expressions(draw: st.DrawFn) -> tuple[Graph, int]:
    """Graph and a node of up to eight random operations on two states and a parameter, all above 0."""
    g = Graph()
    nodes = [g.state(0), g.state(1), g.parameter(0), g.const(2.5)]
    for _ in range(draw(st.integers(1, 8))):
        a, b = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
        op = draw(st.sampled_from(["add", "mul", "div", "pow", "sqrt", "ln1", "tanh", "if", "exp"]))
        if op == "ln1":
            nodes.append(g("ln", g.add(g.const(1), a)))
        elif op == "if":
            nodes.append(g.choose(g("gt", a, b), a, g.mul(b, b)))
        elif op == "exp":
            nodes.append(g("exp", g.neg(a)))
        elif op == "pow":
            nodes.append(g.pow(g("tanh", a), g("tanh", b)))
        elif op in ("sqrt", "tanh"):
            nodes.append(g(op, a))
        else:
            nodes.append(g(op, a, b))
    return g, nodes[-1]


@given(expressions(), st.floats(0.4, 2.0), st.floats(0.4, 2.0))
def test_derivatives_are_those_of_finite_differences(made: tuple[Graph, int], x: float, y: float) -> None:
    g, node = made
    at = np.array([x, y])
    for index in range(2):
        found = derivative(g, node, index)
        slope = float(evaluate(g.nodes, at, [1.7])[found])
        value = abs(float(evaluate(g.nodes, at, [1.7])[node]))
        near = [slope_by_difference(g, node, at, index, h) for h in (1e-5, 1e-6)]
        if value < 1e6 and abs(slope) < 1e6 and np.isclose(*near, rtol=1e-3):  # not at a kink
            assert slope == pytest.approx(near[1], rel=2e-3, abs=1e-4 * (1 + value))


@pytest.mark.parametrize("op", SMOOTH + INNER + ["acosh"])
@pytest.mark.parametrize("x", [0.3, 0.8])
def test_slope_of_each_function(op: str, x: float) -> None:
    g = Graph()
    at = np.array([x + 1.0 if op == "acosh" else x])
    node = g(op, g.state(0))
    slope = derivative(g, node, 0)
    assert float(evaluate(g.nodes, at, [1.7])[slope]) == pytest.approx(
        slope_by_difference(g, node, at, 0), rel=1e-6
    )


@pytest.mark.parametrize("op", PAIRS)
@pytest.mark.parametrize("index", [0, 1])
def test_slope_of_each_operation_on_two(op: str, index: int) -> None:
    g = Graph()
    at = np.array([0.7, 1.9])
    node = g(op, g.state(0), g.state(1))
    slope = derivative(g, node, index)
    assert float(evaluate(g.nodes, at, [1.7])[slope]) == pytest.approx(
        slope_by_difference(g, node, at, index), rel=1e-6
    )


def test_powers_of_zero_have_finite_slopes() -> None:
    g = Graph()
    hill = g.pow(g.state(0), g.parameter(0))
    both = g.pow(g.state(0), g.state(1))
    slopes = [derivative(g, hill, 0), derivative(g, both, 1)]
    values = evaluate(g.nodes, [0.0, 2.0], [1.7])
    assert [float(values[s]) for s in slopes] == [0.0, 0.0]


def test_steps_are_flat_and_branches_are_followed() -> None:
    g = Graph()
    x = g.state(0)
    assert g.constant_of(derivative(g, g("floor", x), 0)) == 0
    assert g.constant_of(derivative(g, g("lt", x, g.const(1)), 0)) == 0
    branch = derivative(g, g.choose(g("lt", x, g.const(1)), g.mul(x, x), g.neg(x)), 0)
    assert [float(evaluate(g.nodes, [v], [])[branch]) for v in (0.5, 2.0)] == [1.0, -1.0]


def test_an_operation_without_derivative_is_refused_by_name() -> None:
    g = Graph()
    with pytest.raises(UnsupportedModelError, match="factorial"):
        derivative(g, g("factorial", g.state(0)), 0)
    assert g.constant_of(derivative(g, g("factorial", g("floor", g.state(0))), 0)) == 0


def test_jacobian_is_sparse_and_leaves_the_model_in_place() -> None:
    g = Graph()
    x, y, k = g.state(0), g.state(1), g.parameter(0)
    rates = (g.neg(g.mul(k, x)), g.mul(k, g.mul(x, x)))
    model = Model("two", tuple(g.nodes), ("x", "y"), (x, y), rates, ("k",), (2.0,), {})
    graph, entries = jacobian(model)
    assert tuple(graph.nodes[: len(model.nodes)]) == model.nodes
    assert [(row, column) for row, column, _ in entries] == [(0, 0), (1, 0)]
    values = evaluate(graph.nodes, [3.0, 1.0], [2.0])
    assert [float(values[node]) for *_, node in entries] == [-2.0, 12.0]
    graph, entries = parameter_derivatives(model)
    values = evaluate(graph.nodes, [3.0, 1.0], [2.0])
    assert [float(values[node]) for *_, node in entries] == [-3.0, 9.0]


def test_total_derivative_adds_time_and_states() -> None:
    g = Graph()
    x, t = g.state(0), g.time()
    node = time_derivative(g, g.mul(x, g.mul(t, t)), lambda _index: g.const(5.0))
    assert float(evaluate(g.nodes, [3.0], [], 2.0)[node]) == 3.0 * 4.0 + 5.0 * 4.0


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0, 1.7, 2.0])
def test_an_infinite_slope_at_zero_counts_as_none(power: float) -> None:
    g = Graph()
    x, p = g.state(0), g.parameter(0)
    fixed, given_power = g.pow(x, g.const(power)), g.pow(x, p)
    want = 1.0 if power == 1.0 else 0.0
    for node in (fixed, given_power):
        slope = derivative(g, node, 0)
        assert float(evaluate(g.nodes, [0.0], [power])[slope]) == want
        assert float(evaluate(g.nodes, [4.0], [power])[slope]) == pytest.approx(power * 4.0 ** (power - 1))


@pytest.mark.parametrize("text", ["x' = 2*x^h*(1 - x/100) + 0.1", "x' = 0.1 + sqrt(x)"])
def test_a_root_starts_from_zero_on_both_back_ends(text: str) -> None:
    model = read_model(f"model m; x = 0; h = 0.5; {text}; end")
    found = [simulate(model, days=3, backend=b, rtol=1e-8).x.values[0, -1] for b in ("cpu", "reference")]
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert found[0] > 1.0
