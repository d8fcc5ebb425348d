"""How patients start: parameters that follow from others, initial states, and what is in balance at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twoarm.errors import CircularModelError
from twoarm.model.equations import Model, Node, evaluate, reachable
from twoarm.model.settle import settle

__all__ = ["evaluate_some", "start"]


def start(
    model: Model,
    given: Mapping[str, ArrayLike] | None = None,
    patients: int = 1,
    *,
    time: float = 0.0,
    settled: bool = True,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parameters and initial states of each patient.

    Parameters
    ----------
    model : Model
        The equations.
    given : mapping of str to scalar or (patient,) float array, optional
        What patients have of their own: parameters, or states (then the initial value). What is derived
        from these follows, unless it is itself given. NaN counts as not given.
    patients : int
        How many.
    time : float [day]
        The time that formulas of initial values see.
    settled : bool
        Whether what is in balance at any time (fast reactions) is so from the start on.

    Returns
    -------
    parameters : (parameter, patient) float array
        Values in the order of ``model.parameters``.
    states : (state, patient) float array
        Initial values in the order of ``model.states``.

    Raises
    ------
    KeyError
        If a given name is neither a parameter nor a state.
    CircularModelError
        If initial values depend on each other.

    Examples
    --------
    >>> from twoarm.model import Graph
    >>> g = Graph()
    >>> k, twice = g.parameter(0), g.mul(g.const(2), g.parameter(0))
    >>> model = Model("tiny", tuple(g.nodes), ("x",), (twice,), (k,), ("k",), (1.0,), {})
    >>> start(model, {"k": [1.0, 5.0]}, patients=2)[1]
    array([[ 2., 10.]])
    """
    parameters = np.repeat(np.array(model.values, dtype=float)[:, None], patients, axis=1)
    states = np.full((len(model.states), patients), np.nan)
    place = {name: (parameters, i) for i, name in enumerate(model.parameters)}
    place |= {name: (states, i) for i, name in enumerate(model.states)}
    own = {
        name: np.broadcast_to(np.asarray(value, dtype=float), patients)
        for name, value in (given or {}).items()
    }
    for name, value in own.items():
        table, row = place[name]
        table[row] = np.where(np.isnan(value), table[row], value)
    computed = {**model.derived, **dict(zip(model.states, model.initial, strict=True))}
    for name in _start_order(model, computed):
        value = evaluate_some(model.nodes, [computed[name]], states, parameters, time)[0]
        table, row = place[name]
        table[row] = np.where(np.isnan(own[name]), value, own[name]) if name in own else value
    if settled and model.relaxing:
        states = settle(model, parameters, states, time)
    return parameters, states


def _start_order(model: Model, computed: Mapping[str, int]) -> list[str]:
    """Names to compute, each after those it needs."""
    names = {("parameter", i): name for i, name in enumerate(model.parameters) if name in model.derived}
    names |= {("state", i): name for i, name in enumerate(model.states)}
    needs = {}
    for name, node in computed.items():
        parts = (model.nodes[i] for i in reachable(model.nodes, [node]))
        leaves = [(part.op, int(part.value)) for part in parts if part.op in ("parameter", "state")]
        needs[name] = [names[leaf] for leaf in leaves if leaf in names]
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise CircularModelError(names=error.args[1]) from None


def evaluate_some(
    nodes: tuple[Node, ...],
    wanted: Iterable[int],
    states: ArrayLike,
    parameters: ArrayLike,
    time: ArrayLike = 0.0,
) -> list[Any]:
    """Values of the `wanted` nodes, without evaluating more than they need."""
    roots = list(wanted)
    needed = reachable(nodes, roots)
    place = {old: new for new, old in enumerate(needed)}
    few = [nodes[i]._replace(args=tuple(place[a] for a in nodes[i].args)) for i in needed]
    values = evaluate(few, states, parameters, time)
    return [values[place[root]] for root in roots]
