"""The fast back end's loop: time, error and step per lane; a lane that finishes takes the next patient.

Compiled once by Numba and kept on disk. The model enters as addresses of its kernel, so nothing is ever
recompiled for a new model, and nothing a lane does depends on its neighbors: the same patient gets the same
digits in any company, in any order, on any number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from twoarm.engine.cohort import ADD_TO_STATE, SET_RATE, Cohort, Solved
from twoarm.engine.compiled import VectorKernel, vector_kernel
from twoarm.engine.methods import method as find_method
from twoarm.engine.status import Status

_FINISHED, _TOO_SMALL, _TOO_MANY = (
    int(Status.FINISHED),
    int(Status.STEP_TOO_SMALL),
    int(Status.TOO_MANY_STEPS),
)
_NOT_FINITE, _BAD_START = int(Status.NOT_FINITE), int(Status.BAD_START)

#: Step control: safety, and least and greatest change of length from one step to the next.
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 6.0
_UNKNOWN_STEP = 1e-4  # tried where nothing moves yet [day]
_FIRST = 1e-2  # share of |y| / |dy/dt|, both over tolerance, tried after a sudden change

#: Only `_run` is called from Python; wrappers for the rest would be a third of what Numba has to compile.
_UNWRAPPED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_compiled = njit(error_model="numpy", **_UNWRAPPED)


@intrinsic
def _call_constants(_context, address, p, q):  # type: ignore[no-untyped-def]
    return types.void(types.intp, types.intp, types.intp), _generate(2, 0)


@intrinsic
def _call_rates(_context, address, t, y, q, f):  # type: ignore[no-untyped-def]
    return types.void(*[types.intp] * 5), _generate(4, 0)


@intrinsic
def _call_step(_context, address, t, h, y, q, u, floor, k, w, g, s, new, scalars, err, rtol):  # type: ignore[no-untyped-def]
    return types.void(*[types.intp] * 14, types.float64), _generate(13, 1)


@intrinsic
def _call_accept(_context, address, mask, y, new, floor, share):  # type: ignore[no-untyped-def]
    return types.void(*[types.intp] * 5, types.float64), _generate(4, 1)


def _generate(pointers: int, doubles: int) -> Any:
    """Code of a call through an address."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer] * pointers + [ir.DoubleType()] * doubles)
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        given = [builder.inttoptr(a, pointer) for a in arguments[1 : 1 + pointers]]
        builder.call(function, [*given, *arguments[1 + pointers :]])
        return context.get_dummy_value()

    return generate


@intrinsic
def _take_next(_context, address):  # type: ignore[no-untyped-def]
    """Add one to the integer at an address, all threads agreeing, and return what it was."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, ir.Constant(ir.IntType(64), 1), "seq_cst")

    return types.int64(types.intp), generate


def _aligned(rows: int, lanes: int) -> np.ndarray:
    """Zeros (rows, lanes) at an address that whole vectors may be read from."""
    room = np.zeros(rows * lanes + 8)
    skip = ((64 - room.ctypes.data % 64) % 64) // 8
    return room[skip : skip + rows * lanes].reshape((rows, lanes))


@_compiled
def _keep(column, lane, row):  # type: ignore[no-untyped-def]
    """Copy one lane out. Loops, here and below, because slices take Numba seconds to compile."""
    for i in range(row.shape[0]):
        row[i] = column[i, lane]


class _People(NamedTuple):
    """Fields of `Cohort`, as Numba takes them."""

    parameters: Any
    state: Any
    reset_state: Any
    begin: Any
    end: Any
    fresh: Any
    step: Any


class _Plan(NamedTuple):
    """Fields of `Schedule`."""

    first: Any
    time: Any
    kind: Any
    state: Any
    value: Any


class _Aim(NamedTuple):
    """Tolerances, the order that goes with the error, and the interpolant."""

    rtol: Any
    lowest: Any
    share: Any
    order: Any
    dense: Any
    max_steps: Any


class _Out(NamedTuple):
    """Fields of `Solved`."""

    recorded: Any
    state: Any
    day: Any
    status: Any
    steps: Any
    step: Any
    worst: Any


class _Vectors(NamedTuple):
    """What the kernel reads and writes, (row, lane)."""

    p: Any  # parameters
    q: Any  # what depends on them alone
    y: Any  # state
    new: Any  # state after the step
    u: Any  # infusion rates
    floor: Any  # least tolerance
    k: Any  # stages
    w: Any  # factors
    g: Any  # derivative by time
    s: Any  # state of a stage
    scalars: Any
    t: Any  # time
    h: Any  # length of step
    err: Any
    mask: Any  # 1 where the step is accepted
    weight: Any  # of each stage in the dense output


class _Lanes(NamedTuple):
    """Who is in each lane and how far."""

    patient: Any  # -1: nobody
    entry: Any  # next of the schedule
    visit: Any  # next to record
    steps: Any
    code: Any  # how it ended; -1 while under way
    natural: Any  # length of step wanted
    restart: Any  # length that worked after the last sudden change
    starting: Any  # something changed suddenly, length of step to be found
    untried: Any  # that length has not been accepted yet
    rejected: Any  # the last step was


@_compiled
def _change(lane, v, one, entry, plan, aim, reset_state):  # type: ignore[no-untyped-def]
    """Apply what happens by now; return the next entry."""
    begun = entry
    while entry < plan.first[one + 1] and plan.time[entry] <= v.t[0, lane]:
        i = plan.state[entry]
        if plan.kind[entry] == ADD_TO_STATE:
            v.y[i, lane] += plan.value[entry]
        elif plan.kind[entry] == SET_RATE:
            v.u[i, lane] = plan.value[entry]
        else:
            for j in range(v.y.shape[0]):
                v.y[j, lane] = reset_state[one, j]
        entry += 1
    if entry > begun:
        for j in range(v.y.shape[0]):
            v.floor[j, lane] = max(v.floor[j, lane], aim.share * abs(v.y[j, lane]))
    return entry


@_compiled
def _leave(lane, v, lanes, out):  # type: ignore[no-untyped-def]
    """Write down how a patient ended and free the lane."""
    one = lanes.patient[lane]
    _keep(v.y, lane, out.state[one])
    out.day[one], out.status[one] = v.t[0, lane], lanes.code[lane]
    out.steps[one], out.step[one] = lanes.steps[lane], lanes.natural[lane]
    lanes.patient[lane], lanes.starting[lane] = -1, False


@_compiled
def _load(lane, one, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Put a patient into a lane. A patient with nothing to integrate leaves at once: returns False."""
    lanes.patient[lane], lanes.code[lane], lanes.steps[lane] = one, -1, 0
    for i in range(people.parameters.shape[1]):
        v.p[i, lane] = people.parameters[one, i]
    bad = False
    for i in range(people.state.shape[1]):
        v.y[i, lane], v.u[i, lane] = people.state[one, i], 0.0
        v.floor[i, lane] = max(aim.lowest[i], aim.share * abs(v.y[i, lane]))
        bad = bad or not np.isfinite(v.y[i, lane])
    begin = people.begin[one]
    v.t[0, lane] = begin
    lanes.visit[lane] = 0
    while lanes.visit[lane] < visits.shape[0] and visits[lanes.visit[lane]] <= begin:
        lanes.visit[lane] += 1
    seen = lanes.visit[lane] - 1
    if people.fresh[one] and not bad and seen >= 0 and visits[seen] == begin:
        _keep(v.y, lane, out.recorded[one, seen])
    first = plan.first[one]
    lanes.entry[lane] = _change(lane, v, one, first, plan, aim, people.reset_state)
    lanes.restart[lane], lanes.natural[lane] = 0.0, people.step[one]
    lanes.rejected[lane], lanes.untried[lane] = False, False
    lanes.starting[lane] = lanes.entry[lane] > first or not lanes.natural[lane] > 0.0
    if bad:
        lanes.code[lane] = _BAD_START
    elif begin >= people.end[one]:
        lanes.code[lane] = _FINISHED
    if lanes.code[lane] >= 0:
        _leave(lane, v, lanes, out)
        return False
    return True


@_compiled
def _stop(lane, lanes, plan, end):  # type: ignore[no-untyped-def]
    """Day that the next step must not pass."""
    one, entry = lanes.patient[lane], lanes.entry[lane]
    return min(plan.time[entry], end[one]) if entry < plan.first[one + 1] else end[one]


@_compiled
def _length(natural, left):  # type: ignore[no-untyped-def]
    """Length of the next step: the one wanted, but no crumb is left before the stop."""
    if 1.01 * natural >= left:
        return left
    return 0.5 * left if 2.0 * natural > left else natural


@_compiled
def _interpolate(lane, theta, v, dense, into):  # type: ignore[no-untyped-def]
    """State at the fraction `theta` of the step just made. Allocates nothing: it runs on devices too."""
    n, stages = v.y.shape[0], dense.shape[1]
    for j in range(stages):
        v.weight[j, lane] = 0.0
        for row in range(dense.shape[0] - 1, -1, -1):
            v.weight[j, lane] = dense[row, j] + theta * v.weight[j, lane]
    rest = 1.0 - theta
    for i in range(n):
        total = 0.0
        for j in range(stages):
            total += v.weight[j, lane] * v.k[j * n + i, lane]
        into[i] = rest * v.y[i, lane] + theta * (v.new[i, lane] + rest * total)


@_compiled
def _worst(lane, error, y, new, floor, rtol):  # type: ignore[no-untyped-def]
    """State with the largest error over tolerance; the first that is not finite, if any."""
    worst, most = -1, -1.0
    for i in range(y.shape[0]):
        size = abs(error[i, lane]) / (floor[i, lane] + rtol * max(abs(y[i, lane]), abs(new[i, lane])))
        if not np.isfinite(size):
            return i
        if size > most:
            worst, most = i, size
    return worst


@_compiled
def _first_step(lane, y, f, floor, rtol):  # type: ignore[no-untyped-def]
    """Length of step to try from a state nothing is known about; NaN if a rate is not finite."""
    size, slope = 0.0, 0.0
    for i in range(y.shape[0]):
        if not np.isfinite(f[i, lane]):
            return np.nan
        if abs(y[i, lane]) > floor[i, lane]:
            scale = floor[i, lane] + rtol * abs(y[i, lane])
            size += (y[i, lane] / scale) ** 2
            slope += (f[i, lane] / scale) ** 2
    if slope == 0.0 or size == 0.0:
        return _UNKNOWN_STEP
    return _FIRST * np.sqrt(size / slope)


@_compiled
def _move(lane, length, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Move the clock of an accepted step and record the visits in between."""
    one, stop = lanes.patient[lane], _stop(lane, lanes, plan, people.end)
    there = stop if length == stop - v.t[0, lane] else v.t[0, lane] + length
    visit = lanes.visit[lane]
    while visit < visits.shape[0] and visits[visit] <= there:
        if visits[visit] == there:
            _keep(v.new, lane, out.recorded[one, visit])
        else:
            theta = (visits[visit] - v.t[0, lane]) / length
            _interpolate(lane, theta, v, aim.dense, out.recorded[one, visit])
        visit += 1
    lanes.visit[lane] = visit
    v.t[0, lane] = there
    if there >= people.end[one]:
        lanes.code[lane] = _FINISHED


@_compiled
def _judge(lane, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Accept or reject the step just tried, choose the next length, record the visits it passed."""
    length, size = v.h[0, lane], v.err[0, lane]
    v.mask[0, lane] = 1.0 if size <= 1.0 else 0.0
    lanes.steps[lane] += 1
    if size <= 1.0:
        grow = min(_GROW, _SAFETY * max(size, 1e-10) ** (-1.0 / aim.order))
        if lanes.rejected[lane]:
            grow = min(grow, 1.0)
        cut_short = lanes.natural[lane] > length and not lanes.rejected[lane]
        if lanes.untried[lane] and not cut_short:
            lanes.restart[lane] = length
        kept = lanes.natural[lane] if cut_short else 0.0
        lanes.natural[lane] = max(kept, length * max(grow, _SHRINK))
        lanes.untried[lane], lanes.rejected[lane] = False, False
        _move(lane, length, v, lanes, people, plan, visits, aim, out)
    else:
        finite = size < 1e100
        shrink = max(_SHRINK, _SAFETY * size ** (-1.0 / aim.order)) if finite else 0.1
        lanes.natural[lane] = length * shrink
        lanes.rejected[lane] = True
        if lanes.natural[lane] <= 1e-15 * max(abs(v.t[0, lane]), 1.0):
            at_once = _BAD_START if lanes.steps[lane] == 1 else _NOT_FINITE
            lanes.code[lane] = _TOO_SMALL if finite else at_once
    if lanes.code[lane] < 0 and lanes.steps[lane] >= aim.max_steps:
        lanes.code[lane] = _TOO_MANY
    if lanes.code[lane] > 0 and v.mask[0, lane] == 0.0:
        error = v.k[v.k.shape[0] - v.y.shape[0] :]
        out.worst[lanes.patient[lane]] = _worst(lane, error, v.y, v.new, v.floor, aim.rtol)


@_compiled
def _find_lengths(v, lanes, aim, rates_at):  # type: ignore[no-untyped-def]
    """Length of step after a sudden change: the one that worked after the last, or from the rates."""
    for i in range(v.u.shape[0]):
        for lane in range(v.u.shape[1]):
            v.new[i, lane] = v.u[i, lane]
    _call_rates(rates_at, v.t.ctypes.data, v.y.ctypes.data, v.q.ctypes.data, v.new.ctypes.data)
    for lane in range(v.y.shape[1]):
        if lanes.starting[lane]:
            if not lanes.restart[lane] > 0.0:
                lanes.restart[lane] = _first_step(lane, v.y, v.new, v.floor, aim.rtol)
            known = np.isfinite(lanes.restart[lane])
            lanes.natural[lane] = lanes.restart[lane] if known else 1e-300  # a step that fails at once
            lanes.starting[lane], lanes.untried[lane] = False, True


def _allocate(kernel: VectorKernel, stages: int, parameters: int) -> tuple[_Vectors, _Lanes]:
    """Arrays of one thread, with nobody in its lanes."""
    lanes, n = kernel.lanes, kernel.states
    v = _Vectors(
        _aligned(max(parameters, 1), lanes),
        _aligned(max(kernel.stored, 1), lanes),
        _aligned(n, lanes),
        _aligned(n, lanes),
        _aligned(n, lanes),
        _aligned(n, lanes),
        _aligned(stages * n, lanes),
        _aligned(kernel.factors, lanes),
        _aligned(kernel.unknowns, lanes),
        _aligned(n, lanes),
        _aligned(2, lanes),
        _aligned(1, lanes),
        _aligned(1, lanes),
        _aligned(1, lanes),
        _aligned(1, lanes),
        _aligned(stages, lanes),
    )
    v.floor[:] = 1.0
    v.h[:] = 1e-3
    nobody = _Lanes(
        np.full(lanes, -1),
        np.zeros(lanes, np.int64),
        np.zeros(lanes, np.int64),
        np.zeros(lanes, np.int64),
        np.full(lanes, -1),
        np.zeros(lanes),
        np.zeros(lanes),
        np.zeros(lanes, np.bool_),
        np.zeros(lanes, np.bool_),
        np.zeros(lanes, np.bool_),
    )
    return v, nobody


@_compiled
def _fill(counter, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Put the next patients into empty lanes; return how many lanes work and how many are new."""
    active, loaded = 0, 0
    for lane in range(lanes.patient.shape[0]):
        while lanes.patient[lane] < 0:
            one = _take_next(counter)
            if one >= people.state.shape[0]:
                break
            if _load(lane, one, v, lanes, people, plan, visits, aim, out):
                loaded += 1
        if lanes.patient[lane] >= 0:
            active += 1
    return active, loaded


@njit(cache=True, nogil=True, error_model="numpy")
def _run(addresses, counter, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Integrate patients until the counter has passed the last; several threads may share one counter."""
    constants_at, rates_at, step_at, accept_at = addresses
    every = range(lanes.patient.shape[0])
    while True:
        active, loaded = _fill(counter, v, lanes, people, plan, visits, aim, out)
        if active == 0:
            break
        if loaded > 0:
            _call_constants(constants_at, v.p.ctypes.data, v.q.ctypes.data)
        starting = False
        for lane in every:
            starting = starting or lanes.starting[lane]
        if starting:
            _find_lengths(v, lanes, aim, rates_at)
        for lane in every:
            if lanes.patient[lane] >= 0:
                left = _stop(lane, lanes, plan, people.end) - v.t[0, lane]
                v.h[0, lane] = _length(lanes.natural[lane], left)
        _call_step(
            step_at,
            v.t.ctypes.data,
            v.h.ctypes.data,
            v.y.ctypes.data,
            v.q.ctypes.data,
            v.u.ctypes.data,
            v.floor.ctypes.data,
            v.k.ctypes.data,
            v.w.ctypes.data,
            v.g.ctypes.data,
            v.s.ctypes.data,
            v.new.ctypes.data,
            v.scalars.ctypes.data,
            v.err.ctypes.data,
            aim.rtol,
        )
        for lane in every:
            v.mask[0, lane] = 0.0
            if lanes.patient[lane] >= 0:
                _judge(lane, v, lanes, people, plan, visits, aim, out)
        _call_accept(
            accept_at,
            v.mask.ctypes.data,
            v.y.ctypes.data,
            v.new.ctypes.data,
            v.floor.ctypes.data,
            aim.share,
        )
        for lane in every:
            if lanes.patient[lane] >= 0:
                if lanes.code[lane] >= 0:
                    _leave(lane, v, lanes, out)
                elif v.mask[0, lane] == 1.0:
                    one, entry = lanes.patient[lane], lanes.entry[lane]
                    lanes.entry[lane] = _change(lane, v, one, entry, plan, aim, people.reset_state)
                    lanes.starting[lane] = lanes.entry[lane] > entry


def arguments_of(cohort: Cohort, solved: Solved) -> tuple[Any, ...]:
    """Gather what the loop is given besides its own arrays: people, schedule, visits, aim, results."""
    method, plan, tolerance = find_method(cohort.method), cohort.schedule, cohort.tolerance
    return (
        _People(
            np.ascontiguousarray(cohort.parameters),
            np.ascontiguousarray(cohort.state),
            np.ascontiguousarray(cohort.reset_state),
            cohort.begin,
            cohort.end,
            cohort.fresh,
            cohort.step,
        ),
        _Plan(plan.first, plan.time, plan.kind, plan.state, plan.value),
        cohort.visits,
        _Aim(
            tolerance.relative,
            tolerance.floor,
            tolerance.share,
            method.order,
            method.dense,
            cohort.max_steps,
        ),
        _Out(
            solved.recorded,
            solved.state,
            solved.day,
            solved.status,
            solved.steps,
            solved.step,
            solved.worst,
        ),
    )


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
    kernel = vector_kernel(cohort.model, cohort.method)
    solved = Solved.empty(cohort)
    counter = np.zeros(1, dtype=np.int64)
    at, stages = kernel.addresses, find_method(cohort.method).stages
    arguments = arguments_of(cohort, solved)
    addresses = (at["constants"], at["rates"], at["step"], at["accept"])

    def work() -> None:
        v, lanes = _allocate(kernel, stages, cohort.parameters.shape[1])
        _run(addresses, counter.ctypes.data, v, lanes, *arguments)

    workers = min(cohort.workers, -(-len(cohort.state) // kernel.lanes))
    if workers <= 1:
        work()
    else:
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(work) for _ in range(workers)]:
                done.result()
    return solved
