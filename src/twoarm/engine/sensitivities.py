"""sensitivities(): derivatives of outputs by parameters and initial states, along every patient's course."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.engine import inputs
from twoarm.engine.backends import choose_backend
from twoarm.engine.inputs import People
from twoarm.engine.request import Request, read_request, read_settings
from twoarm.engine.results import Courses
from twoarm.engine.simulate import SupportsDoses, deal_with_failures, integrate, provenance
from twoarm.errors import (
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
_ROWS = 160  #: states and slopes that a patient of the kernel may well have, see decisions/0008
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
    run_in: float | None = None,
    scale: Literal["absolute", "relative"] = "absolute",
    backend: Literal["auto", "cpu", "reference"] = "auto",
    method: str | None = None,
    rtol: float = 1e-5,
    failed: Literal["raise", "mask"] = "raise",
    workers: int | None = None,
    chunk: int = 4096,
    max_steps: int = 200_000,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Differentiate outputs by parameters and initial states, along the course of every patient.

    Parameters
    ----------
    model : Model
        The equations.
    patients, doses, days, visits, outputs, run_in
        As for `simulate`. Doses are what is given; derivatives by amounts and times of doses are not taken.
    parameters : sequence of str
        Parameters of the model, and states, which stand for their initial value. What is derived from a
        parameter (other parameters, initial values) moves with it, unless the patient has a value for it.
    scale : {"absolute", "relative"}
        ``"absolute"``: d(output)/d(parameter). ``"relative"``: d ln(output)/d ln(parameter), how many percent
        an output changes for one percent of the parameter; NaN where the output is 0.
    backend, method, failed, workers, chunk, max_steps, progress
        As for `simulate`. One run is counted for each patient and parameter.
    rtol : float
        Relative tolerance of each step. Derivatives, each in the unit of its state (multiplied by the
        parameter's size), are held to it as the states are; RMS errors of elasticities were 3e-8 at 1e-5.

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
        If the day of an event depends on what is varied, or a rate jumps where a state or a chosen parameter
        decides: there a derivative jumps too, by an amount that these equations do not see. Events on fixed
        days, and kinks without a jump (`min`, `max`, `abs`, a continuous piecewise rate) are no hindrance.

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
    names = list(inputs.read_outputs(model, outputs))
    made = _sensitized(model, chosen, tuple(names), _directions(len(model.states), len(chosen)))
    used = choose_backend(made.model, backend)
    settings = read_settings(
        made.model,
        outputs=[*names, *(slope(name, d) for d in range(made.directions) for name in names)],
        rtol=rtol,
        atol=None,
        method=method,
        precision="double",
        max_steps=max_steps,
        workers=workers,
        failed=failed,
        chunk=chunk,
        run_in=run_in,
    )
    plain = read_request(model, patients, doses, settings, days=days, visits=visits)
    groups = [chosen[i : i + made.directions] for i in range(0, len(chosen), made.directions)]
    size = _sizes(model, plain.people, chosen)
    request = _along(plain, made, groups, size)
    courses = integrate(request, used, progress=progress)
    attributes = provenance(model, settings, used, asked=backend, seed=None)
    deal_with_failures(request, courses)
    return _label(plain, courses, groups, size, names, scale, attributes)


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


def _along(
    plain: Request, made: Sensitized, groups: Sequence[Sequence[str]], size: Mapping[str, np.ndarray]
) -> Request:
    """Ask for each patient once for each group of directions."""
    model, patients, runs = plain.model, len(plain), len(groups)
    rows = np.repeat(np.arange(patients), runs)
    given = dict(plain.people.given)
    spots = [(name, weight) for name in made.moving_parameters]
    spots += [(name, slope) for name in made.moving_states]
    columns = {}
    for name, named in spots:
        follows = name in model.derived or name in model.states  # unless a patient has a value
        own = given.get(name, np.full(patients, np.nan)) if follows else np.zeros(patients)
        for d in range(made.directions):
            column = np.repeat(np.where(np.isnan(own), np.nan, 0.0)[:, None], runs, axis=1)
            for g, group in enumerate(groups):
                if group[d : d + 1] == (name,):
                    column[:, g] = _step(size[name])
            columns[named(name, d)] = column.ravel()
    people = plain.people.of(rows)
    people = replace(people, given={**people.given, **columns})
    begin, end, fresh = plain.begin[rows], plain.end[rows], plain.fresh[rows]
    return replace(plain, model=made.model, people=people, begin=begin, end=end, fresh=fresh)


def _label(
    plain: Request,
    courses: Courses,
    groups: Sequence[Sequence[str]],
    size: Mapping[str, np.ndarray],
    names: Sequence[str],
    scale: str,
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Slopes along directions → derivatives by parameters."""
    model, chosen = plain.model, [name for group in groups for name in group]
    value = np.stack([size[name] for name in chosen], axis=1)[:, None, :]
    shape, days = (len(plain), len(groups)), len(plain.visits)
    variables: dict[str, Any] = {}
    for name in names:
        slopes = [courses.outputs[slope(name, d)].reshape(*shape, days) for d in range(len(groups[0]))]
        by_run = np.stack(slopes, axis=-1).swapaxes(1, 2)  # (patient, day, group, direction)
        derivative = by_run.reshape(len(plain), days, -1)[..., : len(chosen)] / _step(value)
        if scale == "relative":
            level = courses.outputs[name].reshape(*shape, days)[:, 0, :, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                derivative = np.where(level == 0.0, np.nan, derivative * value / level)
        notes = {"units": _units(model, name, scale), "long_name": _words(model, name, scale)}
        variables[name] = (("patient", "day", "parameter"), derivative, notes)
    for field in ("status", "steps"):
        by_group = getattr(courses, field).reshape(shape)
        each = np.repeat(by_group, [len(group) for group in groups], axis=1)
        variables[field] = (("patient", "parameter"), each)
    units = np.array([model.units.get(name, "") for name in chosen], dtype=object)
    coordinates: dict[str, Any] = {
        "patient": plain.people.labels,
        "day": ("day", plain.visits, {"units": "day"}),
        "parameter": np.array(chosen, dtype=object),
        "parameter_units": ("parameter", units),
    }
    return xr.Dataset(variables, coords=coordinates, attrs={**attributes, "scale": scale})


def _units(model: Model, name: str, scale: str) -> str:
    return "1" if scale == "relative" else f"{model.units.get(name, '') or '1'} per unit of the parameter"


def _words(model: Model, name: str, scale: str) -> str:
    label = model.labels.get(name, name)
    return f"derivative of {label}" if scale == "absolute" else f"relative derivative of {label}"
