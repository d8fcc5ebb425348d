"""Tables and arrays from the caller → checked plain arrays. Every complaint about input is made here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.doses import DoseRows, expand
from twoarm.engine.cohort import Tolerance
from twoarm.engine.methods import method as find_method
from twoarm.errors import (
    NoSuchInitialError,
    SimulationInputError,
    UnknownBackendError,
    UnknownColumnError,
    UnknownOutputError,
)
from twoarm.model import Model, start

_LOWEST_FLOOR = 1e-12  #: absolute tolerance of a state that has been 0 so far
_FLOOR_SHARE = 1e-4  #: and, in units of the relative tolerance, of one that has not
#: What a result holds beside outputs.
_OF_THE_RESULT = frozenset(
    {
        "patient",
        "day",
        "state",
        "final_state",
        "final_day",
        "status",
        "stiffest",
        "last_dose",
        "steps",
        "last_step",
    }
)
_DEFAULT_METHOD = "rodas5p"
_SPECIES = ("written", "amount", "concentration")


@dataclass(frozen=True)
class DoseArrays:
    """Doses as arrays, sorted by patient."""

    patient: np.ndarray
    time: np.ndarray
    state: np.ndarray
    amount: np.ndarray
    rate: np.ndarray  #: 0 for a bolus
    reset: np.ndarray  #: True for a return to the start instead of a dose

    def of(self, rows: np.ndarray) -> DoseArrays:
        """Pick the doses of some patients, who are counted from 0 anew; `rows` ascend."""
        low, high = (np.searchsorted(self.patient, rows, side=side) for side in ("left", "right"))
        count = high - low
        patient = np.repeat(np.arange(len(rows)), count)
        entry = np.arange(len(patient)) + (low - (np.cumsum(count) - count))[patient]
        columns = (self.time, self.state, self.amount, self.rate, self.reset)
        return DoseArrays(patient, *(column[entry] for column in columns))

    def last_before(self, day: np.ndarray) -> np.ndarray:
        """Day of the last dose of each patient at or before a day; NaN where there is none."""
        last = np.full(len(day), np.nan)
        given = ~self.reset & (self.time <= day[self.patient])
        np.fmax.at(last, self.patient[given], self.time[given])
        return last


@dataclass(frozen=True)
class People:
    """Who is simulated: labels, what they have of their own, and doses."""

    labels: np.ndarray
    given: dict[str, np.ndarray]
    doses: DoseArrays

    def of(self, rows: np.ndarray) -> People:
        """Pick some of them; `rows` ascend."""
        given = {name: column[rows] for name, column in self.given.items()}
        return People(self.labels[rows], given, self.doses.of(rows))


@dataclass(frozen=True)
class Earlier:
    """Where an earlier run left these patients."""

    state: np.ndarray
    step: np.ndarray
    status: np.ndarray

    def of(self, rows: np.ndarray) -> Earlier:
        """Pick some of them."""
        return Earlier(self.state[rows], self.step[rows], self.status[rows])


def read_patients(
    model: Model, patients: pd.DataFrame | None, doses: Any, *, run_in: float | None = None
) -> People:
    """Check the table of patients and the doses.

    Parameters
    ----------
    model : Model
        Its parameters and states may be columns.
    patients : DataFrame or None
        Index: labels.
    doses : DataFrame, DoseRows, or what has `dose_rows` and `parameters`, or a sequence of these, or None
        Who gets what.
    run_in : float, optional [day]
        How long before a row at steady state its dose is repeated.

    Returns
    -------
    People
        Own values include those that come with the doses, where the patients have none.

    Raises
    ------
    UnknownColumnError, SimulationInputError
        If a column or a label cannot be right.
    """
    sources = [] if doses is None else list(doses) if isinstance(doses, (list, tuple)) else [doses]
    tables = [source for source in sources if isinstance(source, (pd.DataFrame, DoseRows))]
    regimens = [source for source in sources if not isinstance(source, (pd.DataFrame, DoseRows))]
    if patients is None:
        named = [table.id if isinstance(table, pd.DataFrame) and "id" in table else [] for table in tables]
        named += [table.patient for table in tables if isinstance(table, DoseRows)]
        labels = (
            np.unique(np.concatenate([np.asarray(ids) for ids in named])) if any(map(len, named)) else [0]
        )
        patients = pd.DataFrame(index=pd.Index(labels, name="patient"))
    if not patients.index.is_unique:
        twice = patients.index[patients.index.duplicated()][0]
        raise SimulationInputError(what="label of a patient", value=twice, rule="Each may occur once.")
    labels = patients.index.to_numpy()
    covariates = set(patients.attrs.get("covariates", ()))
    patients = patients.copy(deep=False)
    patients.attrs = {}  # pandas copies them, to the bottom, with every column that it hands out
    given: dict[str, np.ndarray] = {}
    for regimen in regimens:
        own = regimen.parameters(patients)
        tables.append(regimen.dose_rows(patients))
        given |= _own_values(model, own.reindex(patients.index), set())
    given |= _own_values(model, patients, covariates)
    return People(labels, given, _dose_arrays(model, labels, tables, run_in))


def _own_values(model: Model, table: pd.DataFrame, covariates: set[str]) -> dict[str, np.ndarray]:
    known = {*model.parameters, *model.states}
    unknown = [str(name) for name in table.columns if name not in known and name not in covariates]
    if unknown:
        raise UnknownColumnError(columns=unknown, model=model.name, known=known)
    values = {}
    # numbers as nearly always: taken out together, which is many times faster than column by column
    real = [name for name, kind in table.dtypes.items() if kind == np.float64 and name in known]
    block = table[real].to_numpy() if real else np.empty((len(table), 0))
    of_real = dict(zip(real, block.T, strict=True)) if not np.isinf(block).any() else {}
    for name in table.columns:
        if name in of_real:
            values[str(name)] = of_real[name]
        elif name in known:
            given = table[name]
            column = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float)
            wrong = np.flatnonzero(np.isinf(column) | (np.isnan(column) & ~given.isna().to_numpy()))
            if len(wrong):
                patient, value = table.index[wrong[0]], given.iloc[wrong[0]]
                raise SimulationInputError(
                    what=f"{name!r} of patient {patient}", value=value, rule="It must be a finite number."
                )
            values[str(name)] = column
    return values


def _dose_arrays(model: Model, labels: np.ndarray, tables: Sequence[Any], run_in: float | None) -> DoseArrays:
    rows = [
        table if isinstance(table, DoseRows) else expand(table, run_in=run_in)
        for table in tables
        if len(table)
    ]
    if not rows:
        whole, real = np.empty(0, dtype=np.int64), np.empty(0)
        return DoseArrays(whole, real, whole, real, real, np.empty(0, dtype=bool))
    label = np.concatenate([row.patient for row in rows])
    name = np.concatenate([row.state for row in rows]).astype(str)
    reset = np.concatenate([row.kind for row in rows]) == "reset"
    place = pd.Index(labels).get_indexer(pd.Index(label))
    names, code = np.unique(name, return_inverse=True)
    missing = [each for each in names if each and each not in model.states]
    if missing:
        raise UnknownOutputError(names=missing, model=model.name, known=model.states)
    index = {state: i for i, state in enumerate(model.states)}
    state = np.array([index.get(each, 0) for each in names], dtype=np.int64)[code]
    time, amount, rate = (
        np.concatenate([getattr(row, f) for row in rows]) for f in ("time", "amount", "rate")
    )
    keep = np.flatnonzero(place >= 0)  # doses of people who are not simulated now
    order = keep[np.lexsort((time[keep], place[keep]))]
    columns = (time, state, amount, rate, reset)
    return DoseArrays(place[order].astype(np.int64), *(column[order] for column in columns))


def read_initial(
    model: Model, labels: np.ndarray, doses: DoseArrays, initial: xr.Dataset | None
) -> tuple[np.ndarray, np.ndarray, Earlier | None]:
    """When each patient begins, whether anew, and where an earlier run left them.

    Parameters
    ----------
    model : Model
        Must be that of the earlier run.
    labels : (patient,) array
        Must all be in the earlier run.
    doses : DoseArrays
        A course that begins anew begins at day 0, or with its first dose if that is earlier.
    initial : Dataset or None
        The earlier run.

    Returns
    -------
    begin : (patient,) float array [day]
        Begin.
    fresh : (patient,) bool array
        True where the course begins here.
    earlier : Earlier or None
        States and more.

    Raises
    ------
    NoSuchInitialError
        If the earlier run does not fit.
    """
    if initial is None:
        begin = np.zeros(len(labels))
        np.minimum.at(begin, doses.patient, doses.time)
        return begin, np.ones(len(labels), dtype=bool), None
    absent = {"final_state", "final_day", "status"} - set(initial.variables)
    if absent:
        raise NoSuchInitialError(reason=f"it lacks {', '.join(sorted(absent))}")
    if initial.attrs.get("model_digest", model.digest) != model.digest:
        raise NoSuchInitialError(reason=f"it is of another model than {model.name!r}")
    if model.delays:
        raise NoSuchInitialError(reason=f"{model.name!r} looks back in time, and what was is not kept")
    if any(event.delay is not None for event in model.events):
        raise NoSuchInitialError(reason=f"{model.name!r} has events with a delay, and what waits is not kept")
    rows = pd.Index(initial.patient.to_numpy()).get_indexer(pd.Index(labels))
    if (rows < 0).any():
        raise NoSuchInitialError(reason=f"patient {labels[rows < 0][0]} is not in it")
    begin = initial.final_day.to_numpy()[rows].astype(float)
    step = initial.last_step.to_numpy()[rows].astype(float) if "last_step" in initial else np.zeros(len(rows))
    state = initial.final_state.to_numpy()[rows].astype(float)
    return begin, np.zeros(len(rows), dtype=bool), Earlier(state, step, initial.status.to_numpy()[rows])


def read_values(
    model: Model, people: People, earlier: Earlier | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters and first states of each patient.

    Returns
    -------
    parameters : (patient, parameter) float array
        All of them.
    state : (patient, state) float array
        Where this run begins.
    start : (patient, state) float array
        Where a reset leads back to (empty if there are no resets).
    """
    patients = len(people.labels)
    resets = bool(people.doses.reset.any())
    if earlier is None or model.derived or resets:
        parameters, states = start(model, people.given, patients)
        first = np.ascontiguousarray(states.T)
    else:
        parameters = np.repeat(np.array(model.values, dtype=float)[:, None], patients, axis=1)
        place = {name: i for i, name in enumerate(model.parameters)}
        for name, column in people.given.items():
            if name in place:
                row = parameters[place[name]]
                parameters[place[name]] = np.where(np.isnan(column), row, column)
        first = np.empty((0, len(model.states)))
    state = first if earlier is None else earlier.state
    return np.ascontiguousarray(parameters.T), state, first if resets else first[:0]


def read_days(days: ArrayLike, begin: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """End day of each patient: at least the begin."""
    try:
        end = np.array(np.broadcast_to(np.asarray(days, dtype=float), begin.shape))
    except ValueError:
        rule = f"It must be one day, or one for each of the {len(begin)} patients."
        raise SimulationInputError(what="days", value=days, rule=rule) from None
    wrong = np.flatnonzero(~np.isfinite(end) | (end < begin))
    if len(wrong):
        i = wrong[0]
        rule = f"It must be a day at or after the begin, day {begin[i]:g}."
        raise SimulationInputError(what=f"end day of patient {labels[i]}", value=float(end[i]), rule=rule)
    return end


def read_visits(visits: ArrayLike | None, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Days to record, ascending and each once."""
    if visits is None:
        return np.unique(np.concatenate([begin, end]))
    at = np.atleast_1d(np.asarray(visits, dtype=float))
    if at.ndim != 1 or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        raise SimulationInputError(
            what="visits", value=visits, rule="They must be ascending days, each once."
        )
    return at


def read_outputs(model: Model, outputs: Sequence[str] | None, species: str = "written") -> dict[str, int]:
    """Names to record, and the node of each; a species as its model writes it, or as `species` says."""
    if species not in _SPECIES:
        raise UnknownBackendError(what="species", name=species, known=_SPECIES)
    if outputs is None:
        constant = set(model.parameters)
        names = [name for name in model.outputs if name not in constant]
    else:
        names = [outputs] if isinstance(outputs, str) else list(dict.fromkeys(outputs))
    unknown = [name for name in names if name not in model.outputs]
    if unknown:
        raise UnknownOutputError(names=unknown, model=model.name, known=model.outputs)
    taken = sorted(_OF_THE_RESULT.intersection(names))
    if taken:
        rule = "The result has something else of this name. Leave it out of `outputs`, or rename it."
        raise SimulationInputError(what="output", value=taken[0], rule=rule)
    other = {"amount": model.amounts, "concentration": model.concentrations}.get(species, {})
    return {name: other.get(name, model.outputs[name]) for name in names}


def read_tolerance(model: Model, rtol: float, atol: float | Mapping[str, float] | None) -> Tolerance:
    """Tolerances of each state."""
    floor = np.full(len(model.states), _LOWEST_FLOOR)
    if atol is None:
        return Tolerance(rtol, floor, _FLOOR_SHARE * rtol)
    if isinstance(atol, Mapping):
        unknown = [name for name in atol if name not in model.states]
        if unknown:
            raise UnknownOutputError(names=unknown, model=model.name, known=model.states)
        for name, value in atol.items():
            floor[model.states.index(name)] = value
    else:
        floor[:] = atol
    if not (np.isfinite(floor).all() and (floor > 0).all()):
        raise SimulationInputError(what="atol", value=atol, rule="It must be above 0 for every state.")
    return Tolerance(rtol, floor, 0.0)


def read_method(method: str | None) -> str:
    """Name of a method that exists."""
    return find_method(method or _DEFAULT_METHOD).name
