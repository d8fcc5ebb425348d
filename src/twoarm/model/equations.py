"""Model: states, rates, outputs and events as one shared expression graph."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from twoarm.model.graph import Graph, Node, evaluate, reachable, support

__all__ = ["Delay", "Event", "Graph", "Model", "Node", "evaluate", "reachable", "support"]


@dataclass(frozen=True)
class Event:
    """What happens when `trigger` turns from false to true. All ints are nodes of the model's graph.

    A state gets its new value times its size, where it has one: a concentration that was fixed at the trigger
    becomes an amount in the volume there is when it is assigned.
    """

    name: str
    trigger: int
    delay: int | None
    priority: int | None
    assignments: tuple[tuple[str, int], ...]  # (state, node of its new value)
    persistent: bool = True
    initial_value: bool = True
    use_trigger_values: bool = True
    sizes: tuple[int | None, ...] = ()  # one for each assignment, or none at all


@dataclass(frozen=True)
class Delay:
    """What an expression was worth some time ago.

    It is held by a state of its own, which no rate changes: whoever integrates sets it to what `value` was
    `lag` ago, before anything is evaluated. Before the start, states are what their initial values are there.
    """

    state: int
    value: int  # node
    lag: int  # node


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
    amounts, concentrations : mapping of str to int
        Node of the amount of each species, and of its amount over the size of its compartment where that has
        dimensions.
    delays : tuple of Delay
        What looks back in time.
    relaxing : tuple of (state, node)
        States that are in balance with others at any time, and the speed with which they go there, in a time
        of its own that ends at once: a start is in balance when all these nodes are 0. See `settle`.
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
    concentrations: Mapping[str, int] = field(default_factory=dict)
    delays: tuple[Delay, ...] = ()
    relaxing: tuple[tuple[int, int], ...] = ()
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
