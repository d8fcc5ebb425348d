"""The fast back end's loop for models with events: a step ends where a condition of a trigger turns.

The same step, step control and records as `stepper`. After an accepted step every lane looks whether a
condition has turned at the step's end, in its middle, or where a parabola through three values says it may
have; the turning is located on the dense output to the last bit of the time, and the state just after it is
handed to whoever keeps the events (`eventful`), by a call out of the loop.
"""

from __future__ import annotations

import inspect
import zlib
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from twoarm.engine import advance
from twoarm.engine.advance import (
    accept_steps,
    aim_lengths,
    call_through,
    change,
    compiled,
    dense_value,
    fill,
    give_up,
    interpolate,
    leave,
    next_length,
    next_stop,
    try_step,
    weigh,
    weigh_stages,
)
from twoarm.engine.status import Status

_FINISHED = int(Status.FINISHED)
_NEVER = 2.0  # a part of a step that no step has
_FINEST = 1e-15  # share of a step
_LEAST = 1e-14  # relative; events that follow each other ever faster are passed in steps of this
_NEAR = 0.1  # a parabola that comes this near to zero is looked at where it does


class Eye(NamedTuple):
    """What the loop knows of the events, one thread. Rows first, then lanes."""

    p: Any  # parameters
    t: Any  # time looked at
    z: Any  # state looked at
    seen: Any  # there: truths, then gaps
    held: Any  # truths and gaps at the start of the step
    half: Any  # in its middle
    last: Any  # at its end
    low: Any  # part of the step at which no condition had turned
    high: Any  # part at which one had
    open: Any  # between them a moment is left
    known: Any  # patient whose parameters are in the lane
    due: Any  # day on which the next delay is over
    call: Any  # events are to be asked
    dosed: Any  # a dose has been given since they were
    stale: Any  # truths are to be looked at anew


class Calls(NamedTuple):
    """Addresses to call and what is there."""

    watch: Any
    settle: Any
    truths: Any
    needs: Any  # states that conditions depend on


@intrinsic
def _call_watch(_context, address, t, y, p, v):  # type: ignore[no-untyped-def]
    return types.void(*[types.intp] * 5), call_through(4, 0)


@intrinsic
def _call_settle(_context, address, lane):  # type: ignore[no-untyped-def]
    return types.void(types.intp, types.intp), call_through(1, 0)


@compiled
def _look(eye, to):  # type: ignore[no-untyped-def]
    """Evaluate all conditions at the times and states the lanes look at."""
    _call_watch(to.watch, eye.t.ctypes.data, eye.z.ctypes.data, eye.p.ctypes.data, eye.seen.ctypes.data)


@compiled
def _turn_to(lane, part, v, lanes, eye, needs, plan, people, aim):  # type: ignore[no-untyped-def]
    """Look at a part of the step just made, at the states that matter."""
    length, day = lanes.length[lane], lanes.day[lane]
    eye.t[0, lane] = day + part * length
    if part == 1.0:
        stop = min(next_stop(lane, lanes, plan, people.end), eye.due[lane])
        if length == stop - day:
            eye.t[0, lane] = stop
    weigh_stages(lane, part, v, aim.dense)
    for i in needs:
        eye.z[i, lane] = dense_value(i, lane, part, v)


@compiled
def _turned(lane, eye, to):  # type: ignore[no-untyped-def]
    """Whether a condition is not what it was at the start of the step."""
    turned = False
    for row in range(to.truths):
        turned = turned or eye.seen[row, lane] != eye.held[row, lane]
    return turned


@compiled
def _copy(lane, into, rows):  # type: ignore[no-untyped-def]
    for row in range(into.shape[0]):
        into[row, lane] = rows[row, lane]


@compiled
def _lowest(lane, eye, to):  # type: ignore[no-untyped-def]
    """Part of the step at which a parabola through start, middle and end comes nearest to zero; or never."""
    best, where = _NEAR, _NEVER
    for row in range(to.truths, eye.held.shape[0]):
        a, b, c = eye.held[row, lane], eye.half[row, lane], eye.last[row, lane]
        bend, slope = 2.0 * (a - 2.0 * b + c), 4.0 * b - 3.0 * a - c
        least = min(abs(a), abs(b), abs(c))
        if bend != 0.0 and least > 0.0:
            part = -slope / (2.0 * bend)
            share = (a + 0.5 * slope * part) / (least if a > 0.0 else -least)
            if 0.0 < part < 1.0 and share < best:
                best, where = share, part
    return where


@compiled
def _locate(v, lanes, eye, to, plan, people, aim):  # type: ignore[no-untyped-def]
    """Find the first turning inside the step of each lane; `eye.high` is never where there is none."""
    every = range(lanes.patient.shape[0])
    for lane in every:
        eye.low[lane], eye.high[lane] = 0.0, _NEVER
        if v.mask[0, lane] == 1.0:
            _turn_to(lane, 1.0, v, lanes, eye, to.needs, plan, people, aim)
    _look(eye, to)
    for lane in every:
        if v.mask[0, lane] == 1.0:
            _copy(lane, eye.last, eye.seen)
            if _turned(lane, eye, to):
                eye.high[lane] = 1.0
            _turn_to(lane, 0.5, v, lanes, eye, to.needs, plan, people, aim)
    _look(eye, to)
    again = False
    for lane in every:
        if v.mask[0, lane] == 1.0:
            _copy(lane, eye.half, eye.seen)
            if _turned(lane, eye, to):
                eye.high[lane] = 0.5
            else:
                eye.low[lane] = 0.5
                if eye.high[lane] == _NEVER:
                    part = _lowest(lane, eye, to)
                    if part < 1.0:
                        _turn_to(lane, part, v, lanes, eye, to.needs, plan, people, aim)
                        eye.low[lane], again = part, True
    if again:
        _look(eye, to)
        for lane in every:
            part = eye.low[lane]
            if v.mask[0, lane] == 1.0 and eye.high[lane] == _NEVER and part != 0.5 and _turned(lane, eye, to):
                eye.low[lane], eye.high[lane] = 0.5 if part > 0.5 else 0.0, part
    _bisect(v, lanes, eye, to, plan, people, aim)


@compiled
def _bisect(v, lanes, eye, to, plan, people, aim):  # type: ignore[no-untyped-def]
    """Close in on the turning of all lanes at once, and look at the first moment after it."""
    every = range(lanes.patient.shape[0])
    while True:
        under_way = False
        for lane in every:
            low, high = eye.low[lane], eye.high[lane]
            if high <= 1.0:
                middle = 0.5 * (low + high)
                _turn_to(lane, middle, v, lanes, eye, to.needs, plan, people, aim)
                at, day, length = eye.t[0, lane], lanes.day[lane], lanes.length[lane]
                eye.open[lane] = day + low * length < at < day + high * length and high - low > _FINEST
                under_way = under_way or eye.open[lane]
        if not under_way:
            break
        _look(eye, to)
        for lane in every:
            if eye.high[lane] <= 1.0 and eye.open[lane]:  # not once more for a neighbor's sake
                middle = 0.5 * (eye.low[lane] + eye.high[lane])
                if _turned(lane, eye, to):
                    eye.high[lane] = middle
                else:
                    eye.low[lane] = middle
    for lane in every:
        if eye.high[lane] <= 1.0:
            length = lanes.length[lane]
            least = _LEAST * (abs(lanes.day[lane]) + length)
            eye.high[lane] = max(eye.high[lane], min(1.0, least / length))
            _turn_to(lane, eye.high[lane], v, lanes, eye, to.needs, plan, people, aim)
            for i in range(v.y.shape[0]):
                eye.z[i, lane] = dense_value(i, lane, eye.high[lane], v)


@compiled
def _move_to(lane, v, lanes, eye, plan, people, visits, aim, out):  # type: ignore[no-untyped-def]
    """Move the clock of an accepted step to its end or to the turning, and record the visits on the way."""
    one, length, day = lanes.patient[lane], lanes.length[lane], lanes.day[lane]
    there = day + min(eye.high[lane], 1.0) * length
    if eye.high[lane] >= 1.0:
        stop = min(next_stop(lane, lanes, plan, people.end), eye.due[lane])
        if length == stop - day:
            there = stop
    visit = lanes.visit[lane]
    while visit < visits.shape[0] and visits[visit] <= there:
        part = (visits[visit] - day) / length
        whole = visits[visit] == there and eye.high[lane] >= 1.0
        interpolate(lane, 1.0 if whole else part, v, aim.dense, out.recorded[one, visit])
        visit += 1
    lanes.visit[lane], lanes.day[lane] = visit, there
    if there >= people.end[one]:
        lanes.code[lane] = _FINISHED


@compiled
def _ask(v, lanes, eye, to, aim, out):  # type: ignore[no-untyped-def]
    """Let happen what happens now, where something may, and free the lanes of those who have ended."""
    for lane in range(lanes.patient.shape[0]):
        if lanes.patient[lane] >= 0:
            if eye.call[lane]:
                _call_settle(to.settle, lane)
                eye.call[lane], eye.dosed[lane], eye.stale[lane] = False, False, True
                for i in range(v.y.shape[0]):
                    v.floor[i, lane] = max(v.floor[i, lane], aim.share * abs(v.y[i, lane]))
            if lanes.code[lane] >= 0:
                leave(lane, v, lanes, out)


@compiled
def _greet(v, lanes, eye, people, plan):  # type: ignore[no-untyped-def]
    """Fetch the parameters of whoever is new, who may have been given a dose at once."""
    for lane in range(lanes.patient.shape[0]):
        one = lanes.patient[lane]
        if one >= 0 and eye.known[lane] != one:
            for i in range(people.parameters.shape[1]):
                eye.p[i, lane] = people.parameters[one, i]
            eye.known[lane], eye.call[lane], eye.due[lane] = one, True, np.inf
            eye.dosed[lane] = lanes.entry[lane] > plan.first[one]


@compiled
def _refresh(v, lanes, eye, to):  # type: ignore[no-untyped-def]
    """Look at the start of the step where something has changed since the last one ended."""
    wanted = False
    for lane in range(lanes.patient.shape[0]):
        wanted = wanted or eye.stale[lane]
    if wanted:
        for lane in range(lanes.patient.shape[0]):
            eye.t[0, lane] = lanes.day[lane]
            for i in to.needs:
                eye.z[i, lane] = v.y[i, lane]
        _look(eye, to)
        for lane in range(lanes.patient.shape[0]):
            if eye.stale[lane]:
                _copy(lane, eye.held, eye.seen)
                eye.stale[lane] = False


@compiled
def _shorten(v, lanes, eye, plan, people):  # type: ignore[no-untyped-def]
    """No step passes the end of a delay."""
    for lane in range(lanes.patient.shape[0]):
        if lanes.patient[lane] >= 0 and eye.due[lane] < np.inf:
            stop = min(next_stop(lane, lanes, plan, people.end), eye.due[lane])
            lanes.length[lane] = next_length(lanes.natural[lane], stop - lanes.day[lane])
            v.h[0, lane] = lanes.length[lane]


@compiled
def _arrive(v, lanes, eye, plan, people, aim):  # type: ignore[no-untyped-def]
    """Begin the next step of every lane where the last one ended, doses of that instant given."""
    for lane in range(lanes.patient.shape[0]):
        if lanes.patient[lane] >= 0 and v.mask[0, lane] == 1.0:
            if eye.high[lane] <= 1.0:
                for i in range(v.y.shape[0]):
                    v.y[i, lane] = eye.z[i, lane]
            else:
                _copy(lane, eye.held, eye.last)
            if lanes.code[lane] < 0:
                eye.dosed[lane] = change(lane, v, lanes, plan, aim, people.reset_state)
                lanes.starting[lane] = eye.dosed[lane]
            eye.call[lane] = eye.high[lane] <= 1.0 or eye.dosed[lane] or lanes.day[lane] >= eye.due[lane]


def _loop_that_looks(source: int) -> Any:
    """Make the loop. Numba keeps it on disk by its own text and by `source`, which stands for `advance`'s."""

    @njit(cache=True, nogil=True, error_model="numpy", _nrt=False)
    def run(addresses, to, counter, v, lanes, eye, people, plan, visits, aim, out):  # type: ignore[no-untyped-def]
        """Integrate patients until the counter has passed the last; several threads may share one counter.

        Returns how many steps all lanes together had room for.
        """
        constants_at, rates_at, step_at, accept_at = addresses
        every, room = range(lanes.patient.shape[0]), 0 * source
        while fill(constants_at, counter, v, lanes, people, plan, visits, aim, out) > 0:
            _greet(v, lanes, eye, people, plan)
            _ask(v, lanes, eye, to, aim, out)
            _refresh(v, lanes, eye, to)
            aim_lengths(v, lanes, plan, people, aim, rates_at)
            _shorten(v, lanes, eye, plan, people)
            try_step(step_at, v, aim)
            room += len(every)
            for lane in every:
                v.mask[0, lane] = 0.0
                if lanes.patient[lane] >= 0:
                    weigh(lane, v, lanes, aim)
            _locate(v, lanes, eye, to, plan, people, aim)
            for lane in every:
                if v.mask[0, lane] == 1.0:
                    _move_to(lane, v, lanes, eye, plan, people, visits, aim, out)
                if lanes.patient[lane] >= 0:
                    give_up(lane, v, lanes, aim, out)
            accept_steps(accept_at, v, aim)
            _arrive(v, lanes, eye, plan, people, aim)
            _ask(v, lanes, eye, to, aim, out)
        return room

    return run


run = _loop_that_looks(zlib.crc32(inspect.getsource(advance).encode()))
