"""What the fast back end has in memory: who is in each lane and how far, and what a kernel reads and writes.

Plain arrays in named tuples, as Numba takes them; all loops (`stepper`, `crossings`, a device) share them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from twoarm.engine.cohort import Cohort, Solved
from twoarm.engine.compiled import VectorKernel
from twoarm.engine.methods import method as find_method
from twoarm.engine.vector import Vector


def aligned(rows: int, vector: Vector) -> np.ndarray:
    """Zeros (rows, lanes) at an address that whole vectors may be read from."""
    size = rows * vector.bytes
    room = np.zeros(size + vector.bytes, dtype=np.uint8)
    skip = -room.ctypes.data % vector.bytes
    return room[skip : skip + size].view(vector.dtype).reshape((rows, vector.lanes))


class People(NamedTuple):
    """Fields of `Cohort`, as Numba takes them."""

    parameters: Any
    state: Any
    reset_state: Any
    begin: Any
    end: Any
    fresh: Any
    step: Any


class Plan(NamedTuple):
    """Fields of `Schedule`."""

    first: Any
    time: Any
    kind: Any
    state: Any
    value: Any


class Aim(NamedTuple):
    """Tolerances, the order that goes with the error, and the interpolant."""

    rtol: Any
    lowest: Any
    share: Any
    order: Any
    dense: Any
    max_steps: Any


class Out(NamedTuple):
    """Fields of `Solved`."""

    recorded: Any
    state: Any
    day: Any
    status: Any
    steps: Any
    step: Any
    worst: Any


class Vectors(NamedTuple):
    """What the kernel reads and writes, (row, lane)."""

    q: Any  # what depends on parameters alone
    y: Any  # state
    u: Any  # infusion rates
    floor: Any  # least tolerance
    k: Any  # stages
    w: Any  # factors
    g: Any  # derivative by time
    s: Any  # state of a stage; of the last one, which the step ends with, plus that stage
    scalars: Any
    t: Any  # time, as the kernel reads it
    h: Any  # length of step, as the kernel reads it
    err: Any
    mask: Any  # 1 where the step is accepted
    weight: Any  # of each stage in the dense output


class Lanes(NamedTuple):
    """Who is in each lane and how far."""

    patient: Any  # -1: nobody
    day: Any  # time
    length: Any  # of the step under way
    entry: Any  # next of the schedule
    visit: Any  # next to record
    steps: Any
    code: Any  # how it ended; -1 while under way
    natural: Any  # length of step wanted
    restart: Any  # length that worked after the last sudden change
    starting: Any  # something changed suddenly, length of step to be found
    untried: Any  # that length has not been accepted yet
    rejected: Any  # the last step was


def allocate(kernel: VectorKernel, stages: int) -> tuple[Vectors, Lanes]:
    """Arrays of one thread, with nobody in its lanes."""
    vector, n = kernel.vector, kernel.states
    v = Vectors(
        q=aligned(max(kernel.stored, 1), vector),
        y=aligned(n, vector),
        u=aligned(n, vector),
        floor=aligned(n, vector),
        k=aligned(stages * n, vector),
        w=aligned(kernel.factors, vector),
        g=aligned(kernel.unknowns, vector),
        s=aligned(n, vector),
        scalars=aligned(2, vector),
        t=aligned(1, vector),
        h=aligned(1, vector),
        err=aligned(1, vector),
        mask=aligned(1, vector),
        weight=aligned(stages, vector),
    )
    v.floor[:] = 1.0
    lanes = vector.lanes
    nobody = Lanes(
        patient=np.full(lanes, -1),
        day=np.zeros(lanes),
        length=np.full(lanes, 1e-3),
        entry=np.zeros(lanes, np.int64),
        visit=np.zeros(lanes, np.int64),
        steps=np.zeros(lanes, np.int64),
        code=np.full(lanes, -1),
        natural=np.zeros(lanes),
        restart=np.zeros(lanes),
        starting=np.zeros(lanes, np.bool_),
        untried=np.zeros(lanes, np.bool_),
        rejected=np.zeros(lanes, np.bool_),
    )
    return v, nobody


def arguments_of(cohort: Cohort, solved: Solved) -> tuple[Any, ...]:
    """Gather what the loop is given besides its own arrays: people, schedule, visits, aim, results."""
    method, plan, tolerance = find_method(cohort.method), cohort.schedule, cohort.tolerance
    return (
        People(
            np.ascontiguousarray(cohort.parameters),
            np.ascontiguousarray(cohort.state),
            np.ascontiguousarray(cohort.reset_state),
            cohort.begin,
            cohort.end,
            cohort.fresh,
            cohort.step,
        ),
        Plan(plan.first, plan.time, plan.kind, plan.state, plan.value),
        cohort.visits,
        Aim(
            tolerance.relative,
            tolerance.floor,
            tolerance.share,
            method.order,
            method.dense,
            cohort.max_steps,
        ),
        Out(
            solved.recorded,
            solved.state,
            solved.day,
            solved.status,
            solved.steps,
            solved.step,
            solved.worst,
        ),
    )
