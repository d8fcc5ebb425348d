"""Where rates jump: conditions of a model at whose turning a rate takes another value at once.

A kink, as of ``max(x, 0)``, is no jump. Which of the two a condition makes is found by trying: states
and parameters are drawn, one is moved until the condition turns, and the rates on both sides are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from twoarm.chance import generator
from twoarm.model.equations import Model, Node, evaluate, reachable, support
from twoarm.model.start import start

__all__ = ["jumping_rates"]

_STEPS = frozenset({"lt", "le", "gt", "ge", "floor", "ceil"})  # eq and ne turn for an instant only
_BASES = 8  #: draws of everything else
_ENOUGH = 4  #: turnings looked at for each condition
_ROUNDS = 12  #: each divides the bracket of a turning by `_PARTS`
_PARTS = 33
_GAP = 1e-3  #: most that the sides of a condition may move at its turning, of what they move around it
_SAME = 1e-6  #: difference of rates on both sides that is no jump, of what they are around
_FACTORS = np.concatenate([-np.logspace(6, -6, 25), [0.0], np.logspace(-6, 6, 25)])


def jumping_rates(model: Model, parameters: Sequence[str], states: Sequence[str]) -> list[str]:
    """States whose rate jumps where one of `parameters` or `states` decides a condition.

    Parameters
    ----------
    model : Model
        The equations.
    parameters, states : sequence of str
        Who may decide. A condition that depends on time and on others alone is left out.

    Returns
    -------
    list of str
        In the order of the model's states; empty where all rates are continuous.

    Examples
    --------
    >>> from twoarm.model import Graph
    >>> g = Graph()
    >>> x, one = g.state(0), g.const(1.0)
    >>> jump = g.choose(g("gt", x, one), x, g.neg(x))
    >>> kink = g.choose(g("gt", x, one), x, one)
    >>> for rate in (jump, kink):
    ...     model = Model("m", tuple(g.nodes), ("x",), (one,), (rate,), (), (), {})
    ...     print(jumping_rates(model, [], ["x"]))
    ['x']
    []
    """
    moving = [("parameter", i) for i, name in enumerate(model.parameters) if name in parameters]
    moving += [("state", i) for i, name in enumerate(model.states) if name in states]
    found = [False] * len(model.states)
    bits = {leaf: support(model.nodes, leaf) for leaf in ("state", "parameter", "time")}
    needed = reachable(model.nodes, model.rates)
    trial = _Trial(model)
    above = _dependents(model, needed)
    for node in needed:
        turns = bits["state"][node] or bits["time"][node]  # others never turn on a patient's way
        if model.nodes[node].op in _STEPS and turns:
            leaves = [(kind, i) for kind, i in moving if bits[kind][node] >> i & 1]
            rows = [row for row in above[node] if not found[row]]
            if leaves and rows:
                jumps = trial.compare(node, leaves, [model.rates[row] for row in rows])
                for row, jump in zip(rows, jumps, strict=True):
                    found[row] |= bool(jump)
    return [name for name, jumps in zip(model.states, found, strict=True) if jumps]


def _dependents(model: Model, needed: Sequence[int]) -> dict[int, list[int]]:
    """Rows of the rates that each step node acts on."""
    seen = [0] * len(model.nodes)
    for row, rate in enumerate(model.rates):
        seen[rate] |= 1 << row
    for i in reversed(needed):
        for a in model.nodes[i].args:
            seen[a] |= seen[i]
    return {
        i: [row for row in range(len(model.rates)) if seen[i] >> row & 1]
        for i in needed
        if model.nodes[i].op in _STEPS
    }


class _Trial:
    """Values to try, the same for every condition of a model."""

    def __init__(self, model: Model) -> None:
        chance = generator(0, "where rates jump")
        self.nodes = model.nodes
        values, first = start(model)
        self.size = {"parameter": _sizes(values[:, 0]), "state": _sizes(first[:, 0])}
        self.base = {
            kind: size[:, None] * np.exp(0.5 * chance.normal(size=(len(size), _BASES)))
            for kind, size in self.size.items()
        }
        self.time = chance.uniform(0.0, 100.0, _BASES)

    def compare(self, node: int, leaves: Sequence[tuple[str, int]], rates: Sequence[int]) -> np.ndarray:
        """Whether each of `rates` jumps where `node` takes another value, moved by one of `leaves`."""
        jumps, seen = np.zeros(len(rates), dtype=bool), 0
        condition = _Some(self.nodes, [node, *self.nodes[node].args])
        sides = _Some(self.nodes, rates)
        for kind, i in leaves:
            for base, *around in self._turnings(condition, kind, i):
                values = self._at(sides, kind, i, base, np.array(around)).T
                with np.errstate(invalid="ignore"):
                    size = np.fmax.reduce(np.abs(values))
                    jumps |= np.abs(values[1] - values[2]) > _SAME * size
                seen += 1
            if seen >= _ENOUGH:
                break
        return jumps

    def _turnings(self, condition: _Some, kind: str, i: int) -> list[tuple[int, float, float, float, float]]:
        """Neighboring values of one leaf with the condition turned between them, one more on each side."""
        found = []
        for base in range(_BASES):
            grid = _FACTORS * self.size[kind][i]
            value, *sides = self._at(condition, kind, i, base, grid)
            with np.errstate(invalid="ignore"):
                apart = np.abs(np.diff(sides[0] - sides[-1] if len(sides) > 1 else sides[0]))
            turned = np.flatnonzero((value[1:] != value[:-1]) & np.isfinite(apart))
            for at in turned[:2]:
                low, high, gap = self._narrow(condition, kind, i, base, grid[at], grid[at + 1])
                if gap <= _GAP * apart[at]:  # else both sides meet in a pole and not in one value
                    found.append((base, float(grid[at]), low, high, float(grid[at + 1])))
            if len(found) >= _ENOUGH:
                break
        return found

    def _narrow(
        self, condition: _Some, kind: str, i: int, base: int, low: float, high: float
    ) -> tuple[float, float, float]:
        """Neighboring values around a turning, and how far its two sides move between them."""
        gap = np.inf
        for _ in range(_ROUNDS):
            fine = np.linspace(low, high, _PARTS)
            value, *sides = self._at(condition, kind, i, base, fine)
            turned = np.flatnonzero(value != value[0])
            if not len(turned):
                break
            pair = slice(turned[0] - 1, turned[0] + 1)
            low, high = (float(each) for each in fine[pair])
            below, above = (sides[0] - sides[-1] if len(sides) > 1 else sides[0])[pair]
            gap = abs(float(above - below))
        return low, high, gap

    def _at(self, some: _Some, kind: str, i: int, base: int, values: np.ndarray) -> np.ndarray:
        tables = {k: np.repeat(table[:, base : base + 1], len(values), 1) for k, table in self.base.items()}
        tables[kind][i] = values
        return some.values(tables["state"], tables["parameter"], self.time[base])


class _Some:
    """The part of a graph that a few roots need."""

    def __init__(self, nodes: Sequence[Node], roots: Sequence[int]) -> None:
        wanted = reachable(nodes, roots)
        place = {old: new for new, old in enumerate(wanted)}
        self.few = [nodes[i]._replace(args=tuple(place[a] for a in nodes[i].args)) for i in wanted]
        self.roots = [place[root] for root in roots]

    def values(self, states: np.ndarray, parameters: np.ndarray, time: Any) -> np.ndarray:
        """Value of each root (root, column)."""
        found = evaluate(self.few, states, parameters, time)
        columns = states.shape[1] if len(states) else parameters.shape[1]
        return np.stack([np.broadcast_to(found[root], columns) for root in self.roots])


def _sizes(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values) & (values != 0.0)
    return np.where(known, np.abs(values), 1.0)
