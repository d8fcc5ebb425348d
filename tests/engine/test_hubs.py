"""Eliminating the hubs from the extended system gives the Jacobian back."""

from __future__ import annotations

import numpy as np

from twoarm.engine.hubs import extend
from twoarm.engine.kernel import sort_equations
from twoarm.engine.sparse import factorize
from twoarm.model import Graph, evaluate, jacobian

from . import small_models as small


def _dense(graph: Graph, entries, size: int, state: np.ndarray, parameters: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    values = evaluate(graph.nodes, state, parameters, 0.7)
    matrix = np.zeros((size, size))
    for row, column, node in entries:
        matrix[row, column] = values[node]
    return matrix


def test_extended_jacobian_is_the_jacobian() -> None:
    model = small.network(states=30, reactions=80, seed=4)
    longer, states = extend(model), len(model.states)
    size = len(longer.states)
    assert size > states, "the sum over all states should be a hub"
    rng = np.random.default_rng(0)
    state, parameters = rng.uniform(0.1, 2, states), np.array(model.values)
    whole = state.copy()
    for definition in longer.rates[states:]:  # each may use those before it
        padded = np.concatenate([whole, np.zeros(size - len(whole))])
        whole = np.append(whole, evaluate(longer.nodes, padded, parameters, 0.7)[definition])
    plain = _dense(*jacobian(model), states, state, parameters)
    extended = _dense(*jacobian(longer), size, whole, parameters)
    direct, reach = extended[:states, :states], extended[:states, states:]
    through = np.linalg.solve(np.eye(size - states) - extended[states:, states:], extended[states:, :states])
    np.testing.assert_allclose(direct + reach @ through, plain, rtol=1e-9, atol=1e-9)


def test_hubs_save_entries() -> None:
    model = small.network(states=60, reactions=150, seed=5)
    few, many = sort_equations(model, hubs=True), sort_equations(model, hubs=False)
    assert len(few.entries) < 0.6 * len(many.entries)
    sizes = [factorize(e.unknowns, [(row, column) for row, column, _ in e.entries]).size for e in (few, many)]
    assert sizes[0] < sizes[1]


def test_model_without_hubs_stays_as_it_is() -> None:
    model = small.robertson()
    assert extend(model).states == model.states


def test_what_depends_on_parameters_alone_is_stored() -> None:
    g = Graph()
    x, k, scale = g.state(0), g.parameter(0), g.parameter(1)
    baseline = g("exp", g.div(k, scale))
    model = small.build(g, {"x": g.mul(baseline, x)}, values={"k": 1.0, "scale": 2.0})
    equations = sort_equations(model, hubs=True)
    assert [equations.nodes[node].op for node in equations.stored] == ["exp"]
