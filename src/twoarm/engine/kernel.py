"""A model's equations → LLVM IR: right-hand side, Jacobian, static LU, triangular solves, one Rosenbrock step.

Every array is `(row, lane)` with lanes adjacent, so one vector holds the same quantity of `lanes` patients.
Nothing about doses, visits or time spans is compiled in. What depends on parameters alone is computed once per
patient by ``constants`` and read from the array `q` ever after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twoarm.engine.elementary import definitions
from twoarm.engine.expressions import Body, Expressions
from twoarm.engine.sparse import Factorization
from twoarm.model import Model, Node, jacobian
from twoarm.model.graph import reachable


@dataclass(frozen=True)
class Equations:
    """A model's graph sorted for emission.

    Attributes
    ----------
    nodes : tuple of Node
        The graph with derivatives appended.
    rates : tuple of int
        Node of each state's rate.
    entries : tuple of (row, column, node)
        The Jacobian.
    drifts : tuple of (row, node)
        Derivative of rates by time, where there is one.
    stored : mapping of int to int
        Nodes that depend on parameters alone and are used by the rest, and their row in `q`.
    """

    nodes: tuple[Node, ...]
    rates: tuple[int, ...]
    entries: tuple[tuple[int, int, int], ...]
    drifts: tuple[tuple[int, int], ...]
    stored: dict[int, int]


def sort_equations(model: Model) -> Equations:
    """Differentiate a model and find what is constant for a patient.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    Equations
        All that the kernel and the reference back end need.

    Notes
    -----
    The time is differentiated as one more state, which needs no second set of rules.
    """
    clock = len(model.states)
    with_clock = replace(
        model,
        nodes=tuple(Node("state", (), clock) if node.op == "time" else node for node in model.nodes),
        states=(*model.states, "time itself"),
    )
    graph, found = jacobian(with_clock)
    nodes = tuple(Node("time") if node == Node("state", (), clock) else node for node in graph.nodes)
    entries = tuple(entry for entry in found if entry[1] != clock)
    drifts = tuple((row, node) for row, column, node in found if column == clock)
    roots = [*model.rates, *(node for _, _, node in entries), *(node for _, node in drifts)]
    return Equations(nodes, model.rates, entries, drifts, _constants(nodes, roots))


def _constants(nodes: tuple[Node, ...], roots: list[int]) -> dict[int, int]:
    needed = reachable(nodes, roots)
    varies: dict[int, bool] = {}
    for node in needed:
        op, arguments, _ = nodes[node]
        varies[node] = op in ("state", "time") or any(varies[a] for a in arguments)
    wanted = {root for root in roots if not varies[root]}
    for node in needed:
        if varies[node]:
            wanted.update(a for a in nodes[node].args if not varies[a])
    kept = sorted(node for node in wanted if nodes[node].op != "const")
    return {node: row for row, node in enumerate(kept)}


def attributes_of(lanes: int) -> str:
    """Function attributes that keep whole vectors in one register where the machine has such registers."""
    bits = 64 * lanes
    return f'nounwind "min-legal-vector-width"="{bits}" "prefer-vector-width"="{bits}"'


def prelude(lanes: int) -> str:
    """What every module of `lanes` declares and defines before its equations."""
    body = Body(lanes)
    v = body.vector
    lines = [f"declare {v} @llvm.{name}.{body.suffix}({v})" for name in ("sqrt", "ceil")]
    if lanes == 1:
        lines += [f"declare {v} @llvm.{name}.f64({v})" for name in ("fabs", "floor")]
        lines.append("declare double @llvm.fmuladd.f64(double, double, double)")
    return definitions(lanes, attributes_of(lanes)) + "\n" + "\n".join(lines)


def constants_function(equations: Equations, lanes: int, flags: str) -> str:
    """``constants(p, q)``: everything that depends on parameters alone."""
    body = Body(lanes, flags)
    expressions = Expressions(body, equations.nodes, {})
    for node, row in equations.stored.items():
        body.store(expressions.value(node), "%q", row)
        expressions.forget()
    return body.define("constants", ("ptr %p", "ptr %q"), attributes_of(lanes))


def rates_function(equations: Equations, lanes: int, flags: str) -> str:
    """``rates(t, y, q, f)``: adds each state's rate to `f`."""
    body = Body(lanes, flags)
    expressions = Expressions(body, equations.nodes, equations.stored)
    for row, node in enumerate(equations.rates):
        if equations.nodes[node] == Node("const"):
            continue
        rate = expressions.value(node)
        body.store(body.binary("fadd", body.load("%f", row), rate), "%f", row)
        expressions.forget()
    return body.define("rates", ("ptr %t", "ptr %y", "ptr %q", "ptr %f"), attributes_of(lanes))


def jacobian_function(equations: Equations, slots: list[int], lanes: int, flags: str, sign: int) -> str:
    """``jacobian(t, y, q, w, g)``: `sign` times each entry into its slot of `w`, time derivatives into `g`."""
    body = Body(lanes, flags)
    expressions = Expressions(body, equations.nodes, equations.stored)
    for (_, _, node), slot in zip(equations.entries, slots, strict=True):
        value = expressions.value(node)
        body.store(body.negative(value) if sign < 0 else value, "%w", slot)
        expressions.forget()
    for row, node in equations.drifts:
        body.store(expressions.value(node), "%g", row)
        expressions.forget()
    return body.define("jacobian", ("ptr %t", "ptr %y", "ptr %q", "ptr %w", "ptr %g"), attributes_of(lanes))


def factor_function(plan: Factorization, entries: set[tuple[int, int]], lanes: int) -> str:
    """``factor(d, w)``: factors of `w + d I` in place; `entries` are the slots that hold a value."""
    body = Body(lanes)
    position = {index: place for place, index in enumerate(plan.order)}
    filled = {(position[i], position[j]) for i, j in entries}
    shift = body.load("%d")
    for i, (lower, upper) in enumerate(zip(plan.lower, plan.upper, strict=True)):
        row: dict[int, str] = {
            j: body.load("%w", plan.slots[i, j]) for j in (*lower, i, *upper) if (i, j) in filled
        }
        row[i] = body.binary("fadd", row[i], shift) if i in row else shift
        for k in lower:
            ratio = body.binary("fmul", row[k], body.load("%w", plan.slots[k, k]))
            body.store(ratio, "%w", plan.slots[i, k])
            minus = body.negative(ratio)
            for j in plan.upper[k]:
                factor = body.load("%w", plan.slots[k, j])
                row[j] = body.fma(minus, factor, row[j]) if j in row else body.binary("fmul", minus, factor)
        for j in upper:
            body.store(row[j], "%w", plan.slots[i, j])
        body.store(body.binary("fdiv", body.const(1.0), row[i]), "%w", plan.slots[i, i])
    return body.define("factor", ("ptr %d", "ptr %w"), attributes_of(lanes))


def solve_function(plan: Factorization, lanes: int) -> str:
    """``solve(w, x)``: replaces the right-hand side `x` by the solution."""
    body = Body(lanes)
    for i, lower in enumerate(plan.lower):
        if lower:
            total = body.load("%x", plan.order[i])
            for k in lower:
                total = _minus_product(body, total, plan.slots[i, k], plan.order[k])
            body.store(total, "%x", plan.order[i])
    for i in reversed(range(len(plan.order))):
        total = body.load("%x", plan.order[i])
        for j in plan.upper[i]:
            total = _minus_product(body, total, plan.slots[i, j], plan.order[j])
        total = body.binary("fmul", total, body.load("%w", plan.slots[i, i]))
        body.store(total, "%x", plan.order[i])
    return body.define("solve", ("ptr %w", "ptr %x"), attributes_of(lanes))


def _minus_product(body: Body, total: str, slot: int, row: int) -> str:
    return body.fma(body.negative(body.load("%w", slot)), body.load("%x", row), total)


def values_function(nodes: tuple[Node, ...], roots: Sequence[int], lanes: int, flags: str) -> str:
    """``values(t, y, p, v)``: the value of each root node, straight from the parameters."""
    body = Body(lanes, flags)
    expressions = Expressions(body, nodes, {})
    for row, node in enumerate(roots):
        body.store(expressions.value(node), "%v", row)
        expressions.forget()
    return body.define("values", ("ptr %t", "ptr %y", "ptr %p", "ptr %v"), attributes_of(lanes))
