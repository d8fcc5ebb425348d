"""stream(): a million patients in bounded memory, reduced as they finish, resumed without loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.engine import object_code, screening, store
from twoarm.engine.backends import Backend, choose_backend
from twoarm.engine.request import Settings, read_request, read_settings
from twoarm.engine.results import assemble
from twoarm.engine.simulate import SupportsDoses, deal_with_failures, integrate, provenance
from twoarm.engine.sources import DoseBook, DrawsPatients, draw, identity, read_doses
from twoarm.errors import CurveFileError, OtherJobError, ReductionError, SimulationInputError
from twoarm.model import Model

__all__ = ["DrawsPatients", "stream"]

Reduction = Callable[[xr.Dataset], xr.Dataset | pd.DataFrame]

_KEPT = ("status", "final_day", "stiffest", "last_dose")  # of every patient, whatever a reduction leaves
_PROOF = 8  # patients who are computed again before a job goes on


@dataclass(frozen=True)
class Job:
    """Everything that the numbers of a stream depend on."""

    model: Model
    patients: pd.DataFrame | DrawsPatients
    doses: DoseBook
    days: np.ndarray
    visits: np.ndarray
    settings: Settings
    backend: Backend
    reduce: Reduction | None
    seed: int | None

    def piece(self, first: int, last: int) -> tuple[xr.Dataset, screening.Differences]:
        """Simulate and reduce patients `first` to `last - 1`."""
        table = draw(self.patients, first, last)
        days = self.days if self.days.ndim == 0 else self.days[first:last]
        request = read_request(
            self.model, table, self.doses.of(table), self.settings, days=days, visits=self.visits
        )
        courses = integrate(request, self.backend)
        difference = screening.Differences()
        if self.settings.precision == "single":
            chosen = screening.sample(len(self.patients), self.seed)
            inside = chosen[(chosen >= first) & (chosen < last)] - first
            difference = screening.compare(request, self.backend, courses, inside)
        deal_with_failures(request, courses)
        notes = provenance(self.model, self.settings, self.backend, asked=self.backend.name, seed=self.seed)
        return _reduced(assemble(request, courses, notes), self.reduce), difference


def stream(
    model: Model,
    patients: pd.DataFrame | DrawsPatients,
    doses: pd.DataFrame | SupportsDoses | Sequence[SupportsDoses] | None = None,
    *,
    days: float | ArrayLike,
    visits: ArrayLike | None = None,
    outputs: Sequence[str] | None = None,
    species: Literal["written", "amount", "concentration"] = "written",
    reduce: Reduction | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    run_in: float | None = None,
    backend: Literal["auto", "cpu", "cuda", "reference"] = "auto",
    precision: Literal["double", "single"] = "double",
    method: str | None = None,
    rtol: float = 1e-6,
    atol: float | Mapping[str, float] | None = None,
    failed: Literal["raise", "mask", "keep"] = "mask",
    workers: int | None = None,
    chunk: int = 4096,
    max_steps: int = 200_000,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Integrate a model for a cohort of any size, chunk by chunk, keeping of each chunk what is asked for.

    Parameters
    ----------
    model : Model
        The equations.
    patients : DataFrame or DrawsPatients
        A table as for `simulate`, or what draws the patients of a chunk when their turn comes.
    doses : DataFrame or SupportsDoses or sequence of SupportsDoses, optional
        As for `simulate`.
    days : float or (patient,) float array [day]
        End of each patient's course.
    visits : (visit,) float array [day], optional
        When to record; by default day 0 and the end, where `days` is one day for all.
    outputs, species
        Names to record, and as what, as for `simulate`.
    reduce : callable, optional
        From the Dataset that `simulate` would give for some patients to what is kept of them: a Dataset with
        dimension ``patient``, or a DataFrame with a row a patient. It looks at each patient alone. Without
        it, everything is kept.
    out : str or Path, optional
        Zarr store to write, ending in `.zarr`; without it the result is kept in memory.
    resume : bool
        Go on with an interrupted stream to the same `out`, or open the result if it is whole. Another job
        than the one that was begun is refused.
    run_in, backend, precision, method, rtol, atol, workers, max_steps
        As for `simulate`.
    failed : {"raise", "mask", "keep"}
        As for `simulate`, but masked unless said otherwise.
    chunk : int
        Patients at a time; bounds memory, and what an interruption can lose. Results do not depend on it.
    progress : callable, optional
        Called with (patients done, patients in all) after each chunk; the first time before the first.

    Returns
    -------
    xarray.Dataset
        What `reduce` gives for all patients, with ``status``, ``final_day``, ``stiffest`` and ``last_dose``
        of each (see `simulate`). If it is on disk, numbers are read when they are asked for. Attributes say
        what ran and how many failed.

    Raises
    ------
    OtherJobError, ResultThereError, UnfinishedThereError, NotWrittenError
        If `out` cannot take this result.
    ReductionError
        If what `reduce` gives does not fit together.
    TwoarmError
        As `simulate`.

    Notes
    -----
    The result is the same, bit for bit, for any number of workers, any size of chunk, and however often it
    was interrupted, even by `kill -9`: a chunk counts as done once the manifest beside it says so, and the
    manifest is replaced in one step. A job is known by digests of model, patients, doses, options, the text
    of `reduce`, the versions of what computes, and the kind of processor. Before going on, the first patients
    are computed again and compared, so that what no digest sees (a number that `reduce` refers to) is found
    too.

    Examples
    --------
    >>> from twoarm.model.sbml import read_model
    >>> decay = read_model("model decay; x = 2; x' = -k*x; k = 0.1; end")
    >>> cohort = pd.DataFrame({"k": np.linspace(0.1, 0.2, 1000)})
    >>> def lowest(run):
    ...     return run[["x"]].min("day")
    >>> kept = stream(decay, cohort, days=10, visits=[0, 5, 10], reduce=lowest, chunk=256)
    >>> kept.x.shape, round(float(kept.x[0]), 4), kept.attrs["patients_failed"]
    ((1000,), 0.7358, 0)
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
    end, at = _read_days(days, visits, len(patients))
    _check_patients(patients)
    seed = (
        patients.attrs.get("seed") if isinstance(patients, pd.DataFrame) else getattr(patients, "seed", None)
    )
    job = Job(model, patients, read_doses(doses), end, at, settings, used, reduce, seed)
    notes = provenance(model, settings, used, asked=backend, seed=seed)
    if out is None:
        return _in_memory(job, notes, progress)
    path = Path(out)
    if path.suffix != ".zarr":
        raise CurveFileError(path=path)
    place = store.claim(path, words_of(job, doses), patients=len(patients), chunk=chunk, resume=resume)
    return place if isinstance(place, xr.Dataset) else _on_disk(job, place, notes, progress)


def words_of(job: Job, doses: Any) -> dict[str, str]:
    """By what a job is known again, part by part, so that an error can say which part is another.

    Parameters
    ----------
    job : Job
        All of it.
    doses : object
        The doses as they were given.

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
        "doses": identity(doses),
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


def _reduced(run: xr.Dataset, reduce: Reduction | None) -> xr.Dataset:
    """Keep of some patients what is asked for, a row a patient first, and drop the attributes."""
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


def _chunks(job: Job, size: int, done: int = 0) -> list[tuple[int, int]]:
    n = len(job.patients)
    return [(first, min(first + size, n)) for first in range(done * size, max(n, 1), size)]


def _in_memory(job: Job, notes: Mapping[str, Any], progress: Callable[[int, int], None] | None) -> xr.Dataset:
    kept, found, failures = store.Memory(len(job.patients)), [], 0
    _tell(progress, 0, job)
    for first, last in _chunks(job, job.settings.chunk):
        piece, difference = job.piece(first, last)
        kept.write(first, piece)
        found.append(difference)
        failures += int((piece["status"] != 0).sum())
        _tell(progress, last, job)
    return kept.finish({**notes, **_closing(job, found, failures)})


def _on_disk(
    job: Job, folder: store.Folder, notes: Mapping[str, Any], progress: Callable[[int, int], None] | None
) -> xr.Dataset:
    _prove(job, folder)
    _tell(progress, min(len(folder.done) * folder.chunk, len(job.patients)), job)
    for first, last in _chunks(job, folder.chunk, len(folder.done)):
        piece, difference = job.piece(first, last)
        failures = int((piece["status"] != 0).sum())
        folder.write(first, piece, {"failed": failures, "single": list(difference)})
        _tell(progress, last, job)
    found = [screening.Differences(*each["single"]) for each in folder.done]
    failures = sum(int(each["failed"]) for each in folder.done)
    return folder.finish({**notes, **_closing(job, found, failures)})


def _closing(job: Job, found: Sequence[screening.Differences], failures: int) -> dict[str, Any]:
    """Gather what is known only at the end."""
    single = screening.summary(found) if job.settings.precision == "single" else {}
    return {"patients_failed": failures, **single}


def _prove(job: Job, folder: store.Folder) -> None:
    """Compute the first patients again, and refuse to go on if they are not the same to the last bit."""
    if not folder.done:
        return
    last = min(_PROOF, folder.chunk, len(job.patients))
    piece, _ = job.piece(0, last)
    if store.digest(piece) != store.digest(folder.read(0, last)):
        raise OtherJobError(folder=folder.partial, changed=["result for its first patients"])


def _tell(progress: Callable[[int, int], None] | None, done: int, job: Job) -> None:
    if progress is not None:
        progress(done, len(job.patients))
