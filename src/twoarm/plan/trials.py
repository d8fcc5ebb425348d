"""Draw trials from a pool: who enters when, who gets which arm, who is lost; thousands at once, as arrays.

A row is a trial, a column a patient in order of enrollment. What is drawn here is drawn for each trial anew;
what happened to a patient in an arm comes from the pool.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twoarm.chance import generator
from twoarm.plan.pool import Course, Pool, levels_of
from twoarm.trial.protocol import Enrollment, Randomization
from twoarm.trial.randomize import enter, minimize, permute_blocks

TOGETHER = 250  # trials of one key of chance
_FIRST_DAY = 1.0  # as the data cut: nobody's time is shorter


class Setting(NamedTuple):
    """What a trial needs beside its patients.

    Attributes
    ----------
    patients : int
        Enrolled.
    enrollment : Enrollment
        Speed, by region where it differs.
    randomization : Randomization
        Factors, blocks or minimization.
    shares : tuple of int
        Experimental, control.
    dropout : float [1/day]
        Hazard of being lost.
    """

    patients: int
    enrollment: Enrollment
    randomization: Randomization
    shares: tuple[int, int]
    dropout: float


class Drawn(NamedTuple):
    """Trials before anything has happened; each a (trial, patient) array, patients by day of enrollment."""

    who: np.ndarray
    enrolled: np.ndarray
    treated: np.ndarray
    stratum: np.ndarray
    lost: np.ndarray
    version: np.ndarray


class Happened(NamedTuple):
    """What happens to the patients of each trial in their arm; (trial, patient) arrays, days since entry."""

    event: np.ndarray
    until: np.ndarray
    last_scan: np.ndarray


def draw_trials(pool: Pool, setting: Setting, *, seed: int, chunk: int, trials: int = TOGETHER) -> Drawn:
    """Draw trials from a pool.

    Parameters
    ----------
    pool : Pool
        Whose patients; drawn with replacement, each as likely.
    setting : Setting
        Size, speed, randomization, dropout.
    seed : int
        Keyed by (seed, purpose, chunk): the same trials for every setting that differs in later things only.
    chunk : int
        Number of the batch.
    trials : int
        How many trials.

    Returns
    -------
    Drawn
        Arrays.

    Raises
    ------
    EmptyStratumError
        If a region that enrolls, or a factor, has no patient.

    Notes
    -----
    Where regions enroll at their own speeds, the region of each entry is drawn by its share of the speed on
    that day, and the patient among those of the region.
    """
    n, size = setting.patients, pool.size

    def uniform(purpose: str) -> np.ndarray:
        # a column a patient: the first patients stay the same when more are enrolled
        return generator(seed, f"plan, {purpose}", replicate=chunk).random((n, trials)).T

    enrolled, region = enter(uniform("enrollment"), setting.enrollment, uniform("region"))
    chance = uniform("patient")
    if setting.enrollment.regions:
        names = tuple(setting.enrollment.regions)
        levels = levels_of(pool.patients, "region", names)
        who = np.zeros((trials, n), np.int64)
        for number, name in enumerate(names):
            own = np.flatnonzero(levels == name)
            who = np.where(region == number, own[(chance * own.size).astype(np.int64)], who)
    else:
        who = (chance * size).astype(np.int64)
    codes = _codes(pool, setting)
    stratum = stratum_of(pool, setting)
    if setting.randomization.minimize is not None:
        levels = np.stack([code[who] for code in codes], axis=-1) if codes else np.zeros((trials, n, 1), int)
        arm = minimize(
            levels,
            setting.shares,
            uniform("minimization"),
            uniform("tie"),
            probability=setting.randomization.minimize,
        )
    else:
        draw = generator(seed, "plan, randomization", replicate=chunk)
        arm = permute_blocks(stratum[who], setting.shares, setting.randomization.block_sizes, draw)
    lost = uniform("dropout")
    with np.errstate(divide="ignore"):
        lost = (
            np.ceil(-np.log(lost) / setting.dropout) if setting.dropout > 0 else np.full(lost.shape, np.inf)
        )
    version = uniform("reader")
    return Drawn(who, enrolled, arm == 0, stratum[who], lost, version)


def stratum_of(pool: Pool, setting: Setting) -> np.ndarray:
    """Give each patient of the pool the number of a stratum, one for every combination of levels.

    Parameters
    ----------
    pool : Pool
        Whose patients.
    setting : Setting
        With the factors that stratify.

    Returns
    -------
    (patient,) int array
        From 0; all 0 without factors.

    Raises
    ------
    EmptyStratumError
        If a factor is no column of the patients.
    """
    stratum = np.zeros(pool.size, np.int64)
    for code in _codes(pool, setting):
        stratum = stratum * (int(code.max()) + 1) + code
    return np.unique(stratum, return_inverse=True)[1]


def _codes(pool: Pool, setting: Setting) -> list[np.ndarray]:
    """Level of each factor of the randomization, as a number."""
    names = setting.randomization.factors
    return [np.unique(levels_of(pool.patients, name, ()), return_inverse=True)[1] for name in names]


def happen(
    drawn: Drawn, experimental: Course, control: Course, endpoint: str, *, by: str = "investigator"
) -> Happened:
    """Look up what happens to each patient in the arm that was drawn.

    Parameters
    ----------
    drawn : Drawn
        From `draw_trials`.
    experimental, control : Course
        Of the pool; the same course twice for trials without a difference.
    endpoint : {"OS", "PFS"}
        Which event.
    by : {"investigator", "review"}
        Whose progression.

    Returns
    -------
    Happened
        `event` is infinite where none happens while the patient is followed; `until` is when following ends.
    """
    death = _of(drawn, experimental.death, control.death)
    until = np.minimum(_of(drawn, experimental.until, control.until), drawn.lost)
    if endpoint == "OS":
        return Happened(np.where(death <= until, death, np.inf), until, until)
    if by == "review" and experimental.reviews.shape[1]:
        version = (drawn.version * experimental.reviews.shape[1]).astype(np.int64)
        progression = np.where(
            drawn.treated, experimental.reviews[drawn.who, version], control.reviews[drawn.who, version]
        )
    else:
        progression = _of(drawn, experimental.progression, control.progression)
    progression = np.where(
        progression < drawn.lost, progression, np.inf
    )  # a scan on the day of loss is not held
    event = np.minimum(progression, np.where(death <= until, death, np.inf))
    return Happened(event, until, until)


def scans_of(drawn: Drawn, experimental: Course, control: Course) -> np.ndarray:
    """Look up the evaluable scans of each patient, to censor PFS; (trial, patient, visit) [day]."""
    width = max(experimental.scans.shape[1], control.scans.shape[1])
    one, two = (_widened(course.scans, width) for course in (experimental, control))
    scans = np.where(drawn.treated[..., None], one[drawn.who], two[drawn.who])
    return np.where(scans < drawn.lost[..., None], scans, np.inf)


def event_day(drawn: Drawn, happened: Happened, events: int) -> np.ndarray:
    """Calendar day of the event with a number; of the end of all following where there are fewer.

    Parameters
    ----------
    drawn, happened : Drawn, Happened
        Trials.
    events : int
        Which, counted from 1.

    Returns
    -------
    (trial,) float array [day]
        Since the trial opened.
    """
    when = np.sort(drawn.enrolled + happened.event, axis=1)
    end = (drawn.enrolled + happened.until).max(axis=1) + 1.0
    day = when[:, events - 1] if events <= when.shape[1] else np.full(len(when), np.inf)
    return np.where(np.isfinite(day), day, end)


def observe(
    drawn: Drawn, happened: Happened, cutoff: np.ndarray, scans: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Days and events as an analyst sees them on a calendar day.

    Parameters
    ----------
    drawn, happened : Drawn, Happened
        Trials.
    cutoff : (trial,) float array [day]
        Of each trial.
    scans : (trial, patient, visit) float array, optional
        From `scans_of`: without an event the time is that of the last evaluable scan.

    Returns
    -------
    days : (trial, patient) float array
        -1 for patients not enrolled before the cut.
    events : (trial, patient) bool array
        True where it happened.
    """
    limit = np.minimum(cutoff[:, None] - drawn.enrolled, happened.until)
    events = happened.event <= limit
    open_to = limit
    if scans is not None:
        open_to = np.where(scans <= limit[..., None], scans, 0.0).max(axis=2, initial=0.0)
    days = np.maximum(np.where(events, happened.event, open_to), _FIRST_DAY)
    entered = drawn.enrolled < cutoff[:, None]
    return np.where(entered, days, -1.0), events & entered


def _of(drawn: Drawn, experimental: np.ndarray, control: np.ndarray) -> np.ndarray:
    return np.where(drawn.treated, experimental[drawn.who], control[drawn.who])


def _widened(scans: np.ndarray, width: int) -> np.ndarray:
    return np.pad(scans, ((0, 0), (0, width - scans.shape[1])), constant_values=np.inf)
