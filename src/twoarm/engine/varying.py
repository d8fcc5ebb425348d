"""Parameters that change within a patient, as a weight does: covariates that vary with time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from twoarm.doses import DoseRows
from twoarm.errors import SimulationInputError, UnknownOutputError
from twoarm.model import Graph, Model

__all__ = ["vary", "varying_rows"]


def vary(model: Model, names: Sequence[str]) -> Model:
    """Model in which some parameters may change with time: they become states that no rate moves.

    Parameters
    ----------
    model : Model
        The equations.
    names : sequence of str
        Parameters. What a patient has for one is its value at the begin; `varying_rows` says how it goes on.

    Returns
    -------
    Model
        The same equations. Parameters that are derived from these at the start stay as they were there.

    Raises
    ------
    UnknownOutputError
        If a name is no parameter.

    Examples
    --------
    >>> from twoarm.model.sbml import read_model
    >>> model = vary(read_model("model m; x = 1; x' = -k*x; k = 2; end"), ["k"])
    >>> model.states, model.parameters
    (('x', 'k'), ())
    """
    missing = [name for name in names if name not in model.parameters]
    if missing:
        raise UnknownOutputError(names=missing, model=model.name, known=model.parameters)
    chosen = [name for name in model.parameters if name in names]
    kept = [name for name in model.parameters if name not in names]
    graph = Graph()
    states = {name: len(model.states) + i for i, name in enumerate(chosen)}
    places = {name: i for i, name in enumerate(kept)}
    moved: list[int] = []
    for node in model.nodes:
        if node.op == "parameter":
            name = model.parameters[int(node.value)]
            moved.append(graph.state(states[name]) if name in states else graph.parameter(places[name]))
        elif node.op == "state":
            moved.append(graph.state(int(node.value)))
        elif node.op == "const":
            moved.append(graph.const(node.value))
        else:
            moved.append(graph(node.op, *(moved[a] for a in node.args)) if node.args else graph.time())
    return _moved(model, graph, moved, chosen, kept)


def _moved(model: Model, graph: Graph, at: list[int], chosen: list[str], kept: list[str]) -> Model:
    values = dict(zip(model.parameters, model.values, strict=True))
    first = [at[model.derived[n]] if n in model.derived else graph.const(values[n]) for n in chosen]
    zero = graph.const(0)

    def here(node: int | None) -> int | None:
        return None if node is None else at[node]

    events = tuple(
        dataclasses.replace(
            event,
            trigger=at[event.trigger],
            delay=here(event.delay),
            priority=here(event.priority),
            assignments=tuple((name, at[node]) for name, node in event.assignments),
            sizes=tuple(here(node) for node in event.sizes),
        )
        for event in model.events
    )
    tables = {
        name: {key: at[node] for key, node in getattr(model, name).items()}
        for name in ("outputs", "amounts", "concentrations")
    }
    return dataclasses.replace(
        model,
        nodes=tuple(graph.nodes),
        states=(*model.states, *chosen),
        initial=(*(at[node] for node in model.initial), *first),
        rates=(*(at[node] for node in model.rates), *[zero] * len(chosen)),
        parameters=tuple(kept),
        values=tuple(values[name] for name in kept),
        derived={name: at[node] for name, node in model.derived.items() if name not in chosen},
        events=events,
        delays=tuple(dataclasses.replace(d, value=at[d.value], lag=at[d.lag]) for d in model.delays),
        relaxing=tuple((state, at[node]) for state, node in model.relaxing),
        outputs=tables["outputs"],
        amounts=tables["amounts"],
        concentrations=tables["concentrations"],
    )


def varying_rows(
    table: pd.DataFrame,
    begin: pd.DataFrame,
    *,
    carry: Literal["forward", "backward"] = "forward",
    doses: DoseRows | None = None,
) -> DoseRows:
    """Write changes of parameters within patients as rows to be given to `simulate` beside the doses.

    Parameters
    ----------
    table : DataFrame
        ``id``, ``time`` [day] and one column for each parameter that varies; NaN is "as before".
    begin : DataFrame
        Index: patients. One column for each such parameter: its value at day 0, as in the table of patients.
    carry : {"forward", "backward"}
        Whether a value holds from its record on, or since the record before it, as NONMEM's own
        interpolation has it.
    doses : DoseRows, optional
        The doses of the same patients. A reset among them takes parameters back to where they began, so it
        is followed by what they are by then.

    Returns
    -------
    DoseRows
        One bolus for each change, by the difference, into the state that `vary` has made of the parameter.

    Raises
    ------
    SimulationInputError
        If a column is missing, or a patient of the table is not in `begin`.

    Examples
    --------
    >>> table = pd.DataFrame({"id": [0, 0], "time": [1.0, 3.0], "cl": [5.0, 2.0]})
    >>> rows = varying_rows(table, pd.DataFrame({"cl": [4.0]}))
    >>> rows.time, rows.amount
    (array([1., 3.]), array([ 1., -3.]))
    """
    names = [str(name) for name in begin.columns]
    for name in ("id", "time", *names):
        if name not in table:
            raise SimulationInputError(what="table of covariates", value=name, rule="It lacks this column.")
    strange = [label for label in table.id.unique() if label not in begin.index]
    if strange:
        raise SimulationInputError(
            what="table of covariates", value=strange[0], rule="There is no such patient."
        )
    found: list[tuple[object, float, str, float]] = []
    for label, records in table.sort_values("time", kind="stable").groupby("id", sort=False):
        resets = [] if doses is None else _resets(doses, label)
        for name in names:
            first = float(begin.at[label, name])
            given = records[["time", name]].dropna()
            found += [
                (label, time, name, amount)
                for time, amount in _changes(given.to_numpy(dtype=float), first, carry, resets)
            ]
    columns = list(zip(*found, strict=True)) or [(), (), (), ()]
    n = len(found)
    return DoseRows(
        patient=np.array(columns[0], dtype=object if n == 0 else None),
        time=np.array(columns[1], dtype=float),
        state=np.array(columns[2], dtype=object),
        amount=np.array(columns[3], dtype=float),
        rate=np.zeros(n),
        kind=np.full(n, "bolus", dtype=object),
    )


def _resets(doses: DoseRows, label: object) -> list[float]:
    return [float(t) for t in doses.time[(doses.patient == label) & (doses.kind == "reset")]]


def _changes(
    given: np.ndarray, first: float, carry: str, resets: Sequence[float]
) -> list[tuple[float, float]]:
    """Instants and differences."""
    times, values = given[:, 0], given[:, 1]
    if carry == "backward":  # a value holds since the record before it
        times, values = times[:-1], values[1:]
    marks = [(float(t), 1, float(v)) for t, v in zip(times, values, strict=True)]
    marks += [(t, 0, first) for t in resets]
    now, held, changes = first, first, []
    for time, kind, value in sorted(marks, key=lambda mark: mark[:2]):
        if kind == 0:
            held = first  # the reset itself
        else:
            now = value
        if now != held:
            changes.append((time, now - held))
            held = now
    return changes
