"""Quantities through which many states act on many rates, made unknowns of their own.

A sum over many states that enters many rates (a total, a volume, a shared braking term) fills the Jacobian
with a block `states x rates` if it is eliminated. Kept as an unknown `z = g(y)`, with its own row in the
linear system

    ( W  -B ) (k)   (b)
    ( -C  I ) (z) = (0) ,      J = A + B C ,   W = I/(hγ) - A ,

it costs `states + rates` entries, and the ordering of `sparse` decides when to eliminate it. The solution `k`
is the same (griewank2008, on the extended Jacobian).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twoarm.model import Graph, Model, Node

_LEAST_SAVING = 25  #: entries a hub must save, by a rough count, to be worth a row
_MOST_HUBS = 400


def extend(model: Model) -> Model:
    """Find the hubs of a model and cut its graph there.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    Model
        States and rates of the original first, in place; then the hubs, whose "rate" is their definition. Its
        Jacobian is that of the extended system.
    """
    chosen = _choose(model.nodes, model.rates)
    graph, states = Graph(), len(model.states)
    place: dict[int, int] = {}
    definitions: dict[int, int] = {}
    for i, (op, arguments, value) in enumerate(model.nodes):
        if not arguments:
            place[i] = graph._intern(Node(op, (), value))
            continue
        place[i] = graph(op, *(place[a] for a in arguments))
        if i in chosen:
            definitions[i] = place[i]
            place[i] = graph.state(states + len(definitions) - 1)
    names = tuple(f"hub {j}" for j in range(len(definitions)))
    return replace(
        model,
        nodes=tuple(graph.nodes),
        states=(*model.states, *names),
        initial=(),
        rates=(*(place[rate] for rate in model.rates), *definitions.values()),
        outputs={},
        events=(),
        derived={},
        amounts={},
    )


def _choose(nodes: Sequence[Node], rates: Sequence[int]) -> set[int]:
    """Pick hubs one after the other, each the one that saves most given those before it."""
    chosen: set[int] = set()
    states = 1 + max((int(node.value) for node in nodes if node.op == "state"), default=0)
    while len(chosen) < _MOST_HUBS:
        below = _states_below(nodes, chosen, states)
        above = _rates_above(nodes, rates, chosen)
        best, most = -1, _LEAST_SAVING - 1
        for i, node in enumerate(nodes):
            if i in chosen or not node.args or not above[i]:
                continue
            ins, outs = below[i].bit_count(), above[i].bit_count()
            saving = ins * outs - ins - outs
            if saving > most:
                best, most = i, saving
        if best < 0:
            break
        chosen.add(best)
    return chosen


def _states_below(nodes: Sequence[Node], chosen: set[int], states: int) -> list[int]:
    """States (and hubs) each node depends on directly, as bits."""
    own: list[int] = []
    seen: list[int] = []
    for i, node in enumerate(nodes):
        bits = 1 << int(node.value) if node.op == "state" else 0
        for a in node.args:
            bits |= seen[a]
        own.append(bits)
        seen.append(1 << (states + i) if i in chosen else bits)
    return own


def _rates_above(nodes: Sequence[Node], rates: Sequence[int], chosen: set[int]) -> list[int]:
    """Rates (and hubs) that depend directly on each node, as bits."""
    found = [0] * len(nodes)
    for row, rate in enumerate(rates):
        found[rate] |= 1 << row
    for i in range(len(nodes) - 1, -1, -1):
        passed = 1 << (len(rates) + i) if i in chosen else found[i]
        if found[i]:
            for a in nodes[i].args:
                found[a] |= passed
    return found
