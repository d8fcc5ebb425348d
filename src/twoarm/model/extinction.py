"""A model → the same model in which what has become too little is gone.

Equations for numbers of cells never reach zero: a clone of a millionth of a cell is still there, and grows
back. Here a state that falls below its floor becomes 0 at that instant, by an event, so that every back end
and every other tool that reads the model does the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from twoarm.errors import ExtinctionFloorError
from twoarm.model.equations import Event, Graph, Model

__all__ = ["extinguish"]


def extinguish(model: Model, floors: Mapping[str, float]) -> Model:
    """Let states become 0 where they fall below a floor.

    Parameters
    ----------
    model : Model
        The equations.
    floors : mapping of str to float
        Floor of each state that can die out, in the unit of the state; one cell, for numbers of cells.

    Returns
    -------
    Model
        The same with one more event a state. A state that rises from below its floor, because something
        feeds it, is left alone until it has been above.

    Raises
    ------
    ExtinctionFloorError
        If there is no such state, or a floor is not a positive number.

    Examples
    --------
    >>> from twoarm.engine import simulate
    >>> from twoarm.model.sbml import read_model
    >>> clone = read_model("model clone(); n' = 2 * (0.5 - dead) * n; n = 100; dead = 1; end")
    >>> round(float(simulate(clone, days=10).n[0, -1]), 6)
    0.00454
    >>> float(simulate(extinguish(clone, {"n": 1.0}), days=10).n[0, -1])
    0.0
    """
    graph = Graph(model.nodes)
    nothing = graph.const(0.0)
    events = []
    for name, floor in floors.items():
        if name not in model.states or not 0.0 < floor < float("inf"):
            raise ExtinctionFloorError(model=model.name, name=name, floor=floor, states=model.states)
        below = graph("lt", graph.state(model.states.index(name)), graph.const(float(floor)))
        event = Event(f"{name} dies out", below, delay=None, priority=None, assignments=((name, nothing),))
        events.append(event)
    return replace(model, nodes=tuple(graph.nodes), events=(*model.events, *events))
