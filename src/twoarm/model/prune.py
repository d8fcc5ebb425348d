"""Leave out the nodes that nothing needs."""

from __future__ import annotations

import dataclasses

from twoarm.model.equations import Event, Model, reachable

__all__ = ["prune"]


def prune(model: Model) -> Model:
    """Model without the nodes that nothing needs.

    Examples
    --------
    >>> from twoarm.model import Graph
    >>> g = Graph()
    >>> unused, one = g.const(7.0), g.const(1.0)
    >>> model = Model("tiny", tuple(g.nodes), ("x",), (one,), (one,), (), (), {})
    >>> len(model.nodes), len(prune(model).nodes)
    (2, 1)
    """
    in_events = [node for event in model.events for node in _nodes_of(event) if node is not None]
    in_delays = [node for delay in model.delays for node in (delay.value, delay.lag)]
    relaxing = [node for _, node in model.relaxing]
    tables = (model.outputs, model.derived, model.amounts, model.concentrations)
    in_tables = [n for table in tables for n in table.values()]
    roots = [*model.initial, *model.rates, *in_events, *in_delays, *relaxing, *in_tables]
    place = {old: new for new, old in enumerate(reachable(model.nodes, roots))}
    nodes = tuple(model.nodes[i]._replace(args=tuple(place[a] for a in model.nodes[i].args)) for i in place)

    def moved(node: int | None) -> int | None:
        return None if node is None else place[node]

    events = tuple(
        dataclasses.replace(
            e,
            trigger=place[e.trigger],
            delay=moved(e.delay),
            priority=moved(e.priority),
            assignments=tuple((name, place[node]) for name, node in e.assignments),
            sizes=tuple(moved(node) for node in e.sizes),
        )
        for e in model.events
    )
    outputs, derived, amounts, concentrations = (
        {name: place[n] for name, n in table.items()} for table in tables
    )
    return dataclasses.replace(
        model,
        nodes=nodes,
        initial=tuple(place[n] for n in model.initial),
        rates=tuple(place[n] for n in model.rates),
        outputs=outputs,
        derived=derived,
        amounts=amounts,
        concentrations=concentrations,
        events=events,
        delays=tuple(dataclasses.replace(d, value=place[d.value], lag=place[d.lag]) for d in model.delays),
        relaxing=tuple((state, place[node]) for state, node in model.relaxing),
    )


def _nodes_of(event: Event) -> tuple[int | None, ...]:
    new = (node for _, node in event.assignments)
    return (event.trigger, event.delay, event.priority, *new, *event.sizes)
