"""A model → the same model without what never moves: states that stay where they start if nobody doses them.

A patient on an antibody that carries no cytokine has hundreds of states that are 0 or in balance for good.
Left out, the rest takes the same course and costs a fraction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from twoarm.model.equations import Graph, Model, evaluate, reachable, support
from twoarm.model.prune import prune
from twoarm.model.start import start

__all__ = ["leave_out_still"]

_STILL = 1e-9  # of a state a day; rounding leaves a balance of 1e4 a day 1e-12 off


def leave_out_still(
    model: Model,
    patients: Mapping[str, ArrayLike],
    *,
    n: int,
    moved: Collection[str],
    fixed: Mapping[str, float] | None = None,
    outputs: Iterable[str] | None = None,
) -> Model:
    """Leave out the states that never leave their start.

    Parameters
    ----------
    model : Model
        The equations, without events and delays.
    patients : mapping of str to (n,) float array
        Parameters of some patients like those that will be simulated: a balance counts as one if it holds in
        all of them.
    n : int
        How many they are.
    moved : collection of str
        States that doses will go into.
    fixed : mapping of str to float, optional
        Parameters that every patient will have alike; they become numbers.
    outputs : iterable of str, optional
        What will be asked for; all by default.

    Returns
    -------
    Model
        With fewer states; each that was left out is what it started as, in every rate and every output.

    Notes
    -----
    First the largest set of states that are 0 at the start and whose rates are 0 while all of them are 0 (by
    the folding of the graph, so for every patient). Then the largest set of states whose rates are 0 at the
    start and look at nothing but each other and parameters.

    Examples
    --------
    >>> from twoarm.model.sbml import read_model
    >>> full = read_model(
    ...     "model m(); a' = -k*a; b' = k*a - b; c' = make - c; a = 0; b = 0; c = make; make = 2; k = 1; end"
    ... )
    >>> leave_out_still(full, {}, n=1, moved=[]).states
    ()
    >>> leave_out_still(full, {}, n=1, moved=["a"]).states
    ('a', 'b')
    """
    if model.events or model.delays or model.relaxing:
        return model
    wanted = set(model.outputs if outputs is None else outputs)
    few = replace(model, outputs={k: v for k, v in model.outputs.items() if k in wanted})
    few = _with_numbers(few, fixed or {})
    few = _without_zeros(few, set(moved))
    return _without_balances(few, patients, n, set(moved))


def _with_numbers(model: Model, fixed: Mapping[str, float]) -> Model:
    """Put numbers in the place of parameters."""
    graph = Graph(model.nodes)
    leaves = {graph.parameter(model.parameters.index(k)): graph.const(float(v)) for k, v in fixed.items()}
    values = tuple(float(fixed.get(k, v)) for k, v in zip(model.parameters, model.values, strict=True))
    derived = {k: v for k, v in model.derived.items() if k not in fixed}
    return replace(_rewritten(model, graph, leaves), values=values, derived=derived | {})


def _without_zeros(model: Model, moved: set[str]) -> Model:
    """Leave out what is 0 and stays so."""
    graph = Graph(model.nodes)
    zero = {
        i
        for i, name in enumerate(model.states)
        if name not in moved and graph.constant_of(model.initial[i]) == 0
    }
    while True:
        leaves = {graph.state(i): graph.const(0.0) for i in zero}
        trial = Graph(model.nodes)
        found = _replace_all(trial, [model.rates[i] for i in sorted(zero)], leaves)
        lost = {i for i, node in zip(sorted(zero), found, strict=True) if trial.constant_of(node) != 0}
        if not lost:
            return _dropped(model, graph, leaves, zero)
        zero -= lost


def _without_balances(model: Model, patients: Mapping[str, ArrayLike], n: int, moved: set[str]) -> Model:
    """Leave out what is in balance and looks at nothing that moves."""
    known = {*model.parameters, *model.states}
    given = {name: value for name, value in patients.items() if name in known}
    parameters, states = start(model, given, n)
    values = evaluate(model.nodes, states, parameters, 0.0)
    rates = np.array([np.broadcast_to(np.asarray(values[node], float), n) for node in model.rates])
    quiet = (np.abs(rates) <= _STILL * np.abs(states) + 1e-12).all(axis=1)
    depends, by_time = support(model.nodes, "state"), _on_time(model)
    still = {
        i
        for i, name in enumerate(model.states)
        if quiet[i] and name not in moved and name not in given and not by_time[model.rates[i]]
    }
    while True:
        bits = sum(1 << i for i in still)
        lost = {i for i in still if depends[model.rates[i]] & ~bits}
        if not lost:
            break
        still -= lost
    graph = Graph(model.nodes)
    leaves: dict[int, int] = {}
    for i in _by_need(model, still, depends):
        leaves[graph.state(i)] = graph.replace(model.initial[i], dict(leaves))
    return _dropped(model, graph, leaves, still)


def _by_need(model: Model, still: set[int], depends: list[int]) -> list[int]:
    """Still states, each after those its initial value needs."""
    order: list[int] = []
    pending = sorted(still)
    while pending:
        ready = [i for i in pending if not any(depends[model.initial[i]] >> j & 1 for j in pending if j != i)]
        order += ready
        pending = [i for i in pending if i not in set(ready)]
    return order


def _on_time(model: Model) -> list[bool]:
    """Whether each node looks at the time."""
    found: list[bool] = []
    for node in model.nodes:
        found.append(node.op == "time" or any(found[a] for a in node.args))
    return found


def _replace_all(graph: Graph, nodes: Iterable[int], leaves: Mapping[int, int]) -> list[int]:
    """Nodes with leaves replaced, each shared part once."""
    roots = list(nodes)
    done = dict(leaves)
    for i in reachable(tuple(graph.nodes), roots):
        if i not in done:
            op, args, _ = graph.nodes[i]
            done[i] = graph(op, *(done[a] for a in args)) if args else i
    return [done[i] for i in roots]


def _rewritten(model: Model, graph: Graph, leaves: Mapping[int, int]) -> Model:
    """Replace leaves everywhere."""
    tables = (model.outputs, model.derived, model.amounts, model.concentrations)
    roots = [*model.initial, *model.rates, *(n for table in tables for n in table.values())]
    place = dict(zip(roots, _replace_all(graph, roots, leaves), strict=True))
    outputs, derived, amounts, concentrations = (
        {name: place[n] for name, n in table.items()} for table in tables
    )
    return replace(
        model,
        nodes=tuple(graph.nodes),
        initial=tuple(place[n] for n in model.initial),
        rates=tuple(place[n] for n in model.rates),
        outputs=outputs,
        derived=derived,
        amounts=amounts,
        concentrations=concentrations,
    )


def _dropped(model: Model, graph: Graph, leaves: Mapping[int, int], gone: set[int]) -> Model:
    """Rewrite the model, drop states and number the others anew."""
    model = _rewritten(model, graph, leaves)
    keep = [i for i in range(len(model.states)) if i not in gone]
    graph = Graph(model.nodes)
    moves = {graph.state(old): graph.state(new) for new, old in enumerate(keep)}
    model = replace(
        model,
        states=tuple(model.states[i] for i in keep),
        initial=tuple(model.initial[i] for i in keep),
        rates=tuple(model.rates[i] for i in keep),
    )
    return prune(_rewritten(model, graph, moves))
