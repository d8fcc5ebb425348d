"""Dose by dose: hold, reduce, prime again, stop.

Arrays over (patient, treatment); knows no molecule and no ODE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from twoarm.trial.protocol import Arm, Treatment
from twoarm.trial.toxicity import Orders

PRIMING = -1
"""Level of a priming dose; 0 is the full dose, 1 the first reduction."""


@dataclass
class Schedule:
    """What each patient has been given and what comes next; patient by treatment.

    Attributes
    ----------
    due : (patient, treatment) float array [day]
        Day of the next decision; infinite where none.
    begun : (patient, treatment) float array [day]
        When the latest course began; NaN before.
    left : (patient, treatment) int array
        Single doses of it that are still to be given.
    level : (patient, treatment) int array
        Level of the next full dose.
    first, last : (patient, treatment) float array [day]
        Days of the first and last single dose; NaN before.
    primed : (patient, treatment) bool array
        The last dose was a priming dose.
    late : (patient, treatment) float array [day]
        How long the dose that is due has been held.
    reason : (patient,) object array
        Why treatment ended; "" while it goes on.
    off_day : (patient,) float array [day]
        When it ended; NaN while it goes on.
    crossed : (patient,) float array [day]
        When treatments after progression began; NaN for none. `reason` and `off_day` stay those of the
        treatments before.
    """

    due: np.ndarray
    begun: np.ndarray
    left: np.ndarray
    level: np.ndarray
    first: np.ndarray
    last: np.ndarray
    primed: np.ndarray
    late: np.ndarray
    reason: np.ndarray
    off_day: np.ndarray
    crossed: np.ndarray


@dataclass(frozen=True)
class Rules:
    """The treatments' rules as arrays over (patient, treatment), so that arms are handled together."""

    start: np.ndarray
    every: np.ndarray
    duration: np.ndarray
    reductions: np.ndarray
    longest_delay: np.ndarray
    lead: np.ndarray
    after_priming: np.ndarray
    after_last_dose: np.ndarray
    later: np.ndarray
    taken_by: np.ndarray
    doses: np.ndarray
    apart: np.ndarray


def rules_of(arms: Mapping[str, Arm], arm_of: np.ndarray) -> Rules:
    """Lay the rules of each patient's arm side by side.

    Parameters
    ----------
    arms : mapping of name to Arm
        From the protocol.
    arm_of : (patient,) str array
        Arm of each patient.

    Returns
    -------
    Rules
        Infinite or 0 where an arm has fewer treatments or no such rule.
    """
    width = max(len(arm.treatments) for arm in arms.values())
    rows = {name: _rows(arm.treatments, width) for name, arm in arms.items()}
    count = len(fields(Rules))
    table = np.array([rows[name] for name in arm_of], float).reshape(len(arm_of), count, width)
    return Rules(*(table[:, field] for field in range(count)))


def open_schedule(rules: Rules) -> Schedule:
    """State before the first dose.

    Parameters
    ----------
    rules : Rules
        From `rules_of`.

    Returns
    -------
    Schedule
        First doses due on the day each treatment starts.
    """
    shape = rules.start.shape
    return Schedule(
        due=np.where(rules.later > 0, np.inf, rules.start),
        begun=np.full(shape, np.nan),
        left=np.zeros(shape, int),
        level=np.zeros(shape, int),
        first=np.full(shape, np.nan),
        last=np.full(shape, np.nan),
        primed=np.zeros(shape, bool),
        late=np.zeros(shape),
        reason=np.full(shape[0], "", dtype=object),
        off_day=np.full(shape[0], np.nan),
        crossed=np.full(shape[0], np.nan),
    )


def stop(schedule: Schedule, who: np.ndarray, day: np.ndarray, reason: str) -> None:
    """End treatment for good.

    Parameters
    ----------
    schedule : Schedule
        Changed in place; a patient who has stopped keeps the first reason, and is given nothing more of a
        course that had begun.
    who : (patient,) bool array
        Whose treatment ends.
    day : (patient,) float array [day]
        When.
    reason : str
        Why.
    """
    schedule.due[who] = np.inf
    schedule.left[who] = 0
    who = who & (schedule.reason == "")
    schedule.reason[who] = reason
    schedule.off_day[who] = day[who]


def cross_over(schedule: Schedule, rules: Rules, who: np.ndarray, day: np.ndarray, takes: np.ndarray) -> None:
    """Begin the treatments that follow progression.

    Parameters
    ----------
    schedule : Schedule
        Changed in place, after `stop`.
    rules : Rules
        From `rules_of`.
    who : (patient,) bool array
        Who has progressed.
    day : (patient,) float array [day]
        When.
    takes : (patient, treatment) bool array
        Which of them each patient takes, if any.
    """
    begins = who[:, None] & (rules.later > 0) & takes
    schedule.due = np.where(begins, day[:, None] + rules.start, schedule.due)
    schedule.crossed = np.where(begins.any(axis=1), day, schedule.crossed)


def decide(schedule: Schedule, rules: Rules, day: np.ndarray, orders: Orders, recheck: float) -> np.ndarray:
    """Decide on every dose that is due today.

    Parameters
    ----------
    schedule : Schedule
        Changed in place.
    rules : Rules
        From `rules_of`.
    day : (patient,) float array [day]
        Today, patient by patient; NaN for those who are not seen today.
    orders : Orders
        What the grades ask for.
    recheck : float [day]
        How long a dose is held before the next look.

    Returns
    -------
    (patient, treatment) int array
        Level given today (-1 a priming dose, 0 full, 1 and above reduced); -9 where nothing is given.

    Notes
    -----
    In this order: stop for toxicity; stop when the planned duration is over; hold, and stop when held too
    long; reduce one level, and stop when there is none left; prime again after a pause; give.
    """
    due = schedule.due <= day[:, None]
    any_due = due.any(axis=1)
    stop(schedule, any_due & orders.stop, day, "toxicity")
    over = due & (day[:, None] - schedule.first >= rules.duration)
    schedule.due[over] = np.inf
    stop(schedule, over.any(axis=1) & np.isinf(schedule.due).all(axis=1), day, "completed")
    due &= ~np.isinf(schedule.due)
    held = due & orders.hold[:, None]
    schedule.late[held] += recheck
    schedule.due[held] += recheck
    stop(schedule, (held & (schedule.late > rules.longest_delay)).any(axis=1), day, "delay")
    due &= ~held & ~np.isinf(schedule.due)
    lower = due & orders.reduce[:, None]
    schedule.level[lower] += 1
    stop(schedule, (lower & (schedule.level > rules.reductions)).any(axis=1), day, "toxicity")
    due &= ~np.isinf(schedule.due)
    return _give(schedule, rules, day, due)


def dose_words(treatment: Treatment, level: int) -> str:
    """Say the dose of a level in the protocol's words.

    Parameters
    ----------
    treatment : Treatment
        One molecule of an arm.
    level : int
        -1 the priming dose, 0 the full dose, 1 and above the reductions.

    Returns
    -------
    str
        As "3 mg/kg".
    """
    if level == PRIMING and treatment.priming is not None:
        return treatment.priming.dose
    return (treatment.dose, *treatment.reductions)[max(level, 0)]


def _rows(treatments: Sequence[Treatment], width: int) -> np.ndarray:
    """(rule, treatment) numbers of one arm."""
    none = [np.inf, np.inf, np.inf, 0, np.inf, np.nan, np.inf, np.inf, 0, 0, 1, 0]
    columns = []
    for part in treatments:
        again = part.re_priming
        lead = part.priming.lead if part.priming else np.nan
        pause = (again.after_priming, again.after_last_dose) if again else (np.inf, np.inf)
        plan = [part.start, part.every, part.max_duration, len(part.reductions)]
        crossover = (part.after == "progression", part.taken_by)
        course = (part.course.doses, part.course.apart) if part.course else (1, 0)
        columns.append([*plan, part.longest_delay, lead, *pause, *crossover, *course])
    return np.array(columns + [none] * (width - len(columns)), float).T


def _give(schedule: Schedule, rules: Rules, day: np.ndarray, due: np.ndarray) -> np.ndarray:
    """Give what is due: a priming dose at the start and after a pause, else the current level."""
    today = np.broadcast_to(day[:, None], due.shape)
    since = today - schedule.last
    paused = np.where(schedule.primed, since > rules.after_priming, since >= rules.after_last_dose)
    primes = due & ~np.isnan(rules.lead) & (np.isnan(schedule.last) | paused)
    given = np.where(due, np.where(primes, PRIMING, schedule.level), -9)
    schedule.due = np.where(due, today + np.where(primes, rules.lead, rules.every), schedule.due)
    begins = due & ~primes
    schedule.begun = np.where(begins, today, schedule.begun)
    schedule.left = np.where(begins, rules.doses - 1, schedule.left).astype(int)
    schedule.first = np.where(due & np.isnan(schedule.first), today, schedule.first)
    schedule.last = np.where(due, today, schedule.last)
    schedule.primed = np.where(due, primes, schedule.primed)
    schedule.late[due] = 0.0
    return given
