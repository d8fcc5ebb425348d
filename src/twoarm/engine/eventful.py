"""The fast back end for models with events: lanes of patients integrate, the reference's queue decides."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from twoarm.engine import crossings
from twoarm.engine.cohort import Cohort, Solved
from twoarm.engine.compiled import vector_kernel
from twoarm.engine.events import EventQueue, EventStormError
from twoarm.engine.lanes import aligned, allocate, arguments_of
from twoarm.engine.methods import method as find_method
from twoarm.engine.status import Status
from twoarm.engine.vector import Vector
from twoarm.engine.watch import Watch, watch_kernel
from twoarm.model import settle


def integrate(cohort: Cohort) -> Solved:
    """Integrate every patient of a cohort whose model has events, several at a time.

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
    steinebach2023; keating2020sbml, section 4.12.
    """
    return integrate_and_count(cohort)[0]


def integrate_and_count(cohort: Cohort) -> tuple[Solved, int]:
    """`integrate`, and how many steps the lanes had room for."""
    kernel = vector_kernel(cohort.model, cohort.method, cohort.precision)
    watch = watch_kernel(cohort.model, kernel.vector)
    events = _Events(cohort, watch)
    cohort = replace(cohort, state=events.first_states())
    solved = Solved.empty(cohort)
    counter = np.zeros(1, dtype=np.int64)
    at, stages = kernel.addresses, find_method(cohort.method).stages
    arguments = arguments_of(cohort, solved)
    addresses = (at["constants"], at["rates"], at["step"], at["accept"])

    def work() -> int:
        v, lanes = allocate(kernel, stages)
        eye = _open(watch, kernel.vector, cohort.state.shape[1], cohort.parameters.shape[1])
        clerk = _Clerk(events, v, lanes, eye)
        to = crossings.Calls(watch.address, clerk.address, watch.truths, watch.needs)
        room = crossings.run(addresses, to, counter.ctypes.data, v, lanes, eye, *arguments)
        if clerk.error is not None:
            raise clerk.error
        return int(room)

    workers = min(cohort.workers, -(-len(cohort.state) // kernel.vector.lanes))
    if workers <= 1:
        room = work()
    else:
        with ThreadPoolExecutor(workers) as pool:
            room = sum(done.result() for done in [pool.submit(work) for _ in range(workers)])
    for patient in events.stormed:
        solved.status[patient] = Status.SOLVER_FAILED
    return solved, room


class _Events:
    """The queues of all patients."""

    def __init__(self, cohort: Cohort, watch: Watch) -> None:
        model = cohort.model
        self._cohort = cohort
        self._evaluate = watch.values(len(model.states), len(model.parameters))
        self.relaxes = bool(model.relaxing)
        self.stormed: set[int] = set()
        self.queues = [self._queue(patient) for patient in range(len(cohort.state))]

    def _queue(self, patient: int) -> EventQueue:
        cohort, evaluate = self._cohort, self._evaluate
        given = np.ascontiguousarray(cohort.parameters[patient])
        rest: Callable[[float, np.ndarray], None] | None = None
        if cohort.model.relaxing:

            def rest(day: float, state: np.ndarray) -> None:
                self.rest(patient, day, state)

        return EventQueue(cohort.model, lambda day, state: evaluate(day, state, given), rest)

    def rest(self, patient: int, day: float, state: np.ndarray) -> None:
        """Bring what is in balance at any time back there; changes `state`."""
        given = self._cohort.parameters[patient][:, None]
        state[:] = settle(self._cohort.model, given, state[:, None], day)[:, 0]

    def first_states(self) -> np.ndarray:
        """Where all begin, after what happens at once."""
        cohort = self._cohort
        states = np.array(cohort.state)
        for patient, (queue, state) in enumerate(zip(self.queues, states, strict=True)):
            day = float(cohort.begin[patient])
            if not np.isfinite(state).all():
                continue
            if not cohort.fresh[patient]:
                queue.resume(day, state)
                continue
            try:
                queue.settle(day, state)
            except EventStormError:
                self.stormed.add(patient)
                state[:] = np.nan  # ends at the begin
        return states


class _Clerk:
    """Called by the loop of one thread, for one lane at a time, when events may happen."""

    def __init__(self, events: _Events, v: Any, lanes: Any, eye: crossings.Eye) -> None:
        self._events, self._v, self._lanes, self._eye = events, v, lanes, eye
        self.error: BaseException | None = None
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_size_t)(self._settle)
        self.address = ctypes.cast(self._call, ctypes.c_void_p).value or 0

    def _settle(self, lane: int) -> None:
        lanes = self._lanes
        if self.error is not None:  # an interrupt, as an example: everybody ends at their next event
            lanes.code[lane] = int(Status.SOLVER_FAILED)
            return
        try:
            self._settle_one(lane, int(lanes.patient[lane]))
        except EventStormError:
            lanes.code[lane] = int(Status.SOLVER_FAILED)
        except BaseException as error:  # nothing may pass through compiled code; it is raised after that
            self.error = error
            lanes.code[lane] = int(Status.SOLVER_FAILED)

    def _settle_one(self, lane: int, patient: int) -> None:
        v, lanes, events = self._v, self._lanes, self._events
        day, before = float(lanes.day[lane]), np.array(v.y[:, lane])
        state, queue = before.copy(), events.queues[patient]
        if self._eye.dosed[lane] and events.relaxes:
            events.rest(patient, day, state)
        queue.settle(day, state)
        if not np.array_equal(state, before):
            v.y[:, lane] = state
            lanes.starting[lane] = True
        due = queue.next_day()
        self._eye.due[lane] = due if due > day else np.inf


def _open(watch: Watch, vector: Vector, states: int, parameters: int) -> crossings.Eye:
    """Arrays of one thread."""
    rows, lanes = watch.truths + watch.gaps, vector.lanes
    seen, held, half, last = (aligned(rows, vector) for _ in range(4))
    return crossings.Eye(
        p=aligned(max(parameters, 1), vector),
        t=aligned(1, vector),
        z=aligned(states, vector),
        seen=seen,
        held=held,
        half=half,
        last=last,
        low=np.zeros(lanes),
        high=np.zeros(lanes),
        open=np.zeros(lanes, np.bool_),
        known=np.full(lanes, -1),
        due=np.full(lanes, np.inf),
        call=np.zeros(lanes, np.bool_),
        dosed=np.zeros(lanes, np.bool_),
        stale=np.zeros(lanes, np.bool_),
    )
