"""What a back end gives → outputs at visits and how each patient ended → one labeled data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from twoarm.engine.cohort import Cohort, Solved
from twoarm.engine.request import Request
from twoarm.engine.status import Status, sentence
from twoarm.model import Node, evaluate
from twoarm.model.graph import reachable

_MEANING = "; ".join(f"{int(code)}: {sentence(int(code))}" for code in Status)
_BLOCK = 2048  # values of one node at a time, so that all nodes of a block stay in cache


class Ending(NamedTuple):
    """How a patient ended, in words and numbers."""

    patient: Any
    why: str
    day: float
    stiffest: str
    last_dose: float


@dataclass(frozen=True)
class Courses:
    """Outputs at visits, and how each patient ended. Filled chunk by chunk.

    Attributes
    ----------
    outputs : dict of str to (patient, visit) float array
        NaN outside a patient's time.
    state : (patient, state) float array
        Where each ended.
    day, step, last_dose : (patient,) float array [day]
        When each ended, the last length of step, and the last dose until then (NaN: none).
    status, steps, stiffest : (patient,) int array
        How each ended, steps taken, and the state with the largest error of a failure, otherwise -1.
    """

    outputs: dict[str, np.ndarray]
    state: np.ndarray
    day: np.ndarray
    step: np.ndarray
    last_dose: np.ndarray
    status: np.ndarray
    steps: np.ndarray
    stiffest: np.ndarray

    @classmethod
    def empty(cls, request: Request) -> Courses:
        """Room for all patients of a request."""
        n, visits = len(request), len(request.visits)
        return cls(
            outputs={name: np.full((n, visits), np.nan) for name in request.settings.outputs},
            state=np.empty((n, len(request.model.states))),
            day=np.empty(n),
            step=np.empty(n),
            last_dose=np.empty(n),
            status=np.empty(n, dtype=np.int64),
            steps=np.empty(n, dtype=np.int64),
            stiffest=np.empty(n, dtype=np.int64),
        )

    def take(
        self,
        rows: np.ndarray,
        nodes: Mapping[str, int],
        cohort: Cohort,
        solved: Solved,
        last_dose: np.ndarray,
    ) -> None:
        """Write what became of some patients into their rows."""
        for name, values in evaluate_outputs(nodes, cohort, solved).items():
            self.outputs[name][rows] = values
        self.state[rows], self.day[rows], self.step[rows] = solved.state, solved.day, solved.step
        self.status[rows], self.steps[rows] = solved.status, solved.steps
        self.stiffest[rows] = solved.worst
        for unknown in np.flatnonzero((solved.status != Status.FINISHED) & (solved.worst < 0)):
            self.stiffest[rows[unknown]] = fastest_state(cohort, solved, int(unknown))
        self.last_dose[rows] = last_dose

    def mask_failed(self) -> None:
        """NaN everywhere for whoever failed; status, day and reasons stay."""
        failed = self.status != Status.FINISHED
        for values in (*self.outputs.values(), self.state):
            values[failed] = np.nan

    def ending(self, request: Request, row: int) -> Ending:
        """Say how one patient ended."""
        worst = int(self.stiffest[row])
        return Ending(
            patient=request.people.labels[row],
            why=sentence(int(self.status[row])),
            day=float(self.day[row]),
            stiffest=request.model.states[worst] if worst >= 0 else "",
            last_dose=float(self.last_dose[row]),
        )


def fastest_state(cohort: Cohort, solved: Solved, patient: int) -> int:
    """Which state moves fastest for its size where a patient failed; the first whose rate is no number.

    Parameters
    ----------
    cohort, solved : Cohort, Solved
        What was asked of a back end and what it gave.
    patient : int
        Row of the patient.

    Returns
    -------
    int
        Place of the state; -1 if there is none.
    """
    model = cohort.model
    if not model.states:
        return -1
    state = solved.state[patient]
    few, roots = _only(model.nodes, model.rates)
    with np.errstate(all="ignore"):
        values = evaluate(few, state[:, None], cohort.parameters[patient][:, None], solved.day[[patient]])
        rates = np.array([np.ravel(values[root])[0] for root in roots], dtype=float)
        floor = np.maximum(cohort.tolerance.floor, cohort.tolerance.share * np.abs(state))
        speed = np.abs(rates) / (floor + cohort.tolerance.relative * np.abs(state))
    wild = np.flatnonzero(~np.isfinite(speed))
    return int(wild[0]) if len(wild) else int(np.argmax(speed))


def evaluate_outputs(nodes: Mapping[str, int], cohort: Cohort, solved: Solved) -> dict[str, np.ndarray]:
    """Value of each output of each patient at each visit.

    Parameters
    ----------
    nodes : mapping of str to int
        Names, and the node of each.
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
    few, roots = _only(model.nodes, list(nodes.values()))
    found = {name: np.full((patients, len(visits)), np.nan) for name in nodes}
    for start in range(0, len(rows), _BLOCK):
        r, c = rows[start : start + _BLOCK], columns[start : start + _BLOCK]
        values = evaluate(few, solved.recorded[r, c].T, cohort.parameters[r].T, visits[c])
        for name, root in zip(nodes, roots, strict=True):
            found[name][r, c] = values[root]
    return found


def _only(nodes: Sequence[Node], roots: Sequence[int]) -> tuple[list[Node], list[int]]:
    """Cut out the part of a graph that `roots` need."""
    wanted = reachable(nodes, roots)
    place = {old: new for new, old in enumerate(wanted)}
    few = [nodes[i]._replace(args=tuple(place[a] for a in nodes[i].args)) for i in wanted]
    return few, [place[root] for root in roots]


def assemble(request: Request, courses: Courses, attributes: Mapping[str, Any]) -> xr.Dataset:
    """Label outputs (patient, day), final states and how each patient ended.

    Parameters
    ----------
    request : Request
        For labels and units.
    courses : Courses
        The values.
    attributes : mapping
        Provenance.

    Returns
    -------
    xarray.Dataset
        As `simulate` documents it.
    """
    model = request.model
    variables: dict[str, Any] = {}
    for name, values in courses.outputs.items():
        written = model.outputs[name] == request.settings.outputs[name]
        unit = model.units.get(name, "") if written else ""
        notes = {"units": unit, "long_name": model.labels.get(name, name)}
        variables[name] = (("patient", "day"), values, notes)
    variables["final_state"] = (("patient", "state"), courses.state)
    variables["final_day"] = ("patient", courses.day, {"units": "day"})
    variables["status"] = ("patient", courses.status, {"meaning": _MEANING})
    variables["stiffest"] = ("patient", courses.stiffest, {"long_name": "place in `state`; -1: did not fail"})
    variables["last_dose"] = ("patient", courses.last_dose, {"units": "day"})
    variables["steps"] = ("patient", courses.steps)
    variables["last_step"] = ("patient", courses.step, {"units": "day"})
    notes = {"units": "day", "long_name": "days since randomization or first dose"}
    coordinates = {
        "patient": request.people.labels,
        "day": ("day", request.visits, notes),
        "state": np.array(model.states, dtype=object),
    }
    return xr.Dataset(variables, coords=coordinates, attrs=dict(attributes))
