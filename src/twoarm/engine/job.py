"""One job of any size: who, with which doses, how, and what is kept of each; done a piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.engine import object_code, screening
from twoarm.engine.backends import Backend, choose_backend
from twoarm.engine.request import Settings, read_request
from twoarm.engine.results import assemble
from twoarm.engine.simulate import deal_with_failures, integrate, provenance
from twoarm.engine.sources import DoseBook, DrawsPatients, draw, identity, read_doses
from twoarm.errors import ReductionError, SimulationInputError
from twoarm.model import Model

Reduction = Callable[[xr.Dataset], xr.Dataset | pd.DataFrame]

AHEAD = 2  # chunks under way while one is reduced and written
_KEPT = ("status", "final_day", "stiffest", "last_dose")  # of every patient, whatever a reduction leaves


@dataclass(frozen=True)
class Job:
    """Everything that the numbers of a stream depend on, checked.

    Attributes
    ----------
    model : Model
        The equations.
    patients : DataFrame or DrawsPatients
        Who.
    doses : DoseBook
        With which doses; `dosing` is their digest.
    days, visits : float arrays [day]
        Until when, and when to record.
    settings : Settings
        How.
    backend : Backend
        On what.
    reduce : callable or None
        What is kept.
    seed : int or None
        Of the patients.
    """

    model: Model
    patients: pd.DataFrame | DrawsPatients
    doses: DoseBook
    days: np.ndarray
    visits: np.ndarray
    settings: Settings
    backend: Backend
    reduce: Reduction | None
    seed: int | None
    asked: str
    dosing: str

    def __len__(self) -> int:
        return len(self.patients)

    def piece(
        self, first: int, last: int, *, screen: bool = True
    ) -> tuple[xr.Dataset, screening.Differences]:
        """Simulate and reduce patients `first` to `last - 1`; if asked, check single precision."""
        run, difference = self.simulate(draw(self.patients, first, last), first, screen=screen)
        return reduced(run, self.reduce), difference

    def simulate(
        self, table: pd.DataFrame, first: int, *, screen: bool = True
    ) -> tuple[xr.Dataset, screening.Differences]:
        """Simulate the patients of a table, who begin with patient `first`, and reduce none."""
        last = first + len(table)
        days = self.days if self.days.ndim == 0 else self.days[first:last]
        request = read_request(
            self.model, table, self.doses.of(table), self.settings, days=days, visits=self.visits
        )
        courses = integrate(request, self.backend)
        difference = screening.Differences()
        if screen and self.settings.precision == "single":
            chosen = screening.sample(len(self.patients), self.seed)
            inside = chosen[(chosen >= first) & (chosen < last)] - first
            difference = screening.compare(request, self.backend, courses, inside)
        deal_with_failures(request, courses)
        return assemble(request, courses, self.provenance), difference

    @property
    def provenance(self) -> dict[str, Any]:
        """What runs, as attributes of the result."""
        return provenance(self.model, self.settings, self.backend, asked=self.asked, seed=self.seed)


def plan_job(
    model: Model,
    patients: pd.DataFrame | DrawsPatients,
    doses: Any,
    *,
    days: ArrayLike,
    visits: ArrayLike | None,
    reduce: Reduction | None,
    backend: str,
    settings: Settings,
) -> Job:
    """Check who is to be simulated with which doses, all of them, before the first is.

    Parameters
    ----------
    model, patients, doses, days, visits, reduce, backend
        As `stream` documents them.
    settings : Settings
        How.

    Returns
    -------
    Job
        Ready to be done piece by piece.
    """
    used = choose_backend(model, backend, settings.precision)
    end, at = _read_days(days, visits, len(patients))
    _check_patients(patients)
    seed = (
        patients.attrs.get("seed") if isinstance(patients, pd.DataFrame) else getattr(patients, "seed", None)
    )
    book, dosing = read_doses(doses), identity(doses)
    return Job(model, patients, book, end, at, settings, used, reduce, seed, backend, dosing)


def words_of(job: Job) -> dict[str, str]:
    """By what a job is known again, part by part, so that an error can say which part is another.

    Parameters
    ----------
    job : Job
        All of it.

    Returns
    -------
    dict of str to str
        Digests and words.
    """
    settings, machine = job.settings, object_code.host()
    tolerance = settings.tolerance
    return {
        "model": job.model.digest,
        "patients": identity(job.patients),
        "number of patients": str(len(job.patients)),
        "doses": job.dosing,
        "days": identity([job.days, job.visits]),
        "outputs": " ".join(f"{name}={node}" for name, node in settings.outputs.items()),
        "tolerance": identity([np.array([tolerance.relative, tolerance.share]), tolerance.floor]),
        "method": settings.method,
        "precision": settings.precision,
        "back end": job.backend.name,
        "largest number of steps": str(settings.max_steps),
        "way with failures": "keep" if settings.failed == "keep" else "mask",
        "run-in": repr(settings.run_in),
        "seed": repr(job.seed),
        "reduction": identity(job.reduce),
        "version of what computes": f"{object_code.CODE_VERSION} {job.backend.versions}",
        "processor": f"{machine.triple} {machine.cpu}",
    }


def _read_days(days: ArrayLike, visits: ArrayLike | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    end = np.asarray(days, dtype=float)
    if end.ndim and end.shape != (n,):
        rule = f"It must be one day, or one for each of the {n} patients."
        raise SimulationInputError(what="days", value=days, rule=rule)
    if visits is not None:
        return end, np.atleast_1d(np.asarray(visits, dtype=float))
    if end.ndim:
        rule = "They must be given where patients end on days of their own."
        raise SimulationInputError(what="visits", value=visits, rule=rule)
    return end, np.unique([0.0, float(end)])


def _check_patients(patients: pd.DataFrame | DrawsPatients) -> None:
    if isinstance(patients, pd.DataFrame) and not patients.index.is_unique:
        twice = patients.index[patients.index.duplicated()][0]
        raise SimulationInputError(what="label of a patient", value=twice, rule="Each may occur once.")


def reduced(run: xr.Dataset, reduce: Reduction | None) -> xr.Dataset:
    """Keep of some patients what is asked for, a row a patient first, and drop the attributes.

    Parameters
    ----------
    run : Dataset
        As `simulate` gives it.
    reduce : callable or None
        As `stream` documents it.

    Returns
    -------
    Dataset
        With what is kept of every patient.

    Raises
    ------
    ReductionError
        If what `reduce` gives cannot be kept.
    """
    if reduce is None:
        return _bare(run)
    found = reduce(run)
    if isinstance(found, pd.DataFrame):
        found = xr.Dataset.from_dataframe(found.rename_axis(index="patient", columns=None))
    if not isinstance(found, xr.Dataset):
        raise ReductionError(reason=f"{type(found).__name__}, neither a Dataset nor a DataFrame")
    if "patient" not in found.dims or not np.array_equal(
        found["patient"].to_numpy(), run["patient"].to_numpy()
    ):
        raise ReductionError(reason="something else than a row for each patient it was given, in their order")
    lost = [str(name) for name, values in found.data_vars.items() if "patient" not in values.dims]
    if lost:
        raise ReductionError(reason=f"{', '.join(lost)} without the dimension `patient`")
    found = found.assign({name: run[name] for name in _KEPT if name not in found})
    return _bare(found.transpose("patient", ...))


def _bare(piece: xr.Dataset) -> xr.Dataset:
    bare = piece.copy(deep=False)
    bare.attrs = {}
    return bare
