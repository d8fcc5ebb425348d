"""The answer for response rates, exact: chance to accept, error, size and time, alone and in baskets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom

from twoarm.design.card import Planned, Rates
from twoarm.design.families import steps_of, together
from twoarm.design.two_stage import operate, two_stage
from twoarm.plan.operate import MONTH
from twoarm.plan.pool import Course, Pool
from twoarm.trial.protocol import Enrollment
from twoarm.trial.randomize import fill_day

ALL = "all baskets"  # scenario of what baskets do together

_COLUMNS = ["scenario", "draw", "quantity", "value"]


class Stages(NamedTuple):
    """A design on responses: stop after `first` patients at `stop_at` responses or fewer, and so on.

    One stage is a first one of no patients, which nobody fails.
    """

    first: int
    stop_at: int
    patients: int
    fail_at: int


def response_rate(course: Course, dropout: float, within: float = np.inf) -> float:
    """Chance of a patient of the pool to have a response in time and before being lost.

    Parameters
    ----------
    course : Course
        Of the pool.
    dropout : float [1/day]
        Hazard of being lost.
    within : float [day]
        Responses that come later do not count.

    Returns
    -------
    float
        0 to 1.
    """
    seen = np.isfinite(course.response) & (course.response <= within)
    return float(np.where(seen, np.exp(-dropout * np.where(seen, course.response, 0.0)), 0.0).mean())


def stages_of(planned: Planned, tests: int = 1) -> Stages:
    """Work out the numbers of a design on responses.

    Parameters
    ----------
    planned : Planned
        Of kind single_arm, two_stage or basket.
    tests : int
        How many share the error, as the design says; with Holm's steps each has the size that the strictest
        of them needs.

    Returns
    -------
    Stages
        Of each test.

    Raises
    ------
    NoTwoStageDesignError
        If no two-stage design keeps both errors.
    """
    rates = planned.design.rates
    assert rates is not None  # read_design made sure
    level = float(steps_of(rates.alpha, tests, rates.control)[0])
    if planned.design.kind == "single_arm":
        return Stages(0, -1, planned.patients, int(binom.isf(level, planned.patients, rates.null)))
    found = _search(rates.null, rates.target, level, rates.power, rates.how, rates.most)
    return Stages(found.first, found.stop_at, found.patients, found.fail_at)


def plan_rates(
    planned: Planned,
    pools: Sequence[Pool],
    arm: str,
    dropout: float,
    *,
    enrollment: Enrollment | None = None,
    label: str = "as planned",
) -> pd.DataFrame:
    """Operating characteristics of a design on response, draw by draw.

    Parameters
    ----------
    planned : Planned
        Of kind single_arm or two_stage.
    pools : sequence of Pool
        One a draw.
    arm : str
        Which arm.
    dropout : float [1/day]
        Hazard of being lost.
    enrollment : Enrollment, optional
        Speed; left out, the protocol's.
    label : str
        Of the scenario.

    Returns
    -------
    DataFrame
        `scenario draw quantity value`: `rate`, `power` (accepts at this rate), `type_one`, `power_at_target`,
        `patients` and `months` (expected), `early` (stops after the first stage), `target`, and the design's
        numbers.

    Notes
    -----
    Patients of a pool are drawn alike, so that the number of responses is binomial with the pool's rate:
    nothing need be simulated. Enrollment waits while a first stage is followed up. Months are those of the
    expected entries, and of the follow-up of each stage's last patient.

    Raises
    ------
    NoTwoStageDesignError
        As `stages_of`.
    """
    rates = planned.design.rates
    assert rates is not None  # read_design made sure
    stages, speed = stages_of(planned), enrollment or planned.protocol.enrollment
    wait = window_of(planned)
    rows = []
    for pool in pools:
        rate = response_rate(pool.arms[arm], dropout, wait)
        said = _alone(stages, rates, rate) | _size(stages, rate, speed, wait)
        rows += [(label, pool.draw, name, value) for name, value in said.items()]
    return pd.DataFrame(rows, columns=_COLUMNS)


class Disease(NamedTuple):
    """One basket under way: its patients, their dropout [1/day], its speed and its name."""

    label: str
    pools: Sequence[Pool]
    dropout: float
    enrollment: Enrollment


def plan_baskets(planned: Planned, diseases: Sequence[Disease], arm: str, *, label: str = "") -> pd.DataFrame:
    """Operating characteristics of every basket, and of all together, draw by draw.

    Parameters
    ----------
    planned : Planned
        Of kind basket.
    diseases : sequence of Disease
        With their pools.
    arm : str
        Which arm.
    label : str
        Of what is varied.

    Returns
    -------
    DataFrame
        As `plan_rates`, a scenario a basket; `type_one` is that of a basket where no basket has an effect.
        In the scenario `ALL`: `any` (at least one is accepted), `accepted` (how many), `any_false` (a basket
        at or below the null rate is accepted), `any_false_null` (the same if all are at the null),
        `patients`, `months` (until the last basket ends).

    Notes
    -----
    A basket's p-value is the probability, at the null rate, to pass its first stage and to see as many
    responses; that of a basket that stopped is 1. Baskets are independent, so that all of this is exact.
    Draw k of one basket meets draw k of the others: they share the card.

    References
    ----------
    simon1989; holm1979.
    """
    rates = planned.design.rates
    assert rates is not None  # read_design made sure
    tests, wait = len(diseases), window_of(planned)
    stages, levels = stages_of(planned, tests), steps_of(rates.alpha, tests, rates.control)
    limits = [_limit_at(stages, rates.null, float(level)) for level in levels]
    nobody = together(np.tile(_below(stages, limits, rates.null), (tests, 1)))
    rows = []
    for number in range(max(len(disease.pools) for disease in diseases)):
        found, below = [], []
        for place, disease in enumerate(diseases):
            pool = disease.pools[min(number, len(disease.pools) - 1)]
            rate = response_rate(pool.arms[arm], disease.dropout, wait)
            below.append(_below(stages, limits, rate))
            said = _alone(stages, rates, rate) | _size(stages, rate, disease.enrollment, wait)
            found.append(said | {"type_one": float(nobody.each[place])})
        every = together(np.array(below))
        useless = np.array([said["rate"] <= rates.null for said in found])
        for place, (disease, said) in enumerate(zip(diseases, found, strict=True)):
            said["power"] = float(every.each[place])
            name = ", ".join(filter(None, (disease.label, label)))
            rows += [(name, number, quantity, value) for quantity, value in said.items()]
        whole = {
            "any": every.any_rejects(np.ones(tests, bool)),
            "accepted": float(every.each.sum()),
            "any_false": every.any_rejects(useless),
            "any_false_null": nobody.any_rejects(np.ones(tests, bool)),
            "patients": sum(said["patients"] for said in found),
            "months": _last_of(stages, found, [disease.enrollment for disease in diseases], wait),
        }
        name = ", ".join(filter(None, (ALL, label)))
        rows += [(name, number, quantity, value) for quantity, value in whole.items()]
    return pd.DataFrame(rows, columns=_COLUMNS)


def window_of(planned: Planned) -> float:
    """How long after entry a response counts [day]."""
    assert planned.design.rates is not None  # read_design made sure
    return planned.design.rates.within or planned.protocol.follow_up.horizon


# the same search for every draw, scenario and basket
_search = lru_cache(maxsize=64)(
    lambda null, target, alpha, power, how, most: two_stage(
        null, target, alpha=alpha, power=power, how=how, most=most
    )
)


def _accept(stages: Stages, fail_at: int, rate: float) -> float:
    """Probability to pass the first stage and to see more than so many responses."""
    return operate(stages.first, stages.stop_at, stages.patients, fail_at, rate)[0]


def _limit_at(stages: Stages, null: float, level: float) -> int:
    """Largest number of responses whose excess has a p-value above the level."""
    return next(r for r in range(-1, stages.patients + 1) if _accept(stages, r, null) <= level)


def _below(stages: Stages, limits: Sequence[int], rate: float) -> np.ndarray:
    """Probability that the p-value is at or below each level."""
    return np.array([_accept(stages, limit, rate) for limit in limits])


def _alone(stages: Stages, rates: Rates, rate: float) -> dict[str, float]:
    """Say what one test does at a rate."""
    numbers = {"n1": stages.first, "r1": stages.stop_at} if stages.first else {}
    numbers |= {"n": stages.patients, "r": stages.fail_at}
    return {
        "rate": rate,
        "power": _accept(stages, stages.fail_at, rate),
        "type_one": _accept(stages, stages.fail_at, rates.null),
        "power_at_target": _accept(stages, stages.fail_at, rates.target),
        "target": rates.target,
        **{name: float(value) for name, value in numbers.items()},
    }


def _ends(stages: Stages, enrollment: Enrollment, wait: float) -> tuple[float, float]:
    """Days after which a trial that stops early, and one that does not, has its answer."""
    early = fill_day(enrollment, stages.first) + wait
    late = fill_day(enrollment, stages.patients) + wait * (2 if stages.first else 1)
    return early, late


def _size(stages: Stages, rate: float, enrollment: Enrollment, wait: float) -> dict[str, float]:
    """Expect so many patients and months."""
    stops = operate(stages.first, stages.stop_at, stages.patients, stages.fail_at, rate)[1]
    early, late = _ends(stages, enrollment, wait)
    return {
        "patients": stages.patients - stops * (stages.patients - stages.first),
        "months": (stops * early + (1 - stops) * late) / MONTH,
        "early": stops,
    }


def _last_of(
    stages: Stages, found: Sequence[dict[str, float]], speeds: Sequence[Enrollment], wait: float
) -> float:
    """Expect so many months until the last of the baskets has its answer."""
    ends = np.array([_ends(stages, speed, wait) for speed in speeds])
    stops = np.array([said["early"] for said in found])
    days = np.unique(ends)
    by = [np.where(ends[:, 1] <= day, 1.0, np.where(ends[:, 0] <= day, stops, 0.0)).prod() for day in days]
    return float((np.diff(by, prepend=0.0) * days).sum() / MONTH)
