"""Single numbers of a population and its clinical link, by name: read, put in place, made a member."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from twoarm.errors import FitFieldError
from twoarm.patients.population import Population
from twoarm.trial.entry import check_card
from twoarm.trial.outcomes import Outcomes

_MOST_SHARE = 0.97  # where a prior in multiples would take a share to 1 and beyond

_OUTCOMES = "outcomes:"


class Texts(NamedTuple):
    """A population file and an outcomes file as read: tables of tables, parents put in, unchecked."""

    population: dict[str, Any]
    outcomes: dict[str, Any]


class Member(NamedTuple):
    """One member of the ensemble that a population is.

    Attributes
    ----------
    population : Population
        How patients are drawn.
    outcomes : Outcomes
        How they are followed.
    label : str
        What it is called in tables.
    weight : float
        Share of the ensemble.
    """

    population: Population
    outcomes: Outcomes
    label: str = ""
    weight: float = 1.0


def member_of(texts: Texts, *, label: str = "", weight: float = 1.0) -> Member:
    """Check the files and make what a trial takes.

    Parameters
    ----------
    texts : Texts
        Both files.
    label, weight : str, float
        Of the member.

    Returns
    -------
    Member
        Population and outcomes.

    Raises
    ------
    ValidationError
        If no patient could be drawn from such a population.
    UnknownFieldError, MissingFieldError, CardEntryError
        If an entry of the outcomes breaks its rule.
    """
    population = Population.model_validate(texts.population)
    return Member(population, check_card(texts.outcomes, Outcomes, Path("outcomes")), label, weight)


def written_out(texts: Texts, field: str, whose: str = "") -> list[str]:
    """Fields that a name stands for, every case of a `*` written out.

    Parameters
    ----------
    texts : Texts
        Both files.
    field : str
        "variable.median", "variable.case.median", "variable.*.median", "variable.category", or
        "outcomes:section.entry".
    whose : str
        Who asks, for the message.

    Returns
    -------
    list of str
        At least one.

    Raises
    ------
    FitFieldError
        If there is no such field.
    """
    entry, _, rest = field.partition(".")
    if field.startswith(_OUTCOMES) or not rest.startswith("*."):
        read_field(texts, field, whose)
        return [field]
    cases = texts.population["variables"].get(entry, {}).get("cases", {})
    found = [f"{entry}.{case}.{rest[2:]}" for case, shape in cases.items() if rest[2:] in shape]
    if not found:
        raise FitFieldError(parameter=whose, field=field)
    return found


def read_field(texts: Texts, field: str, whose: str = "") -> float:
    """Value of a field, in the unit in which the file states it; a percentage as a share.

    Parameters
    ----------
    texts, field, whose
        As for `written_out`, without `*`.

    Returns
    -------
    float
        The number.

    Raises
    ------
    FitFieldError
        If there is no such field, or it holds no number.
    """
    try:
        table, key = _table(texts, field)
        found = table[key]
        found = found["value"] if isinstance(found, Mapping) else found
        number, _, unit = str(found).partition(" ")
        return float(number) / (100.0 if unit.strip() == "%" else 1.0)
    except (KeyError, TypeError, ValueError):
        raise FitFieldError(parameter=whose, field=field) from None


def set_field(texts: Texts, field: str, value: float) -> None:
    """Put a value into its field; of a categorical one, the other categories keep their proportions.

    Parameters
    ----------
    texts : Texts
        Changed in place.
    field : str
        As for `read_field`.
    value : float
        In the unit that stands there.
    """
    table, key = _table(texts, field)
    old = table[key]
    if isinstance(old, Mapping):
        _, _, unit = str(old["value"]).partition(" ")
        number = value * 100 if unit == "%" else value
        table[key] = {**old, "value": f"{number!r} {unit}" if unit else number}
    elif _is_category(texts, field):
        others = sum(share for name, share in table.items() if name != key)
        for name in table:
            table[name] = table[name] / others * (1 - value)
        table[key] = 1.0 - sum(share for name, share in table.items() if name != key)
    else:
        table[key] = value


def _is_category(texts: Texts, field: str) -> bool:
    if field.startswith(_OUTCOMES):
        return False
    return texts.population["variables"][field.partition(".")[0]].get("distribution") == "categorical"


def _table(texts: Texts, field: str) -> tuple[dict[str, Any], str]:
    """Table in which a field stands, and its key there."""
    if field.startswith(_OUTCOMES):
        section, key = field.removeprefix(_OUTCOMES).split(".")
        return texts.outcomes[section], key
    entry, *rest = field.split(".")
    shape = texts.population["variables"][entry]
    if len(rest) == 2:
        return shape["cases"][rest[0]], rest[1]
    return (shape["probabilities"] if shape["distribution"] == "categorical" else shape), rest[0]


def possible(field: str, value: float) -> float:
    """Keep a share below 1 where a prior in multiples would take it to 1 and beyond.

    Parameters
    ----------
    field : str
        As "exhausted_share.acquired.median".
    value : float
        What the prior says.

    Returns
    -------
    float
        The value, and of a share no more than 0.97.

    Examples
    --------
    >>> possible("exhausted_share.acquired.median", 1.1), possible("killing.median", 1.1)
    (0.97, 1.1)
    """
    entry, *_, last = field.split(".")
    share = last in ("probability", "inflamed") or (entry == "exhausted_share" and last == "median")
    return min(value, _MOST_SHARE) if share else value
