"""An experiment file: groups, what is read off them, and each claim with the number that would refute it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from twoarm import catalog
from twoarm.bibliography import ASSUMED, read_references
from twoarm.errors import MissingNoteError, UnknownSourceError
from twoarm.trial.entry import Card, check_card

Reduce = Literal["largest", "smallest", "mean", "area", "last", "when_largest", "when_above", "half_life"]


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


class Readout(Card):
    """One number of each course.

    Attributes
    ----------
    label, unit : str
        As a reader calls it.
    output : str or tuple of str
        An output of the model, or several that are added.
    take : str
        The largest, smallest, mean or last value, the area under the curve, the day of the largest value, the
        day on which `level` is reached (`end` where it never is), or the half-life of a line through the
        logarithm.
    begin, end : float [day]
        Between which days.
    relative : bool
        Whether values are counted in multiples of day 0.
    factor : float
        Multiplies the number, as to change its unit.
    level : float, optional
        Of "when_above".
    """

    label: str
    unit: str = ""
    output: str | tuple[str, ...]
    take: Reduce
    begin: float = 0.0
    end: float
    relative: bool = False
    factor: float = 1.0
    level: float | None = None

    @model_validator(mode="after")
    def _leveled(self) -> Self:
        if (self.level is None) == (self.take == "when_above"):
            raise ValueError('level goes with take = "when_above", and only with it. Add or remove it.')
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs of the model that are added."""
        return (self.output,) if isinstance(self.output, str) else self.output


class Claim(Sourced):
    """What should come out, as one number of the ensemble, where it holds and where it is refuted.

    Attributes
    ----------
    says : str
        The claim, in a sentence.
    readout : str
        What is compared.
    group, against : str
        A group, or one dose of its ladder as "name @ 3 mg/kg". The number is the first over the second, or
        the first alone.
    against_readout : str
        What is read off `against`, where it is not `readout`.
    over : tuple of str
        Two more groups: the number is then divided by their ratio (an interaction).
    over_readout : str
        What is read off those two, where it is not `readout`.
    at_equal : str
        Another readout: `group` and `against` are ladders, and `group` is read at the dose where this readout
        equals that of `against`.
    shape : "fall" or "rise", optional
        Of a ladder: the value at the highest dose over the largest on the ladder ("fall"), or the
        smallest step from one dose to the next over the largest value ("rise", below 0 where it falls).
    per_dose : bool
        Whether values are divided by the amount given.
    statistic : str
        "paired": the median over patients of each patient's own ratio; "median", "low" (5 %) and "high"
        (95 %): of each group's patients.
    holds_above, holds_below : float
        Where the claim holds.
    refuted_above, refuted_below : float
        Where it is refuted; between the two it is undecided.
    measured : str
        What was measured, in words, where something was.
    """

    says: str
    readout: str
    group: str
    against: str | None = None
    against_readout: str | None = None
    over: tuple[str, str] | None = None
    over_readout: str | None = None
    at_equal: str | None = None
    shape: Literal["fall", "rise"] | None = None
    per_dose: bool = False
    statistic: Literal["paired", "median", "low", "high"] = "paired"
    holds_above: float | None = None
    holds_below: float | None = None
    refuted_above: float | None = None
    refuted_below: float | None = None
    measured: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.holds_above is None and self.holds_below is None:
            raise ValueError("it says no number at which it holds. Add holds_above, holds_below or both.")
        if self.refuted_above is None and self.refuted_below is None:
            raise ValueError(
                "it says no number that would refute it. Add refuted_above, refuted_below or both."
            )
        if self.at_equal and not self.against:
            raise ValueError("at_equal needs a group to be equal with. Add against.")
        return self


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

    @model_validator(mode="after")
    def _names(self) -> Self:
        rungs = {*self.groups} | {
            rung(name, dose) for name, group in self.groups.items() for dose in group.doses
        }
        for claim in self.claims:
            for name in filter(
                None, (claim.readout, claim.at_equal, claim.against_readout, claim.over_readout)
            ):
                if name not in self.readouts:
                    raise ValueError(f'"{claim.says}" reads "{name}", which is no readout. Correct it.')
            for name in filter(None, (claim.group, claim.against, *(claim.over or ()))):
                if name not in rungs:
                    raise ValueError(f'"{claim.says}" names "{name}", which is no group. Correct it.')
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
        The checked file.

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
    return check_card(catalog.read_toml(path), Experiment, path)
