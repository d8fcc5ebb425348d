"""Plan a trial end to end: patients once, then trials by the thousand, tables, and one page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import xarray as xr

import twoarm
from twoarm import catalog
from twoarm.design.card import Design, Planned, check_design, read_design
from twoarm.engine.simulate import simulate
from twoarm.errors import NotInLibraryError, PoolSizeError
from twoarm.frozen import Member, members_of, read_frozen
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.molecule import draw_cards, read_molecule
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import Population, read_population
from twoarm.plan.pool import LEAST, Course, Pool, follow, levels_of
from twoarm.plan.vary import Scenario, protocol_of
from twoarm.study import folder as files
from twoarm.study.card import BIOLOGY, read_study
from twoarm.trial.conduct import Advance
from twoarm.trial.outcomes import Outcomes, read_outcomes
from twoarm.trial.prescribe import prescribe
from twoarm.trial.protocol import Protocol, read_protocol

Progress = Callable[[str, float], None]

ONE = "one_analysis"  # the design of a protocol that has none


class Asked(NamedTuple):
    """What is planned, read and checked.

    Attributes
    ----------
    planned : Planned
        The design beside its protocol.
    model : Model
        The biology.
    members : tuple of Member
        A population with its clinical link, or the members of an ensemble; draw k takes member k.
    seed, draws, size : int
        Of everything; of the cards; of the pool.
    """

    planned: Planned
    model: Model
    members: tuple[Member, ...]
    seed: int
    draws: int
    size: int

    @property
    def outcomes(self) -> Outcomes:
        """The clinical link, of the first member where there are several."""
        return self.members[0].outcomes


def read_plan(
    name: str | Path,
    *,
    design: str | Path | None = None,
    population: str | Path | Population | Sequence[Member] | None = None,
    frozen: bool = False,
    seed: int = 11,
    draws: int = 8,
    pool: int = 1000,
) -> Asked:
    """Read a design and its protocol, and check both before anybody is simulated.

    Parameters
    ----------
    name : str or Path
        A design that names its protocol, a protocol or a study; of the library, or a file.
    design : str or Path, optional
        The design of a protocol; left out, one analysis at the protocol's number of events.
    population : str, Path, Population or sequence of Member, optional
        Instead of the protocol's; several are members of an ensemble, one a draw.
    frozen : bool
        Take members of the calibrated population of that name, from their posterior, instead of the prior.
    seed : int
        Same seed, same numbers.
    draws : int
        Of the molecules' cards and the populations.
    pool : int
        Virtual patients that trials are drawn from.

    Returns
    -------
    Asked
        For `make_pools`.

    Raises
    ------
    PoolSizeError
        If the pool is too small.
    TwoarmError
        As `read_design`, `check_design`, `read_study` and `read_population`.

    Examples
    --------
    >>> asked = read_plan("marslight-11", design="three_looks", pool=50)
    >>> asked.planned.events
    (258, 344, 430)
    """
    if pool < LEAST:
        raise PoolSizeError(found=pool, least=LEAST)
    chosen, protocol, model = _chosen(name, design)
    planned = check_design(chosen, protocol)
    prescribe(protocol)  # doses that mean nothing are refused here
    wanted = protocol.population if population is None else population
    if frozen:
        members = tuple(members_of(read_frozen(str(wanted)), draws, seed=seed))
    elif isinstance(wanted, str | Path | Population):
        link = (
            protocol.outcomes if isinstance(protocol.outcomes, Outcomes) else read_outcomes(protocol.outcomes)
        )
        one = wanted if isinstance(wanted, Population) else read_population(wanted)
        members = (Member(one, link, one.name),)
    else:
        members = tuple(wanted)
    return Asked(planned, read_model(model), members, seed, draws, pool)


def claim(asked: Asked, folder: Path) -> None:
    """Take a folder for the patients of a plan.

    Parameters
    ----------
    asked : Asked
        From `read_plan`.
    folder : Path
        Made if it is not there.

    Raises
    ------
    OtherStudyError, FolderInUseError, NotWrittenError
        If it holds other patients, or other files, or cannot be written to.
    """
    protocol = asked.planned.protocol
    files.claim(
        folder,
        {
            "plan": protocol.name,
            "pool": asked.size,
            "seed": asked.seed,
            "protocol": protocol.model_dump(
                mode="json", exclude={"enrollment", "follow_up", "randomization"}
            ),
            "follow_up": protocol.follow_up.horizon,
            "limiting": _limiting(asked),
            "digests": {
                "model": asked.model.digest,
                **{f"member {each.label}": _digest_of(each) for each in asked.members},
                **{name: read_molecule(name).digest for name in sorted(_molecules(protocol))},
            },
            "versions": {
                "twoarm": twoarm.__version__,
                **{name: version(name) for name in ("numpy", "scipy")},
            },
        },
    )


def make_pools(
    asked: Asked,
    folder: Path | None,
    *,
    arms: Sequence[str],
    scenario: Scenario | None = None,
    advance: Advance | None = None,
    backend: str = "auto",
    progress: Progress | None = None,
) -> list[Pool]:
    """Simulate the patients of every draw in every arm, or read those that are kept.

    Parameters
    ----------
    asked : Asked
        From `read_plan`.
    folder : Path, optional
        Where they are kept.
    arms : sequence of str
        Which arms.
    scenario : Scenario, optional
        With another dose or interval; other things of it change no patient.
    advance : callable, optional
        Stands in for the engine.
    backend : str
        As of `simulate`.
    progress : callable, optional
        Told the step and the share done.

    Returns
    -------
    list of Pool
        One a draw. Where neither cards nor populations vary, one pool stands for all draws.

    Raises
    ------
    EmptyStratumError
        If a factor of a comparison is no column of the patients, or a region that enrolls has none.
    TwoarmError
        As `draw_patients` and `run_trial`.

    Notes
    -----
    All draws have the same patients where there is one population, so that draws differ by card only; an arm
    whose card has no range is simulated once.
    """
    protocol = asked.planned.protocol
    if scenario is not None:
        protocol = protocol_of(protocol, asked.planned.experimental, scenario)
        prescribe(protocol)
    cards = {name: draw_cards(read_molecule(name), asked.draws, asked.seed) for name in _molecules(protocol)}
    varies = {
        arm: any(read_molecule(name).is_ensemble for name in _molecules(protocol, arm))
        for arm in protocol.arms
    }
    untreated = None if advance else partial(_untreated, asked.model, backend)
    members = len(asked.members)
    draws = asked.draws if members > 1 or any(varies[arm] for arm in arms) else 1
    how: Any = backend
    engine: Any = advance or partial(simulate, backend=how)
    people = [
        draw_patients(member.population, n=asked.size, seed=asked.seed, untreated=untreated)
        for member in asked.members[: min(members, draws)]
    ]
    _refuse_empty(asked, people)
    limiting = asked.planned.design.escalation.limiting if asked.planned.design.escalation else None
    pools: list[Pool] = []
    kept: dict[tuple[str, int], Course] = {}
    parts = [(draw, arm) for draw in range(draws) for arm in arms]
    for number, (draw, arm) in enumerate(parts):
        member = draw % members
        same = (arm, draw if varies[arm] else -1 - member)
        if same not in kept:
            label = f"draw-{draw:03d}" if varies[arm] else f"member-{member:03d}"
            changed = _slug(scenario) if scenario is not None and arm == asked.planned.experimental else ""
            place = folder / "pool" / label / f"{arm}{changed}" if folder else None
            kept[same] = follow(
                asked.model,
                protocol,
                arm,
                people[member],
                asked.members[member].outcomes,
                place,
                seed=asked.seed,
                draws={name: _row(table, draw) for name, table in cards.items()},
                limiting=limiting,
                progress=partial(
                    _tell, progress, f"patients, {arm}, draw {draw + 1} of {draws}", number, len(parts)
                ),
                advance=engine,
            )
        _tell(progress, "patients", number, len(parts), 1.0)
        if arm == arms[-1]:
            own = {each: kept[each, draw if varies[each] else -1 - member] for each in arms}
            pools.append(Pool(people[member], own, draw))
    if folder is not None:
        for name, table in cards.items():
            files.write_table(table, folder / "cards" / f"{name}.csv")
    return pools


def _refuse_empty(asked: Asked, people: Sequence[pd.DataFrame]) -> None:
    """Refuse factors and regions without patients before anybody is treated."""
    if asked.planned.design.kind != "comparison":
        return
    protocol = asked.planned.protocol
    wanted: dict[str, tuple[str, ...]] = {factor: () for factor in protocol.randomization.factors}
    if regions := tuple(protocol.enrollment.regions):
        wanted["region"] = regions
    for patients in people:
        for factor, levels in wanted.items():
            levels_of(patients, factor, levels)


def _chosen(name: str | Path, design: str | Path | None) -> tuple[Design, Protocol, str]:
    """Find the design, its protocol and its model."""
    try:
        catalog.find("designs", name)
    except NotInLibraryError:
        study, protocol = read_study(name)
        return read_design(design or ONE), protocol, study.model
    raw = catalog.read_toml(catalog.find("designs", name))
    if "kind" not in raw:  # the file of a protocol or study, given by path
        study, protocol = read_study(name)
        return read_design(design or ONE), protocol, study.model
    chosen = read_design(name)
    return chosen, read_protocol(chosen.protocol), BIOLOGY


def _molecules(protocol: Protocol, arm: str | None = None) -> list[str]:
    """Names of the molecules of an arm, or of all."""
    arms = [protocol.arms[arm]] if arm else list(protocol.arms.values())
    return list(dict.fromkeys(str(part.molecule) for each in arms for part in each.treatments))


def _untreated(
    model: Model, backend: Any, patients: pd.DataFrame, days: Sequence[float], outputs: Sequence[str]
) -> xr.Dataset:
    """Let candidates go untreated, for the rules of plausibility that look at a course."""
    visits = sorted(days)
    return simulate(
        model, patients, days=visits[-1], visits=visits, outputs=outputs, backend=backend, failed="mask"
    )


def _limiting(asked: Asked) -> Mapping[str, Any] | None:
    escalation = asked.planned.design.escalation
    return escalation.limiting.model_dump(mode="json") if escalation else None


def _digest_of(member: Member) -> str:
    # what is drawn anew for each trial makes no other patients
    survival = member.outcomes.survival.model_copy(update={"dropout": 0.0})
    link = member.outcomes.model_copy(update={"survival": survival})
    return hashlib.sha256((link.model_dump_json() + member.population.model_dump_json()).encode()).hexdigest()


def _row(cards: pd.DataFrame, draw: int) -> dict[str, float]:
    return {str(name): float(cards[name].loc[draw]) for name in cards.columns}


def _slug(scenario: Scenario) -> str:
    said = "_".join(f"{name}_{value}" for name, value in scenario.regimen)
    return f"-{''.join(c if c.isalnum() or c in '._-' else '_' for c in said)}" if said else ""


def _tell(progress: Progress | None, step: str, number: int, of: int, share: float) -> None:
    if progress is not None:
        progress(step, (number + share) / of)
