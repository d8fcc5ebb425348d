"""What a patient's states were: for equations that look back in time, by the method of steps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from heapq import heappop, heappush

import numpy as np

from twoarm.engine.roots import roots_of
from twoarm.model import Model, start
from twoarm.model.graph import support

__all__ = ["History", "LooksAheadError"]

_NEAR = 1e-12  # relative; two times as near as this are one
_GENERATIONS = 4  # of kinks that follow from a jump, one lag after the other; each is a derivative smoother


class LooksAheadError(RuntimeError):
    """A delay is negative. Caught by the back end, which fails the patient."""


class History:
    """The course of one patient so far, and what it was before it began.

    Parameters
    ----------
    model : Model
        With delays.
    values : callable
        ``values(day, state, parameters)`` gives the values of `roots_of`.
    parameters : (parameter,) float array
        Of this patient.
    state : (state,) float array
        At the begin.
    begin : float [day]
        Before this, symbols are what their initial values are at that time, as SBML asks.

    Notes
    -----
    Between two steps of the solver the cubic through both states and slopes, and inside the step that is
    under way the parabola to the state that is being tried. Jumps are kept: a course is made of pieces.

    References
    ----------
    keating2020sbml, section 3.4.6 (delay); bellman1961 (method of steps).
    """

    def __init__(
        self,
        model: Model,
        values: Callable[[float, np.ndarray, np.ndarray], np.ndarray],
        parameters: np.ndarray,
        state: np.ndarray,
        begin: float,
    ) -> None:
        self._model, self._values, self._parameters = model, values, parameters
        self._delays = roots_of(model).delays
        own = frozenset(delay.state for delay in self._delays)
        by_state = support(model.nodes, "state")
        self._nested = [any(by_state[d.value] >> s & 1 for s in own) for d in model.delays]
        self._begin, self._first = begin, state.copy()
        self._moving = _moving_before(model)
        self._starts: list[float] = []  # of pieces
        self._pieces: list[tuple[list[float], list[np.ndarray], list[np.ndarray]]] = []
        self._marks: list[tuple[float, int]] = []  # a heap: when a jump comes back, after how many lags
        self.stop = np.inf  # the end of the stretch that is being integrated
        fixed = support(model.nodes, "state"), support(model.nodes, "time")
        found = values(begin, state, parameters)
        self._fixed = [
            None if _varies(fixed, m.lag) else float(found[d.lag])
            for d, m in zip(self._delays, model.delays, strict=True)
        ]
        nodes = [model.nodes[d.value] for d in model.delays]
        self._plain = [int(node.value) if node.op == "state" else None for node in nodes]
        self._lags = sorted({lag for lag in self._fixed if lag is not None and lag > 0})
        self.steady = None not in self._fixed
        self._mark(begin, 0)

    @property
    def shortest(self) -> float:
        """Shortest lag that does not change, infinity if there is none."""
        return self._lags[0] if self._lags else np.inf

    def next_break(self, day: float) -> float:
        """When a jump that has happened comes back next."""
        while self._marks and self._marks[0][0] <= day + _NEAR * abs(day):
            again, generation = heappop(self._marks)
            if not self._marks or self._marks[0][0] > again:
                self._mark(again, generation + 1)
        return self._marks[0][0] if self._marks else np.inf

    def new_piece(self, day: float, state: np.ndarray, slope: np.ndarray) -> None:
        """Begin again after what may have been a jump."""
        if self._pieces:
            times, states, slopes = self._pieces[-1]
            if day == times[-1] and np.array_equal(states[-1], state):
                if not np.array_equal(slopes[-1], slope):
                    self._mark(day, _GENERATIONS // 2)
            elif day > self._begin:
                self._mark(day, 0)
        self._starts.append(day)
        self._pieces.append(([day], [state.copy()], [slope.copy()]))

    def add(self, day: float, state: np.ndarray, slope: np.ndarray) -> None:
        """Remember a step."""
        times, states, slopes = self._pieces[-1]
        if day > times[-1]:
            times.append(day)
            states.append(state.copy())
            slopes.append(slope.copy())

    def at(self, day: float) -> np.ndarray:
        """State at a day of the stretch that is being integrated, delayed values not in their places."""
        return self._state_at(day, self.stop, self._pieces[-1][1][-1])

    def _mark(self, day: float, generation: int) -> None:
        if generation < _GENERATIONS:
            for lag in self._lags:
                heappush(self._marks, (day + lag, generation))

    def fill(self, day: float, state: np.ndarray, count: int | None = None) -> np.ndarray:
        """Copy of a state with every delayed value in its place (or the first `count` of them)."""
        filled = state.copy()
        for number, delay in enumerate(self._delays[:count]):
            fixed = self._fixed[number]
            lag = float(self._values(day, filled, self._parameters)[delay.lag]) if fixed is None else fixed
            if not lag >= 0:
                raise LooksAheadError
            filled[delay.state] = self._past(number, day - lag, day, filled)
        return filled

    def _past(self, number: int, then: float, day: float, state: np.ndarray) -> float:
        place, nested = self._delays[number].value, self._nested[number]
        parameters = self._parameters
        if then < self._begin - _NEAR * abs(self._begin):
            parameters, was = self._before(then)
        elif then >= day:
            was = state
        else:
            was = self._state_at(then, day, state)
        if nested:
            was = self.fill(then, was, number)
        plain = self._plain[number]
        if plain is not None:
            return float(was[plain])
        return float(self._values(then, was, parameters)[place])

    def _before(self, then: float) -> tuple[np.ndarray, np.ndarray]:
        if not self._moving:
            return self._parameters, self._first
        model, moving = self._model, self._moving
        given = {
            name: value
            for name, value in zip(model.parameters, self._parameters, strict=True)
            if name not in moving
        }
        given |= {
            name: value for name, value in zip(model.states, self._first, strict=True) if name not in moving
        }
        parameters, states = start(model, given, time=then, settled=False)
        return np.ascontiguousarray(parameters[:, 0]), np.ascontiguousarray(states[:, 0])

    def _state_at(self, then: float, day: float, state: np.ndarray) -> np.ndarray:
        near = _NEAR * max(abs(then), abs(day))
        at_end = day >= self.stop - near  # the last point of a stretch looks at what was before a jump
        piece = bisect_right(self._starts, then - near if at_end else then + near) - 1
        if piece < 0:
            return self._first
        times, states, slopes = self._pieces[piece]
        last = piece == len(self._pieces) - 1
        if then > times[-1] and last:
            long = day - times[-1]
            part = (then - times[-1]) / long if long > 0 else 1.0
            bend = state - states[-1] - long * slopes[-1]
            return states[-1] + part * long * slopes[-1] + part**2 * bend
        then = min(max(then, times[0]), times[-1])
        right = min(max(bisect_left(times, then), 1), len(times) - 1)
        if len(times) == 1:
            return states[0]
        left = right - 1
        return _cubic(
            (then - times[left]) / (times[right] - times[left]),
            times[right] - times[left],
            (states[left], states[right]),
            (slopes[left], slopes[right]),
        )


def _cubic(
    part: float, long: float, y: tuple[np.ndarray, np.ndarray], slope: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Hermite's cubic at `part` (0 to 1) of a step."""
    rest = 1.0 - part
    value = y[0] * (1 + 2 * part) * rest**2 + y[1] * part**2 * (3 - 2 * part)
    return np.asarray(value + long * (slope[0] * part * rest**2 - slope[1] * part**2 * rest))


def _varies(support_of: tuple[list[int], list[int]], node: int) -> bool:
    return any(bits[node] for bits in support_of)


def _moving_before(model: Model) -> frozenset[str]:
    """Symbols whose initial value is another one at another time."""
    by_time = support(model.nodes, "time")
    by_parameter, by_state = support(model.nodes, "parameter"), support(model.nodes, "state")
    own = {delay.state for delay in model.delays}
    nodes = {**model.derived}
    nodes |= {
        name: node
        for i, (name, node) in enumerate(zip(model.states, model.initial, strict=True))
        if i not in own
    }
    moving: set[str] = set()
    before = -1
    while before != len(moving):
        before = len(moving)
        p = sum(1 << i for i, name in enumerate(model.parameters) if name in moving)
        y = sum(1 << i for i, name in enumerate(model.states) if name in moving)
        for name, node in nodes.items():
            if by_time[node] or by_parameter[node] & p or by_state[node] & y:
                moving.add(name)
    if model.relaxing:  # before the start nothing was in balance yet
        moving |= {model.states[i] for i, _ in model.relaxing}
    return frozenset(moving)
