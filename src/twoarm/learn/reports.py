"""Which reports weigh which card, and how far the model itself may be off: read from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field

from twoarm.check.mapping import Mapped
from twoarm.trial.entry import Card, measured, read_card

RESPONSES = ("ORR", "ORR_any")
_OF_ITSELF = ("ORR", "DCR", "mPFS", "mOS", "TRAE_G3plus")  # endpoints of a row that no population maps


class Discrepancy(Card):
    """How far the model may be off whatever the card: on the logit of rates, on the log of times."""

    rate: Annotated[float, measured("", at_least=0)]
    time: Annotated[float, measured("", at_least=0)]

    def times(self, factor: float) -> Discrepancy:
        """Scale both."""
        return Discrepancy(rate=factor * self.rate, time=factor * self.time)


class Looked(Card):
    """A cohort and the looks at it: the last list of rows weighs, those before are superseded.

    Attributes
    ----------
    name, label, note : str
        For tables.
    like : str
        A row whose population stands in where the cohort has none.
    weighs : bool
        False for one that is predicted beside the others and weighs nothing.
    cuts : tuple of tuple of str
        Rows of evidence, look by look.
    """

    name: str
    label: str
    like: str = ""
    note: str = ""
    weighs: bool = True
    cuts: Annotated[tuple[tuple[str, ...], ...], Field(min_length=1)]


class Update(Card):
    """Which reports weigh which card.

    Attributes
    ----------
    molecule : str
        Whose card.
    evidence : tuple of str
        Tables of facts.
    discrepancy : Discrepancy
        How far the model may be off.
    cohorts : tuple of Looked
        Who was reported.
    """

    name: str
    description: str = ""
    molecule: str
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]
    discrepancy: Discrepancy
    cohorts: Annotated[tuple[Looked, ...], Field(min_length=1)]


def read_update(name: str | Path) -> Update:
    """Read which reports weigh which card.

    Parameters
    ----------
    name : str or Path
        In the library, or a TOML file.

    Returns
    -------
    Update
        Frozen.

    Raises
    ------
    NotInLibraryError, FileMissingError
        If there is no such file.
    UnknownFieldError, MissingFieldError, CardEntryError
        If it breaks a rule.

    Examples
    --------
    >>> read_update("ibi363").molecule
    'ibi363'
    """
    return read_card("updates", name, Update)[0]


def endpoint_of(mapped: dict[str, Mapped], name: str, facts: pd.DataFrame) -> str:
    """Find the endpoint of a row, also of one whose own population does not exist.

    Parameters
    ----------
    mapped : dict of id to Mapped
        From `map_rows`.
    name : str
        Id of the row.
    facts : DataFrame, index id
        The evidence.

    Returns
    -------
    str
        "" where it is none that is predicted.
    """
    if name in mapped:
        return mapped[name].endpoint
    known = str(facts.loc[name, "endpoint"])
    return known if known in _OF_ITSELF else ""


def stands_for(mapped: dict[str, Mapped], each: Looked) -> Mapped | None:
    """Find the row whose cohort is simulated: one of the last look, or the one that stands in.

    Parameters
    ----------
    mapped : dict of id to Mapped
        From `map_rows`.
    each : Looked
        The cohort.

    Returns
    -------
    Mapped or None
        None where no population maps any.
    """
    names = [each.like] if each.like else list(each.cuts[-1])
    return next((mapped[name] for name in names if name in mapped), None)


def speaks(fact: pd.Series) -> bool:
    """Say whether a report may weigh: verified, with a value and a number of patients.

    Parameters
    ----------
    fact : Series
        A row of evidence.

    Returns
    -------
    bool
        False for what is recalled, without number, or without patients.
    """
    return bool(fact["verified"]) and not pd.isna(fact["value"]) and not pd.isna(fact["n"])
