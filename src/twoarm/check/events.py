"""Severe events: what is not known of their grades, drawn by every member, and events that no drug caused."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.special import ndtri
from scipy.stats import qmc

from twoarm import chance
from twoarm.check.rules import Pattern
from twoarm.fit.card import Parameter
from twoarm.frozen import Member
from twoarm.trial.entry import Card, read_card
from twoarm.trial.outcomes import Outcomes, Toxicity
from twoarm.units import quantity

_EDGE = 1e-3  # of a quantile: no member lies beyond three standard deviations
_FRAILTY = "frailty"


class Moved(Parameter):
    """A number of the events, as a parameter of a prior; "plus" adds it to every limit of a kind."""

    how: Literal["set", "times", "plus"] = "set"  # type: ignore[assignment]


class Background(Parameter):
    """Rate of severe events that no drug caused, in the populations whose name fits."""

    match: Pattern
    fields: tuple[str, ...] = ()


class Events(Card):
    """A file of what is not known of severe events. Frozen; see `read_events`."""

    name: str
    title: str = ""
    parameters: Annotated[dict[str, Moved], Field(min_length=1)]
    background: dict[str, Background]


def read_events(name: str | Path = "events") -> Events:
    """Read what is not known of severe events.

    Parameters
    ----------
    name : str or Path
        Name of a mapping in the library, or a path.

    Returns
    -------
    Events
        Frozen.

    Raises
    ------
    NotInLibraryError, FileTooLargeError, FileTextError, UnknownFieldError, MissingFieldError, CardEntryError
        As `twoarm.trial.entry.read_card`.

    Examples
    --------
    >>> read_events().background["lung"].unit
    '1/month'
    """
    return read_card("mappings", name, Events)[0]


@cache
def _library() -> Events:
    return read_events()


def draw_events(members: Sequence[Member], *, seed: int) -> list[Member]:
    """Give every member of an ensemble its own draw of what is not known of severe events.

    Parameters
    ----------
    members : sequence of Member
        Populations with their clinical links.
    seed : int
        Of the draw.

    Returns
    -------
    list of Member
        The same in everything else. Kinds of events that a link does not have are passed over.

    Examples
    --------
    >>> from twoarm.trial.outcomes import read_outcomes
    >>> one = Member(None, read_outcomes("squamous_nsclc"))
    >>> kinds = [member.outcomes.toxicity.kinds[5] for member in draw_events([one, one], seed=1)]
    >>> kinds[0].limits["3"] != kinds[1].limits["3"], kinds[0].name
    (True, 'immune_related')
    """
    parameters = list(_library().parameters.values())
    square = qmc.LatinHypercube(len(parameters), rng=chance.generator(seed, "severe events"))
    points = ndtri(np.clip(square.random(len(members)), _EDGE, 1 - _EDGE))
    found = []
    for member, z in zip(members, points, strict=True):
        outcomes = member.outcomes
        for parameter, one in zip(parameters, z, strict=True):
            outcomes = _moved(outcomes, parameter, float(parameter.natural(one)))
        found.append(member._replace(outcomes=outcomes))
    return found


def first_severe(pool: pd.DataFrame, member: Member, *, seed: int) -> np.ndarray:
    """Day of each patient's first severe event of any cause.

    Parameters
    ----------
    pool : DataFrame
        `severe_day` (the first related one), `treated_until` and `OS_day` [day].
    member : Member
        Whose patients they are.
    seed : int
        Of chance, and of the member's rate.

    Returns
    -------
    (patient,) float array [day]
        NaN for none.

    Notes
    -----
    Events that no drug caused come at a constant rate, which a member draws once, until events stop being
    counted after the last dose.
    """
    rules = _library()
    rate = next((one for one in rules.background.values() if one.match.search(member.population.name)), None)
    related = pool["severe_day"].to_numpy(float)
    if rate is None:
        return related
    z = float(ndtri(np.clip(chance.generator(seed, f"background {member.label}").random(), _EDGE, 1 - _EDGE)))
    hazard = float(rate.natural(z)) * quantity(f"1 {rate.unit}", "1/day")
    day = -np.log1p(-chance.uniforms(seed, "background events", np.arange(len(pool)))[:, 0]) / hazard
    last = pool["treated_until"].to_numpy(float) + member.outcomes.toxicity.counts_for
    other = np.where(day <= np.minimum(last, pool["OS_day"].to_numpy(float)), day, np.nan)
    return np.asarray(np.fmin(related, other))


def _moved(outcomes: Outcomes, parameter: Moved, value: float) -> Outcomes:
    """Put one number into the events of a clinical link."""
    events = outcomes.toxicity
    for field in parameter.fields:
        name, _, entry = field.partition(".")
        if name == _FRAILTY:
            events = events.model_copy(update={name: _new(events.frailty, parameter, value)})
            continue
        kinds = tuple(
            _kind(kind, entry, parameter, value) if kind.name == name else kind for kind in events.kinds
        )
        events = events.model_copy(update={"kinds": kinds})
    return outcomes.model_copy(update={"toxicity": events})


def _kind(kind: Toxicity, entry: str, parameter: Moved, value: float) -> Toxicity:
    old = getattr(kind, entry)
    new = (
        {grade: _new(limit, parameter, value) for grade, limit in old.items()}
        if isinstance(old, dict)
        else _new(old, parameter, value)
    )
    return kind.model_copy(update={entry: new})


def _new(old: float, parameter: Moved, value: float) -> float:
    return {"set": value, "times": old * value, "plus": old + value}[parameter.how]
