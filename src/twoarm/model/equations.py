"""Model: states, rates, outputs and events as one shared expression graph, and how a patient starts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twoarm.model.graph import Graph, Node, evaluate, reachable, support

__all__ = ["Event", "Graph", "Model", "Node", "evaluate", "reachable", "start", "support"]


@dataclass(frozen=True)
class Event:
    """What happens when `trigger` turns from false to true. All ints are nodes of the model's graph."""

    name: str
    trigger: int
    delay: int | None
    priority: int | None
    assignments: tuple[tuple[str, int], ...]  # (state, node of its new value)
    persistent: bool = True
    initial_value: bool = True
    use_trigger_values: bool = True


@dataclass(frozen=True, eq=False)
class Model:
    """Equations d(state)/dt = rates(state, parameters, time), frozen, hashable and picklable.

    Parameters
    ----------
    name : str
        Name of the model.
    nodes : tuple of Node
        The expressions, in topological order.
    states : tuple of str
        Names of the states.
    initial : tuple of int
        Node of each state's initial value. It may depend on parameters, and on other states: there a state
        stands for its own initial value. Use `start`, which sorts this out for many patients at once.
    rates : tuple of int
        Node of each state's rate of change.
    parameters : tuple of str
        Names of what is constant in time; a patient may have another value for any of them.
    values : tuple of float
        Default of each parameter (of a derived one, what it is at the other defaults).
    outputs : mapping of str to int
        Node of every name a user may ask for.
    units, labels : mapping of str to str
        Unit and words for a reader, of each name in `outputs` that has them.
    events : tuple of Event
        Events of the model itself; doses are not among them.
    derived : mapping of str to int
        Node of each parameter that is computed from others unless a patient has a value for it.
    amounts : mapping of str to int
        Node of the amount of each species.
    """

    name: str
    nodes: tuple[Node, ...]
    states: tuple[str, ...]
    initial: tuple[int, ...]
    rates: tuple[int, ...]
    parameters: tuple[str, ...]
    values: tuple[float, ...]
    outputs: Mapping[str, int]
    units: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    derived: Mapping[str, int] = field(default_factory=dict)
    amounts: Mapping[str, int] = field(default_factory=dict)
    digest: str = field(init=False)  #: sha256 of everything above

    def __post_init__(self) -> None:
        content = []
        for f in fields(self):
            if f.name != "digest":
                value = getattr(self, f.name)
                if isinstance(value, Mapping):
                    object.__setattr__(self, f.name, MappingProxyType(dict(value)))
                    value = sorted(value.items())
                content.append((f.name, value))
        object.__setattr__(self, "digest", hashlib.sha256(repr(content).encode()).hexdigest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[Any, ...]]:
        values = (getattr(self, f.name) for f in fields(self) if f.name != "digest")
        return Model, tuple(dict(v) if isinstance(v, Mapping) else v for v in values)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {len(self.states)} states, {len(self.parameters)} parameters)"


def start(
    model: Model, given: Mapping[str, ArrayLike] | None = None, patients: int = 1
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

    Examples
    --------
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
        needed = reachable(model.nodes, [computed[name]])
        value = _evaluate_some(model.nodes, needed, states, parameters)
        table, row = place[name]
        table[row] = np.where(np.isnan(own[name]), value, own[name]) if name in own else value
    return parameters, states


def _start_order(model: Model, computed: Mapping[str, int]) -> list[str]:
    by_parameter, by_state = support(model.nodes, "parameter"), support(model.nodes, "state")
    bits = [(name, by_parameter, 1 << i) for i, name in enumerate(model.parameters) if name in model.derived]
    bits += [(name, by_state, 1 << i) for i, name in enumerate(model.states)]
    needs = {
        name: [other for other, found, bit in bits if found[node] & bit] for name, node in computed.items()
    }
    return list(TopologicalSorter(needs).static_order())


def _evaluate_some(
    nodes: tuple[Node, ...], wanted: list[int], states: NDArray[np.float64], parameters: NDArray[np.float64]
) -> Any:
    """Evaluate only `wanted` nodes at time 0 and return the last."""
    place = {old: new for new, old in enumerate(wanted)}
    few = [nodes[i]._replace(args=tuple(place[a] for a in nodes[i].args)) for i in wanted]
    return evaluate(few, states, parameters, 0.0)[-1]
