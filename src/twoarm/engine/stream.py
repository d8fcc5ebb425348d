"""stream(): a million patients in bounded memory, reduced as they finish, resumed without loss."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from twoarm.engine import screening, store
from twoarm.engine.estimate import Estimate, estimate_job
from twoarm.engine.job import AHEAD, Job, Reduction, plan_job, reduced, words_of
from twoarm.engine.request import read_settings
from twoarm.engine.simulate import SupportsDoses
from twoarm.engine.sources import DrawsPatients, draw
from twoarm.errors import OtherJobError, StoreNameError
from twoarm.model import Model

__all__ = ["DrawsPatients", "stream"]

Progress = Callable[[int, int], None]
Simulated = tuple[xr.Dataset, screening.Differences]

_PROOF = 8  # patients who are computed again before a job goes on


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
    announce: Callable[[Estimate], None] | None = None,
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
    announce : callable, optional
        Called with an `Estimate` of time and memory before the first chunk, for which a few patients are
        simulated.

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
    >>> import numpy as np
    >>> from twoarm.model.sbml import read_model
    >>> decay = read_model("model decay; x = 2; x' = -k*x; k = 0.1; end")
    >>> cohort = pd.DataFrame({"k": np.linspace(0.1, 0.2, 1000)})
    >>> def lowest(run):
    ...     return run[["x"]].min("day")
    >>> kept = stream(decay, cohort, days=10, visits=[0, 5, 10], reduce=lowest, chunk=256)
    >>> kept.x.shape, round(float(kept.x[0]), 4), kept.attrs["patients_failed"]
    ((1000,), 0.7358, 0)
    """
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
    job = plan_job(
        model,
        patients,
        doses,
        days=days,
        visits=visits,
        reduce=reduce,
        backend=backend,
        settings=settings,
    )
    if announce is not None:
        announce(estimate_job(job, on_disk=out is not None))
    return run_job(job, None if out is None else Path(out), resume=resume, progress=progress)


def run_job(
    job: Job,
    out: Path | None,
    *,
    resume: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Do a job piece by piece.

    Parameters
    ----------
    job : Job
        All of it.
    out : Path or None
        Zarr store to write; None for memory.
    resume, progress
        As for `stream`.

    Returns
    -------
    xarray.Dataset
        As `stream` gives it.
    """
    if out is None:
        return _in_memory(job, progress)
    if out.suffix != ".zarr":
        raise StoreNameError(path=out)
    size = job.settings.chunk
    place = store.claim(out, words_of(job), patients=len(job), chunk=size, resume=resume)
    return place if isinstance(place, xr.Dataset) else _on_disk(job, place, progress)


def _chunks(job: Job, size: int, done: int = 0) -> list[tuple[int, int]]:
    n = len(job)
    return [(first, min(first + size, n)) for first in range(done * size, max(n, 1), size)]


def _pieces(
    job: Job, chunks: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, xr.Dataset, screening.Differences]]:
    """Do the pieces in order; the next is prepared and integrated while one is reduced and written.

    Patients are drawn and reduced by this thread alone, because functions of the user's may not be ready for
    more than one.
    """
    if job.settings.workers == 1:
        for first, last in chunks:
            yield (first, last, *job.piece(first, last))
        return
    pool, waiting = ThreadPoolExecutor(AHEAD), deque[tuple[int, int, Future[Simulated]]]()
    try:
        for first, last in chunks:
            table = draw(job.patients, first, last)
            waiting.append((first, last, pool.submit(job.simulate, table, first)))
            if len(waiting) > AHEAD:
                yield _next(job, waiting)
        while waiting:
            yield _next(job, waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _next(
    job: Job, waiting: deque[tuple[int, int, Future[Simulated]]]
) -> tuple[int, int, xr.Dataset, screening.Differences]:
    first, last, future = waiting.popleft()
    run, difference = future.result()
    return first, last, reduced(run, job.reduce), difference


def _in_memory(job: Job, progress: Progress | None) -> xr.Dataset:
    kept, found, failures = store.Memory(len(job)), [], 0
    _tell(progress, 0, job)
    for first, last, piece, difference in _pieces(job, _chunks(job, job.settings.chunk)):
        kept.write(first, piece)
        found.append(difference)
        failures += int((piece["status"] != 0).sum())
        _tell(progress, last, job)
    return kept.finish({**job.provenance, **_closing(job, found, failures)})


def _on_disk(job: Job, folder: store.Folder, progress: Progress | None) -> xr.Dataset:
    _prove(job, folder)
    _tell(progress, min(len(folder.done) * folder.chunk, len(job)), job)
    for first, last, piece, difference in _pieces(job, _chunks(job, folder.chunk, len(folder.done))):
        failures = int((piece["status"] != 0).sum())
        folder.write(first, piece, {"failed": failures, "single": list(difference)})
        _tell(progress, last, job)
    found = [screening.Differences(*each["single"]) for each in folder.done]
    failures = sum(int(each["failed"]) for each in folder.done)
    return folder.finish({**job.provenance, **_closing(job, found, failures)})


def _closing(job: Job, found: Sequence[screening.Differences], failures: int) -> dict[str, Any]:
    """Gather what is known only at the end."""
    single = screening.summary(found) if job.settings.precision == "single" else {}
    return {"patients_failed": failures, **single}


def _prove(job: Job, folder: store.Folder) -> None:
    """Compute the first patients again, and refuse to go on if they are not the same to the last bit."""
    if not folder.done:
        return
    last = min(_PROOF, folder.chunk, len(job))
    piece, _ = job.piece(0, last)
    if store.digest(piece) != store.digest(folder.read(0, last)):
        raise OtherJobError(folder=folder.partial, changed=["result for its first patients"])


def _tell(progress: Progress | None, done: int, job: Job) -> None:
    if progress is not None:
        progress(done, len(job))
