"""The transform itself: what moves, what it is called, and rates that jump."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm.model import Graph, along, evaluate
from twoarm.model.graph import OPERATIONS
from twoarm.model.jumps import jumping_rates
from twoarm.model.sbml import read_model
from twoarm.model.sensitize import sensitize, slope, weight

_DISCRETE = {"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "floor", "ceil", "factorial", "if"}


@pytest.mark.parametrize("op", sorted(set(OPERATIONS) - _DISCRETE))
def test_along_is_the_limit_of_a_difference(op: str) -> None:
    g = Graph()
    x, v = g.state(0), g.parameter(0)
    inside = g.mul(x, g.const(0.3)) if op != "acosh" else g.add(x, g.const(1.0))
    two = op in ("add", "sub", "mul", "div", "pow", "min", "max")
    root = g(op, inside, g.add(x, g.const(0.5))) if two else g(op, inside)
    node = along(g, [root], {x: v})[root]
    at, speed, h = 0.7, 1.3, 1e-5
    values = [evaluate(g.nodes, [at + s * h * speed], [speed])[root] for s in (1, -1)]
    found = float(evaluate(g.nodes, [at], [speed])[node])
    assert found == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-7, abs=1e-9)


def test_only_what_moves_has_slopes_and_weights() -> None:
    start = "a = 1; b = 2*a; c = 3; x = b; y = 1; z = 1;"
    model = read_model(f"model m; {start} x' = -b*x; y' = x - c*y; z' = -c*z; o := z*c; end")
    made = sensitize(model, ["a"], ["y", "o"], directions=2)
    assert (set(made.moving_parameters), made.moving_states) == ({"a", "b"}, ("x", "y"))
    assert made.model.states[3:] == (slope("x", 0), slope("y", 0), slope("x", 1), slope("y", 1))
    assert weight("b", 1) in made.model.derived and weight("a", 0) not in made.model.derived
    still = made.model.nodes[made.model.outputs[slope("o", 0)]]
    assert (still.op, still.value) == ("const", 0.0)
    assert made.model.states[:3] == model.states and made.model.rates[:3] == model.rates


def test_a_direction_is_linear() -> None:
    model = read_model("model m; k = 0.4; h = 2; x = 1; x' = k*x^h/(1 + x^h) - x; end")
    made = sensitize(model, ["k", "h", "x"], ["x"]).model
    place = {name: i for i, name in enumerate(made.parameters)}
    rng = np.random.default_rng(0)

    def rate(direction: np.ndarray, initial: float) -> float:
        p = np.array(made.values)
        p[[place[weight("k")], place[weight("h")]]] = direction
        return float(evaluate(made.nodes, [0.8, initial], p)[made.rates[1]])

    a, b = rng.normal(size=2), rng.normal(size=2)
    assert rate(a + 2 * b, 5.0) == pytest.approx(rate(a, 1.0) + 2 * rate(b, 2.0), rel=1e-12)


@pytest.mark.parametrize(
    ("rate", "jumps"),
    [
        ("piecewise(1, x < c, 2)", True),
        ("piecewise(x, x < c, c)", False),
        ("max(x, c) + abs(x - c) + min(x, 2*c)", False),
        ("floor(x)", True),
        ("piecewise(1, x < c, 0) + piecewise(1, x >= c, 0)", False),
        ("piecewise(x, 1/(x - c) > 0, 2*x)", False),  # turns in a pole, where no course passes
        ("piecewise(sqrt(x - c), x > c, 0)", False),
        ("piecewise(1, (x < c) && (time > 3), 0)", True),
        ("piecewise(1, time < 3, 0)", False),  # no parameter or state decides
        ("piecewise(1, time < c, 0)", True),
        ("x*piecewise(1, c > 2, 0)", False),  # never turns along a course
        ("1e-9*piecewise(1, x > c, 0)", True),
        ("x + 1e-9*piecewise(1, x > c, 0)", False),  # one part in 1e9 is below what is asked of a rate
    ],
)
def test_jumps_are_found_and_kinks_are_not(rate: str, jumps: bool) -> None:
    model = read_model(f"model m; c = 1.7; x = 1; x' = {rate}; end")
    assert jumping_rates(model, ["c"], ["x"]) == (["x"] if jumps else [])


def test_the_product_model_has_kinks_only() -> None:
    model = read_model("pd1_il2")
    assert jumping_rates(model, model.parameters, model.states) == []
