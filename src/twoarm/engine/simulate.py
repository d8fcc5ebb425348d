"""simulate(): any model, any cohort, any doses → a Dataset. Chooses the back end and streams in chunks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.engine import inputs
from twoarm.engine.backends import Backend, choose_backend
from twoarm.engine.cohort import Cohort, Solved, Tolerance
from twoarm.engine.results import assemble, evaluate_outputs
from twoarm.engine.schedule import plan_schedule
from twoarm.engine.status import Status, sentence
from twoarm.errors import IntegrationError, SimulationInputError, UnknownBackendError
from twoarm.model import Model

__all__ = ["SupportsDoses", "simulate"]

_RECORD_BYTES = 256 * 2**20  # states kept at visits before they become outputs


@runtime_checkable
class SupportsDoses(Protocol):
    """Anything that knows its doses and the parameters that go with them, as a regimen does."""

    def dose_rows(self, patients: pd.DataFrame) -> pd.DataFrame:
        """Dose table of these patients."""

    def parameters(self, patients: pd.DataFrame) -> pd.DataFrame:
        """Model parameters of these patients, one row each."""


def simulate(
    model: Model,
    patients: pd.DataFrame | None = None,
    doses: pd.DataFrame | SupportsDoses | Sequence[SupportsDoses] | None = None,
    *,
    days: float | ArrayLike,
    visits: ArrayLike | None = None,
    outputs: Sequence[str] | None = None,
    initial: xr.Dataset | None = None,
    backend: Literal["auto", "cpu", "cuda", "reference"] = "auto",
    precision: Literal["double", "single"] = "double",
    method: str | None = None,
    rtol: float = 1e-6,
    atol: float | Mapping[str, float] | None = None,
    failed: Literal["raise", "mask"] = "raise",
    workers: int | None = None,
    chunk: int = 4096,
    max_steps: int = 200_000,
    progress: Callable[[int, int], None] | bool = False,
) -> xr.Dataset:
    """Integrate a model for every patient of a cohort.

    Parameters
    ----------
    model : Model
        The equations.
    patients : DataFrame, optional
        Index: label of each patient. Columns: parameters of the model, or states (then the initial value);
        NaN is "not given". What the model does not know must be in ``patients.attrs["covariates"]``.
        Without a table, one patient labeled 0 with the model's own values (or those named in the dose table).
    doses : DataFrame or SupportsDoses or sequence of SupportsDoses, optional
        Dose table in NONMEM's words (`id time amt cmt` and more, see `twoarm.doses`), or regimens.
    days : float or (patient,) float array [day]
        End of each patient's course.
    visits : (visit,) float array [day], optional
        When to record; by default day 0 and the end.
    outputs : sequence of str, optional
        Names to record, keys of ``model.outputs``; by default all that are not parameters.
    initial : Dataset, optional
        Result of an earlier call to go on from: its `final_state` at its `final_day`, for each of `patients`.
    backend : {"auto", "cpu", "cuda", "reference"}
        ``"cpu"`` is compiled for the model and takes several patients at a time; ``"cuda"`` is the same on a
        device; ``"reference"`` is CVODE, one by one. ``"auto"`` takes ``"cpu"`` where it can solve the model,
        otherwise ``"reference"``; the attribute `backend_reason` says why.
    precision : {"double", "single"}
        Of the arithmetic within a step. Single is for screening.
    method : {"rodas5p", "rodas4"}, optional
        Method of ``"cpu"``.
    rtol : float
        Relative tolerance of each step.
    atol : float or mapping of state to float, optional
        Absolute tolerance. By default of each state `1e-4 rtol` of the largest size it has had so far in that
        patient, and never below 1e-12.
    failed : {"raise", "mask"}
        What to do if a patient's integration fails: raise, or leave NaN and a status.
    workers : int, optional
        Threads; all cores by default. Results do not depend on it.
    chunk : int
        Most patients at a time, which bounds memory. Results do not depend on it.
    max_steps : int
        A patient who needs more steps than this fails.
    progress : callable or bool
        Called with (patients done, patients in all) after each chunk.

    Returns
    -------
    xarray.Dataset
        One variable (patient, day) for each output, with ``units`` and ``long_name``, NaN where a visit is
        not in ``(begin, end]`` of its patient (``[begin, end]`` in a first call). Also ``final_state``
        (patient, state), ``final_day``, ``status``, ``steps`` (of the reference: rate evaluations) and
        ``last_step`` (patient). Attributes say what ran.

    Raises
    ------
    IntegrationError
        If a patient did not reach the end and `failed` is ``"raise"``.
    EventsNeedReferenceError, PrecisionError
        If the back end that was asked for cannot do it.
    SimulationInputError, UnknownColumnError, UnknownOutputError, UnknownBackendError, NoSuchInitialError
        If an argument cannot be right.

    Notes
    -----
    A dose at time t acts in the window ``[begin, end)`` that holds t, after what is recorded at t. A run in
    several windows is the run in one: pass the same doses to each, and `initial`.

    References
    ----------
    steinebach2023 (method of the fast back end), hindmarsh2005 (reference back end).

    Examples
    --------
    >>> from twoarm.model import Graph
    >>> g = Graph()
    >>> drug, k = g.state(0), g.parameter(0)
    >>> rate, start = g.neg(g.mul(k, drug)), g.const(0.0)
    >>> decay = Model("decay", tuple(g.nodes), ("drug",), (start,), (rate,), ("k",), (0.1,), {"drug": drug})
    >>> doses = pd.DataFrame({"id": [0], "time": [0.0], "amt": [100.0], "cmt": ["drug"]})
    >>> run = simulate(decay, doses=doses, days=10, visits=[10])
    >>> round(float(run.drug[0, 0]), 3)
    36.788
    """
    if failed not in ("raise", "mask"):
        raise UnknownBackendError(what="failed", name=failed, known=("raise", "mask"))
    _check_numbers(rtol=rtol, chunk=chunk, max_steps=max_steps, workers=workers)
    people = inputs.read_patients(model, patients, doses)
    begin, fresh, earlier = inputs.read_initial(model, people.labels, people.doses, initial)
    end = inputs.read_days(days, begin, people.labels)
    at = inputs.read_visits(visits, begin, end)
    names = inputs.read_outputs(model, outputs)
    used = choose_backend(model, backend, precision)
    tolerance = inputs.read_tolerance(model, rtol, atol)
    method_name = inputs.read_method(method)
    parameters, state, start = inputs.read_values(model, people, earlier)
    step = earlier.step if earlier is not None else np.zeros(len(begin))
    size = _chunk_size(chunk, len(at), len(model.states))
    results = []
    for first in range(0, max(len(begin), 1), size):
        part = slice(first, min(first + size, len(begin)))
        rows = people.doses.of_patients(part.start, part.stop)
        reset = start[part] if len(start) else start
        schedule = plan_schedule(rows, begin=begin[part], end=end[part])
        cohort = Cohort(
            model=model,
            parameters=parameters[part],
            state=state[part],
            reset_state=reset,
            begin=begin[part],
            end=end[part],
            fresh=fresh[part],
            schedule=schedule,
            step=step[part],
            visits=at,
            tolerance=tolerance,
            max_steps=max_steps,
            method=method_name,
            workers=workers or os.cpu_count() or 1,
            precision=precision,
        )
        solved = used.integrate(cohort)
        results.append((evaluate_outputs(names, cohort, solved), solved))
        if callable(progress):
            progress(part.stop, len(begin))
    if earlier is not None:
        _carry_failures(results, size, earlier.status)
    joined = _join(results)
    if failed == "raise":
        _raise_if_stuck(model, people.labels, joined)
    curves = {name: np.concatenate([found[name] for found, _ in results]) for name in names}
    attributes = _provenance(model, used, backend, precision, method_name, tolerance, patients)
    return assemble(model, people.labels, at, curves, joined, attributes)


def _check_numbers(*, rtol: float, chunk: int, max_steps: int, workers: int | None) -> None:
    if not 1e-14 <= rtol <= 0.1:
        raise SimulationInputError(what="rtol", value=rtol, rule="It must lie between 1e-14 and 0.1.")
    for what, value in (
        ("chunk", chunk),
        ("max_steps", max_steps),
        ("workers", 1 if workers is None else workers),
    ):
        if value < 1:
            raise SimulationInputError(what=what, value=value, rule="It must be at least 1.")


def _chunk_size(chunk: int, visits: int, states: int) -> int:
    return max(1, min(chunk, _RECORD_BYTES // (8 * max(visits, 1) * max(states, 1))))


def _carry_failures(
    results: list[tuple[dict[str, np.ndarray], Solved]], size: int, status: np.ndarray
) -> None:
    """Let a patient who had failed before keep that status."""
    for i, (_, solved) in enumerate(results):
        before = status[i * size : i * size + len(solved.status)]
        solved.status[before != 0] = before[before != 0]


def _join(results: list[tuple[dict[str, np.ndarray], Solved]]) -> dict[str, np.ndarray]:
    fields = ("state", "day", "status", "steps", "step", "worst")
    return {name: np.concatenate([getattr(solved, name) for _, solved in results]) for name in fields}


def _raise_if_stuck(model: Model, labels: np.ndarray, joined: Mapping[str, np.ndarray]) -> None:
    stuck = np.flatnonzero(joined["status"] != Status.FINISHED)
    if not len(stuck):
        return
    first = [
        (
            labels[i],
            sentence(int(joined["status"][i])),
            float(joined["day"][i]),
            model.states[joined["worst"][i]] if joined["worst"][i] >= 0 else "",
        )
        for i in stuck
    ]
    raise IntegrationError(stuck=first, patients=len(labels))


def _provenance(
    model: Model,
    used: Backend,
    asked: str,
    precision: str,
    method: str,
    tolerance: Tolerance,
    patients: pd.DataFrame | None,
) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "model": model.name,
        "model_digest": model.digest,
        "backend": used.name,
        "backend_asked": asked,
        "backend_reason": used.reason,
        "precision": precision,
        "method": "cvode bdf" if used.name == "reference" else method,
        "rtol": tolerance.relative,
        "atol_share": tolerance.share,
        "versions": used.versions,
    }
    if patients is not None and "seed" in patients.attrs:
        attributes["seed"] = patients.attrs["seed"]
    return attributes
