"""The reference back end: CVODE, one patient at a time, restarted at every sudden change. Slow, believed."""

from __future__ import annotations

import os
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import coo_array

from twoarm.engine.cohort import ADD_TO_STATE, RESET, Cohort, Solved
from twoarm.engine.compiled import ScalarKernel, scalar_kernel
from twoarm.engine.events import EventQueue, EventStormError
from twoarm.engine.history import History, LooksAheadError
from twoarm.engine.status import Status
from twoarm.model import settle

_DENSE_BELOW = 30
_STUCK, _INSTANT = 2_000, 1e-11  # rates at one instant, and its length; Newton iterations are a few a step
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"
_TOO_SHORT = 1e-13  # relative; CVODE takes no stretch shorter than rounding


def integrate(cohort: Cohort) -> Solved:
    """Integrate every patient of a cohort.

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
    hindmarsh2005.
    """
    kernel = scalar_kernel(cohort.model)
    solved = Solved.empty(cohort)
    pattern = _Pattern(kernel.pattern, cohort.state.shape[1])
    for patient in range(len(cohort.state)):
        _Course(cohort, solved, kernel, pattern, patient).run()
    return solved


@lru_cache(maxsize=1)
def _cvode() -> Any:
    """Class CVODE of scikit-sundae, whose own BLAS is told while it is loaded to use one thread.

    It would take all cores for matrices of a few hundred rows, and spend three times the work waiting.
    """
    before = os.environ.get(_BLAS_THREADS)
    os.environ[_BLAS_THREADS] = before or "1"
    try:
        from sksundae.cvode import CVODE
    finally:
        if before is None:
            del os.environ[_BLAS_THREADS]
    return CVODE


class _Course:
    """One patient's way from begin to end."""

    def __init__(
        self, cohort: Cohort, solved: Solved, kernel: ScalarKernel, pattern: _Pattern, patient: int
    ) -> None:
        self.cohort, self.solved, self.kernel, self.patient = cohort, solved, kernel, patient
        self.pattern = pattern
        self.constants = kernel.constants(np.ascontiguousarray(cohort.parameters[patient]))
        self.state = cohort.state[patient].copy()
        self.infusion = np.zeros_like(self.state)
        self.floor = cohort.tolerance.floor.copy()
        self.day = float(cohort.begin[patient])
        self.parameters = np.ascontiguousarray(cohort.parameters[patient])
        model = cohort.model
        self.history = (
            History(model, kernel.values, self.parameters, self.state, self.day) if model.delays else None
        )
        rest = self._rest if model.relaxing else None
        self.events = EventQueue(model, self._values, rest) if model.events else None

    def run(self) -> None:
        """Go from change to change and record visits on the way, before the change of the same instant."""
        cohort, p = self.cohort, self.patient
        end = float(cohort.end[p])
        if not np.isfinite(self.state).all():
            self._fail(Status.BAD_START)
            return
        try:
            self._go(end)
        except (EventStormError, LooksAheadError, RuntimeError):
            self._fail(Status.SOLVER_FAILED)

    def _values(self, day: float, state: np.ndarray) -> np.ndarray:
        return self.kernel.values(day, self._now(day, state), self.parameters)

    def _now(self, day: float, state: np.ndarray) -> np.ndarray:
        """State with what looks back in time."""
        return state if self.history is None else self.history.fill(day, state)

    def _rest(self, day: float, state: np.ndarray) -> None:
        """Bring what is in balance at any time back there, after a sudden change."""
        state[:] = settle(self.cohort.model, self.parameters[:, None], state[:, None], day)[:, 0]

    def _begin_piece(self) -> None:
        """Remember the state after a sudden change, and its slope."""
        if self.history is not None:
            self.history.stop = np.inf
            self.history.new_piece(self.day, self.state, self._slope(self.day, self.state))

    def _slope(self, day: float, state: np.ndarray) -> np.ndarray:
        slope = self.infusion.copy()
        self.kernel.add_rates(day, self._now(day, state), self.constants, slope)
        return slope

    def _go(self, end: float) -> None:
        cohort, p, schedule = self.cohort, self.patient, self.cohort.schedule
        if self.events is not None and not cohort.fresh[p]:
            self.events.resume(self.day, self.state)
        if cohort.fresh[p]:
            self._begin_piece()
            self._settle()
            self._record(np.flatnonzero(cohort.visits == self.day), self._now(self.day, self.state)[None, :])
        entry, last = int(schedule.first[p]), int(schedule.first[p + 1])
        while True:
            changed = entry
            while entry < last and schedule.time[entry] <= self.day:
                self._change(entry)
                entry += 1
            if entry > changed and cohort.model.relaxing:
                self._rest(self.day, self.state)
            self._settle()
            self._begin_piece()
            if self.day >= end:
                break
            stop = min(float(schedule.time[entry]), end) if entry < last else end
            if self.events is not None:
                stop = min(stop, max(self.events.next_day(), self.day))
            if self.history is not None:
                stop = min(stop, self.history.next_break(self.day))
            if stop > self.day and not self._advance(stop):
                return
        self._finish()

    def _settle(self) -> None:
        if self.events is not None:
            self.events.settle(self.day, self.state)

    def _change(self, entry: int) -> None:
        schedule = self.cohort.schedule
        state, value = schedule.state[entry], schedule.value[entry]
        if schedule.kind[entry] == ADD_TO_STATE:
            self.state[state] += value
        elif schedule.kind[entry] == RESET:
            self.state = self.cohort.reset_state[self.patient].copy()
        else:
            self.infusion[state] = value

    def _advance(self, stop: float) -> bool:
        """Integrate to `stop`, recording the visits in (day, stop]."""
        cohort = self.cohort
        visits = np.flatnonzero((cohort.visits > self.day) & (cohort.visits <= stop))
        np.maximum(self.floor, cohort.tolerance.share * np.abs(self.state), out=self.floor)
        if self.history is not None:
            return self._walk(stop, visits, self.history)
        times = np.unique(np.concatenate([[self.day], cohort.visits[visits], [stop]]))
        found = self._solver().solve(times, self.state)
        days, states = np.asarray(found.t), np.asarray(found.y)
        self.solved.steps[self.patient] += int(found.nfev)
        rows = np.searchsorted(days, cohort.visits[visits])  # CVODE adds its own steps between two days
        inside = cohort.visits[visits] <= days[-1]
        self._record(visits[inside], states[rows[inside]])
        self.day, self.state = float(days[-1]), states[-1].copy()
        turned = self.events is not None and self.day < stop and found.t_events is not None
        if turned and np.isfinite(self.state).all():
            return True
        if not found.success or self.day < stop or not np.isfinite(self.state).all():
            self._fail(Status.SOLVER_FAILED)
            return False
        self.day = stop
        return True

    def _walk(self, stop: float, visits: np.ndarray, history: History) -> bool:
        """Integrate to `stop` step by step, each step remembered for what looks back in time."""
        history.stop = stop
        if stop - self.day <= _TOO_SHORT * abs(stop):
            self._record(visits, self._now(stop, self.state)[None, :])
            self.day = stop
            return True
        solver = self._solver()
        solver.init_step(self.day, self.state)
        pending = list(visits)
        for _ in range(self.cohort.max_steps):
            before = self.day
            found = solver.step(stop, method="onestep", tstop=stop)
            day, state = float(np.ravel(found.t)[-1]), np.atleast_2d(found.y)[-1].copy()
            self.solved.steps[self.patient] += 1
            if not found.success or not np.isfinite(state).all() or day < before:
                break
            self.day, self.state = day, state
            history.add(day, state, self._slope(day, state))
            while pending and self.cohort.visits[pending[0]] <= day:
                at = float(self.cohort.visits[pending[0]])
                self._record(np.array([pending.pop(0)]), history.fill(at, history.at(at))[None, :])
            if day >= stop or found.t_events is not None:
                self.day = stop if day >= stop else day
                return True
        self._fail(Status.SOLVER_FAILED)
        return False

    def _solver(self) -> Any:
        kernel, pattern, infusion = self.kernel, self.pattern, self.infusion
        rows, columns, place = pattern.rows, pattern.columns, pattern.place
        entries = np.empty(max(len(rows), 1))
        dense = len(self.state) < _DENSE_BELOW

        stuck = [np.nan, 0.0]  # a time, and how often it was asked about in a row

        def rates(t: float, y: np.ndarray, yp: np.ndarray) -> None:
            near = abs(t - stuck[0]) <= _INSTANT * abs(t)
            stuck[:] = (stuck[0], stuck[1] + 1) if near else (t, 0)
            if stuck[1] > _STUCK:  # its steps are too short for time to pass: it would go on for hours
                yp[:] = np.nan
                return
            yp[:] = infusion
            kernel.add_rates(t, self._now(t, y), self.constants, yp)

        def jacobian(t: float, y: np.ndarray, yp: np.ndarray, into: np.ndarray) -> None:
            kernel.jacobian(t, self._now(t, y), self.constants, entries)
            if dense:
                into[rows, columns] = entries[: len(rows)]
            else:
                into[:] = 0.0
                into[place] = entries[: len(rows)]

        events: dict[str, Any] = {}
        if self.events is not None:
            queue = self.events

            def turned(t: float, y: np.ndarray, into: np.ndarray) -> None:
                into[:] = queue.signs(t, y)

            events = {"eventsfn": turned, "num_events": queue.roots}
        linear: dict[str, Any] = (
            {"linsolver": "dense"} if dense else {"linsolver": "sparse", "sparsity": pattern.matrix}
        )
        with warnings.catch_warnings():  # it warns that it will use the Jacobian it is given
            warnings.filterwarnings("ignore", message="Custom sparse Jacobian")
            return _cvode()(
                rates,
                jacfn=jacobian,
                rtol=self.cohort.tolerance.relative,
                atol=self.floor,
                max_num_steps=self.cohort.max_steps,
                max_step=self._longest_step(),
                **linear,
                **events,
            )

    def _longest_step(self) -> float:
        """0 for no bound. A step shorter than every lag needs nothing from its own inside."""
        if self.history is None:
            return 0.0
        span = float(self.cohort.end[self.patient] - self.cohort.begin[self.patient])
        return min(self.history.shortest, span if self.history.steady else span / 2000)

    def _record(self, visits: np.ndarray, states: np.ndarray) -> None:
        self.solved.recorded[self.patient, visits] = states

    def _fail(self, code: Status) -> None:
        self.solved.status[self.patient] = code
        self._finish()

    def _finish(self) -> None:
        self.solved.state[self.patient] = self.state
        self.solved.day[self.patient] = self.day


class _Pattern:
    """Where the entries of the kernel's Jacobian lie in CVODE's."""

    def __init__(self, entries: list[tuple[int, int]], size: int) -> None:
        self.rows = np.array([row for row, _ in entries], dtype=np.int32)  # SuperLU counts in 32 bits
        self.columns = np.array([column for _, column in entries], dtype=np.int32)
        diagonal = np.arange(size, dtype=np.int32)
        both = (np.r_[self.rows, diagonal], np.r_[self.columns, diagonal])
        self.matrix = coo_array((np.ones(len(both[0])), both), shape=(size, size)).tocsc()
        self.matrix.sort_indices()
        found: dict[tuple[int, int], int] = {}
        for column in range(size):
            for at in range(int(self.matrix.indptr[column]), int(self.matrix.indptr[column + 1])):
                found[int(self.matrix.indices[at]), column] = at
        self.place = np.array([found[entry] for entry in entries], dtype=int)
