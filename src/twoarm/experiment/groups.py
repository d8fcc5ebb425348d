"""Who gets what in an experiment: molecules, doses, knock-outs, and the source of each number."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from twoarm.bibliography import ASSUMED, read_references
from twoarm.errors import MissingNoteError, UnknownSourceError
from twoarm.trial.entry import Card


class Sourced(Card):
    """A table of the file that says where its numbers come from.

    Attributes
    ----------
    source : str
        Keys of the bibliography, split by ";", or "assumed".
    note : str
        Why, or how it was read; never empty where something is assumed.
    """

    source: str
    note: str = ""

    @field_validator("source")
    @classmethod
    def _known(cls, source: str, info: ValidationInfo) -> str:
        keys = [key.strip() for key in source.split(";")]
        if info.context and info.context.get("path"):
            known = read_references()
            if missing := [key for key in keys if key != ASSUMED and key not in known]:
                raise UnknownSourceError(missing=missing, known=tuple(known))
        return source

    @model_validator(mode="after")
    def _said_why(self) -> Self:
        if ASSUMED in [key.strip() for key in self.source.split(";")] and not self.note.strip():
            raise MissingNoteError
        return self


class Number(Sourced):
    """A parameter of the model set by hand, in the model's unit."""

    value: float


class Given(Card):
    """One molecule as a group gets it; the words are those of :class:`twoarm.regimen.Regimen`.

    Attributes
    ----------
    without : tuple of str
        Arms or bonds taken off the card, as "pd1_arm" or "il2_arm.kd_il2ra".
    with_values : dict of str to float or str
        Entries of the card set to a value, as ``"il2_arm.weakening_il2rb" = "1 fold"``.
    """

    molecule: str
    dose: str
    every: str | None = None
    start_day: float | str = 0.0
    priming: tuple[tuple[str, float | str], ...] = ()
    loading: str | None = None
    infusion: str | None = None
    max_doses: int | None = None
    max_duration: str | None = None
    route: Literal["intravenous", "subcutaneous"] | None = None
    slot: str | None = None
    without: tuple[str, ...] = ()
    with_values: dict[str, float | str] = Field(default_factory=dict)


class Residue(Sourced):
    """An earlier anti-PD-1 of which something is left on day 0, as a level in plasma."""

    molecule: str
    level: str


class Group(Sourced):
    """Who gets what; a knock-out is a card, a bond or a parameter that differs from another group's.

    Attributes
    ----------
    title : str
        What a reader calls it.
    given : tuple of Given
        Molecules, each in a slot of its own; none is an untreated group.
    doses : tuple of str
        A ladder of doses that stand in, one by one, for that of the first molecule.
    model, population : str
        Of this group, where they differ from the experiment's.
    parameters : dict of str to Number
        Parameters of the model set by hand in every patient of the group.
    residue : Residue or None
        An earlier anti-PD-1.
    """

    title: str
    given: tuple[Given, ...] = ()
    doses: tuple[str, ...] = ()
    model: str | None = None
    population: str | None = None
    parameters: dict[str, Number] = Field(default_factory=dict)
    residue: Residue | None = None
