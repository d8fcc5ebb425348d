"""A screen's file: how large a trial answers, how far populations may be off, what could be measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from twoarm.trial.entry import SOURCED, Card, measured, read_card


class Doubt(Card):
    """How far a typical patient may be off, in standard deviations between patients."""

    assumed: Annotated[float, measured("", at_least=0)]
    sourced: Annotated[float, measured("", at_least=0)]


class Reading(Card):
    """A mean over patients of a course of the drug's arm, in one week."""

    course: str
    week: Annotated[int, Field(ge=0)]


class Measurement(Card):
    """Something that could be measured: unknowns themselves, or what a trial would show, with its error.

    Attributes
    ----------
    name, label : str
        What it is called, and in words.
    unknowns : tuple of str
        Names of unknowns, with `*` for anything.
    readings : tuple of Reading
        What is read off the drug's arm instead.
    error : float
        Standard deviation of the measurement's log, or of the share itself.
    """

    name: str
    label: str
    unknowns: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    error: Annotated[float, measured("", at_least=0)]

    @model_validator(mode="after")
    def _something(self) -> Measurement:
        if bool(self.unknowns) == bool(self.readings):
            raise ValueError("a measurement names unknowns or readings, one of the two")
        return self


class Screen(Card):
    """What is asked of a screen.

    Attributes
    ----------
    patients : int
        Twins of every run.
    horizon : float [day]
        How long they are followed.
    population : Doubt
        How far populations may be off.
    measurements : tuple of Measurement
        What could be measured.
    """

    name: str
    description: str = ""
    patients: Annotated[int, SOURCED, Field(ge=2)]
    horizon: Annotated[float, measured("day", above=0)]
    population: Doubt
    measurements: tuple[Measurement, ...] = ()


def read_screen(name: str | Path) -> Screen:
    """Read a screen.

    Parameters
    ----------
    name : str or Path
        In the library, as "trial", or a TOML file.

    Returns
    -------
    Screen
        Frozen.

    Raises
    ------
    NotInLibraryError, FileMissingError
        If there is no such file.
    UnknownFieldError, MissingFieldError, CardEntryError
        If it breaks a rule.

    Examples
    --------
    >>> read_screen("trial").patients
    32
    """
    return read_card("screens", name, Screen)[0]
