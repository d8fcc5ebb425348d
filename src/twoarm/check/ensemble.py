"""The ensemble that a population is: frozen where it was fitted, draws of a stated prior where not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, ValidationError
from scipy.special import ndtri
from scipy.stats import qmc

from twoarm import catalog, chance
from twoarm.check.events import draw_events
from twoarm.errors import CardEntryError, EnsembleError
from twoarm.fit.card import Parameter, read_calibration
from twoarm.frozen import (
    Member,
    Texts,
    frozen_names,
    member_of,
    members_of,
    read_field,
    read_frozen,
    written_out,
)
from twoarm.frozen.fields import possible
from twoarm.frozen.read import with_fields
from twoarm.patients.inherit import inherited
from twoarm.trial.entry import Card, read_card
from twoarm.trial.outcomes import outcomes_text

_BLOCKS = 20  # times as many members may be drawn as are wanted, before a prior is called impossible
_EDGE = 1e-3  # of a quantile: no member lies beyond three standard deviations of its prior

Which = Literal["frozen", "prior"]


class Prior(Card):
    """What is believed of populations that nobody has fitted.

    Attributes
    ----------
    populations : dict of str to str
        Their names, and the clinical link of each.
    parameters : dict of str to Parameter
        Medians and central 95 %.
    """

    name: str
    title: str = ""
    populations: Annotated[dict[str, str], Field(min_length=1)]
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]


class Ensemble(NamedTuple):
    """Members of a population, and where they are from.

    Attributes
    ----------
    members : list of Member
        Equally likely.
    source : str
        "frozen, fitted", "prior melanoma", "no spread stated", ...
    """

    members: list[Member]
    source: str


def ensemble_of(population: str, *, members: int, seed: int, which: Which = "frozen") -> Ensemble:
    """Draw members of a population.

    Parameters
    ----------
    population : str
        Name in the library.
    members : int
        How many.
    seed : int
        Of the draw.
    which : {"frozen", "prior"}
        Frozen, where that is there, or the prior in any case.

    Returns
    -------
    Ensemble
        As many members as asked for, also where no spread is stated: then they differ in severe events only,
        of which every member draws what is not known (`draw_events`).

    Raises
    ------
    NotInLibraryError
        If there is no such population.
    EnsembleError
        If hardly any draw of the prior is a population that patients can be drawn from.
    FrozenEvidenceError, FrozenFileError
        If what a frozen population rests on has changed.

    Notes
    -----
    Populations of one prior share its draws: what is not known of killing or of clones is not known of all of
    them alike, so that a cohort of two histologies is as uncertain as one of either.

    Examples
    --------
    >>> found = ensemble_of("io_naive_acral_melanoma", members=4, seed=1, which="prior")
    >>> len(found.members), found.source
    (4, 'prior melanoma')
    """
    if which == "frozen" and population in frozen_names():
        frozen = read_frozen(population)
        if len(frozen.ensemble) > 1:
            moved_on = f"; since then changed: {', '.join(frozen.stale)}" if frozen.stale else ""
            said = f"frozen, {frozen.record['status']}{moved_on}"
            return Ensemble(draw_events(members_of(frozen, members, seed=seed), seed=seed), said)
    name, outcomes, parameters = _prior_of(population)
    texts = _texts(population, outcomes)
    found: list[Member] = []
    block = 0
    while len(found) < members:
        whose = f"{name or population} {block}".removesuffix(" 0")
        for z in _normals(members, len(parameters), seed, whose):
            if len(found) < members:
                found += _possible(with_fields(texts, _values(parameters, texts, z)), population, len(found))
        block += 1
        if block > _BLOCKS:
            raise EnsembleError(population=population, prior=name, drawn=block * members, possible=len(found))
    found = [member._replace(weight=1.0 / members) for member in found]
    return Ensemble(draw_events(found, seed=seed), f"prior {name}" if parameters else "no spread stated")


def _prior_of(population: str) -> tuple[str, str, dict[str, Parameter]]:
    """Find the prior of a population: a file of priors that names it, else the calibration that fits it."""
    for prior in _priors():
        if population in prior.populations:
            return prior.name, prior.populations[population], dict(prior.parameters)
    for name in catalog.names("calibrations"):
        calibration = read_calibration(name)
        if calibration.population == population:
            return name, calibration.outcomes, dict(calibration.parameters)
    return "", next(iter(catalog.names("outcomes"))), {}


@cache
def _priors() -> tuple[Prior, ...]:
    return tuple(read_prior(name) for name in catalog.names("priors"))


def read_prior(name: str | Path) -> Prior:
    """Read a file of priors.

    Parameters
    ----------
    name : str or Path
        Name in the library, as "melanoma", or a path.

    Returns
    -------
    Prior
        Frozen.

    Raises
    ------
    NotInLibraryError, FileTooLargeError, FileTextError, UnknownFieldError, MissingFieldError, CardEntryError
        As `twoarm.trial.entry.read_card`.

    Examples
    --------
    >>> read_prior("colorectal").populations
    {'third_line_mss_colorectal': 'colorectal'}
    """
    return read_card("priors", name, Prior)[0]


def _texts(population: str, outcomes: str) -> Texts:
    """Take both files with their parents put in."""
    patients, digest = inherited(catalog.find("populations", population))
    link = outcomes_text(catalog.find("outcomes", outcomes))
    for text in (patients, link):
        text.pop("extends", None)
    return Texts({**patients, "digest": digest}, link)


def _possible(texts: Texts, population: str, number: int) -> list[Member]:
    """One member, or none where no patient could be drawn from it: a prior's corners may contradict."""
    try:
        return [member_of(texts, label=f"{population} prior {number}")]
    except (ValidationError, CardEntryError):
        return []


def _normals(members: int, parameters: int, seed: int, whose: str) -> np.ndarray:
    """Draw standard normals, (member, parameter), each parameter spread evenly over its prior."""
    if not parameters:
        return np.zeros((members, 0))
    square = qmc.LatinHypercube(parameters, rng=chance.generator(seed, f"prior of {whose}"))
    return np.asarray(ndtri(np.clip(square.random(members), _EDGE, 1 - _EDGE)))


def _values(parameters: dict[str, Parameter], texts: Texts, z: np.ndarray) -> dict[str, float]:
    """Value of every field that the prior moves."""
    values = {}
    for place, (name, parameter) in enumerate(parameters.items()):
        value = float(parameter.natural(z[place]))
        for field in (field for each in parameter.fields for field in written_out(texts, each, name)):
            new = value if parameter.how == "set" else value * read_field(texts, field, name)
            values[field] = possible(field, new)
    return values
