"""The fast back end's loop: time, error and step per lane; a lane that finishes takes the next patient.

Compiled once by Numba and kept on disk. The same patient gets the same digits in any company, in any order,
on any number of threads.
"""

from __future__ import annotations

import inspect
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from twoarm.engine import advance
from twoarm.engine.advance import accept_steps, aim_lengths, change, fill, judge, leave, try_step
from twoarm.engine.cohort import Cohort, Solved
from twoarm.engine.compiled import vector_kernel
from twoarm.engine.lanes import allocate, arguments_of
from twoarm.engine.methods import method as find_method

PRECISIONS = ("double", "single")


def _loop(source: int) -> Any:
    """Make the loop. Numba keeps it on disk by its own text and by `source`, which stands for `advance`'s."""

    @njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
    def run(addresses, counter, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
        """Integrate patients until the counter has passed the last; several threads may share one counter.

        Returns how many steps all lanes together had room for.
        """
        constants_at, rates_at, step_at, accept_at = addresses
        every, room = range(lanes.patient.shape[0]), 0 * source
        while fill(constants_at, counter, v, lanes, people, plan, visits, aim, out) > 0:
            aim_lengths(v, lanes, plan, people, aim, rates_at)
            try_step(step_at, v, aim)
            room += len(every)
            for lane in every:
                v.mask[0, lane] = 0.0
                if lanes.patient[lane] >= 0:
                    judge(lane, v, lanes, people, plan, visits, aim, out)
            accept_steps(accept_at, v, aim)
            for lane in every:
                if lanes.patient[lane] >= 0:
                    if lanes.code[lane] >= 0:
                        leave(lane, v, lanes, out)
                    elif v.mask[0, lane] == 1.0:
                        lanes.starting[lane] = change(lane, v, lanes, plan, aim, people.reset_state)
        return room

    return run


run = _loop(zlib.crc32(inspect.getsource(advance).encode()))


def integrate(cohort: Cohort) -> Solved:
    """Integrate every patient of a cohort, several at a time.

    Parameters
    ----------
    cohort : Cohort
        The patients.

    Returns
    -------
    Solved
        Their courses.

    References
    ----------
    steinebach2023.
    """
    return integrate_and_count(cohort)[0]


def integrate_and_count(cohort: Cohort, lanes: int | None = None) -> tuple[Solved, int]:
    """`integrate` with any number of lanes, and how many steps these had room for: idle lanes take none."""
    kernel = vector_kernel(cohort.model, cohort.method, cohort.precision, lanes)
    solved = Solved.empty(cohort)
    counter = np.zeros(1, dtype=np.int64)
    at, stages = kernel.addresses, find_method(cohort.method).stages
    arguments = arguments_of(cohort, solved)
    addresses = (at["constants"], at["rates"], at["step"], at["accept"])

    def work() -> int:
        v, lanes = allocate(kernel, stages)
        return int(run(addresses, counter.ctypes.data, v, lanes, *arguments))

    workers = min(cohort.workers, -(-len(cohort.state) // kernel.vector.lanes))
    if workers <= 1:
        room = work()
    else:
        with ThreadPoolExecutor(workers) as pool:
            room = sum(done.result() for done in [pool.submit(work) for _ in range(workers)])
    return solved, room
