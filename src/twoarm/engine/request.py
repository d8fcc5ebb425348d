"""All that is asked of one simulation, checked, from which cohorts of any of its patients are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twoarm.engine import inputs
from twoarm.engine.cohort import Cohort, Tolerance
from twoarm.engine.schedule import plan_schedule
from twoarm.model import Model


@dataclass(frozen=True)
class Request:
    """Who is simulated, from when to when, and how.

    Attributes
    ----------
    model : Model
        The equations.
    people : People
        Labels, own values and doses.
    begin, end : (patient,) float array [day]
        From when to when.
    fresh : (patient,) bool array
        True where the course begins here.
    earlier : Earlier or None
        Where an earlier run left them.
    visits : (visit,) float array [day]
        Days to record, ascending.
    outputs : tuple of str
        Names to record.
    tolerance, method, precision, max_steps, workers
        As `Cohort` has them.
    """

    model: Model
    people: inputs.People
    begin: np.ndarray
    end: np.ndarray
    fresh: np.ndarray
    earlier: inputs.Earlier | None
    visits: np.ndarray
    outputs: tuple[str, ...]
    tolerance: Tolerance
    method: str
    precision: str
    max_steps: int
    workers: int

    def __len__(self) -> int:
        return len(self.begin)

    def cohort(
        self, rows: np.ndarray, *, precision: str | None = None, tolerance: Tolerance | None = None
    ) -> Cohort:
        """Cohort of some of the patients.

        Parameters
        ----------
        rows : (n,) int array
            Which, counted from 0, ascending.
        precision : str, optional
            Another than the request's.
        tolerance : Tolerance, optional
            Another than the request's.

        Returns
        -------
        Cohort
            For a back end. What is in it about a patient does not depend on who else is.
        """
        people = self.people.of(rows)
        earlier = None if self.earlier is None else self.earlier.of(rows)
        parameters, state, start = inputs.read_values(self.model, people, earlier)
        begin, end = self.begin[rows], self.end[rows]
        return Cohort(
            model=self.model,
            parameters=parameters,
            state=state,
            reset_state=start,
            begin=begin,
            end=end,
            fresh=self.fresh[rows],
            schedule=plan_schedule(people.doses, begin=begin, end=end),
            step=np.zeros(len(rows)) if earlier is None else earlier.step,
            visits=self.visits,
            tolerance=tolerance or self.tolerance,
            max_steps=self.max_steps,
            method=self.method,
            workers=self.workers,
            precision=precision or self.precision,
        )
