"""An experiment file: groups, what is read off them, and each claim with the number that would refute it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from twoarm import catalog
from twoarm.experiment.animals import Endpoint, Inhibition, Rechallenge
from twoarm.experiment.claims import Claim, Published, Readout
from twoarm.experiment.groups import Given, Group, Residue
from twoarm.experiment.inherit import inherited
from twoarm.trial.entry import Card, check_card

__all__ = [
    "Claim",
    "Endpoint",
    "Experiment",
    "Given",
    "Group",
    "Inhibition",
    "Picture",
    "Published",
    "Readout",
    "Rechallenge",
    "Residue",
    "read_experiment",
    "rung",
]


class Experiment(Card):
    """A question put to the model: groups, readouts, claims.

    Attributes
    ----------
    name, title, question : str
        What is asked.
    model, population : str
        Names in the library, or paths.
    patients, draws : int
        How many virtual patients, and how many draws of the molecule's card, unless asked otherwise.
    needed : float
        Share of the draws in which a claim must hold to be supported.
    days : tuple of (begin, end, step)
        When the courses are recorded [day].
    groups, readouts : dict
        By name.
    claims : tuple of Claim
        What should come out.
    figure : Figure
        What its picture shows.
    limits : tuple of str
        What the answer does not cover.
    endpoint : Endpoint, optional
        When an animal is taken out; with it, survival is told.
    inhibition : Inhibition, optional
        On which day growth inhibition is told, and against whom.
    rechallenge : Rechallenge, optional
        A second inoculation of those who are cured.
    published : tuple of Published
        Rows of the evidence that it is compared with, or cannot be.
    biology : tuple of str
        Numbers of the model that are drawn from their ranges where that is asked, as claims may hang on them.
    digest : str
        SHA-256 of the file, and of those it extends.
    """

    name: str
    title: str
    question: str
    model: str = "pd1_il2"
    population: str = "io_naive_squamous_nsclc"
    patients: Annotated[int, Field(ge=1, le=100_000)] = 8
    draws: Annotated[int, Field(ge=1, le=10_000)] = 64
    needed: Annotated[float, Field(gt=0.5, le=1)] = 0.9
    days: tuple[tuple[float, float, float], ...]
    groups: dict[str, Group]
    readouts: dict[str, Readout]
    claims: tuple[Claim, ...]
    figure: Picture
    limits: tuple[str, ...] = ()
    endpoint: Endpoint | None = None
    inhibition: Inhibition | None = None
    rechallenge: Rechallenge | None = None
    published: tuple[Published, ...] = ()
    biology: tuple[str, ...] = ()
    digest: str = ""

    def label_of(self, readout: str) -> str:
        """Say what a reader calls a readout, or a column that a second inoculation adds."""
        if readout in self.readouts:
            return self.readouts[readout].label
        return self.added()[readout]

    def added(self) -> dict[str, str]:
        """List columns beside the readouts, and what a reader calls them."""
        return self.rechallenge.labels() if self.rechallenge else {}

    @model_validator(mode="after")
    def _names(self) -> Self:
        readable = {*self.readouts, *self.added()}
        rungs = {*self.groups} | {
            rung(name, dose) for name, group in self.groups.items() for dose in group.doses
        }
        for claim in self.claims:
            for name in filter(
                None, (claim.readout, claim.at_equal, claim.against_readout, claim.over_readout)
            ):
                if name not in readable:
                    raise ValueError(f'"{claim.says}" reads "{name}", which is no readout. Correct it.')
            for name in filter(None, (claim.group, claim.against, *(claim.over or ()))):
                if name not in rungs:
                    raise ValueError(f'"{claim.says}" names "{name}", which is no group. Correct it.')
        return self

    @model_validator(mode="after")
    def _animals(self) -> Self:
        told = [part.readout for part in (self.endpoint, self.inhibition) if part]
        if missing := [name for name in told if name not in self.readouts]:
            raise ValueError(f'"{missing[0]}" is read, and is no readout. Correct it.')
        if self.endpoint and self.readouts[self.endpoint.readout].level is None:
            raise ValueError('endpoint needs a readout that takes "when_above". Name one.')
        if self.inhibition and self.inhibition.against not in self.groups:
            raise ValueError(f'"{self.inhibition.against}" is no group. Correct inhibition.against.')
        if self.rechallenge and self.rechallenge.day != max(end for _, end, _ in self.days):
            raise ValueError("rechallenge.day is not the last of days. Let the courses end on it.")
        return self


class Picture(Card):
    """What the figure of an experiment shows.

    Attributes
    ----------
    curves : dict of str to str
        Outputs of the model over time, and what a reader calls them.
    ladders : tuple of str
        Readouts along the ladders of doses.
    groups : tuple of str
        Whose curves; all where none is named.
    end : float [day], optional
        Where the curves end.
    """

    curves: dict[str, str] = Field(default_factory=dict)
    ladders: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    end: float | None = None


Experiment.model_rebuild()


def rung(group: str, dose: str) -> str:
    """Name one dose of a group's ladder.

    Examples
    --------
    >>> rung("fusion", "3 mg/kg")
    'fusion @ 3 mg/kg'
    """
    return f"{group} @ {dose}"


def read_experiment(name: str | Path) -> Experiment:
    """Read an experiment of the library, or one of the user's own.

    Parameters
    ----------
    name : str or Path
        Name in the library, as "priming", or the path of a file.

    Returns
    -------
    Experiment
        The checked file, laid over the one it extends.

    Raises
    ------
    NotInLibraryError, FileMissingError, FileTextError
        If there is no such file, or it cannot be read.
    UnknownFieldError, MissingFieldError, CardEntryError
        If it breaks a rule.

    Examples
    --------
    >>> sorted(read_experiment("cd25_kept").groups)
    ['kept', 'kept_taken', 'lost', 'lost_taken']
    """
    path = catalog.find("experiments", name)
    raw, digest = inherited(path)
    return check_card(raw | {"digest": digest}, Experiment, path)
