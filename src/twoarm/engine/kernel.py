"""A model's equations → LLVM IR: right-hand side, Jacobian, static LU and triangular solves.

Every array is `(row, lane)` with lanes adjacent, so one vector holds the same quantity of `lanes`
patients. Nothing about doses, visits or time spans is compiled in. What depends on parameters
alone is computed once per patient by ``constants`` and read from the array `q` ever after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twoarm.engine.elementary import declarations, definitions
from twoarm.engine.expressions import Body, Write, functions
from twoarm.engine.hubs import extend
from twoarm.engine.sparse import Factorization, Group, group_entries
from twoarm.engine.vector import Vector
from twoarm.model import Model, Node, jacobian
from twoarm.model.graph import reachable

_WIDEST = 512  #: bits of the widest registers there are
_LONGEST_PART = 1000  #: lines in one function; the compiler's time grows faster than its length


@dataclass(frozen=True)
class Equations:
    """A model's graph sorted for emission.

    Attributes
    ----------
    nodes : tuple of Node
        The graph with derivatives appended.
    states : int
        How many states there are. The hubs (see `hubs`) are unknowns of their own after them.
    rates : tuple of int
        Node of each state's rate.
    entries : tuple of (row, column, node)
        The Jacobian, extended by the hubs.
    drifts : tuple of (row, node)
        Derivative of rates and hubs by time, where there is one.
    stored : dict of int to int
        Nodes that depend on parameters alone and are used by the rest, and their row in `q`.
    hubs : dict of int to int
        Definition of each hub, by its number as a state.
    """

    nodes: tuple[Node, ...]
    states: int
    rates: tuple[int, ...]
    entries: tuple[tuple[int, int, int], ...]
    drifts: tuple[tuple[int, int], ...]
    stored: dict[int, int]
    hubs: dict[int, int]

    @property
    def unknowns(self) -> int:
        """States and hubs."""
        return self.states + len(self.hubs)

    @property
    def timed(self) -> bool:
        """Whether any rate reads the time, be it only to ask whether a day has passed."""
        needed = reachable(self.nodes, [*self.rates, *self.hubs.values()])
        return any(self.nodes[node].op == "time" for node in needed)


def sort_equations(model: Model, hubs: bool) -> Equations:
    """Differentiate a model and find what is constant for a patient.

    Parameters
    ----------
    model : Model
        The model.
    hubs : bool
        Whether to keep hubs as unknowns.

    Returns
    -------
    Equations
        All that a kernel needs.

    Notes
    -----
    The time is differentiated as one more state, which needs no second set of rules.
    """
    states = len(model.states)
    if hubs:
        model = extend(model)
    clock = Node("state", (), len(model.states))
    with_clock = replace(
        model,
        nodes=tuple(clock if node.op == "time" else node for node in model.nodes),
        states=(*model.states, "time itself"),
    )
    graph, found = jacobian(with_clock)
    nodes = tuple(Node("time") if node == clock else node for node in graph.nodes)
    entries = tuple(entry for entry in found if entry[1] != clock.value)
    drifts = tuple((row, node) for row, column, node in found if column == clock.value)
    roots = [*model.rates, *(node for _, _, node in entries), *(node for _, node in drifts)]
    definitions = dict(enumerate(model.rates[states:], start=states))
    stored = _constants(nodes, roots)
    return Equations(nodes, states, model.rates[:states], entries, drifts, stored, definitions)


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


def attributes_of(vector: Vector) -> str:
    """Attributes that keep a whole vector in one register where the machine has such registers."""
    bits = min(8 * vector.bytes, _WIDEST)
    return f'nounwind "min-legal-vector-width"="{bits}" "prefer-vector-width"="{bits}"'


def prelude(*vectors: Vector, libm: bool = False) -> str:
    """Write the declarations and definitions that every module begins with, for the vectors it uses."""
    lines = [declarations()]
    for vector in dict.fromkeys(vectors):
        v, suffix = vector.type, vector.suffix
        lines += [f"declare {v} @llvm.{name}.{suffix}({v})" for name in ("sqrt", "ceil")]
        if libm:
            lines += [f"declare {v} @llvm.{name}.{suffix}({v})" for name in ("fabs", "floor")]
            lines.append(f"declare {v} @llvm.fmuladd.{suffix}({v}, {v}, {v})")
        lines.append(definitions(vector, attributes_of(vector), libm))
    return "\n".join(lines)


def _to(array: str, row: int) -> Write:
    return lambda body, value: body.store(value, array, row)


def _to_lane(array: str, row: int, vector: Vector) -> Write:
    def write(body: Body, value: str) -> None:
        if vector.real == "float":
            value = body.let(f"fptrunc double {value} to float")
        at = body.let(f"getelementptr inbounds {vector.real}, ptr {array}, i64 {row * vector.lanes}")
        body.lines.append(f"  store {vector.real} {value}, ptr {at}, align {vector.bits // 8}")

    return write


def _minus_to(array: str, row: int) -> Write:
    return lambda body, value: body.store(body.negative(value), array, row)


def _add_to(array: str, row: int) -> Write:
    return lambda body, value: body.store(body.binary("fadd", body.load(array, row), value), array, row)


def constants_function(equations: Equations, vector: Vector, flags: str) -> str:
    """``constants(p, q)``: everything that depends on parameters alone, of one patient.

    Reads the patient's parameters `p` and writes one lane of `q`, whose address is given. Parameters may be
    of any size and are combined once a patient, so this is in double precision whatever the kernel's.
    """
    roots = [(node, _to_lane("%q", row, vector)) for node, row in equations.stored.items()]
    arguments, one = ("ptr %p", "ptr %q"), Vector(1)
    return functions("constants", arguments, attributes_of(one), roots, equations.nodes, {}, {}, one, flags)


def rates_function(equations: Equations, vector: Vector, flags: str) -> str:
    """``rates(t, y, q, f)``: adds each state's rate to `f`."""
    zero = Node("const", (), 0.0)
    roots = [
        (node, _add_to("%f", row))
        for row, node in enumerate(equations.rates)
        if equations.nodes[node] != zero
    ]
    arguments = ("ptr %t", "ptr %y", "ptr %q", "ptr %f")
    return _with_states("rates", arguments, roots, equations, vector, flags)


def jacobian_function(equations: Equations, slots: list[int], vector: Vector, flags: str, sign: int) -> str:
    """``jacobian(t, y, q, w, g)``: entries times `sign` into their slots of `w`, time derivatives to `g`."""
    write = _minus_to if sign < 0 else _to
    roots = [(node, write("%w", slot)) for (_, _, node), slot in zip(equations.entries, slots, strict=True)]
    roots += [(node, _to("%g", row)) for row, node in equations.drifts]
    arguments = ("ptr %t", "ptr %y", "ptr %q", "ptr %w", "ptr %g")
    return _with_states("jacobian", arguments, roots, equations, vector, flags)


def _with_states(
    name: str,
    arguments: tuple[str, ...],
    roots: list[tuple[int, Write]],
    equations: Equations,
    vector: Vector,
    flags: str,
) -> str:
    attributes = attributes_of(vector)
    nodes, stored, hubs = equations.nodes, equations.stored, equations.hubs
    return functions(name, arguments, attributes, roots, nodes, stored, hubs, vector, flags)


class Parts:
    """A function without values of its own from line to line, cut into several where it grows long."""

    def __init__(self, name: str, arguments: tuple[str, ...], vector: Vector) -> None:
        self.name, self.arguments, self.vector = name, arguments, vector
        self.bodies = [Body(vector)]

    def body(self) -> Body:
        """Where to go on: a new part if the last is long."""
        if len(self.bodies[-1].lines) > _LONGEST_PART:
            self.bodies.append(Body(self.vector))
        return self.bodies[-1]

    def define(self) -> str:
        """All parts, and the function that calls them in order."""
        attributes = attributes_of(self.vector)
        text = [
            body.define(f"{self.name}_{number}", self.arguments, attributes)
            for number, body in enumerate(self.bodies)
        ]
        driver = Body(self.vector)
        given = ", ".join(self.arguments)
        driver.lines += [f"  call void @{self.name}_{number}({given})" for number in range(len(self.bodies))]
        return "\n".join([*text, driver.define(self.name, self.arguments, attributes)])


def factor_function(plan: Factorization, equations: Equations, vector: Vector) -> str:
    """``factor(d, w)``: factors in place of `w`, plus `d` on the diagonal of states and 1 on that of hubs."""
    parts = Parts("factor", ("ptr %d", "ptr %w"), vector)
    position = plan.positions
    filled = {(position[i], position[j]) for i, j, _ in equations.entries}
    for i, (lower, upper) in enumerate(zip(plan.lower, plan.upper, strict=True)):
        body = parts.body()
        row: dict[int, str] = {
            j: body.load("%w", plan.slots[i, j]) for j in (*lower, i, *upper) if (i, j) in filled
        }
        shift = body.load("%d") if plan.order[i] < equations.states else body.const(1.0)
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
    return parts.define()


def solve_function(plan: Factorization, equations: Equations, vector: Vector) -> str:
    """``solve(w, x, z)``: replaces the right-hand side, `x` of states and `z` of hubs, by the solution.

    Without time derivatives the right-hand side of hubs is zero, and is not read.
    """
    parts = Parts("solve", ("ptr %w", "ptr %x", "ptr %z"), vector)
    rows = _Rows(plan, equations.states, hubs_are_zero=not equations.drifts)
    for group in plan.forward:
        rows.solve(parts.body(), group, plan.lower, forward=True)
    for group in plan.backward:
        rows.solve(parts.body(), group, plan.upper, forward=False)
    return parts.define()


@dataclass(frozen=True)
class _Rows:
    """Rows of the right-hand side, by pivot position."""

    plan: Factorization
    states: int
    hubs_are_zero: bool

    def solve(self, body: Body, group: Group, factors: Sequence[Sequence[int]], forward: bool) -> None:
        """Solve the rows of a group, each column read once for all of them."""
        totals = {i: self._begin(body, i, forward) for i in group[0]}
        known: dict[int, str] = {}
        for i, k in group_entries(group, factors):
            if k not in known:
                found = self._end(body, k, totals[k], forward) if k in totals else body.load(*self._place(k))
                known[k] = found
            minus = body.negative(body.load("%w", self.plan.slots[i, k]))
            totals[i] = body.fma(minus, known[k], totals[i])
        for i in group[0]:
            if i not in known:
                self._end(body, i, totals[i], forward)

    def _place(self, position: int) -> tuple[str, int]:
        index = self.plan.order[position]
        return ("%x", index) if index < self.states else ("%z", index - self.states)

    def _begin(self, body: Body, i: int, forward: bool) -> str:
        if forward and self.hubs_are_zero and self.plan.order[i] >= self.states:
            return body.const(0.0)
        return body.load(*self._place(i))

    def _end(self, body: Body, i: int, total: str, forward: bool) -> str:
        if not forward:
            total = body.binary("fmul", total, body.load("%w", self.plan.slots[i, i]))
        body.store(total, *self._place(i))
        return total


def values_function(
    nodes: tuple[Node, ...], roots: Sequence[int], vector: Vector, flags: str, name: str = "values"
) -> str:
    """``values(t, y, p, v)``: the value of each root node, straight from the parameters."""
    wanted = [(node, _to("%v", row)) for row, node in enumerate(roots)]
    arguments = ("ptr %t", "ptr %y", "ptr %p", "ptr %v")
    return functions(name, arguments, attributes_of(vector), wanted, nodes, {}, {}, vector, flags)
