"""The rules that say which cohort a row of evidence is about: data of a file, checked when it is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from twoarm.trial.entry import SOURCED, Card, measured, read_card

LONGEST_TEXT = 300  # characters of a cell that a rule reads: patterns must not be led astray by a long one


def _pattern(raw: Any) -> re.Pattern[str]:
    """Compile a pattern once, or say what is wrong with it."""
    try:
        return re.compile(str(raw), re.IGNORECASE)
    except re.error as wrong:
        raise ValueError(f"{raw!r} is no regular expression: {wrong}. Correct the pattern.") from None


Pattern = Annotated[re.Pattern[str], BeforeValidator(_pattern)]


def found(pattern: re.Pattern[str] | None, text: str) -> re.Match[str] | None:
    """Search a cell for a pattern.

    Parameters
    ----------
    pattern : Pattern or None
        None fits everything.
    text : str
        The cell.

    Returns
    -------
    Match or None
        None where it does not fit.
    """
    return re.search("" if pattern is None else pattern, text.strip()[:LONGEST_TEXT])


class _Rule(Card):
    """What every rule may say: why a row is not predicted, or a note on what is assumed."""

    reason: str = ""
    note: str = ""


class Histology(_Rule):
    """Histologies of a cohort and their shares; "percent", "part" and "rest" are read from the cell."""

    match: Pattern
    shares: Annotated[dict[str, float | str], Field(default_factory=dict)]


class Setting(_Rule):
    """Line and earlier immunotherapy of a cohort."""

    line: Pattern | None = None
    prior_io: Pattern | None = None
    drug_kind: str = ""
    shares: Annotated[dict[str, float | str], Field(default_factory=dict)]


class SubsetRule(_Rule):
    """Which patients of a population a subset by biomarker admits; without a column, all of them."""

    match: Pattern
    column: str = ""
    above: float = 0.0
    below: float = 1.0
    equals: str = ""


class Tumor(_Rule):
    """A tumor: its populations by setting and histology, and whose calendar its cohorts have.

    `only` says for which endpoints it stands: how often events stop treatment hangs little on the tumor.
    """

    match: Pattern
    only: Pattern | None = None
    population: str = ""
    calendar: str = ""
    horizon: str = ""
    histologies: tuple[Histology, ...] = ()
    settings: tuple[Setting, ...] = ()
    subsets: tuple[SubsetRule, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Tumor:
        if not self.reason and not (self.population and self.calendar and self.horizon):
            raise ValueError("a tumor has a population, a calendar and a horizon, or a reason. Add them.")
        return self


class Drug(_Rule):
    """An agent: whose rules of dosing it follows, and dose and interval where a row states none.

    `iu_per_mg` is the activity of an agent whose doses are told in international units.
    """

    match: Pattern
    tumor: Pattern | None = None
    like: str = ""
    dose: str = ""
    every: str = ""
    source: str = ""
    label: str = ""
    iu_per_mg: Annotated[float | None, measured("", above=0)] = None

    @model_validator(mode="after")
    def _whole(self) -> Drug:
        if not self.reason and ":" not in self.like:
            raise ValueError('an agent is like = "protocol:arm" of the library, or has a reason. Add it.')
        return self


class Schedule(_Rule):
    """How often, in words of registries; groups `weeks`, `days`, `times` and `daily` are numbers.

    `daily` is how many days in a row a dose is given, every time; it is the course of an agent whose protocol
    has courses. With `own` such an agent's protocol holds as it stands.
    """

    match: Pattern
    every: str = ""
    own: bool = False


class EndpointRule(_Rule):
    """The endpoint that a name means; groups of the pattern may stand in it."""

    match: Pattern
    note_match: Pattern | None = None
    endpoint: str = ""
    of_n: bool = False


class Rules(Card):
    """Everything that maps a row of evidence to a cohort. Frozen; see `read_rules`."""

    name: str
    title: str = ""
    without_effect: Pattern
    missing_n: Annotated[int, SOURCED, Field(ge=1)]
    near_doses: Annotated[float, measured("", at_least=1)]
    cut_share: Annotated[float, measured("", above=0, at_most=1)]
    never_cut: Annotated[float, measured("", above=0)]
    last_month: Annotated[float, measured("", above=0)]
    tumors: Annotated[tuple[Tumor, ...], Field(min_length=1)]
    drugs: Annotated[tuple[Drug, ...], Field(min_length=1)]
    schedules: Annotated[tuple[Schedule, ...], Field(min_length=1)]
    endpoints: Annotated[tuple[EndpointRule, ...], Field(min_length=1)]


def read_rules(name: str | Path = "clinic") -> Rules:
    """Read the rules from the library, or from a file of the user's own.

    Parameters
    ----------
    name : str or Path
        Name of a mapping in the library, or a path.

    Returns
    -------
    Rules
        Frozen, every pattern compiled.

    Raises
    ------
    NotInLibraryError, FileTooLargeError, FileTextError, UnknownFieldError, MissingFieldError, CardEntryError
        As `twoarm.trial.entry.read_card`.

    Examples
    --------
    >>> read_rules().missing_n
    100
    """
    return read_card("mappings", name, Rules)[0]
