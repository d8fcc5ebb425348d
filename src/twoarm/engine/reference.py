"""The reference back end: CVODE, one patient at a time, restarted at every sudden change. Slow, believed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from sksundae.cvode import CVODE

from twoarm.engine.cohort import ADD_TO_STATE, RESET, Cohort, Solved
from twoarm.engine.compiled import ScalarKernel, scalar_kernel
from twoarm.engine.events import EventQueue, EventStormError
from twoarm.engine.status import Status

_DENSE_BELOW = 30


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
        parameters = np.ascontiguousarray(cohort.parameters[patient])
        self.events = (
            EventQueue(cohort.model, lambda day, state: kernel.values(day, state, parameters))
            if cohort.model.events
            else None
        )

    def run(self) -> None:
        """Go from change to change and record visits on the way, before the change of the same instant."""
        cohort, p = self.cohort, self.patient
        end = float(cohort.end[p])
        if not np.isfinite(self.state).all():
            self._fail(Status.BAD_START)
            return
        try:
            self._go(end)
        except (EventStormError, RuntimeError):
            self._fail(Status.SOLVER_FAILED)

    def _go(self, end: float) -> None:
        cohort, p, schedule = self.cohort, self.patient, self.cohort.schedule
        if self.events is not None and not cohort.fresh[p]:
            self.events.resume(self.day, self.state)
        if cohort.fresh[p]:
            self._settle()
            self._record(np.flatnonzero(cohort.visits == self.day), self.state[None, :])
        entry, last = int(schedule.first[p]), int(schedule.first[p + 1])
        while True:
            while entry < last and schedule.time[entry] <= self.day:
                self._change(entry)
                entry += 1
            self._settle()
            if self.day >= end:
                break
            stop = min(float(schedule.time[entry]), end) if entry < last else end
            if self.events is not None:
                stop = min(stop, max(self.events.next_day(), self.day))
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
        times = np.unique(np.concatenate([[self.day], cohort.visits[visits], [stop]]))
        np.maximum(self.floor, cohort.tolerance.share * np.abs(self.state), out=self.floor)
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

    def _solver(self) -> CVODE:
        kernel, pattern, infusion = self.kernel, self.pattern, self.infusion
        rows, columns, place = pattern.rows, pattern.columns, pattern.place
        entries = np.empty(max(len(rows), 1))
        dense = len(self.state) < _DENSE_BELOW

        def rates(t: float, y: np.ndarray, yp: np.ndarray) -> None:
            yp[:] = infusion
            kernel.add_rates(t, y, self.constants, yp)

        def jacobian(t: float, y: np.ndarray, yp: np.ndarray, into: np.ndarray) -> None:
            kernel.jacobian(t, y, self.constants, entries)
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
            return CVODE(
                rates,
                jacfn=jacobian,
                rtol=self.cohort.tolerance.relative,
                atol=self.floor,
                max_num_steps=self.cohort.max_steps,
                **linear,
                **events,
            )

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
