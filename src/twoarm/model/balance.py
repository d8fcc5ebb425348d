"""How much faster than everything else a balance is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from twoarm.model.differentiate import gradients
from twoarm.model.equations import Model
from twoarm.model.graph import Graph
from twoarm.model.start import evaluate_some, start

__all__ = ["Balance", "measure"]

_FASTER = 1e9  # than the fastest other rate: a balance lags behind by one part in so many


@dataclass(frozen=True)
class Balance:
    """What multiplies the rates that keep a balance.

    Attributes
    ----------
    reactions : mapping of str to float
        For each fast reaction.
    equations : float [1/time]
        For equations that have to hold at any time.
    """

    reactions: Mapping[str, float] = field(default_factory=dict)
    equations: float = 1.0


def measure(
    graph: Graph,
    model: Model,
    reactions: Mapping[str, tuple[int, Mapping[int, int]]],
    slow: Mapping[int, int],
) -> Balance:
    """How fast the model is at its start, and so what `Balance` it needs.

    Parameters
    ----------
    graph : Graph
        The expressions.
    model : Model
        With a balance of 1.
    reactions : mapping of str to (int, mapping of int to int)
        Of each fast reaction the node of its flux, and those of its stoichiometries by state.
    slow : mapping of int to int
        Nodes of the rates of all states without fast reactions.

    Returns
    -------
    Balance
        Such that every balance is `_FASTER` times faster than the fastest state, and than a unit of time.

    Notes
    -----
    The lag of a balance behind the states it follows is the ratio of the two speeds, 1e-9 here. That is far
    below any tolerance of an integration, and an implicit method takes it without shorter steps.
    """
    parameters, states = (table[:, 0] for table in start(model, settled=False))
    size = len(model.states)
    diagonal = {i: gradients(graph, [node], [i])[node].get(i) for i, node in slow.items() if i < size}
    by_extent = {}
    for name, (flux, moves) in reactions.items():
        slopes = gradients(graph, [flux], sorted(moves))[flux]
        total = graph.const(0)
        for state, node in slopes.items():
            total = graph.add(total, graph.mul(node, moves[state]))
        by_extent[name] = total
    own = [node for node in diagonal.values() if node is not None]
    values = [
        abs(float(value))
        for value in evaluate_some(tuple(graph.nodes), [*own, *by_extent.values()], states, parameters)
    ]
    fastest = max([1.0, *(v for v in values[: len(own)] if np.isfinite(v))])
    need = _FASTER * fastest
    speeds = dict(zip(by_extent, values[len(own) :], strict=True))
    return Balance({name: need / v if np.isfinite(v) and v > 0 else need for name, v in speeds.items()}, need)
