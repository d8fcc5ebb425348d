"""How long a job will take and how much memory it needs, from a few of its patients, before it begins."""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from twoarm.engine.cohort import Cohort, Solved
from twoarm.engine.compiled import vector_kernel
from twoarm.engine.job import AHEAD, Job
from twoarm.engine.request import read_request
from twoarm.engine.simulate import record_bytes
from twoarm.engine.sources import draw

_ROUNDS = (4, 32, 256)  # patients of a probe, as multiples of those integrated side by side
_LONG, _ENOUGH = 3.0, 0.3  # seconds that a probe may take, and that will do
_DOSE_BYTES = 200  # of a row of doses, as table and as arrays


@dataclass(frozen=True)
class Estimate:
    """Time and memory of a job, estimated.

    Attributes
    ----------
    patients, states, chunk, workers : int
        Size of the job, of the model, of a chunk, and threads.
    seconds : float
        Until it is done.
    each : float [s]
        Of one core for one patient.
    in_flight : int [byte]
        What a patient who is being integrated takes.
    memory : int [byte]
        Most that this process will take.
    available : int or None [byte]
        What the machine has to give, where it says so.
    disk : int [byte]
        What the result takes on disk, before compression; 0 if it is kept in memory.
    """

    patients: int
    states: int
    chunk: int
    workers: int
    seconds: float
    each: float
    in_flight: int
    memory: int
    available: int | None
    disk: int

    @property
    def too_large(self) -> bool:
        """Whether it needs more memory than there is."""
        return self.available is not None and self.memory > self.available

    def __str__(self) -> str:
        disk = f", {_bytes(self.disk)} on disk before compression" if self.disk else ""
        flight = f", of which {_bytes(self.in_flight)} a patient in flight" if self.in_flight else ""
        power = f"{1000 * self.each:.3g} ms a patient and core"
        large = f". The machine has {_bytes(self.available or 0)} left" if self.too_large else ""
        return (
            f"{self.patients:,} patients of {self.states:,} states, {self.chunk:,} at a time: about "
            f"{_duration(self.seconds)} on {self.workers} worker{'s' * (self.workers > 1)} "
            f"({power}), {_bytes(self.memory)} of memory{flight}{disk}{large}"
        )


def estimate_job(job: Job, *, on_disk: bool, together: Callable[[float], int] | None = None) -> Estimate:
    """Simulate a few patients of a job, and scale up.

    Parameters
    ----------
    job : Job
        All of it.
    on_disk : bool
        Whether the result goes to disk.
    together : callable, optional
        From seconds of a core for one patient to how many patients make a chunk; otherwise as the settings
        say.

    Returns
    -------
    Estimate
        Good to about a third on a machine with nothing else to do; patients who take much longer than the
        rest are rarely among a few.
    """
    n, settings = len(job), job.settings
    each, extra, kept = _probe(job) if n else (0.0, 0.0, 0)
    chunk = min(settings.chunk if together is None else together(each), max(n, 1))
    cores = max(1, min(settings.workers, os.cpu_count() or 1))
    in_flight = bytes_in_flight(job) if n and job.model.states else 0
    states, parameters = len(job.model.states), len(job.model.parameters)
    waiting = 8 * (4 * states + 2 * parameters + 3 * len(job.visits) * len(settings.outputs))
    recorded = record_bytes(len(job.visits), states, chunk)
    rows = _dose_rows(job, min(chunk, 256))
    ahead = min(AHEAD if settings.workers > 1 else 1, max(1, -(-n // chunk)))
    memory = (
        _resident()
        + ahead * (recorded + cores * _lanes(job) * in_flight)
        + (ahead + 1) * int(chunk * (waiting + rows * _DOSE_BYTES + kept))
        + (0 if on_disk else n * kept)
    )
    return Estimate(
        patients=n,
        states=states,
        chunk=chunk,
        workers=settings.workers,
        seconds=each * n / cores + extra * -(-n // chunk),
        each=each,
        in_flight=in_flight,
        memory=memory,
        available=_available(),
        disk=n * kept if on_disk else 0,
    )


def bytes_in_flight(job: Job) -> int:
    """Measure what a patient takes while being integrated: its lane of all vectors of a kernel.

    Parameters
    ----------
    job : Job
        Of which model, by which method and in which precision.

    Returns
    -------
    int
        Bytes; what is waiting or done is not counted. 0 where patients are not integrated side by side.
    """
    if job.backend.name != "cpu":
        return 0
    cohort = _one(job)
    job.backend.integrate(cohort)  # whatever is made once
    fresh = not tracemalloc.is_tracing()
    if fresh:
        tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        solved = job.backend.integrate(cohort)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        if fresh:
            tracemalloc.stop()
    return max(0, peak - before - _size(solved)) // _lanes(job)


def _lanes(job: Job) -> int:
    """Patients who are integrated side by side by one core."""
    if job.backend.name != "cpu" or not job.model.states:
        return 1
    return vector_kernel(job.model, job.settings.method, job.settings.precision).vector.lanes


def _one(job: Job) -> Cohort:
    """First patient alone, for an instant: all vectors are there, however short the course."""
    table = draw(job.patients, 0, 1)
    day = np.atleast_1d(job.days)[0]
    request = read_request(job.model, table, job.doses.of(table), job.settings, days=day, visits=[])
    return request.cohort(np.array([0]))


def _size(solved: Solved) -> int:
    return sum(int(values.nbytes) for values in vars(solved).values())


def _probe(job: Job) -> tuple[float, float, int]:
    """Run some patients on one core; return seconds of each, of a chunk besides, and bytes kept of each."""
    job = replace(job, settings=replace(job.settings, failed="mask", workers=1))
    n, lanes = len(job), _lanes(job)
    job.piece(0, 1, screen=False)  # what is compiled once is not counted
    alone, kept = _run(job, 1)
    each, extra = alone, 0.0
    for rounds in _ROUNDS:  # of all lanes
        count = min(n, rounds * lanes)
        if count <= lanes or alone * rounds > _LONG:
            break
        together, kept = _run(job, count)
        more = together - alone
        each = more / (count - lanes) if more > 0 else together / count
        extra = max(alone - each * lanes, 0.0)
        if together > _ENOUGH:
            break
    return each, extra, kept


def _run(job: Job, count: int) -> tuple[float, int]:
    """Run some patients; return seconds, and bytes kept of each."""
    few = _some(job, count)
    clock = time.perf_counter if job.backend.name == "cuda" else time.process_time  # of a busy machine too
    begun = clock()
    piece, _ = few.piece(0, len(few), screen=False)
    seconds = clock() - begun
    return seconds, sum(int(v.nbytes) for v in piece.variables.values() if "patient" in v.dims) // len(few)


def _some(job: Job, count: int) -> Job:
    """Make the job of a few patients from all over a table, or of the first that are drawn."""
    if isinstance(job.patients, pd.DataFrame):
        rows = np.unique(np.linspace(0, len(job) - 1, count).astype(int))
        patients = job.patients.iloc[rows]
        patients.attrs = job.patients.attrs
    else:
        rows, patients = np.arange(count), job.patients.draw(0, count)
    days = job.days if job.days.ndim == 0 else job.days[rows]
    return replace(job, patients=patients, days=days)


def _dose_rows(job: Job, count: int) -> float:
    """Doses of a patient, about."""
    if not count or not len(job):
        return 0.0
    table = draw(job.patients, 0, min(count, len(job)))
    day = np.atleast_1d(job.days)[: len(table)]
    request = read_request(job.model, table, job.doses.of(table), job.settings, days=day, visits=[])
    return len(request.people.doses.time) / len(table)


def _resident() -> int:
    """Memory of this process now [byte]; where the system does not say, the most it ever had."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except (OSError, ValueError, AttributeError, IndexError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else 1024 * most)


def _available() -> int | None:
    """Memory the machine can still give, with what this process has [byte]; None where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration, IndexError):
        return None
    return 1024 * free + _resident()


def _bytes(n: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.0f} bytes"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.3g} h"
