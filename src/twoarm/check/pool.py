"""A pool of patients on one arm: simulated once, kept on disk, and sampled by every cohort that needs it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import xarray as xr

import twoarm
from twoarm import chance
from twoarm.engine.simulate import simulate
from twoarm.errors import CohortError, MissingColumnError, NotARunError, PatientsFailedError
from twoarm.frozen import Member
from twoarm.model import Model
from twoarm.molecule import Molecule, read_molecule
from twoarm.patients.draw import draw_patients
from twoarm.patients.plausible import plausible_outputs
from twoarm.patients.population import Population, read_population
from twoarm.study import folder as files
from twoarm.study.lean import advance_lean, lean_model
from twoarm.trial.conduct import Advance, run_trial
from twoarm.trial.cutoff import cut
from twoarm.trial.ledger import Trial
from twoarm.trial.outcomes import Outcomes
from twoarm.trial.protocol import Protocol

RTOL = 1e-4
"""Tolerance of the engine for pools: a tenth of a percent of a diameter, below a reader's step of 1 mm."""

_MOST_FAILED = 0.05  # share of patients whose integration may fail
_CANDIDATES = 12  # times the patients wanted, when a subset is chosen: drawing is cheap, simulating is not
_TWINS = 4  # one patient in so many is followed twice, which tells what chance alone does
_COLUMNS = (
    *("OS_day", "OS_event", "PFS_day", "PFS_event", "DOR_day", "DOR_event"),
    *("bor", "bor_any", "response_day", "response_any_day", "severe_day", "best_change"),
    *("treated_until", "stopped_day"),
)
_ENDED_BY_EVENTS = ("toxicity", "delay")


LARGEST = 100_000
"""Patients of an arm; the largest trial ever had fewer."""

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


def members_of(populations: Ensemble, outcomes: Outcomes) -> list[Member]:
    """Take a population, or several, as members of one ensemble.

    Parameters
    ----------
    populations : Population, name or path, Member, or a sequence of these
        As `predict_cohort` takes them.
    outcomes : Outcomes
        The clinical link of those that bring none.

    Returns
    -------
    list of Member
        At least one.

    Examples
    --------
    >>> from twoarm.trial.outcomes import read_outcomes
    >>> [member.label for member in members_of("io_naive_squamous_nsclc", read_outcomes("squamous_nsclc"))]
    ['io_naive_squamous_nsclc']
    """
    alone = isinstance(populations, (Population, str, Path, Member))
    several: list[Any] = [populations] if alone else list(populations)  # type: ignore[arg-type]
    found = []
    for number, each in enumerate(several):
        known = read_population(each) if isinstance(each, (str, Path)) else each
        member = known if isinstance(known, Member) else Member(known, outcomes)
        named = f"{member.population.name} {number}" if len(several) > 1 else member.population.name
        found.append(member if member.label else member._replace(label=named))
    return found


class Request(NamedTuple):
    """A pool that is asked for.

    Attributes
    ----------
    member : Member
        How patients are drawn and followed.
    protocol : Protocol
        Doses, scans, follow-up.
    arm : str
        Which of its arms all of them are given.
    size : int
        How many patients.
    seed : int
        Of patients and chance; another arm needs another seed to have patients of its own.
    draws : dict of molecule to card values
        Which member of a card's ensemble is given.
    subset : Subset or None
        Who is admitted.
    """

    member: Member
    protocol: Protocol
    arm: str
    size: int
    seed: int
    draws: dict[str, dict[str, float]]
    subset: Subset | None = None


def simulate_pool(
    asked: Request,
    *,
    model: Model,
    keep: Path | None = None,
    advance: Advance | None = None,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """Simulate the patients of one arm, or read them where they were kept.

    Parameters
    ----------
    asked : Request
        Who is given what.
    model : Model
        The biology.
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
        best change of size [%], the day treatment ended, and that on which events ended it (NaN: they did
        not). After the patients asked for come, as further rows, the first of them once more: the same
        patients, and other chance.

    Raises
    ------
    PatientsFailedError
        If more than 1 in 20 could not be simulated.
    """
    place = None if keep is None else kept_at(asked, model, keep)
    if place is not None and place.is_file():
        try:
            return _typed(files.read_table(place))
        except (NotARunError, KeyError, ValueError):
            place.unlink()  # cut short, or of another shape: simulated again
    engine: Any = advance or partial(simulate, rtol=RTOL, workers=1)
    patients = _with_twins(_patients(asked, model, None if advance else engine))
    small = model
    if advance is None:
        link = asked.member.outcomes
        small = lean_model(model, patients, asked.protocol, asked.arm, link, asked.draws)
        engine = advance_lean(RTOL, small)
    trial = run_trial(
        small,
        asked.protocol,
        patients,
        seed=asked.seed,
        outcomes=asked.member.outcomes,
        assignment=pd.Series(asked.arm, index=patients.index),
        draws=asked.draws,
        progress=progress,
        advance=engine,
    )
    pool = _what_became_of(trial)
    if place is not None:
        files.write_table(pool, place, index=False)
    return pool


def kept_at(asked: Request, model: Model, keep: Path) -> Path:
    """File in which a pool is kept: its name is a digest of everything that its patients depend on.

    Parameters
    ----------
    asked : Request
        The pool.
    model : Model
        The biology.
    keep : Path
        The folder.

    Returns
    -------
    Path
        There if the pool was simulated before.
    """
    planned = asked.protocol.arms[asked.arm].treatments
    given_by = [part.molecule for part in planned]
    named = [one if isinstance(one, Molecule) else read_molecule(one) for one in given_by]
    given = [part.model_dump(mode="json", exclude={"molecule"}) for part in planned]
    cards = [(molecule.name, molecule.digest) for molecule in named]
    population, outcomes = asked.member.population, asked.member.outcomes
    rules = [
        part.model_dump(mode="json") for part in (outcomes, asked.protocol.imaging, asked.protocol.follow_up)
    ]
    who = (population.digest, population.model_dump(mode="json"), asked.subset, asked.size, asked.seed)
    how = (RTOL, _TWINS, _COLUMNS, twoarm.__version__)
    parts = [model.digest, who, given, cards, rules, asked.draws, how]
    text = json.dumps(parts, sort_keys=True, default=str)
    return keep / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.csv"


def _patients(asked: Request, model: Model, engine: Callable[..., xr.Dataset] | None) -> pd.DataFrame:
    """Draw the patients; rules about an untreated course hold where there is an engine to follow it."""
    population, subset = asked.member.population, asked.subset
    course = None if engine is None else partial(_untreated, model, engine)
    if subset is None:
        return draw_patients(population, n=asked.size, seed=asked.seed, untreated=course)
    several = draw_patients(population, n=_CANDIDATES * asked.size, seed=asked.seed)
    if subset.column not in several:
        raise MissingColumnError(column=subset.column, table=population.name, purpose="to choose a subset")
    column = several[subset.column]
    if subset.equals:
        held = column.astype(str) == subset.equals
    else:
        rank = column.rank(pct=True)
        held = (rank > subset.above) & (rank <= subset.below)
    chosen = several[held].iloc[: 2 * asked.size]
    if course is not None:
        chosen = chosen[plausible_outputs(chosen, population.plausibility, course).all(axis=1)]
    if len(chosen) < asked.size:
        rule = f"At least 1 in {_CANDIDATES} patients of {population.name} belongs to it. Choose a wider one."
        raise CohortError(what="subset", value=tuple(subset), rule=rule)
    chosen = chosen.iloc[: asked.size].reset_index(drop=True)
    chosen.index.name = "patient"
    chosen.attrs = several.attrs
    return chosen


def twins_of(size: int) -> int:
    """How many patients of a pool are followed twice; they are its first.

    Examples
    --------
    >>> twins_of(128)
    32
    """
    return max(size // _TWINS, 1)


def _with_twins(patients: pd.DataFrame) -> pd.DataFrame:
    """Add the first patients once more under labels of their own: chance is drawn by label."""
    again = patients.iloc[: twins_of(len(patients))]
    both = pd.concat([patients, again], ignore_index=True)
    both.index.name, both.attrs = patients.index.name, patients.attrs
    return both


def _untreated(
    model: Model,
    engine: Callable[..., xr.Dataset],
    patients: pd.DataFrame,
    days: Sequence[float],
    outputs: Sequence[str],
) -> xr.Dataset:
    """Let candidates go untreated."""
    visits = sorted(days)
    return engine(model, patients, days=visits[-1], visits=visits, outputs=outputs, failed="mask")


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
        treated_until=table["treatment_end"].fillna(table["last_day"]),
        stopped_day=table["treatment_end"].where(table["off_reason"].isin(_ENDED_BY_EVENTS)),
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
