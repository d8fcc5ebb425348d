"""What a back end is given and what it gives back: plain arrays, one row a patient, nothing else.

A back end is a function from `Cohort` to `Solved`. It knows no names, no tables and no units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twoarm.model import Model

#: Kinds of entries in a schedule.
ADD_TO_STATE, SET_RATE, RESET = 0, 1, 2


@dataclass(frozen=True)
class Schedule:
    """Sudden changes of all patients, sorted by patient and time.

    Attributes
    ----------
    first : (patient + 1,) int array
        Patient `p` owns entries ``first[p]`` to ``first[p + 1] - 1``.
    time : (entry,) float array [day]
        When.
    kind : (entry,) int array
        `ADD_TO_STATE` (a bolus), `SET_RATE` (an infusion begins, changes or ends) or `RESET` (all states
        go back).
    state : (entry,) int array
        Which state.
    value : (entry,) float array
        Amount to add, or the infusion rate from now on.
    """

    first: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    state: np.ndarray
    value: np.ndarray


@dataclass(frozen=True)
class Tolerance:
    """How exact: error below `relative` |y| + floor, root mean square over states.

    Attributes
    ----------
    relative : float
        Relative tolerance.
    floor : (state,) float array
        Absolute tolerance of each state.
    share : float
        The floor of a state also is at least this share of the largest size it has had; 0 for never.
    """

    relative: float
    floor: np.ndarray
    share: float


@dataclass(frozen=True)
class Cohort:
    """Patients to integrate.

    Attributes
    ----------
    model : Model
        The equations.
    parameters : (patient, parameter) float array
        Every parameter of every patient.
    state : (patient, state) float array
        Where each starts.
    reset_state : (patient, state) float array
        Where a reset leads back to; no rows if the schedule has none.
    begin, end : (patient,) float array [day]
        From when to when.
    fresh : (patient,) bool array
        True where the course begins here: then a visit at `begin` is recorded and events may fire at once.
    schedule : Schedule
        Boluses and infusions, all with ``begin <= time < end``.
    visits : (visit,) float array [day]
        Days to record, ascending.
    step : (patient,) float array [day]
        Length of step to try first; 0 where unknown.
    tolerance : Tolerance
        How exact.
    max_steps : int
        A patient who needs more is given up.
    method : str
        Name of the method; back ends with only one ignore it.
    workers : int
        Threads.
    precision : {"double", "single"}
        Of the arithmetic within a step. Time, step lengths, tolerances, and what a back end is given and
        gives back are double.
    """

    model: Model
    parameters: np.ndarray
    state: np.ndarray
    reset_state: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    fresh: np.ndarray
    schedule: Schedule
    visits: np.ndarray
    step: np.ndarray
    tolerance: Tolerance
    max_steps: int
    method: str
    workers: int
    precision: str = "double"


@dataclass(frozen=True)
class Solved:
    """What became of them.

    Attributes
    ----------
    recorded : (patient, visit, state) float array
        States at visits; NaN outside a patient's time, and after a failure.
    state : (patient, state) float array
        Where each ended.
    day : (patient,) float array [day]
        When each ended: `end`, or where it failed.
    status, steps : (patient,) int array
        Code of `status.Status`, and steps taken.
    step : (patient,) float array [day]
        Last length of step.
    worst : (patient,) int array
        State with the largest error when a patient failed, otherwise -1.
    """

    recorded: np.ndarray
    state: np.ndarray
    day: np.ndarray
    status: np.ndarray
    steps: np.ndarray
    step: np.ndarray
    worst: np.ndarray

    @classmethod
    def empty(cls, cohort: Cohort) -> Solved:
        """Arrays of the right shape for a back end to fill."""
        patients, states = cohort.state.shape
        return cls(
            recorded=np.full((patients, len(cohort.visits), states), np.nan),
            state=cohort.state.copy(),
            day=cohort.begin.copy(),
            status=np.zeros(patients, dtype=np.int64),
            steps=np.zeros(patients, dtype=np.int64),
            step=cohort.step.copy(),
            worst=np.full(patients, -1, dtype=np.int64),
        )
