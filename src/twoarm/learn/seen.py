"""A cohort simulated under every draw of a card, each draw with a member of the population of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.check.between import Spread
from twoarm.check.cohort import Ask, Part, plan_cohort, predict_asked
from twoarm.check.endpoints import days_needed
from twoarm.check.ensemble import ensemble_of
from twoarm.check.mapping import Mapped
from twoarm.check.plan import FIRST, protocol_of
from twoarm.learn.reports import Looked, endpoint_of, stands_for
from twoarm.model import Model
from twoarm.trial.conduct import Advance

REPLICATES = 20  # cohorts of the reported size from each draw's patients


class How(NamedTuple):
    """How cohorts are simulated."""

    molecule: str
    cards: pd.DataFrame
    members: int
    pool: int
    seed: int
    days: float
    spreads: Mapping[str, Spread]
    model: Model
    keep: Path
    advance: Advance | None = None


class Seen(NamedTuple):
    """What a cohort's simulation gave, draw by draw.

    Attributes
    ----------
    rates : dict of endpoint to (draw,) float array
        Share of each draw's simulated patients, 0 to 1.
    times : dict of endpoint to (draw, cohort) float array
        Medians of cohorts as large as the draw's patients, drawn from them with replacement [month].
    patients : int
        Simulated patients behind a rate.
    cohorts : DataFrame
        `draw endpoint value`: cohorts of the reported size, with what trials have of their own.
    units : dict of endpoint to str
        "%" or "months".
    sources : dict of population to str
        Where its members are from.
    """

    rates: dict[str, np.ndarray]
    times: dict[str, np.ndarray]
    patients: int
    cohorts: pd.DataFrame
    units: dict[str, str]
    sources: dict[str, str]


def see_cohort(
    each: Looked,
    mapped: dict[str, Mapped],
    facts: pd.DataFrame,
    how: How,
    progress: Callable[[str, float], None],
) -> Seen | None:
    """Simulate a cohort under every draw of the card.

    Parameters
    ----------
    each : Looked
        The cohort.
    mapped : dict of id to Mapped
        From `map_rows`.
    facts : DataFrame, index id
        The evidence.
    how : How
        Cards, members, patients.
    progress : callable
        Told the step and the share done.

    Returns
    -------
    Seen or None
        None where no population maps it.
    """
    row = stands_for(mapped, each)
    names = [endpoint_of(mapped, name, facts) for cut in each.cuts for name in cut]
    endpoints = list(dict.fromkeys(name for name in names if name))
    if row is None or not endpoints:
        return None
    cohort = row.cohort
    ensembles = {name: ensemble_of(name, members=how.members, seed=how.seed) for name, _ in cohort.parts}
    ask = partial(
        plan_cohort,
        [Part(ensembles[name].members, share, cohort.subset) for name, share in cohort.parts],
        protocol_of(cohort),
        {how.molecule: how.cards},
        seed=how.seed,
        pool=how.pool,
        replicates=REPLICATES,
        endpoints=endpoints,
        follow_up=cohort.follow_up,
        days=how.days or None,
    )
    whole = int(how.pool / max(share for _, share in cohort.parts) + 1e-9)
    answer = partial(predict_asked, model=how.model, keep=how.keep, advance=how.advance)
    # everybody simulated, once each: what the model says; then cohorts as small as the one reported
    said = _of_drug(answer(_Paired(*ask(n=whole)), progress=progress))
    sizes = [int(facts.loc[name, "n"]) for name in each.cuts[-1] if not pd.isna(facts.loc[name, "n"])]
    n = max(sizes) if sizes else cohort.arms[0].n
    seen = answer(_Paired(*ask(n=n, between=how.spreads)))
    units = dict(seen.attrs["units"])
    rates = {
        name: _by_draw(said, name, "plain").mean(axis=1) / 100 for name in endpoints if units[name] == "%"
    }
    times = {name: _by_draw(said, name, "free") for name in endpoints if units[name] == "months"}
    cohorts = _of_drug(seen)[["draw", "endpoint", "value"]]
    return Seen(rates, times, whole, cohorts, units, {name: one.source for name, one in ensembles.items()})


def days_of(mapped: dict[str, Mapped], each: Looked) -> float:
    """Say how long the patients of a cohort have to be followed.

    Parameters
    ----------
    mapped : dict of id to Mapped
        From `map_rows`.
    each : Looked
        The cohort.

    Returns
    -------
    float [day]
        0 where nothing of it is predicted.
    """
    row = stands_for(mapped, each)
    names = [mapped[name].endpoint for cut in each.cuts for name in cut if name in mapped]
    if row is None or not names:
        return 0.0
    return days_needed(tuple(names), longest=row.cohort.horizon)


class _Paired(Ask):
    """The same, each draw with one member of the population: all members in turn."""

    __slots__ = ()

    @property
    def cells(self) -> list[tuple[int, int]]:
        """One member a draw."""
        draws, members = len(next(iter(self.tables.values()))), len(self.parts[0].members)
        return [(draw, draw % members) for draw in range(draws)]


def _of_drug(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["arm"] == FIRST]


def _by_draw(table: pd.DataFrame, endpoint: str, column: str) -> np.ndarray:
    """Values of an endpoint as (draw, cohort)."""
    own = table[table["endpoint"] == endpoint]
    return np.array([part.to_numpy(float) for _, part in own.groupby("draw", sort=True)[column]])
