"""sensitivities(): derivatives of outputs by parameters and initial states, along every patient's course."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.doses import DoseRows
from twoarm.engine import inputs
from twoarm.engine.inputs import People
from twoarm.engine.simulate import SupportsDoses, simulate
from twoarm.engine.status import Status, sentence
from twoarm.errors import (
    IntegrationError,
    NoDerivativeError,
    SimulationInputError,
    UnknownBackendError,
    UnknownOutputError,
)
from twoarm.model import Model, start
from twoarm.model.jumps import jumping_rates
from twoarm.model.sensitize import Sensitized, sensitize, slope, weight

__all__ = ["sensitivities"]

_SCALES = ("absolute", "relative")
_ROWS = 160  #: states and slopes that a patient of the kernel may well have; see decisions/0008
_MOST = 8  #: directions a patient of the kernel carries at most


def sensitivities(
    model: Model,
    patients: pd.DataFrame | None = None,
    doses: pd.DataFrame | SupportsDoses | Sequence[SupportsDoses] | None = None,
    *,
    parameters: Sequence[str],
    outputs: Sequence[str] | None = None,
    days: float | ArrayLike,
    visits: ArrayLike | None = None,
    scale: Literal["absolute", "relative"] = "absolute",
    backend: Literal["auto", "cpu", "reference"] = "auto",
    method: str | None = None,
    rtol: float = 1e-6,
    failed: Literal["raise", "mask"] = "raise",
    workers: int | None = None,
    max_steps: int = 200_000,
    progress: Callable[[int, int], None] | bool = False,
) -> xr.Dataset:
    """Derivatives of outputs by parameters and initial states, integrated with the model itself.

    Parameters
    ----------
    model : Model
        The equations.
    patients, doses, days, visits, outputs
        As for `simulate`. Doses are what is given; derivatives by amounts and times of doses are not taken.
    parameters : sequence of str
        Parameters of the model, and states, which stand for their initial value. What is derived from a
        parameter (other parameters, initial values) moves with it, unless the patient has a value for it.
    scale : {"absolute", "relative"}
        ``"absolute"``: d(output)/d(parameter). ``"relative"``: d ln(output)/d ln(parameter), how many percent
        an output changes for one percent of the parameter; NaN where the output is 0.
    backend, method, failed, workers, max_steps, progress
        As for `simulate`. One run is counted for each patient and parameter.
    rtol : float
        Relative tolerance of each step. Derivatives, each in the unit of its state (multiplied by the
        parameter's size), are held to it as the states are.

    Returns
    -------
    xarray.Dataset
        One variable (patient, day, parameter) for each output, with ``units`` and ``long_name``, NaN where
        `simulate` has NaN; ``status`` and ``steps`` (patient, parameter). Attributes say what ran.

    Raises
    ------
    UnknownOutputError
        If a name in `parameters` is neither a parameter nor a state, or an output is unknown.
    SimulationInputError, UnknownBackendError, UnknownColumnError
        If an argument cannot be right.
    IntegrationError
        If a patient did not reach the end and `failed` is ``"raise"``.
    NoDerivativeError
        If the model has events, or its rates jump where a state or a chosen parameter decides: there a
        derivative jumps too, by an amount that these equations do not see. A kink without a jump (`min`,
        `max`, `abs`, a continuous piecewise rate) is no hindrance.

    Notes
    -----
    For y' = f(y, p, t), the derivative s = dy/dp obeys s' = (df/dy) s + df/dp. Both are one system with one
    exact Jacobian and one error control, so a derivative is the derivative of the solution to `rtol`, and
    not of the rounding of two runs.

    References
    ----------
    hindmarsh2005, section 2.6.

    Examples
    --------
    >>> from twoarm.model.sbml import read_model
    >>> decay = read_model("model decay; x = 2; x' = -k*x; k = 0.1; end")
    >>> found = sensitivities(decay, parameters=["k", "x"], outputs=["x"], days=10, visits=[10])
    >>> found.x.sel(patient=0, day=10).to_numpy().round(3)  # -10 * 2 exp(-1), and exp(-1)
    array([-7.358,  0.368])
    """
    if scale not in _SCALES:
        raise UnknownBackendError(what="scale", name=scale, known=_SCALES)
    chosen = _read_names(model, parameters)
    names = inputs.read_outputs(model, outputs)
    people = inputs.read_patients(model, patients, doses)
    made = _sensitized(model, chosen, tuple(names), _directions(len(model.states), len(chosen)))
    groups = [chosen[i : i + made.directions] for i in range(0, len(chosen), made.directions)]
    size = _sizes(model, people, chosen)
    table, rows = _pairs(model, made, people, groups, size)
    run = simulate(
        made.model,
        table,
        rows,  # type: ignore[arg-type]
        days=np.repeat(np.broadcast_to(days, len(people.labels)), len(groups)) if np.ndim(days) else days,
        visits=visits,
        outputs=[*names, *(slope(name, d) for d in range(made.directions) for name in names)],
        backend=backend,
        method=method,
        rtol=rtol,
        failed="mask",
        workers=workers,
        max_steps=max_steps,
        progress=progress,
    )
    if failed == "raise":
        _raise_if_stuck(run, people.labels, groups)
    return _label(model, run, people, groups, size, names, scale)


def _read_names(model: Model, parameters: Sequence[str]) -> tuple[str, ...]:
    given = [parameters] if isinstance(parameters, str) else list(dict.fromkeys(parameters))
    known = (*model.parameters, *model.states)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UnknownOutputError(names=unknown, model=model.name, known=known)
    if not given:
        rule = "It must name at least one parameter or state."
        raise SimulationInputError(what="parameters", value=list(parameters), rule=rule)
    return tuple(given)


def _directions(states: int, chosen: int) -> int:
    """How many derivatives to compute beside one course: few enough for the cache, groups of equal size."""
    most = min(_MOST, max(1, _ROWS // max(states, 1)))
    return -(-chosen // -(-chosen // most))


@lru_cache(maxsize=32)
def _sensitized(
    model: Model, names: tuple[str, ...], outputs: tuple[str, ...], directions: int
) -> Sensitized:
    if model.events:
        raise NoDerivativeError(model=model.name, events=[event.name for event in model.events])
    made = sensitize(model, names, outputs, directions)
    jumps = jumping_rates(model, made.moving_parameters, made.moving_states)
    if jumps:
        raise NoDerivativeError(model=model.name, states=jumps)
    return made


def _sizes(model: Model, people: People, chosen: Sequence[str]) -> dict[str, np.ndarray]:
    """Value of each chosen name in each patient."""
    parameters, states = start(model, people.given, len(people.labels))
    where = {name: parameters[i] for i, name in enumerate(model.parameters)}
    where |= {name: states[i] for i, name in enumerate(model.states)}
    return {name: where[name] for name in chosen}


def _step(size: np.ndarray) -> np.ndarray:
    """How fast a direction moves: by the size of what it moves, so that slopes are of the size of states."""
    return np.where(size == 0.0, 1.0, np.abs(size))


def _pairs(
    model: Model,
    made: Sensitized,
    people: People,
    groups: Sequence[Sequence[str]],
    size: dict[str, np.ndarray],
) -> tuple[pd.DataFrame, DoseRows]:
    """Table of patients and doses with a row for each patient and group of directions."""
    patients, runs = len(people.labels), len(groups)
    columns = {name: np.repeat(values, runs) for name, values in people.given.items()}
    spots = [(name, weight) for name in made.moving_parameters]
    spots += [(name, slope) for name in made.moving_states]
    for name, named in spots:
        free = name in model.derived or name in model.states  # follows others unless given
        own = people.given.get(name, np.full(patients, np.nan)) if free else np.zeros(patients)
        still = np.where(np.isnan(own), np.nan, 0.0)
        for d in range(made.directions):
            column = np.repeat(still[:, None], runs, axis=1)
            for g, group in enumerate(groups):
                if d < len(group) and group[d] == name:
                    column[:, g] = _step(size[name])
            columns[named(name, d)] = column.ravel()
    table = pd.DataFrame(columns, index=pd.RangeIndex(patients * runs))
    return table, _doses(model, people, runs)


def _doses(model: Model, people: People, runs: int) -> DoseRows:
    doses = people.doses
    count = np.bincount(doses.patient, minlength=len(people.labels))
    first = np.cumsum(count) - count
    every = np.repeat(count, runs)  # doses of each run
    start_at = np.repeat(first, runs)
    pick = np.arange(every.sum()) + np.repeat(start_at - (np.cumsum(every) - every), every)
    reset = doses.reset[pick]
    kind = np.where(reset, "reset", np.where(doses.rate[pick] > 0, "infusion", "bolus"))
    names = np.array(model.states, dtype=object)[doses.state[pick]] if model.states else doses.state[pick]
    return DoseRows(
        patient=np.repeat(np.arange(len(every)), every),
        time=doses.time[pick],
        state=np.where(reset, "", names),
        amount=doses.amount[pick],
        rate=doses.rate[pick],
        kind=kind,
    )


def _raise_if_stuck(run: xr.Dataset, labels: np.ndarray, groups: Sequence[Sequence[str]]) -> None:
    status = run["status"].to_numpy()
    stuck = np.flatnonzero(status != Status.FINISHED)
    if len(stuck):
        named = [
            (
                f"{labels[i // len(groups)]} along {', '.join(groups[i % len(groups)])}",
                sentence(int(status[i])),
                float(run["final_day"][i]),
                "",
            )
            for i in stuck
        ]
        raise IntegrationError(stuck=named, patients=len(status))


def _label(
    model: Model,
    run: xr.Dataset,
    people: People,
    groups: Sequence[Sequence[str]],
    size: dict[str, np.ndarray],
    names: Sequence[str],
    scale: str,
) -> xr.Dataset:
    """Slopes along directions → derivatives by parameters."""
    chosen = [name for group in groups for name in group]
    value = np.stack([size[name] for name in chosen], axis=1)[:, None, :]
    shape = (len(people.labels), len(groups), -1)
    variables: dict[str, Any] = {}
    for name in names:
        slopes = [run[slope(name, d)].to_numpy().reshape(shape) for d in range(len(groups[0]))]
        by_run = np.stack(slopes, axis=-1)  # (patient, group, day, direction)
        flat = np.moveaxis(by_run, 1, 2).reshape(*by_run.shape[::2], -1)[..., : len(chosen)]
        derivative = flat / _step(value)
        if scale == "relative":
            level = run[name].to_numpy().reshape(shape)[:, 0, :, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                derivative = np.where(level == 0.0, np.nan, derivative * value / level)
        notes = {"units": _units(model, name, scale), "long_name": _words(model, name, scale)}
        variables[name] = (("patient", "day", "parameter"), derivative, notes)
    for name in ("status", "steps"):
        by_group = run[name].to_numpy().reshape(len(people.labels), len(groups))
        each = np.repeat(by_group, [len(group) for group in groups], axis=1)
        variables[name] = (("patient", "parameter"), each)
    units = np.array([model.units.get(name, "") for name in chosen], dtype=object)
    coordinates: dict[str, Any] = {
        "patient": people.labels,
        "day": run["day"],
        "parameter": np.array(chosen, dtype=object),
        "parameter_units": ("parameter", units),
    }
    attributes = {**run.attrs, "model": model.name, "model_digest": model.digest, "scale": scale}
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def _units(model: Model, name: str, scale: str) -> str:
    return "1" if scale == "relative" else f"{model.units.get(name, '') or '1'} per unit of the parameter"


def _words(model: Model, name: str, scale: str) -> str:
    label = model.labels.get(name, name)
    return f"derivative of {label}" if scale == "absolute" else f"relative derivative of {label}"
