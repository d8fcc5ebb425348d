"""simulate(): any model, any cohort, any doses → a Dataset. Chooses the back end and streams in chunks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.engine import inputs, screening
from twoarm.engine.backends import Backend, choose_backend
from twoarm.engine.request import Request
from twoarm.engine.results import Courses, assemble
from twoarm.engine.status import Status
from twoarm.errors import IntegrationError, SimulationInputError, UnknownBackendError
from twoarm.model import Model

__all__ = ["SupportsDoses", "simulate"]

_FAILED = ("raise", "mask", "keep")
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
    failed: Literal["raise", "mask", "keep"] = "raise",
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
        Of the arithmetic within a step. Single is for screening: one patient in a hundred, and at least 8,
        are run again in double and ten times as exact, and the attributes `single_precision_error_rms` and
        `single_precision_error_worst` say what that found.
    method : {"rodas5p", "rodas4"}, optional
        Method of ``"cpu"``.
    rtol : float
        Relative tolerance of each step.
    atol : float or mapping of state to float, optional
        Absolute tolerance. By default of each state `1e-4 rtol` of the largest size it has had so far in that
        patient, and never below 1e-12.
    failed : {"raise", "mask", "keep"}
        What to do if a patient's integration fails: raise; or leave NaN everywhere and a status; or keep what
        was recorded until then, and a status.
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
        (patient, state), ``final_day``, ``status``, ``stiffest`` (of a failure: which state had the largest
        error, counted from 0; otherwise -1), ``last_dose`` (day of the last one until ``final_day``),
        ``steps`` (of the reference: rate evaluations) and ``last_step`` (patient). Attributes say what ran.

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
    _check_numbers(rtol=rtol, chunk=chunk, max_steps=max_steps, workers=workers, failed=failed)
    used = choose_backend(model, backend, precision)
    people = inputs.read_patients(model, patients, doses)
    begin, fresh, earlier = inputs.read_initial(model, people.labels, people.doses, initial)
    end = inputs.read_days(days, begin, people.labels)
    request = Request(
        model=model,
        people=people,
        begin=begin,
        end=end,
        fresh=fresh,
        earlier=earlier,
        visits=inputs.read_visits(visits, begin, end),
        outputs=tuple(inputs.read_outputs(model, outputs)),
        tolerance=inputs.read_tolerance(model, rtol, atol),
        method=inputs.read_method(method),
        precision=precision,
        max_steps=max_steps,
        workers=workers or os.cpu_count() or 1,
    )
    seed = 0 if patients is None else patients.attrs.get("seed")
    courses = integrate(request, used, chunk=chunk, progress=progress if callable(progress) else None)
    attributes = provenance(request, used, asked=backend) | ({} if seed is None else {"seed": seed})
    if precision == "single":
        attributes |= screening.compare_with_double(request, used, courses, seed=seed)
    if failed == "raise":
        _raise_if_stuck(request, courses)
    elif failed == "mask":
        courses.mask_failed()
    return assemble(request, courses, attributes)


def integrate(
    request: Request,
    backend: Backend,
    *,
    chunk: int,
    progress: Callable[[int, int], None] | None = None,
) -> Courses:
    """Integrate everybody in chunks, which bounds the memory that states at visits need.

    Parameters
    ----------
    request : Request
        Who and how.
    backend : Backend
        What integrates.
    chunk : int
        Most patients at a time.
    progress : callable, optional
        Called with (patients done, patients in all) after each chunk.

    Returns
    -------
    Courses
        Outputs at visits and how each patient ended, whole.
    """
    courses = Courses.empty(request)
    for rows in _chunks(request, chunk):
        cohort = request.cohort(rows)
        solved = backend.integrate(cohort)
        courses.take(rows, cohort, solved, request.people.doses.of(rows).last_before(solved.day))
        if progress is not None:
            progress(int(rows[-1]) + 1, len(request))
    if request.earlier is not None:  # a patient who had failed before keeps that status
        before = request.earlier.status
        courses.status[before != 0] = before[before != 0]
    return courses


def provenance(request: Request, backend: Backend, *, asked: str) -> dict[str, Any]:
    """Say what ran, as attributes of a result.

    Parameters
    ----------
    request : Request
        What was asked for.
    backend : Backend
        What ran.
    asked : str
        The back end asked for.

    Returns
    -------
    dict
        Numbers and words.
    """
    return {
        "model": request.model.name,
        "model_digest": request.model.digest,
        "backend": backend.name,
        "backend_asked": asked,
        "backend_reason": backend.reason,
        "precision": request.precision,
        "method": "cvode bdf" if backend.name == "reference" else request.method,
        "rtol": request.tolerance.relative,
        "atol_share": request.tolerance.share,
        "versions": backend.versions,
    }


def _chunks(request: Request, chunk: int) -> Iterator[np.ndarray]:
    per_patient = 8 * max(len(request.visits), 1) * max(len(request.model.states), 1)
    size = max(1, min(chunk, _RECORD_BYTES // per_patient))
    for first in range(0, len(request), size):
        yield np.arange(first, min(first + size, len(request)))


def _check_numbers(*, rtol: float, chunk: int, max_steps: int, workers: int | None, failed: str) -> None:
    if failed not in _FAILED:
        raise UnknownBackendError(what="failed", name=failed, known=_FAILED)
    if not 1e-14 <= rtol <= 0.1:
        raise SimulationInputError(what="rtol", value=rtol, rule="It must lie between 1e-14 and 0.1.")
    for what, value in (
        ("chunk", chunk),
        ("max_steps", max_steps),
        ("workers", 1 if workers is None else workers),
    ):
        if value < 1:
            raise SimulationInputError(what=what, value=value, rule="It must be at least 1.")


def _raise_if_stuck(request: Request, courses: Courses) -> None:
    stuck = [courses.ending(request, int(i)) for i in np.flatnonzero(courses.status != Status.FINISHED)]
    if stuck:
        dose = stuck[0].last_dose
        raise IntegrationError(
            stuck=[each[:4] for each in stuck],
            patients=len(request),
            last_dose=None if np.isnan(dose) else dose,
        )
