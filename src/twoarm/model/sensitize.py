"""A model → the same model with directional derivatives of its states and outputs as further states.

With y' = f(y, p, t), the derivative s of y along a direction (u of the initial states, w of the parameters)
obeys s' = (df/dy) s + (df/dp) w, s(0) = dy(0)/d(direction). The weights w become parameters of the new model,
so one model serves every parameter: a run along parameter j has weight 1 there and 0 elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from twoarm.errors import NoDerivativeError, UnsupportedModelError
from twoarm.model.differentiate import along
from twoarm.model.equations import Delay, Event, Graph, Model, support

__all__ = ["Sensitized", "sensitize"]


@dataclass(frozen=True)
class Sensitized:
    """What `sensitize` made.

    Attributes
    ----------
    model : Model
        The states of the original, then its slopes (derivatives) along each direction; the parameters of the
        original, then the weights of each direction; the outputs of the original, and their slopes.
    moving_parameters, moving_states : tuple of str
        Parameters that have weights and states that have slopes: those that the chosen names act on. All
        others have derivative 0 along every direction.
    directions : int
        How many directions the model carries.
    """

    model: Model
    moving_parameters: tuple[str, ...]
    moving_states: tuple[str, ...]
    directions: int


def weight(name: str, direction: int = 0) -> str:
    """Name of the parameter that says how fast parameter `name` moves along a direction."""
    return f"weight {direction} of {name}"


def slope(name: str, direction: int = 0) -> str:
    """Name of the derivative of a state or an output along a direction."""
    return f"slope {direction} of {name}"


def sensitize(model: Model, names: Sequence[str], outputs: Iterable[str], directions: int = 1) -> Sensitized:
    """Append directional derivatives of states and outputs to a model.

    Parameters
    ----------
    model : Model
        Days of events, and delays, may not be among what moves.
    names : sequence of str
        Parameters, and states (then their initial value), that a direction may move.
    outputs : iterable of str
        Outputs whose derivatives are wanted.
    directions : int
        How many directions one patient of the new model carries.

    Returns
    -------
    Sensitized
        The new model and what moves in it. Weights are 0 unless a patient has others; the weight of a derived
        parameter, and the slope of an initial value, follow by the chain rule unless a patient has others.

    Notes
    -----
    At a kink (`min`, `max`, `abs`, a piecewise expression) the one-sided derivative of the branch taken.

    Raises
    ------
    UnsupportedModelError
        If a delay depends on what moves.
    NoDerivativeError
        If the day of an event does.

    References
    ----------
    hindmarsh2005, section 2.6 (the sensitivity equations).

    Examples
    --------
    >>> g = Graph()
    >>> x, k = g.state(0), g.parameter(0)
    >>> rate, one = g.neg(g.mul(k, x)), g.const(1.0)
    >>> decay = Model("decay", tuple(g.nodes), ("x",), (one,), (rate,), ("k",), (0.1,), {"x": x})
    >>> sensitize(decay, ["k"], ["x"]).model.states
    ('x', 'slope 0 of x')
    """
    parameters, states = _moving(model, names)
    graph = Graph(model.nodes)
    place = {name: i for i, name in enumerate(model.parameters)}
    index = {name: i for i, name in enumerate(model.states)}
    outputs = tuple(outputs)
    derived = {name: node for name, node in model.derived.items() if name in parameters}
    roots = [
        *(model.initial[index[name]] for name in states),
        *(model.rates[index[name]] for name in states),
        *derived.values(),
        *(model.outputs[name] for name in outputs),
    ]
    _refuse_moving_lags(model, parameters, states)
    _refuse_moving_events(model, parameters, states)
    delays = [delay for delay in model.delays if model.states[delay.state] in states]
    relaxing = [(state, node) for state, node in model.relaxing if model.states[state] in states]
    roots += [*(delay.value for delay in delays), *(node for _, node in relaxing)]
    roots += [node for event in model.events for name, node in event.assignments if name in states]
    new = _Parts([], [], {}, {}, [], [], [], [[] for _ in model.events])
    for d in range(directions):
        weights = {name: len(place) + d * len(parameters) + i for i, name in enumerate(parameters)}
        slopes = {name: len(index) + d * len(states) + i for i, name in enumerate(states)}
        moves = {graph.parameter(place[name]): graph.parameter(at) for name, at in weights.items()}
        moves |= {graph.state(index[name]): graph.state(at) for name, at in slopes.items()}
        found = along(graph, roots, moves)
        new.initial += [found[model.initial[index[name]]] for name in states]
        new.rates += [found[model.rates[index[name]]] for name in states]
        new.derived |= {weight(name, d): found[node] for name, node in derived.items()}
        new.outputs |= {slope(name, d): found[model.outputs[name]] for name in outputs}
        new.weights += [weight(name, d) for name in parameters]
        new.relaxing += [(slopes[model.states[state]], found[node]) for state, node in relaxing]
        for event, more in zip(model.events, new.assignments, strict=True):
            sizes = event.sizes or (None,) * len(event.assignments)
            for (name, node), size in zip(event.assignments, sizes, strict=True):
                if name in states:
                    more.append((slope(name, d), found[node], size))
        new.delays += [Delay(slopes[model.states[w.state]], found[w.value], w.lag) for w in delays]
    sensitized = replace(
        model,
        name=f"{model.name} with slopes",
        nodes=tuple(graph.nodes),
        states=(*model.states, *(slope(name, d) for d in range(directions) for name in states)),
        initial=(*model.initial, *new.initial),
        rates=(*model.rates, *new.rates),
        parameters=(*model.parameters, *new.weights),
        values=(*model.values, *[0.0] * len(new.weights)),
        outputs={**{name: model.outputs[name] for name in outputs}, **new.outputs},
        derived={**model.derived, **new.derived},
        amounts={},
        concentrations={},
        delays=(*model.delays, *new.delays),
        relaxing=(*model.relaxing, *new.relaxing),
        events=tuple(_longer(event, more) for event, more in zip(model.events, new.assignments, strict=True)),
    )
    return Sensitized(sensitized, parameters, states, directions)


@dataclass
class _Parts:
    """What the directions add to a model, one after the other."""

    initial: list[int]
    rates: list[int]
    derived: dict[str, int]
    outputs: dict[str, int]
    weights: list[str]
    relaxing: list[tuple[int, int]]
    delays: list[Delay]
    assignments: list[list[tuple[str, int, int | None]]]  # of each event: state, value, size


def _longer(event: Event, more: list[tuple[str, int, int | None]]) -> Event:
    """Let an event assign slopes too: those of the new values."""
    sizes = event.sizes or (None,) * len(event.assignments)
    return replace(
        event,
        assignments=(*event.assignments, *((name, node) for name, node, _ in more)),
        sizes=(*sizes, *(size for *_, size in more)),
    )


def _refuse_moving_lags(model: Model, parameters: Sequence[str], states: Sequence[str]) -> None:
    by_parameter, by_state = support(model.nodes, "parameter"), support(model.nodes, "state")
    for delay in model.delays:
        moves = any(by_parameter[delay.lag] >> model.parameters.index(name) & 1 for name in parameters)
        if moves or any(by_state[delay.lag] >> model.states.index(name) & 1 for name in states):
            raise UnsupportedModelError(construct="the derivative by a delay's length", model=model.name)


def _refuse_moving_events(model: Model, parameters: Sequence[str], states: Sequence[str]) -> None:
    """Refuse events whose day, order or volume moves: slopes jump there by amounts not computed."""
    by_parameter, by_state = support(model.nodes, "parameter"), support(model.nodes, "state")
    p = sum(1 << model.parameters.index(name) for name in parameters)
    y = sum(1 << model.states.index(name) for name in states)
    moving = []
    for event in model.events:
        nodes = (event.trigger, event.delay, event.priority, *event.sizes)
        if any(by_parameter[node] & p or by_state[node] & y for node in nodes if node is not None):
            moving.append(event.name)
    if moving:
        raise NoDerivativeError(model=model.name, events=moving)


def _moving(model: Model, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Parameters and states that change when what is named changes, at the start or later."""
    by_parameter, by_state = support(model.nodes, "parameter"), support(model.nodes, "state")
    parameters = {name: 1 << i for i, name in enumerate(model.parameters)}
    states = {name: 1 << i for i, name in enumerate(model.states)}
    needs = [(parameters[name], 0, (node,)) for name, node in model.derived.items()]
    pairs = zip(states.values(), model.initial, model.rates, strict=True)
    needs += [(0, bit, nodes) for bit, *nodes in pairs]  # type: ignore[misc]
    needs += [(0, states[model.states[d.state]], (d.value,)) for d in model.delays]
    needs += [(0, states[name], (node,)) for event in model.events for name, node in event.assignments]
    needs += [(0, states[model.states[state]], (node,)) for state, node in model.relaxing]
    p = sum(parameters[name] for name in names if name in parameters)
    y = sum(states[name] for name in names if name in states)
    before = (-1, -1)
    while before != (p, y):
        before = (p, y)
        for own_p, own_y, nodes in needs:
            if any(by_parameter[node] & p or by_state[node] & y for node in nodes):
                p, y = p | own_p, y | own_y
    return (
        tuple(name for name, bit in parameters.items() if p & bit),
        tuple(name for name, bit in states.items() if y & bit),
    )
