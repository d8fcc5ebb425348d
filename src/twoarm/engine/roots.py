"""Which nodes are evaluated beside the rates, those of events and delays, and where each then is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from twoarm.model import Model
from twoarm.model.graph import reachable

__all__ = ["DelayPlaces", "EventPlaces", "Roots", "roots_of"]

_COMPARISONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne"})


@dataclass(frozen=True)
class EventPlaces:
    """Where the nodes of one event are among the values.

    Attributes
    ----------
    trigger, delay, priority : int
        Places; None for what the event does not have.
    assignments : tuple of (state, place, place or None)
        Which state gets which value, times which size.
    """

    trigger: int
    delay: int | None
    priority: int | None
    assignments: tuple[tuple[int, int, int | None], ...]


@dataclass(frozen=True)
class DelayPlaces:
    """Which state holds a delayed value, and where the value and the lag are among the values."""

    state: int
    value: int
    lag: int


@dataclass(frozen=True)
class Roots:
    """Nodes to evaluate, and where to find what.

    Attributes
    ----------
    nodes : tuple of int
        The nodes.
    events : tuple of EventPlaces
        One for each event.
    sides : slice
        Both sides of every comparison in the triggers, in pairs; their difference changes sign where the
        trigger may turn.
    delays : tuple of DelayPlaces
        One for each delay.
    """

    nodes: tuple[int, ...]
    events: tuple[EventPlaces, ...]
    sides: slice
    delays: tuple[DelayPlaces, ...]


@lru_cache(maxsize=64)
def roots_of(model: Model) -> Roots:
    """List the nodes of all events and delays of a model.

    Examples
    --------
    >>> from twoarm.model.sbml import read_model
    >>> roots = roots_of(read_model("model m; x' = 1; x = 0; at (x > 2): x = 0; end"))
    >>> len(roots.nodes), roots.events[0].assignments, roots.sides
    (4, ((0, 1, None),), slice(2, 4, None))
    """
    nodes: list[int] = []

    def place(node: int | None) -> int | None:
        if node is not None:
            nodes.append(node)
        return None if node is None else len(nodes) - 1

    index = {name: i for i, name in enumerate(model.states)}
    events = []
    for event in model.events:
        trigger, delay, priority = _at(place(event.trigger)), place(event.delay), place(event.priority)
        sizes = event.sizes or (None,) * len(event.assignments)
        assignments = tuple(
            (index[name], _at(place(node)), place(size))
            for (name, node), size in zip(event.assignments, sizes, strict=True)
        )
        events.append(EventPlaces(trigger, delay, priority, assignments))
    first = len(nodes)
    for node in reachable(model.nodes, [event.trigger for event in model.events]):
        if model.nodes[node].op in _COMPARISONS:
            nodes += model.nodes[node].args
    sides = slice(first, len(nodes))
    delays = tuple(DelayPlaces(d.state, _at(place(d.value)), _at(place(d.lag))) for d in model.delays)
    return Roots(tuple(nodes), tuple(events), sides, delays)


def _at(place: int | None) -> int:
    assert place is not None
    return place
