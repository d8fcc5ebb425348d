"""The fast back end's loop: time, error and length of step per lane; a lane that finishes takes the next patient.

Compiled once by Numba and kept on disk. The model enters as addresses of its kernel, so nothing is ever
recompiled for a new model, and nothing a lane does depends on its neighbors: the same patient gets the same digits
in any company, in any order, on any number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from twoarm.engine.cohort import ADD_TO_STATE, SET_RATE, Cohort, Solved
from twoarm.engine.compiled import vector_kernel
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


@njit(cache=True, nogil=True, error_model="numpy")
def _aligned(rows, lanes):  # type: ignore[no-untyped-def]
    """Zeros (rows, lanes) at an address that whole vectors may be read from."""
    room = np.zeros(rows * lanes + 8)
    skip = ((64 - room.ctypes.data % 64) % 64) // 8
    return room[skip : skip + rows * lanes].reshape((rows, lanes))


@njit(cache=True, nogil=True, error_model="numpy")
def _change(lane, t, y, u, floor, share, patient, entry, schedule, reset_state):  # type: ignore[no-untyped-def]
    """Apply what happens at or before `t`; return the next entry and whether anything happened."""
    first, time, kind, state, value = schedule
    begun = entry
    while entry < first[patient + 1] and time[entry] <= t:
        i = state[entry]
        if kind[entry] == ADD_TO_STATE:
            y[i, lane] += value[entry]
        elif kind[entry] == SET_RATE:
            u[i, lane] = value[entry]
        else:
            for j in range(y.shape[0]):
                y[j, lane] = reset_state[patient, j]
        entry += 1
    if entry > begun:
        for j in range(y.shape[0]):
            floor[j, lane] = max(floor[j, lane], share * abs(y[j, lane]))
    return entry, entry > begun


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(lane, theta, y, new, k, dense, into):  # type: ignore[no-untyped-def]
    """State at the fraction `theta` of the step just made."""
    n, stages = y.shape[0], dense.shape[1]
    weight = np.zeros(stages)
    for row in range(dense.shape[0] - 1, -1, -1):
        for j in range(stages):
            weight[j] = dense[row, j] + theta * weight[j]
    rest = 1.0 - theta
    for i in range(n):
        total = 0.0
        for j in range(stages):
            total += weight[j] * k[j * n + i, lane]
        into[i] = rest * y[i, lane] + theta * (new[i, lane] + rest * total)


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
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


@njit(cache=True, nogil=True, error_model="numpy")
def _run(addresses, sizes, order, dense, counter, people, schedule, visits, tolerance, max_steps, out):  # type: ignore[no-untyped-def]
    """Integrate patients until the counter has passed the last; several threads may share one counter."""
    constants_at, rates_at, step_at, accept_at = addresses
    lanes, n, unknowns, stored, factors = sizes
    parameters, states, reset_state, begin, end, fresh, step_hint = people
    rtol, lowest, share = tolerance
    recorded, out_state, out_day, out_status, out_steps, out_step, out_worst = out
    stages, patients = dense.shape[1], states.shape[0]
    first, times = schedule[0], schedule[1]

    p, q = _aligned(max(parameters.shape[1], 1), lanes), _aligned(max(stored, 1), lanes)
    y, new, u, floor = _aligned(n, lanes), _aligned(n, lanes), _aligned(n, lanes), _aligned(n, lanes)
    k, w = _aligned(stages * n, lanes), _aligned(factors, lanes)
    g, s, scalars = _aligned(unknowns, lanes), _aligned(n, lanes), _aligned(2, lanes)
    t, h, err, mask = _aligned(1, lanes), _aligned(1, lanes), _aligned(1, lanes), _aligned(1, lanes)
    floor[:] = 1.0
    h[:] = 1e-3
    error = k[(stages - 1) * n :]

    patient = np.full(lanes, -1)
    entry, visit, steps = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    natural, restart = np.zeros(lanes), np.zeros(lanes)  # length of step wanted, now and after a change
    starting, untried = np.zeros(lanes, np.bool_), np.zeros(lanes, np.bool_)
    rejected = np.zeros(lanes, np.bool_)
    code = np.full(lanes, -1)  # how the lane's patient ended; -1 while under way
    exhausted = False

    while True:  # addresses are asked for here, because an array named only before the loop would be freed
        active, loaded = 0, False
        for lane in range(lanes):
            while patient[lane] < 0 and not exhausted:
                one = _take_next(counter)
                if one >= patients:
                    exhausted = True
                    break
                patient[lane], code[lane], steps[lane] = one, -1, 0
                bad = False
                for i in range(parameters.shape[1]):
                    p[i, lane] = parameters[one, i]
                for i in range(n):
                    y[i, lane], u[i, lane] = states[one, i], 0.0
                    floor[i, lane] = max(lowest[i], share * abs(y[i, lane]))
                    bad = bad or not np.isfinite(y[i, lane])
                t[0, lane] = begin[one]
                visit[lane] = np.searchsorted(visits, begin[one], side="right")
                seen = visit[lane] - 1
                if fresh[one] and not bad and seen >= 0 and visits[seen] == begin[one]:
                    recorded[one, seen] = y[:, lane]
                entry[lane], changed = _change(
                    lane, t[0, lane], y, u, floor, share, one, first[one], schedule, reset_state
                )
                restart[lane], rejected[lane], untried[lane] = 0.0, False, False
                natural[lane] = step_hint[one]
                starting[lane] = changed or not natural[lane] > 0.0
                if bad:
                    code[lane] = _BAD_START
                elif begin[one] >= end[one]:
                    code[lane] = _FINISHED
                else:
                    loaded = True
                    break
                _leave(lane, patient, code, t, y, natural, steps, -1, out)
            if patient[lane] >= 0:
                active += 1
        if active == 0:
            break
        if loaded:
            _call_constants(constants_at, p.ctypes.data, q.ctypes.data)
        if starting.any():
            new[:] = u
            _call_rates(rates_at, t.ctypes.data, y.ctypes.data, q.ctypes.data, new.ctypes.data)
            for lane in range(lanes):
                if starting[lane] and patient[lane] >= 0:
                    if not restart[lane] > 0.0:
                        restart[lane] = _first_step(lane, y, new, floor, rtol)
                    natural[lane] = restart[lane] if np.isfinite(restart[lane]) else 1e-300  # fails at once
                    starting[lane], untried[lane] = False, True

        for lane in range(lanes):
            if patient[lane] >= 0:
                one = patient[lane]
                stop = min(times[entry[lane]], end[one]) if entry[lane] < first[one + 1] else end[one]
                left = stop - t[0, lane]
                if 1.01 * natural[lane] >= left:
                    h[0, lane] = left
                elif 2.0 * natural[lane] > left:
                    h[0, lane] = 0.5 * left
                else:
                    h[0, lane] = natural[lane]
        _call_step(
            step_at,
            t.ctypes.data,
            h.ctypes.data,
            y.ctypes.data,
            q.ctypes.data,
            u.ctypes.data,
            floor.ctypes.data,
            k.ctypes.data,
            w.ctypes.data,
            g.ctypes.data,
            s.ctypes.data,
            new.ctypes.data,
            scalars.ctypes.data,
            err.ctypes.data,
            rtol,
        )

        for lane in range(lanes):
            mask[0, lane] = 0.0
            one = patient[lane]
            if one < 0:
                continue
            steps[lane] += 1
            length, size = h[0, lane], err[0, lane]
            if size <= 1.0:
                mask[0, lane] = 1.0
                grow = min(_GROW, _SAFETY * max(size, 1e-10) ** (-1.0 / order))
                if rejected[lane]:
                    grow = min(grow, 1.0)
                if untried[lane]:
                    restart[lane] = length
                kept = natural[lane] if natural[lane] > length and not rejected[lane] else 0.0
                natural[lane] = max(kept, length * max(grow, _SHRINK))
                untried[lane], rejected[lane] = False, False
                stop = min(times[entry[lane]], end[one]) if entry[lane] < first[one + 1] else end[one]
                there = t[0, lane] + length
                if length == stop - t[0, lane]:
                    there = stop
                while visit[lane] < visits.shape[0] and visits[visit[lane]] <= there:
                    at = visits[visit[lane]]
                    if at == there:
                        recorded[one, visit[lane]] = new[:, lane]
                    else:
                        theta = (at - t[0, lane]) / length
                        _interpolate(lane, theta, y, new, k, dense, recorded[one, visit[lane]])
                    visit[lane] += 1
                t[0, lane] = there
                if there >= end[one]:
                    code[lane] = _FINISHED
            else:
                finite = size < 1e100
                shrink = max(_SHRINK, _SAFETY * size ** (-1.0 / order)) if finite else 0.1
                natural[lane] = length * shrink
                rejected[lane] = True
                if natural[lane] <= 1e-15 * max(abs(t[0, lane]), 1.0):
                    code[lane] = _TOO_SMALL if finite else (_BAD_START if steps[lane] == 1 else _NOT_FINITE)
            if code[lane] < 0 and steps[lane] >= max_steps:
                code[lane] = _TOO_MANY
        worst = -1
        for lane in range(lanes):  # before the new state is taken, which would hide what went wrong
            if patient[lane] >= 0 and code[lane] > 0 and mask[0, lane] == 0.0:
                worst = _worst(lane, error, y, new, floor, rtol)
                out_worst[patient[lane]] = worst
        _call_accept(accept_at, mask.ctypes.data, y.ctypes.data, new.ctypes.data, floor.ctypes.data, share)
        for lane in range(lanes):
            one = patient[lane]
            if one < 0:
                continue
            if code[lane] >= 0:
                _leave(lane, patient, code, t, y, natural, steps, out_worst[one], out)
            elif mask[0, lane] == 1.0 and entry[lane] < first[one + 1] and times[entry[lane]] <= t[0, lane]:
                entry[lane], changed = _change(
                    lane, t[0, lane], y, u, floor, share, one, entry[lane], schedule, reset_state
                )
                starting[lane] = True


@njit(cache=True, nogil=True, error_model="numpy")
def _leave(lane, patient, code, t, y, natural, steps, worst, out):  # type: ignore[no-untyped-def]
    """Write down how a patient ended and free the lane."""
    _, out_state, out_day, out_status, out_steps, out_step, out_worst = out
    one = patient[lane]
    out_state[one] = y[:, lane]
    out_day[one], out_status[one] = t[0, lane], code[lane]
    out_steps[one], out_step[one], out_worst[one] = steps[lane], natural[lane], worst
    patient[lane] = -1


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
    method = find_method(cohort.method)
    counter = np.zeros(1, dtype=np.int64)
    at = kernel.addresses
    arguments = (
        (at["constants"], at["rates"], at["step"], at["accept"]),
        (kernel.lanes, kernel.states, kernel.unknowns, kernel.stored, kernel.factors),
        method.order,
        method.dense,
        counter.ctypes.data,
        (
            cohort.parameters,
            cohort.state,
            cohort.reset_state,
            cohort.begin,
            cohort.end,
            cohort.fresh,
            cohort.step,
        ),
        _schedule(cohort),
        cohort.visits,
        (cohort.tolerance.relative, cohort.tolerance.floor, cohort.tolerance.share),
        cohort.max_steps,
        (solved.recorded, solved.state, solved.day, solved.status, solved.steps, solved.step, solved.worst),
    )
    workers = min(cohort.workers, -(-len(cohort.state) // kernel.lanes))
    if workers <= 1:
        _run(*arguments)
    else:
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(_run, *arguments) for _ in range(workers)]:
                done.result()
    return solved


def _schedule(cohort: Cohort) -> tuple[np.ndarray, ...]:
    plan = cohort.schedule
    return plan.first, plan.time, plan.kind, plan.state, plan.value
