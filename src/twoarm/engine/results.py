"""Arrays of a back end → one labeled data set with units and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from twoarm.engine.cohort import Cohort, Solved
from twoarm.model import Model, Node, evaluate
from twoarm.model.graph import reachable

_BLOCK = 2048  # values of one node at a time, so that all nodes of a block stay in cache


def evaluate_outputs(names: Sequence[str], cohort: Cohort, solved: Solved) -> dict[str, np.ndarray]:
    """Value of each output of each patient at each visit.

    Parameters
    ----------
    names : sequence of str
        Keys of ``model.outputs``.
    cohort, solved : Cohort, Solved
        What was asked of a back end and what it gave.

    Returns
    -------
    dict of str to (patient, visit) float array
        NaN outside a patient's time.
    """
    model, visits = cohort.model, cohort.visits
    patients = len(cohort.state)
    seen = (visits > cohort.begin[:, None]) | (cohort.fresh[:, None] & (visits == cohort.begin[:, None]))
    seen &= (visits <= solved.day[:, None]) & (visits <= cohort.end[:, None])
    rows, columns = np.nonzero(seen)
    few, roots = _only(model.nodes, [model.outputs[name] for name in names])
    found = {name: np.full((patients, len(visits)), np.nan) for name in names}
    for start in range(0, len(rows), _BLOCK):
        r, c = rows[start : start + _BLOCK], columns[start : start + _BLOCK]
        values = evaluate(few, solved.recorded[r, c].T, cohort.parameters[r].T, visits[c])
        for name, root in zip(names, roots, strict=True):
            found[name][r, c] = values[root]
    return found


def _only(nodes: Sequence[Node], roots: Sequence[int]) -> tuple[list[Node], list[int]]:
    """Cut out the part of a graph that `roots` need."""
    wanted = reachable(nodes, roots)
    place = {old: new for new, old in enumerate(wanted)}
    few = [nodes[i]._replace(args=tuple(place[a] for a in nodes[i].args)) for i in wanted]
    return few, [place[root] for root in roots]


def assemble(
    model: Model,
    labels: np.ndarray,
    visits: np.ndarray,
    outputs: Mapping[str, np.ndarray],
    solved: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Label outputs (patient, day), final states and how each patient ended.

    Parameters
    ----------
    model : Model
        For units and labels.
    labels : (patient,) array
        Labels of the patients.
    visits : (visit,) float array [day]
        The days.
    outputs : mapping of str to (patient, visit) float array
        Values.
    solved : mapping of str to array
        Fields of `Solved` that go into the result.
    attributes : mapping
        Provenance.

    Returns
    -------
    xarray.Dataset
        As `simulate` documents it.
    """
    variables: dict[str, Any] = {}
    for name, values in outputs.items():
        notes = {"units": model.units.get(name, ""), "long_name": model.labels.get(name, name)}
        variables[name] = (("patient", "day"), values, notes)
    variables["final_state"] = (("patient", "state"), solved["state"])
    variables["final_day"] = ("patient", solved["day"], {"units": "day"})
    variables["status"] = ("patient", solved["status"])
    variables["steps"] = ("patient", solved["steps"])
    variables["last_step"] = ("patient", solved["step"], {"units": "day"})
    coordinates = {
        "patient": labels,
        "day": ("day", visits, {"units": "day", "long_name": "days since randomization or first dose"}),
        "state": np.array(model.states, dtype=object),
    }
    return xr.Dataset(variables, coords=coordinates, attrs=dict(attributes))
