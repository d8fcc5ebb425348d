"""Everything a run of what matters needs but the point: files, unknowns, the size of the trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from twoarm import catalog
from twoarm.errors import WrongGroupError
from twoarm.frozen import Frozen, read_frozen
from twoarm.learn.screen import Reading, Screen, read_screen
from twoarm.learn.unknowns import GROUPS, Group, Known, Unknown, molecules_of, unknowns_of
from twoarm.model.sbml import read_model
from twoarm.patients.population import read_population
from twoarm.study.card import read_study
from twoarm.study.whom import Which, is_frozen, said_of
from twoarm.trial.conduct import Advance
from twoarm.trial.outcomes import outcomes_text
from twoarm.trial.protocol import Protocol


class Recipe(NamedTuple):
    """What was asked, in words that another process can read: it makes the same lab of them."""

    study: str | Path
    groups: tuple[str, ...]
    screen: Screen | str | Path
    patients: int | None
    seed: int
    populations: Which | None = None


class Lab(NamedTuple):
    """Everything a run needs but the point.

    Attributes
    ----------
    known : Known
        The files.
    unknowns : list of Unknown
        What varies.
    screen : Screen
        Size and length of a run.
    readings : tuple of Reading
        What is read off the drug's arm.
    seed : int
        Of patients and chance.
    said : dict
        Whose patients, as `Whom.said`.
    advance : callable or None
        Stands in for the engine.
    """

    known: Known
    unknowns: list[Unknown]
    screen: Screen
    readings: tuple[Reading, ...]
    seed: int
    said: dict[str, Any]
    advance: Advance | None = None


def lab_of(recipe: Recipe, advance: Advance | None = None) -> Lab:
    """Read what a recipe names.

    Parameters
    ----------
    recipe : Recipe
        What was asked.
    advance : callable, optional
        Stands in for the engine, in tests.

    Returns
    -------
    Lab
        For `run_at`.

    Raises
    ------
    WrongGroupError, NoUnknownError
        If a group does not exist or has no range.
    NothingFrozenError
        If a frozen population is asked for and there is none.
    """
    chosen: list[Group] = []
    for name in recipe.groups:
        if name not in GROUPS:
            raise WrongGroupError(group=name, known=GROUPS)
        chosen.append(name)
    asked = recipe.screen if isinstance(recipe.screen, Screen) else read_screen(recipe.screen)
    if recipe.patients is not None:
        asked = asked.model_copy(update={"patients": recipe.patients})
    card, protocol = read_study(recipe.study)
    frozen = _frozen(protocol, recipe.populations)
    known = Known(
        protocol=protocol,
        molecules=molecules_of(protocol),
        model=read_model(card.model),
        biology=card.model,
        population=frozen.central.population if frozen else read_population(str(protocol.population)),
        clinic=frozen.texts.outcomes
        if frozen
        else outcomes_text(catalog.find("outcomes", str(protocol.outcomes))),
        doubt=asked.population,
        frozen=frozen,
    )
    readings = tuple(each for measurement in asked.measurements for each in measurement.readings)
    said = said_of(frozen) if frozen else {"which": "prior", "name": known.population.name}
    unknowns = unknowns_of(known, chosen)
    return Lab(known, unknowns, asked, tuple(dict.fromkeys(readings)), recipe.seed, said, advance)


def _frozen(protocol: Protocol, which: Which | None) -> Frozen | None:
    """Read the population as fitted, where that is asked for or there is one."""
    if which == "prior" or (which is None and not is_frozen(protocol)):
        return None
    return read_frozen(Path(str(protocol.population)).stem)
