"""A pool of patients on one arm: simulated once, kept on disk, and sampled by every cohort that needs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

import twoarm
from twoarm import chance
from twoarm.engine.simulate import simulate
from twoarm.errors import CohortError, MissingColumnError, NotARunError, PatientsFailedError
from twoarm.model import Model
from twoarm.molecule import Molecule, read_molecule
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import Population, read_population
from twoarm.study import folder as files
from twoarm.trial.conduct import Advance, run_trial
from twoarm.trial.cutoff import cut
from twoarm.trial.ledger import Trial
from twoarm.trial.outcomes import Outcomes, read_outcomes
from twoarm.trial.protocol import Protocol

RTOL = 1e-4
"""Tolerance of the engine for pools: a tenth of a percent of a diameter, below a reader's step of 1 mm."""

_MOST_FAILED = 0.05  # share of patients whose integration may fail
_CANDIDATES = 12  # times the patients wanted, when a subset is chosen: drawing is cheap, simulating is not
_COLUMNS = (
    *("OS_day", "OS_event", "PFS_day", "PFS_event", "DOR_day", "DOR_event"),
    *("bor", "bor_any", "response_day", "response_any_day", "severe_day", "best_change"),
)


class Member(NamedTuple):
    """One member of the ensemble that a population is: how patients are drawn, and how they are followed.

    Attributes
    ----------
    population : Population
        How patients are drawn.
    outcomes : Outcomes or None
        The clinical link; None for the protocol's.
    label : str
        What it is called in tables, as "prior 3".
    weight : float
        Share of the ensemble, before weights sum to 1.
    """

    population: Population
    outcomes: Outcomes | None = None
    label: str = ""
    weight: float = 1.0


One = Population | str | Path | Member
Ensemble = One | Sequence[One]
"""A population by itself, by name or as a member; or several members."""


class Subset(NamedTuple):
    """Patients of a population that a cohort admits.

    Attributes
    ----------
    column : str
        Of the patients.
    above, below : float
        Quantiles of the population between which a number lies.
    equals : str
        The category, where the column has some.
    """

    column: str
    above: float = 0.0
    below: float = 1.0
    equals: str = ""


def members_of(populations: Ensemble) -> list[Member]:
    """Take a population, or several, as members of one ensemble.

    Parameters
    ----------
    populations : Population, name or path, Member, or a sequence of these
        As `predict_cohort` takes them.

    Returns
    -------
    list of Member
        At least one.

    Examples
    --------
    >>> [member.label for member in members_of("io_naive_squamous_nsclc")]
    ['io_naive_squamous_nsclc']
    """
    several = [populations] if isinstance(populations, (Population, str, Path, Member)) else list(populations)
    found = []
    for number, each in enumerate(several):
        population = read_population(each) if isinstance(each, (str, Path)) else each
        member = population if isinstance(population, Member) else Member(population)
        named = f"{member.population.name} {number}" if len(several) > 1 else member.population.name
        found.append(member if member.label else member._replace(label=named))
    return found


def simulate_pool(
    member: Member,
    protocol: Protocol,
    arm: str,
    *,
    model: Model,
    size: int,
    seed: int,
    draws: dict[str, dict[str, float]] | None = None,
    subset: Subset | None = None,
    keep: Path | None = None,
    advance: Advance | None = None,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """Simulate the patients of one arm, or read them where they were kept.

    Parameters
    ----------
    member : Member
        How patients are drawn and followed.
    protocol : Protocol
        Doses, scans, follow-up.
    arm : str
        Which of its arms all of them are given.
    model : Model
        The biology.
    size : int
        How many patients.
    seed : int
        Of patients and chance; another arm needs another seed to have patients of its own.
    draws : mapping of molecule to card values, optional
        Which member of a card's ensemble is given.
    subset : Subset, optional
        Who is admitted.
    keep : Path, optional
        Folder where pools are kept, by what made them.
    advance : callable, optional
        The simulator; by default `simulate` in double precision at `RTOL` on one worker.
    progress : callable, optional
        Called with the share that is done.

    Returns
    -------
    DataFrame
        A row a patient: times and events of OS, PFS and DOR [day], best response confirmed (`bor`) or not
        (`bor_any`) with their days, the day of the first related event of grade 3 or above (NaN for none),
        best change of size [%].

    Raises
    ------
    PatientsFailedError
        If more than 1 in 20 could not be simulated.
    """
    made_by = _identity(member, protocol, arm, model, size, seed, draws, subset)
    place = None if keep is None else keep / f"{made_by}.csv"
    if place is not None and place.is_file():
        try:
            return _typed(files.read_table(place))
        except (NotARunError, KeyError, ValueError):
            place.unlink()  # cut short, or of another shape: simulated again
    patients = _patients(member.population, size, seed, subset)
    engine = advance or partial(simulate, rtol=RTOL, workers=1)
    trial = run_trial(
        model,
        protocol,
        patients,
        seed=seed,
        outcomes=member.outcomes,
        assignment=pd.Series(arm, index=patients.index),
        draws=draws,
        progress=progress,
        advance=engine,
    )
    pool = _what_became_of(trial)
    if place is not None:
        files.write_table(pool, place, index=False)
    return pool


def _patients(population: Population, size: int, seed: int, subset: Subset | None) -> pd.DataFrame:
    """Draw the patients; of a subset, those between the quantiles of a large draw of the population."""
    rules = {name: rule for name, rule in population.plausibility.items() if rule.output is None}
    population = population.model_copy(update={"plausibility": rules})
    if subset is None:
        return draw_patients(population, n=size, seed=seed)
    several = draw_patients(population, n=_CANDIDATES * size, seed=seed)
    if subset.column not in several:
        raise MissingColumnError(column=subset.column, table=population.name, purpose="to choose a subset")
    column = several[subset.column]
    rank = pd.Series(0.5, several.index) if subset.equals else column.rank(pct=True)
    held = (rank > subset.above) & (rank <= subset.below)
    if subset.equals:
        held = column.astype(str) == subset.equals
    chosen = several[held].iloc[:size].reset_index(drop=True)
    if len(chosen) < size:
        rule = f"At least 1 in {_CANDIDATES} patients of {population.name} belongs to it. Choose a wider one."
        raise CohortError(what="subset", value=tuple(subset), rule=rule)
    chosen.index.name = "patient"
    chosen.attrs = several.attrs
    return chosen


def _what_became_of(trial: Trial) -> pd.DataFrame:
    """Everybody's outcomes over the whole follow-up."""
    failed = trial.patients["status"] != "complete"
    if failed.sum() > _MOST_FAILED * len(failed):
        reason = str(trial.patients["status"][failed].mode().iloc[0])
        raise PatientsFailedError(failed=int(failed.sum()), n=len(failed), reason=reason, limit=_MOST_FAILED)
    table = cut(trial._replace(provenance={**trial.provenance, "confirm": True}))
    unconfirmed = cut(trial._replace(provenance={**trial.provenance, "confirm": False}))
    severe = trial.toxicity[trial.toxicity["grade"] >= 3].groupby("patient")["day"].min()
    table = table.assign(
        bor_any=unconfirmed["bor"],
        response_any_day=unconfirmed["response_day"],
        severe_day=severe.reindex(table.index),
    )
    return _typed(table[list(_COLUMNS)].reset_index(drop=True))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Columns as they are needed, from the engine or from a file."""
    table = table[list(_COLUMNS)].copy()
    for name in table:
        if str(name).endswith("_event"):
            table[name] = table[name].astype(str).isin(["True", "true"])
        elif name not in ("bor", "bor_any"):
            table[name] = table[name].astype(float)
    return table


def _identity(
    member: Member,
    protocol: Protocol,
    arm: str,
    model: Model,
    size: int,
    seed: int,
    draws: dict[str, dict[str, float]] | None,
    subset: Subset | None,
) -> str:
    """Digest of everything that the patients of a pool depend on."""
    planned = protocol.arms[arm].treatments
    named = [
        part.molecule if isinstance(part.molecule, Molecule) else read_molecule(part.molecule)
        for part in planned
    ]
    given = [part.model_dump(mode="json", exclude={"molecule"}) for part in planned]
    link = protocol.outcomes if member.outcomes is None else member.outcomes
    link = link if isinstance(link, Outcomes) else read_outcomes(link)
    cards = [(molecule.name, molecule.digest) for molecule in named]
    rules = [part.model_dump(mode="json") for part in (link, protocol.imaging, protocol.follow_up)]
    who = (member.population.digest, member.population.model_dump(mode="json"), subset)
    parts = [model.digest, who, given, cards, rules, size, seed, draws, RTOL, twoarm.__version__]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def pool_seed(seed: int, *parts: object) -> int:
    """Seed of one pool, so that no two share patients.

    Parameters
    ----------
    seed : int
        Seed of the whole prediction.
    *parts : object
        What the pool is: member, draw, arm.

    Returns
    -------
    int
        The same for the same parts.

    Examples
    --------
    >>> pool_seed(7, "a", 0) != pool_seed(7, "a", 1)
    True
    """
    whose = " ".join(str(part) for part in parts)
    return int(chance.generator(seed, f"pool {whose}").integers(2**31))
