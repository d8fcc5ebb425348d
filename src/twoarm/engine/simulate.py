"""simulate(): any model, any cohort, any doses → a Dataset. Chooses the back end and streams in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.engine import screening
from twoarm.engine.backends import Backend, choose_backend
from twoarm.engine.request import Request, Settings, read_request, read_settings
from twoarm.engine.results import Courses, assemble
from twoarm.engine.status import Status
from twoarm.errors import IntegrationError
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
    species: Literal["written", "amount", "concentration"] = "written",
    initial: xr.Dataset | None = None,
    run_in: float | None = None,
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
    species : {"written", "amount", "concentration"}
        Whether a species is recorded as its symbol stands in the model's equations, or as amount, or as
        concentration. What is no species is not touched.
    initial : Dataset, optional
        Result of an earlier call to go on from: its `final_state` at its `final_day`, for each of `patients`.
    run_in : float, optional [day]
        How long before a dose at steady state (`ss` 1) it is repeated; see `twoarm.doses`.
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
    used = choose_backend(model, backend, precision)
    settings = read_settings(
        model,
        outputs=outputs,
        rtol=rtol,
        atol=atol,
        method=method,
        precision=precision,
        max_steps=max_steps,
        workers=workers,
        failed=failed,
        chunk=chunk,
        run_in=run_in,
        species=species,
    )
    request = read_request(model, patients, doses, settings, days=days, visits=visits, initial=initial)
    seed = None if patients is None else patients.attrs.get("seed")
    courses = integrate(request, used, progress=progress if callable(progress) else None)
    attributes = provenance(model, settings, used, asked=backend, seed=seed)
    if precision == "single":
        found = screening.compare(request, used, courses, screening.sample(len(request), seed))
        attributes |= screening.summary([found])
    deal_with_failures(request, courses)
    return assemble(request, courses, attributes)


def integrate(
    request: Request, backend: Backend, *, progress: Callable[[int, int], None] | None = None
) -> Courses:
    """Integrate everybody in chunks, which bounds the memory that states at visits need.

    Parameters
    ----------
    request : Request
        Who and how.
    backend : Backend
        What integrates.
    progress : callable, optional
        Called with (patients done, patients in all) after each chunk.

    Returns
    -------
    Courses
        Outputs at visits and how each patient ended, whole.
    """
    courses = Courses.empty(request)
    for rows in _chunks(request):
        cohort = request.cohort(rows)
        solved = backend.integrate(cohort)
        last_dose = request.people.doses.of(rows).last_before(solved.day)
        courses.take(rows, request.settings.outputs, cohort, solved, last_dose)
        if progress is not None:
            progress(int(rows[-1]) + 1, len(request))
    if request.earlier is not None:  # a patient who had failed before keeps that status
        before = request.earlier.status
        courses.status[before != 0] = before[before != 0]
    return courses


def provenance(
    model: Model, settings: Settings, backend: Backend, *, asked: str, seed: int | None
) -> dict[str, Any]:
    """Say what ran, as attributes of a result.

    Parameters
    ----------
    model : Model
        The equations.
    settings : Settings
        How.
    backend : Backend
        What ran.
    asked : str
        The back end asked for.
    seed : int or None
        Of the patients, if they have one.

    Returns
    -------
    dict
        Numbers and words.
    """
    return {
        "model": model.name,
        "model_digest": model.digest,
        "backend": backend.name,
        "backend_asked": asked,
        "backend_reason": backend.reason,
        "precision": settings.precision,
        "method": "cvode bdf" if backend.name == "reference" else settings.method,
        "rtol": settings.tolerance.relative,
        "atol_share": settings.tolerance.share,
        "versions": backend.versions,
        **({} if seed is None else {"seed": seed}),
    }


def record_bytes(visits: int, states: int, chunk: int) -> int:
    """Memory for states at visits, before they become outputs.

    Parameters
    ----------
    visits, states : int
        How many of each.
    chunk : int
        Most patients at a time.

    Returns
    -------
    int
        Bytes.
    """
    return _together(visits, states, chunk) * 8 * visits * states


def _together(visits: int, states: int, chunk: int) -> int:
    """How many patients of a chunk are integrated at a time."""
    return max(1, min(chunk, _RECORD_BYTES // (8 * max(visits, 1) * max(states, 1))))


def _chunks(request: Request) -> Iterator[np.ndarray]:
    size = _together(len(request.visits), len(request.model.states), request.settings.chunk)
    for first in range(0, len(request), size):
        yield np.arange(first, min(first + size, len(request)))


def deal_with_failures(request: Request, courses: Courses) -> None:
    """Raise for those who failed, or mask them, or keep them, as the settings say.

    Parameters
    ----------
    request : Request
        What was asked for.
    courses : Courses
        What came out; changed where failures are masked.

    Raises
    ------
    IntegrationError
        If somebody failed and the settings say so.
    """
    if request.settings.failed == "keep":
        return
    if request.settings.failed == "mask":
        courses.mask_failed()
        return
    stuck = [courses.ending(request, int(i)) for i in np.flatnonzero(courses.status != Status.FINISHED)]
    if stuck:
        dose = stuck[0].last_dose
        raise IntegrationError(
            stuck=[each[:4] for each in stuck],
            patients=len(request),
            last_dose=None if np.isnan(dose) else dose,
        )
