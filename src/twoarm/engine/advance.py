"""What a lane does from step to step: take a patient, aim, step, judge, record, change suddenly, leave.

Compiled by Numba into the loops that call it. The model enters as addresses of its kernel, so nothing is ever
recompiled for a new model, and nothing a lane does depends on its neighbors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from twoarm.engine.cohort import ADD_TO_STATE, SET_RATE
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

#: Only the loops are called from Python; wrappers for the rest would be a third of what Numba has to compile.
_UNWRAPPED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
compiled = njit(error_model="numpy", _nrt=False, **_UNWRAPPED)


@intrinsic
def _call_constants(_context, address, p, q):  # type: ignore[no-untyped-def]
    return types.void(types.intp, types.intp, types.intp), call_through(2, 0)


@intrinsic
def _call_rates(_context, address, t, y, q, f):  # type: ignore[no-untyped-def]
    return types.void(*[types.intp] * 5), call_through(4, 0)


@intrinsic
def _call_step(_context, address, t, h, y, q, u, floor, k, w, g, s, scalars, err, rtol):  # type: ignore[no-untyped-def]
    return types.void(*[types.intp] * 13, types.float64), call_through(12, 1)


@intrinsic
def _call_accept(_context, address, mask, y, s, error, floor, share):  # type: ignore[no-untyped-def]
    return types.void(*[types.intp] * 6, types.float64), call_through(5, 1)


def call_through(pointers: int, doubles: int) -> Any:
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


@compiled
def _keep(column, lane, row):  # type: ignore[no-untyped-def]
    """Copy one lane out. Loops, here and below, because slices take Numba seconds to compile."""
    for i in range(row.shape[0]):
        row[i] = column[i, lane]


@compiled
def change(lane, v, lanes, plan, aim, reset_state):  # type: ignore[no-untyped-def]
    """Apply what happens by now; return whether anything did."""
    one, entry = lanes.patient[lane], lanes.entry[lane]
    begun = entry
    while entry < plan.first[one + 1] and plan.time[entry] <= lanes.day[lane]:
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
    lanes.entry[lane] = entry
    return entry > begun


@compiled
def leave(lane, v, lanes, out):  # type: ignore[no-untyped-def]
    """Write down how a patient ended and free the lane."""
    one = lanes.patient[lane]
    _keep(v.y, lane, out.state[one])
    out.day[one], out.status[one] = lanes.day[lane], lanes.code[lane]
    out.steps[one], out.step[one] = lanes.steps[lane], lanes.natural[lane]
    lanes.patient[lane], lanes.starting[lane] = -1, False


@compiled
def _load(lane, one, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Put a patient into a lane. A patient with nothing to integrate leaves at once: returns False."""
    lanes.patient[lane], lanes.code[lane], lanes.steps[lane] = one, -1, 0
    bad = False
    for i in range(people.state.shape[1]):
        v.y[i, lane], v.u[i, lane] = people.state[one, i], 0.0
        v.floor[i, lane] = max(aim.lowest[i], aim.share * abs(v.y[i, lane]))
        bad = bad or not np.isfinite(v.y[i, lane])
    begin = people.begin[one]
    lanes.day[lane] = begin
    lanes.visit[lane] = 0
    while lanes.visit[lane] < visits.shape[0] and visits[lanes.visit[lane]] <= begin:
        lanes.visit[lane] += 1
    seen = lanes.visit[lane] - 1
    if people.fresh[one] and not bad and seen >= 0 and visits[seen] == begin:
        _keep(v.y, lane, out.recorded[one, seen])
    lanes.entry[lane] = plan.first[one]
    changed = change(lane, v, lanes, plan, aim, people.reset_state)
    lanes.restart[lane], lanes.natural[lane] = 0.0, people.step[one]
    lanes.rejected[lane], lanes.untried[lane] = False, False
    lanes.starting[lane] = changed or not lanes.natural[lane] > 0.0
    if bad:
        lanes.code[lane] = _BAD_START
    elif begin >= people.end[one]:
        lanes.code[lane] = _FINISHED
    if lanes.code[lane] >= 0:
        leave(lane, v, lanes, out)
        return False
    return True


@compiled
def next_stop(lane, lanes, plan, end):  # type: ignore[no-untyped-def]
    """Day that the next step must not pass."""
    one, entry = lanes.patient[lane], lanes.entry[lane]
    return min(plan.time[entry], end[one]) if entry < plan.first[one + 1] else end[one]


@compiled
def next_length(natural, left):  # type: ignore[no-untyped-def]
    """Length of the next step: the one wanted, but no crumb is left before the stop."""
    if 1.01 * natural >= left:
        return left
    return 0.5 * left if 2.0 * natural > left else natural


@compiled
def weigh_stages(lane, theta, v, dense):  # type: ignore[no-untyped-def]
    """Weights of the stages at the fraction `theta` of the step just made, for `dense_value`."""
    for j in range(dense.shape[1]):
        v.weight[j, lane] = 0.0
        for row in range(dense.shape[0] - 1, -1, -1):
            v.weight[j, lane] = dense[row, j] + theta * v.weight[j, lane]


@compiled
def dense_value(i, lane, theta, v):  # type: ignore[no-untyped-def]
    """State `i` at the fraction `theta` of the step; to the last bit what it was if it did not move.

    Allocates nothing: it runs on devices too.
    """
    n, rest, total = v.y.shape[0], 1.0 - theta, 0.0
    for j in range(v.weight.shape[0]):
        total += v.weight[j, lane] * v.k[j * n + i, lane]
    new = v.s[i, lane] + v.k[v.k.shape[0] - n + i, lane]
    return v.y[i, lane] + theta * ((new - v.y[i, lane]) + rest * total) if rest > 0.0 else new


@compiled
def interpolate(lane, theta, v, dense, into):  # type: ignore[no-untyped-def]
    """State at the fraction `theta` of the step just made."""
    weigh_stages(lane, theta, v, dense)
    for i in range(v.y.shape[0]):
        into[i] = dense_value(i, lane, theta, v)


@compiled
def _worst(lane, k, y, s, floor, rtol):  # type: ignore[no-untyped-def]
    """State with the largest error over tolerance; the first that is not finite, if any."""
    worst, most, last = -1, -1.0, k.shape[0] - y.shape[0]
    for i in range(y.shape[0]):
        error = k[last + i, lane]
        size = abs(error) / (floor[i, lane] + rtol * max(abs(y[i, lane]), abs(s[i, lane] + error)))
        if not np.isfinite(size):
            return i
        if size > most:
            worst, most = i, size
    return worst


@compiled
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


@compiled
def _move(lane, length, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Move the clock of an accepted step and record the visits in between."""
    one, stop = lanes.patient[lane], next_stop(lane, lanes, plan, people.end)
    there = stop if length == stop - lanes.day[lane] else lanes.day[lane] + length
    visit = lanes.visit[lane]
    while visit < visits.shape[0] and visits[visit] <= there:
        if visits[visit] == there:
            interpolate(lane, 1.0, v, aim.dense, out.recorded[one, visit])
        else:
            theta = (visits[visit] - lanes.day[lane]) / length
            interpolate(lane, theta, v, aim.dense, out.recorded[one, visit])
        visit += 1
    lanes.visit[lane] = visit
    lanes.day[lane] = there
    if there >= people.end[one]:
        lanes.code[lane] = _FINISHED


@compiled
def weigh(lane, v, lanes, aim):  # type: ignore[no-untyped-def]
    """Accept or reject the step just tried, and choose the next length."""
    length, size = lanes.length[lane], v.err[0, lane]
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
    else:
        finite = size < 1e100
        shrink = max(_SHRINK, _SAFETY * size ** (-1.0 / aim.order)) if finite else 0.1
        lanes.natural[lane] = length * shrink
        lanes.rejected[lane] = True
        if lanes.natural[lane] <= 1e-15 * max(abs(lanes.day[lane]), 1.0):
            at_once = _BAD_START if lanes.steps[lane] == 1 else _NOT_FINITE
            lanes.code[lane] = _TOO_SMALL if finite else at_once


@compiled
def give_up(lane, v, lanes, aim, out):  # type: ignore[no-untyped-def]
    """End a course that has used its steps, and find out where a failure sits."""
    if lanes.code[lane] < 0 and lanes.steps[lane] >= aim.max_steps:
        lanes.code[lane] = _TOO_MANY
    if lanes.code[lane] > 0 and v.mask[0, lane] == 0.0:
        out.worst[lanes.patient[lane]] = _worst(lane, v.k, v.y, v.s, v.floor, aim.rtol)


@compiled
def judge(lane, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Accept or reject the step just tried, choose the next length, record the visits it passed."""
    weigh(lane, v, lanes, aim)
    if v.mask[0, lane] == 1.0:
        _move(lane, lanes.length[lane], v, lanes, people, plan, visits, aim, out)
    give_up(lane, v, lanes, aim, out)


@compiled
def _find_lengths(v, lanes, aim, rates_at):  # type: ignore[no-untyped-def]
    """Length of step after a sudden change: the one that worked after the last, or from the rates."""
    for i in range(v.u.shape[0]):
        for lane in range(v.u.shape[1]):
            v.s[i, lane] = v.u[i, lane]
    for lane in range(v.y.shape[1]):
        v.t[0, lane] = lanes.day[lane]
    _call_rates(rates_at, v.t.ctypes.data, v.y.ctypes.data, v.q.ctypes.data, v.s.ctypes.data)
    for lane in range(v.y.shape[1]):
        if lanes.starting[lane]:
            if not lanes.restart[lane] > 0.0:
                lanes.restart[lane] = _first_step(lane, v.y, v.s, v.floor, aim.rtol)
            known = np.isfinite(lanes.restart[lane])
            lanes.natural[lane] = lanes.restart[lane] if known else 1e-300  # a step that fails at once
            lanes.starting[lane], lanes.untried[lane] = False, True


@compiled
def fill(constants_at, counter, v, lanes, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
    """Put the next patients into empty lanes; return how many lanes work."""
    active = 0
    for lane in range(lanes.patient.shape[0]):
        while lanes.patient[lane] < 0:
            one = _take_next(counter)
            if one >= people.state.shape[0]:
                break
            if _load(lane, one, v, lanes, people, plan, visits, aim, out):
                given = people.parameters.ctypes.data + one * people.parameters.strides[0]
                _call_constants(constants_at, given, v.q.ctypes.data + lane * v.q.itemsize)
        if lanes.patient[lane] >= 0:
            active += 1
    return active


@compiled
def aim_lengths(v, lanes, plan, people, aim, rates_at):  # type: ignore[no-untyped-def]
    """Set the length of the next step of every lane, and tell the kernel."""
    every = range(lanes.patient.shape[0])
    starting = False
    for lane in every:
        starting = starting or lanes.starting[lane]
    if starting:
        _find_lengths(v, lanes, aim, rates_at)
    for lane in every:
        if lanes.patient[lane] >= 0:
            left = next_stop(lane, lanes, plan, people.end) - lanes.day[lane]
            lanes.length[lane] = next_length(lanes.natural[lane], left)
        v.t[0, lane], v.h[0, lane] = lanes.day[lane], lanes.length[lane]


@compiled
def try_step(step_at, v, aim):  # type: ignore[no-untyped-def]
    """One step in every lane, of the length set for each."""
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
        v.scalars.ctypes.data,
        v.err.ctypes.data,
        aim.rtol,
    )


@compiled
def accept_steps(accept_at, v, aim):  # type: ignore[no-untyped-def]
    """Take the new state in every lane whose mask is 1."""
    _call_accept(
        accept_at,
        v.mask.ctypes.data,
        v.y.ctypes.data,
        v.s.ctypes.data,
        v.k.ctypes.data + (v.k.shape[0] - v.y.shape[0]) * v.k.strides[0],
        v.floor.ctypes.data,
        aim.share,
    )
