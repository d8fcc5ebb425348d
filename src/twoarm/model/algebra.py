"""Equations that determine a symbol without saying how: who determines whom, and solutions in closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from twoarm.model.differentiate import gradients
from twoarm.model.graph import Graph, support

__all__ = ["blocks", "is_linear", "match", "solve"]

_IMPOSSIBLE = 1e9


def match(costs: Sequence[Mapping[str, float]]) -> list[str | None]:
    """Match each equation to the unknown it determines, at the least cost in all.

    Parameters
    ----------
    costs : sequence of mapping of str to float
        For each equation the unknowns in it, and how unlikely it is that it determines them.

    Returns
    -------
    list of str or None
        One unknown for each equation, no unknown twice; None where there is none left.

    Examples
    --------
    >>> match([{"x": 1.0, "y": 0.0}, {"y": 0.0}])
    ['x', 'y']
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and few models need it

    names = sorted(set().union(*costs))
    table = np.full((len(costs), max(len(names), len(costs))), _IMPOSSIBLE)
    for row, cost in enumerate(costs):
        for name, value in cost.items():
            table[row, names.index(name)] = value
    rows, columns = linear_sum_assignment(table)
    found: list[str | None] = [None] * len(costs)
    for row, column in zip(rows, columns, strict=True):
        if table[row, column] < _IMPOSSIBLE:
            found[row] = names[column]
    return found


def blocks(graph: Graph, equations: Sequence[int], unknowns: Sequence[int]) -> list[list[int]]:
    """Smallest groups of equations that have to be solved together, each after those it needs.

    Parameters
    ----------
    graph : Graph
        The expressions.
    equations : sequence of int
        Nodes that are to be 0.
    unknowns : sequence of int
        Index of the state that stands for the unknown of each equation.

    Returns
    -------
    list of list of int
        Positions in `equations`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    found = support(graph.nodes, "state")
    pairs = [
        (i, j)
        for i, equation in enumerate(equations)
        for j, unknown in enumerate(unknowns)
        if found[equation] >> unknown & 1
    ]
    size = len(equations)
    ends = np.array(pairs, dtype=int).reshape(-1, 2)
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    count, group = connected_components(links, directed=True, connection="strong")
    needs = {g: {int(group[j]) for i, j in pairs if group[i] == g} - {g} for g in range(count)}
    order: list[int] = []
    while len(order) < count:
        order += [g for g in range(count) if g not in order and needs[g] <= set(order)]
    return [[int(i) for i in np.flatnonzero(group == g)] for g in order]


def is_linear(graph: Graph, equations: Sequence[int], unknowns: Sequence[int]) -> bool:
    """Whether no derivative of `equations` by `unknowns` (indices of states) depends on `unknowns`."""
    found = gradients(graph, equations, unknowns)
    bits = sum(1 << unknown for unknown in unknowns)
    slopes = {node for equation in equations for node in found[equation].values()}
    depends = support(graph.nodes, "state")
    return not any(depends[node] & bits for node in slopes)


def solve(graph: Graph, equations: Sequence[int], unknowns: Sequence[int]) -> list[int] | None:
    """Step that brings all `equations` to 0 where they are linear, by Gaussian elimination on nodes.

    Parameters
    ----------
    graph : Graph
        The expressions; the solution is appended.
    equations : sequence of int
        Nodes that are to be 0.
    unknowns : sequence of int
        Indices of the states that stand for the unknowns.

    Returns
    -------
    list of int or None
        What to add to each unknown (a Newton step where the equations are not linear); None if an unknown
        acts on no equation.

    Examples
    --------
    >>> from twoarm.model.graph import evaluate
    >>> g = Graph()
    >>> x, y = g.state(0), g.state(1)
    >>> equations = [g.sub(g.add(x, y), g.const(5)), g.sub(g.sub(x, y), g.const(1))]
    >>> step = solve(g, equations, [0, 1])
    >>> [float(evaluate(g.nodes, [0.0, 0.0], [])[node]) for node in step]
    [3.0, 2.0]
    """
    size, zero = len(equations), graph.const(0)
    slopes = gradients(graph, equations, unknowns)
    rows = [[slopes[e].get(u, zero) for u in unknowns] + [graph.neg(e)] for e in equations]
    for at in range(size):
        choices = [i for i in range(at, size) if rows[i][at] != zero]
        if not choices:
            return None
        best = min(choices, key=lambda i: graph.constant_of(rows[i][at]) is None)
        rows[at], rows[best] = rows[best], rows[at]
        for i in range(at + 1, size):
            if rows[i][at] != zero:
                factor = graph.div(rows[i][at], rows[at][at])
                for k in range(at + 1, size + 1):
                    rows[i][k] = graph.sub(rows[i][k], graph.mul(factor, rows[at][k]))
    step = [zero] * size
    for at in reversed(range(size)):
        total = rows[at][size]
        for k in range(at + 1, size):
            total = graph.sub(total, graph.mul(rows[at][k], step[k]))
        step[at] = graph.div(total, rows[at][at])
    return step
