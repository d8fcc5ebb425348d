"""The clinic: what is known about each patient, and what happens at a scan, at a dose, at a death.

Arrays over patients; no ODE and no molecule. What the biology did comes in as numbers (`Window`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.chance import uniforms
from twoarm.trial import courses, dosing, imaging, recist, survival, toxicity
from twoarm.trial.outcomes import BLOCKED, Outcomes
from twoarm.trial.protocol import Protocol
from twoarm.units import quantity

WEEK = 7.0
_NEVER = np.inf


class Window(NamedTuple):
    """What the biology did from each patient's last decision to the next.

    Attributes
    ----------
    who : (m,) int array
        Rows of the patients who took part.
    begin, end : (m,) float array [day]
        Their window; `end` is earlier than planned where the integration failed.
    diameters : (m, lesion) float array [mm]
        True diameters at the end.
    sld : (m,) float array [mm]
        True sum of diameters at the end.
    looks : (m, look) float array [day]
        When drivers of adverse events were looked at: from `look_days`, the end last.
    drivers : dict of str to (m, look) float array
        The drivers then; NaN where not looked at.
    status : (m,) int array
        0 where the integration reached the end.
    """

    who: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    diameters: np.ndarray
    sld: np.ndarray
    looks: np.ndarray
    drivers: dict[str, np.ndarray]
    status: np.ndarray


@dataclass(frozen=True)
class Setup:
    """What is fixed before the first patient enters: rules, draws, baselines. One row a patient.

    `baseline` holds true diameters on the day of the baseline scan.
    """

    labels: np.ndarray
    arm_of: np.ndarray
    albumin: np.ndarray
    baseline: np.ndarray
    nodal: np.ndarray
    protocol: Protocol
    outcomes: Outcomes
    seed: int
    replicate: int
    rules: dosing.Rules
    plan: imaging.VisitPlan
    noise: imaging.ReaderError
    non_target_present: np.ndarray
    non_target_limit: np.ndarray
    disposition: toxicity.Disposition
    lifetime: np.ndarray
    background: np.ndarray
    lost: np.ndarray
    end: np.ndarray
    weeks: np.ndarray
    after_dose: np.ndarray
    takes: np.ndarray
    blocked_before: np.ndarray


@dataclass
class State:
    """What is known so far; changed in place, window by window. One row a patient."""

    schedule: dosing.Schedule
    now: np.ndarray
    next_scan: np.ndarray
    death: np.ndarray
    new_lesion: np.ndarray
    progression: np.ndarray
    progression_by: np.ndarray
    status: np.ndarray
    sld: np.ndarray
    diameters: np.ndarray
    too_small: np.ndarray
    non_target: np.ndarray
    new_seen: np.ndarray
    target: np.ndarray
    overall: np.ndarray
    total: np.ndarray
    nadir: np.ndarray
    current: np.ndarray
    since_dose: np.ndarray
    worst: np.ndarray
    blocked: np.ndarray
    exposures: list[pd.DataFrame] = field(default_factory=list)
    toxicities: list[pd.DataFrame] = field(default_factory=list)

    @property
    def active(self) -> np.ndarray:
        """Who is still followed."""
        return np.isinf(self.death) & (self.status == 0)


def set_up(
    labels: np.ndarray,
    arm_of: np.ndarray,
    albumin: np.ndarray,
    baseline: np.ndarray,
    growth: np.ndarray,
    nodal: np.ndarray,
    *,
    protocol: Protocol,
    outcomes: Outcomes,
    seed: int,
    replicate: int,
    blocked_before: np.ndarray | None = None,
) -> Setup:
    """Draw everything that is fixed before the first dose.

    Parameters
    ----------
    labels, arm_of : (patient,) arrays
        Patient labels and arms.
    albumin : (patient,) float array [g/L]
        At baseline.
    baseline : (patient, lesion) float array [mm]
        True diameters on day 0; 0 for lesions that a patient does not have.
    growth : (patient, lesion) float array [1/day]
        Of the volumes, before treatment: the baseline scan sees less of what grows, as it comes before day 0.
    nodal : (patient, lesion) bool array
        Which lesions are lymph nodes.
    protocol, outcomes : Protocol, Outcomes
        The files.
    seed, replicate : int
        Key of the draws.
    blocked_before : (patient,) bool array, optional
        Who had immunotherapy before; left out, nobody.

    Returns
    -------
    Setup
        Draws keyed by (seed, patient, purpose): the same patient in every arm.
    """
    link, horizon = outcomes.survival, np.floor(protocol.follow_up.horizon)
    key = {"seed": seed, "replicate": replicate}
    plan = imaging.plan_visits(protocol.imaging, outcomes.reader, labels, last_day=horizon, **key)
    visits, lesions = plan.planned.size, baseline.shape[1]
    rules = dosing.rules_of(protocol.arms, arm_of)
    wish = uniforms(seed, "crossover", labels, rules.later.shape[1], replicate=replicate)
    present, limit = imaging.non_target_limits(outcomes.non_target, labels, seed=seed, replicate=replicate)
    background = np.ceil(survival.other_death_days(seed, labels, link, replicate=replicate))
    lost = np.ceil(survival.exponential_days(seed, "dropout", labels, link.dropout, replicate=replicate))
    return Setup(
        labels=labels,
        arm_of=arm_of,
        albumin=albumin,
        baseline=imaging.diameters_at_baseline(baseline, growth, plan.days[:, 0]),
        nodal=nodal,
        protocol=protocol,
        outcomes=outcomes,
        seed=seed,
        replicate=replicate,
        rules=rules,
        plan=plan,
        noise=imaging.draw_reader_error(
            outcomes.reader, labels, visits, lesions, seed=seed, replicate=replicate
        ),
        non_target_present=present,
        non_target_limit=limit,
        disposition=toxicity.draw_disposition(outcomes.toxicity, labels, **key),
        lifetime=survival.lifetimes(seed, labels, link, replicate=replicate),
        background=background,
        lost=lost,
        end=np.minimum(np.minimum(background, lost), horizon),
        weeks=np.arange(0.0, horizon + WEEK, WEEK),
        after_dose=np.array([quantity(text, "day") for text in outcomes.toxicity.after_dose]),
        takes=(rules.later > 0) & (wish < rules.taken_by),
        blocked_before=np.zeros(labels.size, bool) if blocked_before is None else blocked_before,
    )


def admit(setup: Setup) -> State:
    """State on day 0, with the baseline scan read.

    Parameters
    ----------
    setup : Setup
        From `set_up`.

    Returns
    -------
    State
        Nothing has happened yet.
    """
    n, visits, lesions = setup.labels.size, setup.plan.planned.size, setup.baseline.shape[1]
    kinds = len(setup.outcomes.toxicity.kinds)
    state = State(
        schedule=dosing.open_schedule(setup.rules),
        now=np.zeros(n),
        next_scan=np.ones(n, int),
        death=np.full(n, _NEVER),
        new_lesion=np.full(n, np.nan),
        progression=np.full(n, np.nan),
        progression_by=np.full(n, "", dtype=object),
        status=np.zeros(n, int),
        sld=np.full((n, setup.weeks.size), np.nan),
        diameters=np.full((n, visits, lesions), np.nan),
        too_small=np.zeros((n, visits, lesions), bool),
        non_target=np.full((n, visits), "NE", dtype=object),
        new_seen=np.zeros((n, visits), bool),
        target=np.full((n, visits), "", dtype=object),
        overall=np.full((n, visits), "", dtype=object),
        total=np.full((n, visits), np.nan),
        nadir=np.full((n, visits), np.nan),
        current=np.zeros((n, kinds), int),
        since_dose=np.zeros((n, kinds), int),
        worst=np.zeros((n, kinds), int),
        blocked=np.where(setup.blocked_before, np.inf, 0.0),
    )
    noise = setup.noise
    read = imaging.read_diameters(
        setup.baseline, noise.proportional[:, 0], noise.additive[:, 0], setup.outcomes.reader
    )
    # a lesion chosen at baseline was measured there: a reading lost to error counts as the smallest
    # measurable one
    least = setup.outcomes.reader.measurable_from
    state.diameters[:, 0] = np.where(setup.baseline > 0, np.maximum(read[0], least), 0.0)
    state.total[:, 0] = state.diameters[:, 0].sum(axis=1)
    state.non_target[:, 0] = np.where(setup.non_target_present, "NN", "none")
    return state


def give_doses(setup: Setup, state: State) -> courses.Singles:
    """Decide on the doses due today and write down those given at once.

    Parameters
    ----------
    setup, state : Setup, State
        `state` is changed in place.

    Returns
    -------
    Singles
        Given today.
    """
    rules, schedule = setup.outcomes.toxicity, state.schedule
    active = state.active & (state.now < setup.end)
    today = np.where(active, state.now, np.nan)
    due = (schedule.due <= today[:, None]).any(axis=1)
    orders = toxicity.orders(rules, state.current, state.since_dose)
    levels = dosing.decide(schedule, setup.rules, today, orders, rules.recheck)
    given = courses.at_decision(levels, state.now)
    state.since_dose[due & (levels >= dosing.PRIMING).any(axis=1)] = 0
    _write_down(setup, state, given)
    return given


def go_on(setup: Setup, state: State, who: np.ndarray, end: np.ndarray) -> courses.Singles:
    """Give what is left of courses, up to the end of each patient's window.

    Parameters
    ----------
    setup, state : Setup, State
        After `next_stop`; `state` is changed in place.
    who : (m,) int array
        Rows of the patients.
    end : (m,) float array [day]
        End of their window.

    Returns
    -------
    Singles
        Planned for the window; `write_down` says which of them were given.
    """
    return courses.go_on(state.schedule, setup.rules, who, end)


def write_down(setup: Setup, state: State, planned: courses.Singles) -> None:
    """Write down the single doses of courses that patients lived to be given.

    Parameters
    ----------
    setup, state : Setup, State
        After `live_through`; `state` is changed in place.
    planned : Singles
        From `go_on`.
    """
    until = np.minimum(state.now, state.death)
    _write_down(setup, state, planned.only(planned.day < until[planned.row]))


def next_stop(setup: Setup, state: State) -> np.ndarray:
    """Day of each patient's next decision.

    Parameters
    ----------
    setup, state : Setup, State
        After `give_doses`.

    Returns
    -------
    (patient,) float array [day]
        The next dose, scan, call or the end, whichever comes first.
    """
    call = state.now + setup.protocol.follow_up.every
    return np.minimum.reduce([state.schedule.due.min(axis=1), _scan_day(setup, state), call, setup.end])


def look_days(setup: Setup, state: State, who: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Days on which the drivers of adverse events are looked at.

    Parameters
    ----------
    setup, state : Setup, State
        After `go_on`.
    who : (m,) int array
        Rows of the patients.
    end : (m,) float array [day]
        End of their window.

    Returns
    -------
    (m, look) float array [day]
        The days after the last dose that lie in the window, and its end unless that is a mere call; NaN
        elsewhere, and once the time in which events count is over.
    """
    last = np.fmax.reduce(state.schedule.last[who], axis=1)[:, None]
    visit = np.minimum(state.schedule.due.min(axis=1), _scan_day(setup, state))[who]
    close = np.where((end == visit) | (end == setup.end[who]), end, np.nan)
    days = last + setup.after_dose
    if (setup.rules.doses > 1).any():  # a course is looked at from its first dose too
        begun = np.fmax.reduce(state.schedule.begun[who], axis=1)[:, None]
        days = np.sort(np.column_stack([begun + setup.after_dose, days]), axis=1)
    inside = (days > state.now[who, None]) & (days < end[:, None])
    looks = np.column_stack([np.where(inside, days, np.nan), close])
    return np.where(looks <= last + setup.outcomes.toxicity.counts_for, looks, np.nan)


def live_through(setup: Setup, state: State, window: Window, weekly_sld: np.ndarray) -> None:
    """Take in one window: growth, deaths, adverse events, scans.

    Parameters
    ----------
    setup, state : Setup, State
        `state` is changed in place.
    window : Window
        What the biology did.
    weekly_sld : (m, week) float array [mm]
        True sum of diameters on the weeks of the window; NaN elsewhere.
    """
    who = window.who
    state.sld[who] = np.where(np.isnan(weekly_sld), state.sld[who], weekly_sld)
    state.status[who] = window.status
    state.now[who] = window.end
    if BLOCKED in window.drivers:
        longest = np.fmax.reduce(window.drivers[BLOCKED], axis=1, initial=0.0)
        state.blocked[who] = np.fmax(state.blocked[who], longest)
    _grow_and_die(setup, state, who)
    _grade(setup, state, window)
    alive = state.active[who] & (window.end < setup.lost[who])
    _scan(setup, state, window, alive & (window.end == _scan_day(setup, state)[who]))
    everyone = np.ones(state.now.size, bool)
    dosing.stop(state.schedule, everyone & ~np.isinf(state.death), state.death, "death")
    dosing.stop(state.schedule, state.status != 0, state.now, "failed")
    dosing.stop(state.schedule, state.now >= setup.lost, setup.lost, "lost to follow-up")


def next_therapy(setup: Setup, state: State) -> np.ndarray:
    """Day on which the next line begins; NaN for none [day]."""
    link = setup.outcomes.survival
    began = survival.next_therapy_days(
        setup.seed, setup.labels, state.progression, link, replicate=setup.replicate
    )
    # a crossover is the next line of who takes it, and the biology says what it does
    return np.where(setup.takes.any(axis=1), np.nan, began)


def _write_down(setup: Setup, state: State, given: courses.Singles) -> None:
    """Add single doses to the record."""
    if given.row.size:
        arms = setup.protocol.arms
        state.exposures.append(courses.exposures(setup.labels, setup.arm_of, given, arms))


def _scan_day(setup: Setup, state: State) -> np.ndarray:
    """Day of each patient's next scan; infinite where there is none."""
    visits = setup.plan.planned.size
    place = np.minimum(state.next_scan, visits - 1)
    day = setup.plan.days[np.arange(place.size), place]
    return np.where((state.next_scan < visits) & np.isnan(state.progression), day, _NEVER)


def _grow_and_die(setup: Setup, state: State, who: np.ndarray) -> None:
    """Find new lesions and deaths up to now, from the course so far."""
    weeks = min(setup.weeks.size, int(state.now[who].max() // WEEK) + 2)
    days, sld, now = setup.weeks[:weeks], state.sld[who, :weeks], state.now[who]
    key = {"seed": setup.seed, "replicate": setup.replicate}
    later = next_therapy(setup, state)[who]
    eta = survival.log_time(sld, days, setup.albumin[who], later, setup.outcomes.survival, state.blocked[who])
    cancer = np.ceil(survival.cancer_death_days(eta, days, setup.lifetime[who]))
    death = np.fmin(cancer, setup.background[who])
    state.death[who] = np.where(death <= now, death, _NEVER)
    appeared = imaging.new_lesion_days(sld, days, setup.labels[who], setup.outcomes.new_lesions, **key)
    appeared = np.ceil(appeared)
    state.new_lesion[who] = np.where(appeared <= np.minimum(now, state.death[who]), appeared, np.nan)


def _grade(setup: Setup, state: State, window: Window) -> None:
    """Grade this window's looks, and record each grade reached for the first time."""
    who, brought = window.who, setup.disposition
    alive = window.looks <= state.death[who, None]
    at_visit = np.arange(window.looks.shape[1]) == window.looks.shape[1] - 1
    for place, kind in enumerate(setup.outcomes.toxicity.kinds):
        seen = alive & (brought.seen[who, place, None] | at_visit)
        driver = np.where(seen, window.drivers[kind.driver], np.nan)
        grades = toxicity.grade(kind, driver, brought.frailty[who], brought.scatter[who, place])
        so_far = np.column_stack([state.worst[who, place], grades])
        so_far = np.maximum.accumulate(so_far, axis=1)
        row, look = np.nonzero(np.diff(so_far, axis=1) > 0)
        state.current[who, place] = grades[:, -1]
        state.worst[who, place] = so_far[:, -1]
        counted = grades.max(axis=1)
        if not kind.recovers:
            counted = np.where(so_far[:, -1] > so_far[:, 0], counted, 0)
        state.since_dose[who, place] = np.maximum(state.since_dose[who, place], counted)
        if row.size:
            found = {"patient": setup.labels[who[row]], "toxicity": kind.name, "grade": grades[row, look]}
            state.toxicities.append(pd.DataFrame({**found, "day": window.looks[row, look]}))


def _scan(setup: Setup, state: State, window: Window, due: np.ndarray) -> None:
    """Read the scans due at the end of the window and judge them."""
    who = window.who[due]
    if not who.size:
        return
    visit = state.next_scan[who]
    held = ~setup.plan.missed[who, visit]
    seen, at = who[held], visit[held]
    noise, rule = setup.noise, setup.outcomes.non_target
    read, small = imaging.read_diameters(
        window.diameters[due][held],
        noise.proportional[seen, at],
        noise.additive[seen, at],
        setup.outcomes.reader,
    )
    sld = window.sld[due][held]
    lowest = np.fmin.reduce([np.nanmin(state.sld[seen], axis=1), sld, setup.baseline[seen].sum(axis=1)])
    limits = (setup.non_target_present[seen], setup.non_target_limit[seen])
    state.diameters[seen, at], state.too_small[seen, at] = read, small
    state.non_target[seen, at] = imaging.read_non_target(sld, lowest, *limits, rule)
    state.new_seen[seen, at] = state.new_lesion[seen] <= state.now[seen]
    state.next_scan[who] += 1
    _judge(setup, state, who, visit)


def _judge(setup: Setup, state: State, who: np.ndarray, visit: np.ndarray) -> None:
    """RECIST of all visits up to this one, and what progression brings."""
    last = int(visit.max()) + 1
    took_place = np.arange(last) <= visit[:, None]
    mm = recist.small_lesion_rule(state.diameters[who, :last], state.too_small[who, :last])
    course = recist.target_course(mm, setup.nodal[who])
    target = np.where(took_place, course.response, "")
    overall = recist.overall_response(target, state.non_target[who, :last], state.new_seen[who, :last])
    for record, part in (
        ("target", target),
        ("overall", overall),
        ("total", course.total),
        ("nadir", course.nadir),
    ):
        getattr(state, record)[who, :last] = part
    row = np.arange(who.size)
    worse = overall[row, visit] == "PD"
    found = [target[row, visit] == "PD", state.new_seen[who, visit]]
    by = np.select(found, ["target", "new lesion"], default="non-target")
    state.progression[who[worse]] = state.now[who[worse]]
    state.progression_by[who[worse]] = by[worse]
    if not setup.protocol.imaging.treat_beyond_progression:
        stops = np.zeros(state.now.size, bool)
        stops[who[worse]] = True
        dosing.stop(state.schedule, stops, state.now, "progression")
        dosing.cross_over(state.schedule, setup.rules, stops, state.now, setup.takes)
