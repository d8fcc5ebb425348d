"""The device back end: the host's own loop, one thread a patient, which takes the next one when done."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from twoarm.engine import (
    advance,
    cuda_kernel,
    cuda_library,
    cuda_loop,
    cuda_math,
    cuda_memory,
    cuda_numba,
    lanes,
    ptx,
    stepper,
)
from twoarm.engine.cohort import Cohort, Schedule, Solved
from twoarm.engine.cuda_driver import Program, open_device
from twoarm.engine.cuda_kernel import DeviceText, device_text
from twoarm.engine.cuda_memory import TILE, fill_table, leaves
from twoarm.errors import DeviceMemoryError

PRECISIONS = ("double", "single")

_SHARE = 0.9  #: of the free memory that is taken at most
_LINE = 256  #: bytes: every array begins at a multiple of this
_TABLE = 4096  #: bytes that the table of numbers takes at most
_COLUMNS = ("time", "kind", "state", "value")  #: of a schedule, one row an entry


class Threads(Protocol):
    """A device, or what stands in for one in tests."""

    name: str

    def current(self) -> AbstractContextManager[None]:
        """Make this the device that calls are about."""

    def free_bytes(self) -> int:
        """Memory that is free."""

    def load(self, content: str, write: Callable[[], DeviceText]) -> Program:
        """Give it code: kept under `content`, or written and compiled."""

    def allocate(self, size: int) -> int:
        """Address of fresh memory."""

    def release(self, address: int) -> None:
        """Give memory back."""

    def clear(self, address: int, size: int) -> None:
        """Fill memory with zeros."""

    def upload(self, address: int, source: np.ndarray) -> None:
        """Copy an array there."""

    def download(self, into: np.ndarray, address: int) -> None:
        """Copy an array from there."""

    def launch(self, program: Program, table: int, threads: int) -> None:
        """Run threads and wait for the last."""


def integrate(cohort: Cohort) -> Solved:
    """Integrate every patient of a cohort on the first device.

    Parameters
    ----------
    cohort : Cohort
        The patients.

    Returns
    -------
    Solved
        Their courses; equal to those of the ``"cpu"`` back end within tolerance, not in every digit.

    Raises
    ------
    NoCudaDeviceError
        If there is no device, or only one too old.
    DeviceMemoryError
        If one patient with all visits does not fit.
    CudaDriverError
        If the driver refuses.

    References
    ----------
    steinebach2023.
    """
    return integrate_on(open_device(), cohort)


def integrate_on(device: Threads, cohort: Cohort) -> Solved:
    """Integrate on a given device, as many patients at a time as its memory holds.

    Parameters
    ----------
    device : Threads
        Where.
    cohort : Cohort
        The patients.

    Returns
    -------
    Solved
        Their courses.

    Raises
    ------
    DeviceMemoryError
        If one patient with all visits does not fit.
    """
    solved = Solved.empty(cohort)
    if not len(cohort.state):
        return solved
    given = lanes.arguments_of(cohort, solved)
    with device.current():
        program = device.load(content_of(cohort, given), lambda: write(cohort, given))
        room = max(0, int(_SHARE * (device.free_bytes() - program.stack_bytes)))
        tiles = _tiles(program, len(cohort.state), room)
        parts = _parts(cohort, solved, room, tiles * program.tile_bytes, device.name)
        base = device.allocate(min(room, tiles * program.tile_bytes + max(size for _, size in parts)))
        try:
            device.clear(base, tiles * program.tile_bytes)  # as on the host: steps read rows nobody writes
            for part, _ in parts:
                _run_part(device, program, base, tiles, cut(cohort, part), _cut_results(solved, part))
        finally:
            device.release(base)
    return solved


def write(cohort: Cohort, given: tuple[Any, ...]) -> DeviceText:
    """Write the code that cohorts like this one need; see `cuda_kernel.device_text`."""
    return device_text(cohort.model, cohort.method, cohort.precision, given)


@lru_cache(maxsize=1)
def _sources() -> str:
    """Fingerprint of everything that writes a device's code besides the generator, which has a version."""
    modules = (
        advance,
        lanes,
        stepper,
        cuda_loop,
        cuda_math,
        cuda_library,
        cuda_numba,
        cuda_kernel,
        cuda_memory,
        ptx,
    )
    return hashlib.sha256("".join(map(inspect.getsource, modules)).encode()).hexdigest()


def content_of(cohort: Cohort, given: tuple[Any, ...]) -> str:
    """Say all that the code depends on besides versions and the device."""
    kinds = " ".join(str(value.dtype) for value in leaves(given) if isinstance(value, np.ndarray))
    return f"cuda {cohort.model.digest} {cohort.method} {cohort.precision} {kinds} {_sources()}"


def _tiles(program: Program, patients: int, room: int) -> int:
    """How many tiles of threads run: as many as the device holds, with half its memory left for patients."""
    most = min(program.resident, -(-patients // TILE) * TILE) // TILE
    return max(1, min(most, room // 2 // program.tile_bytes))


def _parts(cohort: Cohort, solved: Solved, room: int, taken: int, name: str) -> list[tuple[slice, int]]:
    """Patients in turns that fit into `room` beside what is `taken`, and bytes of each turn."""

    def size(patients: int) -> int:
        part = slice(0, patients)
        given = leaves(lanes.arguments_of(cut(cohort, part), _cut_results(solved, part)))
        arrays = [value for value in given if isinstance(value, np.ndarray)]
        return sum(array.nbytes for array in arrays) + (len(arrays) + 2) * _LINE

    plan = cohort.schedule
    entry = sum(getattr(plan, column).itemsize for column in _COLUMNS)
    fixed = size(0) + _TABLE
    each = size(1) - size(0) - entry * int(plan.first[1])
    ends = each * np.arange(len(plan.first)) + entry * plan.first
    parts: list[tuple[slice, int]] = []
    start = 0
    while start < len(cohort.state):
        stop = int(np.searchsorted(ends, ends[start] + room - taken - fixed, side="right")) - 1
        if stop <= start:
            wanted = taken + fixed + int(ends[start + 1] - ends[start])
            raise DeviceMemoryError(device=name, wanted=wanted, free=room)
        stop = min(stop, len(cohort.state))
        parts.append((slice(start, stop), fixed + int(ends[stop] - ends[start])))
        start = stop
    return parts


def cut(cohort: Cohort, part: slice) -> Cohort:
    """Take some neighbors out of a cohort.

    Parameters
    ----------
    cohort : Cohort
        All patients.
    part : slice
        Which rows.

    Returns
    -------
    Cohort
        Those patients, with their own entries of the schedule.
    """
    plan = cohort.schedule
    first = plan.first[part.start : part.stop + 1]
    entries = slice(int(first[0]), int(first[-1]))
    columns = {name: getattr(plan, name)[entries] for name in _COLUMNS}
    rows = ("parameters", "state", "begin", "end", "fresh", "step")
    reset = cohort.reset_state[part] if len(cohort.reset_state) else cohort.reset_state
    return replace(
        cohort,
        **{name: getattr(cohort, name)[part] for name in rows},
        reset_state=reset,
        schedule=Schedule(first=first - first[0], **columns),
    )


def _cut_results(solved: Solved, part: slice) -> Solved:
    return Solved(**{field.name: getattr(solved, field.name)[part] for field in fields(Solved)})


def _run_part(
    device: Threads, program: Program, base: int, tiles: int, cohort: Cohort, solved: Solved
) -> None:
    """Copy patients to the device, let all threads work through them, and copy results into `solved`."""
    given = lanes.arguments_of(cohort, solved)
    room = _Room(base + tiles * program.tile_bytes)
    where: dict[int, int] = {}

    def place(array: np.ndarray) -> int:
        assert array.flags.c_contiguous, "the loop is compiled for arrays without gaps"
        where[id(array)] = room.take(array.nbytes)
        device.upload(where[id(array)], array)
        return where[id(array)]

    counter = place(np.zeros(1, np.int64))
    cells = fill_table([base, counter, *leaves(given)], place)
    device.launch(program, place(np.frombuffer(cells, np.uint8)), tiles * TILE)
    for array in given[-1]:
        device.download(array, where[id(array)])


class _Room:
    """Addresses one after the other, each at a multiple of `_LINE`."""

    def __init__(self, start: int) -> None:
        self._end = start

    def take(self, size: int) -> int:
        at = -(-self._end // _LINE) * _LINE
        self._end = at + size
        return at
