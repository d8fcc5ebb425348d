"""What an agency asks for; which facts stand for a cohort, and for what else its patients could be given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from twoarm.errors import NoTherapyDifferenceError
from twoarm.trial.entry import SOURCED, Card, read_card

AGENCIES = "designations"
COHORTS = "available_therapy"


class Ask(Card):
    """One part of a criterion, and what here answers it."""

    part: str
    words: str
    answered: str


class Margins(Card):
    """By how much a drug may exceed: percentage points of rates, ratios of median times."""

    points: Annotated[tuple[float, ...], SOURCED]
    ratio: Annotated[tuple[float, ...], SOURCED]


class Agency(Card):
    """A designation: who gives it, and what the law asks for.

    Attributes
    ----------
    name, title, description : str
        As in the library.
    aliases : tuple of str
        Other names.
    agency, designation : str
        As the events of a program name them.
    source : str
        Keys of the bibliography.
    checked : str
        How far the words were checked against the text.
    asks : tuple of Ask
        The criterion, part by part.
    margins : Margins
        At which sizes the probability is given.
    """

    name: str
    aliases: tuple[str, ...] = ()
    title: str
    description: str
    agency: str
    designation: str
    source: str
    checked: str
    asks: Annotated[tuple[Ask, ...], Field(min_length=1)]
    margins: Margins


class Endpoint(Card):
    """An endpoint of the drug's cohort: the facts of the last cut, and those they supersede."""

    name: str
    rows: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    caution: str = ""


class Offered(Card):
    """A therapy that such patients could be given, by whose approval, and its facts by endpoint."""

    name: str
    regulators: tuple[str, ...]
    note: str = ""
    rows: dict[str, tuple[str, ...]]


class Cohort(Card):
    """A cohort of a drug beside the available therapy.

    Attributes
    ----------
    name, title, description, population : str
        Who the patients are.
    aliases : tuple of str
        Other names.
    drug : str
        Molecule of the library.
    evidence : tuple of str
        Tables of facts.
    program : str
        Table of the program's events.
    history : tuple of str
        Events of it that are about this cohort.
    spread : tuple of float
        Scales of the prior of the spread between trials: the first is used, the others are shown beside it.
    endpoints : tuple of Endpoint
        The first is the one looked at unless another is named.
    therapies : tuple of Offered
        What there is.
    differences : dict of str to str
        By trial: how its patients differ from the cohort's.
    """

    name: str
    aliases: tuple[str, ...] = ()
    title: str
    description: str
    drug: str
    evidence: Annotated[tuple[str, ...], Field(min_length=1)]
    program: str
    history: tuple[str, ...] = ()
    population: str
    spread: Annotated[tuple[float, ...], SOURCED]
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1)]
    therapies: Annotated[tuple[Offered, ...], Field(min_length=1)]
    differences: dict[str, str]

    def difference(self, trial: str) -> str:
        """Say how a trial's patients differ from the cohort's.

        Parameters
        ----------
        trial : str
            Name of the trial, as its facts have it.

        Returns
        -------
        str
            In words.

        Raises
        ------
        NoTherapyDifferenceError
            If the file does not say: cohorts are never laid side by side without it.
        """
        if trial not in self.differences:
            raise NoTherapyDifferenceError(cohort=self.name, trial=trial)
        return self.differences[trial]


def read_agency(name: str | Path) -> Agency:
    """Read what an agency asks for.

    Parameters
    ----------
    name : str or Path
        In the library, as "nmpa-btd", or a TOML file.

    Returns
    -------
    Agency
        Frozen.

    Raises
    ------
    NotInLibraryError, FileMissingError
        If there is no such file.
    UnknownFieldError, MissingFieldError, CardEntryError
        If it breaks a rule.

    Examples
    --------
    >>> read_agency("fda-ft").title
    'Fast track, US FDA'
    """
    return read_card(AGENCIES, name, Agency)[0]


def read_cohort(name: str | Path) -> Cohort:
    """Read a cohort beside its available therapy.

    Parameters
    ----------
    name : str or Path
        In the library, as "squamous-nsclc", or a TOML file.

    Returns
    -------
    Cohort
        Frozen.

    Raises
    ------
    NotInLibraryError, FileMissingError
        If there is no such file.
    UnknownFieldError, MissingFieldError, CardEntryError
        If it breaks a rule.

    Examples
    --------
    >>> [endpoint.name for endpoint in read_cohort("squamous-nsclc").endpoints]
    ['ORR', 'mPFS']
    """
    return read_card(COHORTS, name, Cohort)[0]
