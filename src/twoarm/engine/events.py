"""Events of a model: which triggers turned true, what waits for its delay, and what is assigned.

Follows SBML Level 3 Version 2, section 4.12 (keating2020sbml). Both back ends on the host use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twoarm.chance import generator
from twoarm.engine.roots import roots_of
from twoarm.model import Event, Model

_MOST_AT_ONCE = 10_000


class EventStormError(RuntimeError):
    """Events trigger each other without end. Caught by the back end, which fails the patient."""


@dataclass(frozen=True)
class _Waiting:
    day: float
    event: int
    values: tuple[float, ...] | None  # None: evaluated when it happens


class EventQueue:
    """The events of one patient.

    Parameters
    ----------
    model : Model
        Its events.
    values : callable
        ``values(day, state)`` gives the values of `roots_of`.
    rest : callable, optional
        ``rest(day, state)`` brings what is in balance at any time back there; changes `state`.
    """

    def __init__(
        self,
        model: Model,
        values: Callable[[float, np.ndarray], np.ndarray],
        rest: Callable[[float, np.ndarray], None] | None = None,
    ) -> None:
        self.events: tuple[Event, ...] = model.events
        self._values = values
        self._rest = rest
        roots = roots_of(model)
        self._places, self._sides = roots.events, roots.sides
        self._true = [event.initial_value for event in model.events]
        self._waiting: list[_Waiting] = []
        self._chance: np.random.Generator | None = None  # costs more to make than most queues need

    def resume(self, day: float, state: np.ndarray) -> None:
        """Begin where an earlier run ended: what is true already has happened already."""
        self._true = self._triggers(day, state)

    def next_day(self) -> float:
        """When the next delay is over; infinity if nothing waits."""
        return min((waiting.day for waiting in self._waiting), default=np.inf)

    @property
    def roots(self) -> int:
        """Length of `signs`."""
        return len(self.events) + (self._sides.stop - self._sides.start) // 2

    def signs(self, day: float, state: np.ndarray) -> np.ndarray:
        """For a root finder: what changes sign where a trigger may turn.

        One number per trigger, and the difference of both sides of each comparison, because a trigger that
        is true only for a moment would be stepped over.
        """
        values = self._values(day, state)
        now = [bool(values[places.trigger] != 0.0) for places in self._places]
        same = [1.0 if a == b else -1.0 for a, b in zip(now, self._true, strict=True)]
        sides = values[self._sides]
        apart = sides[0::2] - sides[1::2]
        apart[apart == 0.0] = 1e-300  # CVODE complains of a root that stays; the signs above see it leave
        return np.concatenate([same, apart])

    def settle(self, day: float, state: np.ndarray) -> None:
        """Let everything happen that is due at `day`, highest priority first; changes `state`."""
        for _ in range(_MOST_AT_ONCE):
            self._notice(day, state)
            due = [waiting for waiting in self._waiting if waiting.day <= day]
            if not due:
                return
            values = self._values(day, state)
            chosen = self._first(due, values)
            self._waiting.remove(chosen)
            places = self._places[chosen.event].assignments
            new = chosen.values or tuple(float(values[place]) for _, place, _ in places)
            for (index, _, size), value in zip(places, new, strict=True):
                state[index] = value if size is None else value * values[size]
            if self._rest is not None:
                self._rest(day, state)
        raise EventStormError

    def _triggers(self, day: float, state: np.ndarray) -> list[bool]:
        values = self._values(day, state)
        return [bool(values[places.trigger] != 0.0) for places in self._places]

    def _notice(self, day: float, state: np.ndarray) -> None:
        """Queue what turned true; drop what turned false and does not persist."""
        values = self._values(day, state)
        for number, (event, places) in enumerate(zip(self.events, self._places, strict=True)):
            now = bool(values[places.trigger] != 0.0)
            if now and not self._true[number]:
                delay = float(values[places.delay]) if places.delay is not None else 0.0
                fixed = tuple(float(values[place]) for _, place, _ in places.assignments)
                self._waiting.append(
                    _Waiting(day + delay, number, fixed if event.use_trigger_values else None)
                )
            elif not now and not event.persistent:
                self._waiting = [waiting for waiting in self._waiting if waiting.event != number]
            self._true[number] = now

    def _first(self, due: list[_Waiting], values: np.ndarray) -> _Waiting:
        """One of the highest priority; which of several equal ones is left to chance, as SBML asks."""
        priorities = [self._priority(waiting.event, values) for waiting in due]
        best = [waiting for waiting, p in zip(due, priorities, strict=True) if not p < max(priorities)]
        if len(best) == 1:
            return best[0]
        if self._chance is None:
            self._chance = generator(0, "order of simultaneous events")
        return best[int(self._chance.integers(len(best)))]

    def _priority(self, number: int, values: np.ndarray) -> float:
        place = self._places[number].priority
        return float(values[place]) if place is not None else -np.inf
