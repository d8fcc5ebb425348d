"""What a check has to simulate: rows gathered into cohorts, cohorts into pools that they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from twoarm.check.between import Spread
from twoarm.check.cohort import Ask, Part, plan_cohort
from twoarm.check.endpoints import days_needed
from twoarm.check.ensemble import Ensemble
from twoarm.check.mapping import Cohort, Mapped
from twoarm.check.pool import Request
from twoarm.molecule import read_molecule
from twoarm.trial.protocol import Arm, Protocol, read_protocol

FIRST, SECOND = "first", "second"


class Planned(NamedTuple):
    """A cohort that is predicted once, and the rows it is laid beside.

    Attributes
    ----------
    cohort : Cohort
        What the rows say.
    ask : Ask
        What is simulated.
    rows : dict of id to endpoint
        The rows.
    """

    cohort: Cohort
    ask: Ask
    rows: dict[str, str]


def gather(mapped: Mapping[str, Mapped]) -> dict[Cohort, dict[str, str]]:
    """Gather rows of one cohort.

    Parameters
    ----------
    mapped : mapping of id to Mapped
        From `map_rows`.

    Returns
    -------
    dict of Cohort to dict of id to endpoint
        In the order of the rows.
    """
    found: dict[Cohort, dict[str, str]] = {}
    for name, row in mapped.items():
        found.setdefault(row.cohort, {})[name] = row.endpoint
    return found


def plan(
    cohorts: Mapping[Cohort, Mapping[str, str]],
    ensembles: Mapping[str, Sequence[Ensemble]],
    *,
    draws: int,
    replicates: int,
    pool: int,
    seed: int,
    between: Mapping[str, Spread] | None = None,
) -> list[Planned]:
    """Say what each cohort needs, so that those which share a regimen and population share their patients.

    Parameters
    ----------
    cohorts : mapping
        From `gather`.
    ensembles : mapping of population to two Ensembles
        For molecules that are known, and for those whose card is a range.
    draws, replicates, pool, seed, between
        As `predict_cohort`.

    Returns
    -------
    list of Planned
        One a cohort.
    """
    days = _days(cohorts)
    found = []
    for cohort, rows in cohorts.items():
        ranged = is_ranged(cohort)
        parts = [
            Part(ensembles[population][ranged].members, share, cohort.subset)
            for population, share in cohort.parts
        ]
        ask = plan_cohort(
            parts,
            protocol_of(cohort),
            n={name: arm.n for name, arm in zip((FIRST, SECOND), cohort.arms, strict=False)},
            seed=seed,
            draws=draws,
            replicates=replicates if not ranged else math.ceil(replicates / 2),
            pool=pool if not ranged else math.ceil(pool / 2),  # many small cohorts of few patients
            endpoints=list(rows.values()),
            follow_up=cohort.follow_up,
            days=days[cohort],
            between=between,
        )
        found.append(Planned(cohort, ask, dict(rows)))
    return found


def requests_of(planned: Sequence[Planned]) -> list[Request]:
    """List the pools of all cohorts, each once for each cohort that needs it.

    Parameters
    ----------
    planned : sequence of Planned
        From `plan`.

    Returns
    -------
    list of Request
        Cohorts of one regimen and population name the same pool.
    """
    return [
        request
        for each in planned
        for cell in each.ask.cells
        for asked in each.ask.requests(*cell).values()
        for request in asked
    ]


def protocol_of(cohort: Cohort) -> Protocol:
    """Protocol of a cohort: its arms, with the visits of its calendar.

    Parameters
    ----------
    cohort : Cohort
        From `map_rows`.

    Returns
    -------
    Protocol
        With arms "first" and, where two are compared, "second".
    """
    calendar = read_protocol(cohort.calendar)
    arms = {
        name: Arm(label=arm.label, share=1, treatments=arm.treatments)
        for name, arm in zip((FIRST, SECOND), cohort.arms, strict=False)
    }
    return calendar.model_copy(update={"arms": arms, "name": "cohort"})


def is_ranged(cohort: Cohort) -> bool:
    """Say whether an arm is given a molecule whose card is a range.

    Parameters
    ----------
    cohort : Cohort
        From `map_rows`.

    Returns
    -------
    bool
        True for a molecule that is not known.
    """
    given = (part.molecule for arm in cohort.arms for part in arm.treatments)
    return any(read_molecule(molecule).is_ensemble for molecule in given)


def _days(cohorts: Mapping[Cohort, Mapping[str, str]]) -> dict[Cohort, float]:
    """Follow-up of each cohort, the same for all that share a pool."""
    need = {
        cohort: math.ceil(days_needed(tuple(rows.values()), longest=cohort.horizon))
        for cohort, rows in cohorts.items()
    }
    pools = {
        cohort: [
            (population, cohort.subset, arm.label) for population, _ in cohort.parts for arm in cohort.arms
        ]
        for cohort in cohorts
    }
    while True:
        longest: dict[object, int] = {}
        for cohort, keys in pools.items():
            for key in keys:
                longest[key] = max(longest.get(key, 0), need[cohort])
        settled = {cohort: max(longest[key] for key in keys) for cohort, keys in pools.items()}
        if settled == need:
            return {cohort: float(days) for cohort, days in need.items()}
        need = settled
