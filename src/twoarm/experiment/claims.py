"""What is read off courses, and each claim with the number that would refute it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from twoarm.experiment.groups import Sourced
from twoarm.trial.entry import Card

Reduce = Literal["largest", "smallest", "mean", "area", "last", "when_largest", "when_above", "half_life"]


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
        "paired": the median over patients of each patient's own ratio; "median", "low" (5 %), "high"
        (95 %) and "mean": of each group's patients; a mean is over those who have the number.
    where_known : bool
        Whether draws without such a number are left out (of cured animals, those draws in which none was);
        otherwise nothing holds in them.
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
    statistic: Literal["paired", "median", "low", "high", "mean"] = "paired"
    where_known: bool = False
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


class Published(Sourced):
    """A published row that this kind of experiment could be compared with.

    Attributes
    ----------
    row : str
        Its name in the evidence.
    says : str
        What was published.
    claims : tuple of str
        The claims that answer it, by their sentence; an experiment shows those that it has.
    why_not : str
        Why no claim can answer it.
    """

    row: str
    says: str
    claims: tuple[str, ...] = ()
    why_not: str = ""

    @model_validator(mode="after")
    def _answered(self) -> Self:
        if bool(self.claims) == bool(self.why_not):
            raise ValueError("it has claims that answer it, or says why none can. Give one of the two.")
        return self
