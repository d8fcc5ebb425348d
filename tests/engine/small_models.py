"""Models with known solutions, and a random network, for the tests of the engine."""

from __future__ import annotations

import numpy as np

from twoarm.model import Event, Graph, Model


def build(
    graph: Graph,
    rates: dict[str, int],
    *,
    values: dict[str, float] | None = None,
    initial: dict[str, float] | None = None,
    name: str = "small",
    events: tuple[Event, ...] = (),
) -> Model:
    """Model of `rates` by state, whose states and parameters were numbered in the order given."""
    values, initial = values or {}, initial or {}
    starts = tuple(graph.const(initial.get(state, 0.0)) for state in rates)
    outputs = {state: graph.state(i) for i, state in enumerate(rates)}
    outputs |= {parameter: graph.parameter(i) for i, parameter in enumerate(values)}
    return Model(
        name,
        tuple(graph.nodes),
        tuple(rates),
        starts,
        tuple(rates.values()),
        tuple(values),
        tuple(values.values()),
        outputs,
        events=events,
    )


def decay() -> Model:
    """x' = -k x."""
    g = Graph()
    return build(g, {"x": g.neg(g.mul(g.parameter(0), g.state(0)))}, values={"k": 0.1})


def bateman() -> Model:
    """Depot and central compartment, first-order absorption."""
    g = Graph()
    absorbed = g.mul(g.parameter(0), g.state(0))
    rates = {"depot": g.neg(absorbed), "central": g.sub(absorbed, g.mul(g.parameter(1), g.state(1)))}
    return build(g, rates, values={"ka": 1.2, "ke": 0.15})


def two_compartments() -> Model:
    """Central and peripheral compartment."""
    g = Graph()
    out, there, back = (g.mul(g.parameter(i), g.state(s)) for i, s in ((0, 0), (1, 0), (2, 1)))
    rates = {"central": g.sub(g.sub(back, out), there), "peripheral": g.sub(there, back)}
    return build(g, rates, values={"k10": 0.4, "k12": 0.9, "k21": 0.3})


def logistic() -> Model:
    """n' = r n (1 - n/K)."""
    g = Graph()
    n, r, most = g.state(0), g.parameter(0), g.parameter(1)
    rate = g.mul(g.mul(r, n), g.sub(g.const(1), g.div(n, most)))
    return build(g, {"n": rate}, values={"r": 0.3, "most": 1e12}, initial={"n": 1e6})


def forced() -> Model:
    """x' = -k x + cos t: the right-hand side depends on time."""
    g = Graph()
    rate = g.sub(g("cos", g.time()), g.mul(g.parameter(0), g.state(0)))
    return build(g, {"x": rate}, values={"k": 2.0})


def target_mediated() -> Model:
    """Drug, target and complex with turnover."""
    g = Graph()
    drug, target, complex_ = (g.state(i) for i in range(3))
    kon, koff, ksyn, kdeg, kint, kel = (g.parameter(i) for i in range(6))
    net = g.sub(g.mul(g.mul(kon, drug), target), g.mul(koff, complex_))
    rates = {
        "drug": g.sub(g.neg(net), g.mul(kel, drug)),
        "target": g.sub(g.sub(ksyn, g.mul(kdeg, target)), net),
        "complex": g.sub(net, g.mul(kint, complex_)),
    }
    values = {"kon": 50.0, "koff": 20.0, "ksyn": 3.0, "kdeg": 1.5, "kint": 4.0, "kel": 0.05}
    return build(g, rates, values=values, initial={"target": 2.0})


def robertson() -> Model:
    """The classical stiff problem (Hairer & Wanner 1996, section IV.1), which spans 11 decades of time."""
    g = Graph()
    a, b, c = (g.state(i) for i in range(3))
    first = g.mul(g.parameter(0), a)
    second = g.mul(g.parameter(1), g.mul(b, b))
    third = g.mul(g.parameter(2), g.mul(b, c))
    rates = {"a": g.sub(third, first), "b": g.sub(g.sub(first, third), second), "c": second}
    return build(g, rates, values={"k1": 0.04, "k2": 3e7, "k3": 1e4}, initial={"a": 1.0})


def network(states: int = 40, reactions: int = 100, seed: int = 0) -> Model:
    """Random reactions: binding, exchange, turnover, saturation, and one sum over all that slows them."""
    rng, g = np.random.default_rng(seed), Graph()
    rates, values = [g.const(0.0)] * states, list[float]()

    def rate_constant(low: float, high: float) -> int:
        values.append(float(10 ** rng.uniform(low, high)))
        return g.parameter(len(values) - 1)

    total = g.state(0)
    for i in range(1, states):
        total = g.add(total, g.state(i))
    brake = g.div(g.const(1.0), g.add(g.const(1.0), g.mul(g.const(0.01), total)))
    for _ in range(reactions):
        a, b, c = (int(i) for i in rng.choice(states, 3, replace=False))
        kind = rng.integers(4)
        if kind == 0:
            bound = g.mul(g.mul(rate_constant(-2, 4), g.state(a)), g.state(b))
            net = g.sub(bound, g.mul(rate_constant(-2, 3), g.state(c)))
            gains = {a: -1, b: -1, c: 1}
        elif kind == 1:
            net = g.mul(rate_constant(-2, 1), g.state(a))
            gains = {a: -1, b: 1}
        elif kind == 2:
            made = g.mul(rate_constant(-1, 0), brake)
            net = g.sub(made, g.mul(rate_constant(-1, 1), g.state(a)))
            gains = {a: 1}
        else:
            x = g("max", g.state(b), g.const(0.0))
            power = g.pow(x, rate_constant(0, 0.4))
            net = g.div(power, g.add(power, rate_constant(-1, 1)))
            gains = {a: 1}
        for state, sign in gains.items():
            rates[state] = g.add(rates[state], net) if sign > 0 else g.sub(rates[state], net)
    for i in range(states):  # turnover everywhere, so that nothing runs dry
        lost = g.mul(rate_constant(-2, -1), g.state(i))
        rates[i] = g.sub(g.add(rates[i], rate_constant(-2, -1)), lost)
    named = {f"x{i}": rate for i, rate in enumerate(rates)}
    start = {f"x{i}": float(v) for i, v in enumerate(rng.uniform(0.0, 2.0, states))}
    return build(
        g, named, values={f"k{i}": v for i, v in enumerate(values)}, initial=start, name=f"network {seed}"
    )
