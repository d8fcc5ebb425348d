"""Forward derivatives of an expression graph, with shared subexpressions and structural zeros left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence

from twoarm.errors import UnsupportedModelError
from twoarm.model.equations import Model
from twoarm.model.graph import Graph, reachable

__all__ = ["along", "derivative", "gradients", "jacobian", "parameter_derivatives", "time_derivative"]


def along(graph: Graph, roots: Sequence[int], direction: Mapping[int, int]) -> dict[int, int]:
    """Nodes of the derivatives of `roots` along a direction, appended to `graph`.

    Parameters
    ----------
    graph : Graph
        The expressions.
    roots : sequence of int
        Nodes to differentiate.
    direction : mapping of int to int
        How fast each leaf moves: node of a state or parameter to node of its derivative; others stand still.

    Returns
    -------
    dict of int to int
        For each root the node of the sum of its partial derivatives times those of `direction`; at a kink
        the one-sided derivative of the branch taken.

    Examples
    --------
    >>> g = Graph()
    >>> x, v = g.state(0), g.parameter(0)
    >>> square = g.mul(x, x)
    >>> slope = along(g, [square], {x: v})[square]
    >>> from twoarm.model.graph import evaluate
    >>> float(evaluate(g.nodes, [3.0], [0.5])[slope])
    3.0
    """
    zero = graph.const(0)
    found: dict[int, int] = {}
    for i in reachable(graph.nodes, roots):
        args = graph.nodes[i].args
        found[i] = _tangent(graph, i, args, [found[a] for a in args]) if args else direction.get(i, zero)
    return {root: found[root] for root in roots}


def derivative(graph: Graph, node: int, state_index: int) -> int:
    """Node of d(node)/d(state), appended to `graph`.

    Comparisons, floor and ceil have derivative 0; at a kink the one-sided derivative of the branch taken.
    Where a root or a power below one meets 0 its slope is infinite and counts as 0: derivatives steer a
    Rosenbrock step, whose error estimate comes from the rates themselves, and infinity would freeze it.

    Examples
    --------
    >>> g = Graph()
    >>> x = g.state(0)
    >>> g.nodes[derivative(g, g.mul(x, x), 0)].op
    'add'
    """
    return _forward(graph, [node], "state", (state_index,))[node].get(state_index, graph.const(0))


def gradients(graph: Graph, roots: Sequence[int], states: Sequence[int]) -> dict[int, dict[int, int]]:
    """Of each root the nodes of its derivatives by those of `states` that act on it, appended to `graph`.

    Examples
    --------
    >>> g = Graph()
    >>> total = g.add(g.state(0), g.state(2))
    >>> sorted(gradients(g, [total], [1, 2])[total])
    [2]
    """
    found = _forward(graph, roots, "state", frozenset(states))
    return {root: found[root] for root in roots}


def jacobian(model: Model) -> tuple[Graph, tuple[tuple[int, int, int], ...]]:
    """Sparse Jacobian of the rates.

    Returns
    -------
    graph : Graph
        The model's nodes, unchanged and in place, and the derivatives after them.
    entries : tuple of (row, column, node)
        d(rate of state `row`)/d(state `column`); what is absent is 0 whatever the values.
    """
    return _sparse(model, model.rates, "state", len(model.states))


def parameter_derivatives(
    model: Model, roots: Sequence[int] | None = None
) -> tuple[Graph, tuple[tuple[int, int, int], ...]]:
    """Sparse derivatives of `roots` (the rates if None) by the parameters, as `jacobian` gives them."""
    return _sparse(model, model.rates if roots is None else roots, "parameter", len(model.parameters))


def time_derivative(graph: Graph, node: int, rate: Callable[[int], int]) -> int:
    """Node of d(node)/dt along a solution, appended to `graph`; `rate` gives the node of a state's rate."""
    total = _forward(graph, [node], "time", (0,))[node].get(0, graph.const(0))
    acting = {
        int(graph.nodes[i].value) for i in reachable(graph.nodes, [node]) if graph.nodes[i].op == "state"
    }
    slopes = gradients(graph, [node], sorted(acting))[node]
    for index in sorted(slopes):
        total = graph.add(total, graph.mul(slopes[index], rate(index)))
    return total


def _sparse(
    model: Model, roots: Sequence[int], leaf: str, columns: int
) -> tuple[Graph, tuple[tuple[int, int, int], ...]]:
    graph = Graph(model.nodes)
    tangents = _forward(graph, roots, leaf, range(columns))
    entries = (
        (row, column, node) for row, root in enumerate(roots) for column, node in tangents[root].items()
    )
    return graph, tuple(sorted(entries))


def _forward(
    graph: Graph, roots: Sequence[int], leaf: str, columns: Container[int]
) -> dict[int, dict[int, int]]:
    """Differentiate `roots` and all they need by every leaf in `columns`, in one pass over the graph.

    Returns
    -------
    dict of int to dict of int to int
        For each node the nodes of its derivatives by column; what is absent is 0 whatever the values.
    """
    zero, one = graph.const(0), graph.const(1)
    tangents: dict[int, dict[int, int]] = {}
    for i in reachable(graph.nodes, roots):
        op, args, value = graph.nodes[i]
        if op == leaf:
            tangents[i] = {int(value): one} if int(value) in columns else {}
        elif op in _FLAT or not args:
            tangents[i] = {}
        else:
            given = [tangents[a] for a in args]
            acting = sorted(set().union(*given))
            found = ((c, _tangent(graph, i, args, [g.get(c, zero) for g in given])) for c in acting)
            tangents[i] = {column: node for column, node in found if node != zero}
    return tangents


def _tangent(g: Graph, node: int, args: tuple[int, ...], tangents: list[int]) -> int:
    """Differentiate one node, given the derivatives of its arguments."""
    op = g.nodes[node].op
    if op in _FLAT or all(g.constant_of(t) == 0 for t in tangents):
        return g.const(0)
    if op in _SLOPES:
        return g.mul(_SLOPES[op](g, node, args[0]), tangents[0])
    if op in ("add", "sub"):
        return g(op, *tangents)
    if op == "neg":
        return g.neg(tangents[0])
    if op == "if":
        return g.choose(args[0], tangents[1], tangents[2])
    if op in ("min", "max"):
        return g.choose(g("le" if op == "min" else "ge", *args), *tangents)
    if op not in ("mul", "div", "pow"):
        raise UnsupportedModelError(construct=f"derivative of {op}()")
    a, b = args
    if op == "mul":
        return g.add(g.mul(tangents[0], b), g.mul(a, tangents[1]))
    if op == "div":  # (a' - (a/b) b') / b shares a/b with the value
        return g.div(g.sub(tangents[0], g.mul(node, tangents[1])), b)
    return _power_tangent(g, node, a, b, tangents)


def _power_tangent(g: Graph, node: int, a: int, b: int, tangents: list[int]) -> int:
    """Return b a^(b-1) a' + a^b ln(a) b', where 0^b ln(0) and an infinite slope count as 0.

    a^(b-1) is the value over a, which spares a power; at a = 0 it is 1 for b = 1, otherwise 0.
    """
    zero, one = g.const(0), g.const(1)
    at_zero = g.choose(g("eq", b, one), one, zero)
    slope = g.choose(g("eq", a, zero), at_zero, g.div(g.mul(b, node), a))
    by_base = g.mul(slope, tangents[0])
    logarithm = g.choose(g("gt", a, zero), g("ln", a), zero)
    return g.add(by_base, g.mul(g.mul(node, logarithm), tangents[1]))


_FLAT = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "floor", "ceil"})


def _inverse_root(sign: int, offset: int) -> Callable[[Graph, int, int], int]:
    """1 / sqrt(sign x^2 + offset)."""

    def slope(g: Graph, _node: int, x: int) -> int:
        square = g.mul(g.const(sign), g.mul(x, x))
        return g.div(g.const(1), g("sqrt", g.add(square, g.const(offset))))

    return slope


def _one_plus_square(sign: int, of_value: bool) -> Callable[[Graph, int, int], int]:
    """1 + sign y^2 of the function's own value y, or of its argument."""

    def slope(g: Graph, node: int, x: int) -> int:
        y = node if of_value else x
        return g.add(g.const(1), g.mul(g.const(sign), g.mul(y, y)))

    return slope


def _reciprocal(
    slope: Callable[[Graph, int, int], int], factor: float = 1.0
) -> Callable[[Graph, int, int], int]:
    return lambda g, node, x: g.div(g.const(factor), slope(g, node, x))


#: Slope of each function of one argument: (graph, node of f(x), node of x) -> node of f'(x).
_SLOPES: dict[str, Callable[[Graph, int, int], int]] = {
    "exp": lambda g, node, x: node,
    "ln": lambda g, node, x: g.div(g.const(1), x),
    "log10": lambda g, node, x: g.div(g.const(1 / math.log(10)), x),
    "sqrt": lambda g, node, x: g.choose(g("eq", x, g.const(0)), g.const(0), g.div(g.const(0.5), node)),
    "abs": lambda g, node, x: g.choose(g("lt", x, g.const(0)), g.const(-1), g.const(1)),
    "sin": lambda g, node, x: g("cos", x),
    "cos": lambda g, node, x: g.neg(g("sin", x)),
    "tan": _one_plus_square(1, of_value=True),
    "asin": _inverse_root(-1, 1),
    "acos": lambda g, node, x: g.neg(_inverse_root(-1, 1)(g, node, x)),
    "atan": _reciprocal(_one_plus_square(1, of_value=False)),
    "sinh": lambda g, node, x: g("cosh", x),
    "cosh": lambda g, node, x: g("sinh", x),
    "tanh": _one_plus_square(-1, of_value=True),
    "asinh": _inverse_root(1, 1),
    "acosh": _inverse_root(1, -1),
    "atanh": _reciprocal(_one_plus_square(-1, of_value=False)),
}
