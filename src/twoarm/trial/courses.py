"""Single doses: those of a decision, and those of a course that goes on from window to window.

Arrays over patients and treatments; knows no molecule and no ODE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.regimen import in_course
from twoarm.trial.dosing import PRIMING, Rules, Schedule, dose_words
from twoarm.trial.protocol import Arm

_NEAR = 1e-9  # day; a dose this close to the end of a window is one at its end, whatever rounding made of it


class Singles(NamedTuple):
    """Single doses, one an entry.

    Attributes
    ----------
    row : (dose,) int array
        Who is given it, counted from 0.
    treatment : (dose,) int array
        Which treatment of the arm, counted from 0.
    day : (dose,) float array [day]
        When.
    level : (dose,) int array
        -1 a priming dose, 0 the full dose, 1 and above the reductions.
    """

    row: np.ndarray
    treatment: np.ndarray
    day: np.ndarray
    level: np.ndarray

    def only(self, held: np.ndarray) -> Singles:
        """Pick some of them."""
        return Singles(*(column[held] for column in self))

    def then(self, later: Singles) -> Singles:
        """Add what is given later."""
        return Singles(*(np.concatenate(pair) for pair in zip(self, later, strict=True)))


def at_decision(given: np.ndarray, day: np.ndarray) -> Singles:
    """List what a decision gives at once.

    Parameters
    ----------
    given : (patient, treatment) int array
        From `twoarm.trial.dosing.decide`.
    day : (patient,) float array [day]
        Today, patient by patient.

    Returns
    -------
    Singles
        Patient by patient.

    Examples
    --------
    >>> at_decision(np.array([[0], [-9]]), np.array([21.0, 14.0])).day
    array([21.])
    """
    row, treatment = np.nonzero(given >= PRIMING)
    return Singles(row, treatment, day[row].astype(float), given[row, treatment])


def go_on(schedule: Schedule, rules: Rules, who: np.ndarray, end: np.ndarray) -> Singles:
    """Give what is left of courses that have begun, up to the end of each patient's window.

    Parameters
    ----------
    schedule : Schedule
        Changed in place: what lies at the end or beyond is left for the next window.
    rules : Rules
        From `twoarm.trial.dosing.rules_of`.
    who : (m,) int array
        Rows of the patients who take part.
    end : (m,) float array [day]
        End of their windows.

    Returns
    -------
    Singles
        The single doses after those of the decision.
    """
    left, begun = schedule.left[who], schedule.begun[who]
    place, treatment = np.nonzero(left)
    done = (rules.doses[who] - left)[place, treatment].astype(int)
    first, apart = begun[place, treatment], rules.apart[who][place, treatment]
    # doses 0 to fit - 1 of the course lie before the end
    fit = np.ceil((end[place] - _NEAR - first) / apart).astype(int)
    times = np.clip(fit - done, 0, left[place, treatment])
    which = np.repeat(np.arange(times.size), times)
    number = done[which] + np.arange(which.size) - np.repeat(np.cumsum(times) - times, times)
    row, part, day = who[place][which], treatment[which], first[which] + in_course(apart[which], number)
    np.add.at(schedule.left, (row, part), -1)
    schedule.last[row, part] = day  # they ascend, so that the last one stays
    return Singles(row, part, day, schedule.level[row, part])


def exposures(
    labels: np.ndarray, arm_of: np.ndarray, given: Singles, arms: Mapping[str, Arm]
) -> pd.DataFrame:
    """Write single doses down, a row each.

    Parameters
    ----------
    labels, arm_of : (patient,) arrays
        Patient labels and arms.
    given : Singles
        From `at_decision` or `go_on`.
    arms : mapping of name to Arm
        From the protocol.

    Returns
    -------
    DataFrame
        `patient arm treatment day level dose`; `treatment` counts from 0, `dose` in the protocol's words.
    """
    words = [
        dose_words(arms[arm].treatments[part], step)
        for arm, part, step in zip(arm_of[given.row], given.treatment, given.level, strict=True)
    ]
    return pd.DataFrame(
        {
            "patient": labels[given.row],
            "arm": arm_of[given.row],
            "treatment": given.treatment,
            "day": given.day,
            "level": given.level,
            "dose": words,
        }
    )
