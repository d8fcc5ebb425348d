"""How much trials differ beyond patients and chance: estimated from rows that do not validate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.special import ndtri

from twoarm import chance
from twoarm.check.mapping import Mapped, map_rows
from twoarm.check.naive import on_scale
from twoarm.check.rules import Pattern, Rules
from twoarm.evidence.read import read_evidence
from twoarm.trial.entry import Card, measured, read_card

_LARGEST, _STEPS = 2.0, 400  # of the grid on which a spread is looked for
_TIMED = re.compile(r"_(\d+)m$")
_FIRST = re.compile(r"[\w-]*")
_QUANTILES = (0.5, 0.025, 0.975)


class Family(Card):
    """Endpoints that share one spread, and what is believed of it before any row is seen."""

    match: Pattern
    whatever_histology: bool = False
    believed: Annotated[float, measured("", above=0)]


class Between(Card):
    """A file of spreads between trials. Frozen; see `read_between`."""

    name: str
    title: str = ""
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]
    families: Annotated[dict[str, Family], Field(min_length=1)]


class Spread(NamedTuple):
    """What is known of the spread of one family.

    Attributes
    ----------
    match : Pattern
        Its endpoints.
    grid, share : (step,) float arrays
        Standard deviations between trials on the family's scale, and how probable each is.
    groups, trials : int
        Sets of trials alike in all that the model knows, and trials in them.
    """

    match: re.Pattern[str]
    grid: np.ndarray
    share: np.ndarray
    groups: int
    trials: int

    def at(self, quantile: float) -> float:
        """Quantile of the spread."""
        return float(np.interp(quantile, np.cumsum(self.share), self.grid))


def read_between(name: str | Path = "between") -> Between:
    """Read a file of spreads.

    Parameters
    ----------
    name : str or Path
        Name of a mapping in the library, or a path.

    Returns
    -------
    Between
        Frozen.

    Raises
    ------
    NotInLibraryError, FileTooLargeError, FileTextError, UnknownFieldError, MissingFieldError, CardEntryError
        As `twoarm.trial.entry.read_card`.

    Examples
    --------
    >>> sorted(read_between().families)
    ['control', 'death', 'events', 'progression', 'ratio', 'response']
    """
    return read_card("mappings", name, Between)[0]


def estimate_spreads(between: Between, rules: Rules) -> dict[str, Spread]:
    """Estimate how much trials differ, from rows of evidence that do not validate.

    Parameters
    ----------
    between : Between
        From `read_between`.
    rules : Rules
        From `read_rules`: whose cohorts the model can tell apart.

    Returns
    -------
    dict of family to Spread
        A family without two trials alike keeps what is believed.

    Notes
    -----
    Rows that validate are left out before anything is worked out; recalled rows take part, as a spread hangs
    little on any of them. Trials are alike that share agents, tumor, histology, earlier immunotherapy
    and subset as far as the model tells them apart. Each group has a level of its own, which is
    integrated out (restricted likelihood); the spread has a half-normal prior. One row a trial and family:
    the median where there is one, else the first month, as a time of the exponential that passes through it.

    References
    ----------
    roever2021 for the prior.

    Examples
    --------
    >>> from twoarm.check.rules import read_rules
    >>> spreads = estimate_spreads(read_between(), read_rules())
    >>> 0 < spreads["death"].at(0.5) < spreads["response"].at(0.5) < 1
    True
    """
    facts = read_evidence(list(between.evidence), broken="list")
    facts = facts[(facts["use"] != "validate") & facts["value"].notna()]
    mapped, _ = map_rows(facts, rules)
    endpoints = [mapped[row.id].endpoint if row.id in mapped else row.endpoint for row in facts.itertuples()]
    facts = facts.assign(endpoint=endpoints, trial=facts["trial_name"].str.partition(" (")[0])
    found = {}
    for name, family in between.families.items():
        own = facts[[bool(family.match.search(said)) for said in facts["endpoint"]]]
        keys = [_alike(row, mapped.get(row["id"]), family) for _, row in own.iterrows()]
        found[name] = _spread(family, own.assign(alike=keys))
    return found


def effects_of(spreads: Mapping[str, Spread], cohorts: int, seed: int) -> dict[re.Pattern[str], np.ndarray]:
    """Draw what each of many cohorts' trials have of their own.

    Parameters
    ----------
    spreads : mapping of family to Spread
        From `estimate_spreads`.
    cohorts : int
        How many.
    seed : int
        Of the draw.

    Returns
    -------
    dict of pattern to (cohort,) float array
        By the endpoints they are for: a shift of log odds, of log time or of a log ratio.
    """
    found = {}
    for name, spread in spreads.items():
        square = chance.generator(seed, f"between trials {name}").random((2, cohorts))
        size = np.interp(square[0], np.cumsum(spread.share), spread.grid)
        found[spread.match] = size * ndtri(np.clip(square[1], 1e-12, 1 - 1e-12))
    return found


def spreads_table(spreads: Mapping[str, Spread]) -> pd.DataFrame:
    """Put spreads into a table.

    Parameters
    ----------
    spreads : mapping of family to Spread
        From `estimate_spreads`.

    Returns
    -------
    DataFrame
        `family spread low high groups trials`: median and 95 % of the standard deviation between trials.
    """
    rows = [
        (name, *(one.at(quantile) for quantile in _QUANTILES), one.groups, one.trials)
        for name, one in spreads.items()
    ]
    return pd.DataFrame(rows, columns=["family", "spread", "low", "high", "groups", "trials"])


def _alike(fact: pd.Series, row: Mapped | None, family: Family) -> str:
    """Name what trials share that differ in nothing the model knows of; words where a row is not mapped."""
    about = _of(str(fact["endpoint"]))
    if row is not None:
        given = [[part.molecule for part in arm.treatments] for arm in row.cohort.arms]
        who = row.setting if family.whatever_histology else row.cohort.parts
        return str((who, row.cohort.subset, given, about))
    words = [str(fact[name]).lower() for name in ("drug", "tumor", "biomarker_subset")]
    first = [_FIRST.match(str(fact[name]).lower())[0] for name in ("histology", "prior_io")]  # type: ignore[index]
    return " | ".join([*words, *first[family.whatever_histology :], about])


def _of(endpoint: str) -> str:
    """Name what an endpoint is about: a median and a rate at a month are about one time."""
    return _TIMED.sub("", endpoint).removeprefix("m")


def _spread(family: Family, own: pd.DataFrame) -> Spread:
    """Posterior of one family's spread on a grid."""
    grid = (np.arange(_STEPS) + 0.5) * _LARGEST / _STEPS
    log = -0.5 * (grid / family.believed) ** 2
    groups = trials = 0
    for _, group in own.groupby("alike"):
        x, error = _one_a_trial(group)
        if len(x) < 2:
            continue
        weight = 1 / (error[:, None] ** 2 + grid**2)
        mean = (weight * x[:, None]).sum(axis=0) / weight.sum(axis=0)
        misfit = (weight * (x[:, None] - mean) ** 2).sum(axis=0)
        log = log + 0.5 * (np.log(weight).sum(axis=0) - np.log(weight.sum(axis=0)) - misfit)
        groups, trials = groups + 1, trials + len(x)
    share = np.exp(log - log.max())
    return Spread(family.match, grid, share / share.sum(), groups, trials)


def _one_a_trial(group: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Value and standard error of each trial of a group, on the family's scale."""
    months = group["endpoint"].str.extract(_TIMED)[0].astype(float).fillna(0.0).to_numpy()
    rows = group.assign(month=months).sort_values("month", kind="stable")
    found = []
    for month, same in rows.groupby("month", sort=True):
        values, errors = on_scale(same)
        if float(month) > 0:
            values, errors = _as_time(float(month), same["value"].to_numpy(float) / 100, errors)
        for row, x, error in zip(same.itertuples(), values, errors, strict=True):
            if np.isfinite(x) and np.isfinite(error) and error > 0:
                found.append((str(row.trial) or str(row.id), float(x), float(error)))
    first = {trial: (x, error) for trial, x, error in reversed(found)}
    values = np.array(list(first.values())).reshape(-1, 2)
    return values[:, 0], values[:, 1]


def _as_time(month: float, share: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log of the exponential's time that leaves each share at this month, with its error."""
    known = np.where((share > 0) & (share < 1), share, np.nan)
    hazard = -np.log(known)
    return np.log(month / hazard), error * (1 - known) / hazard
