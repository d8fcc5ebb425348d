"""A calibration file: which numbers of a population are fitted, to which facts, over which cohorts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from scipy.special import expit, logit

from twoarm.bibliography import ASSUMED, read_references
from twoarm.errors import UnknownSourceError
from twoarm.trial.entry import Card, read_card

_NORMAL_95 = 1.959963984540054  # standard deviations on either side that hold 95 % of a normal


class _Said(Card):
    """What every entry of the file says about itself."""

    source: Annotated[str, Field(min_length=1)]
    note: str = ""

    @model_validator(mode="after")
    def _why(self) -> _Said:
        if self.source == ASSUMED and not self.note:
            raise ValueError('source "assumed" needs a note that says why')
        keys = [key.strip() for key in self.source.split(";")]
        if missing := [key for key in keys if key != ASSUMED and key not in read_references()]:
            raise UnknownSourceError(missing=missing, known=tuple(read_references()))
        return self


class Parameter(_Said):
    """One number that is fitted: where it stands, and what is known of it before.

    `value` is the prior median and `low` to `high` its central 95 %, normal on the scale; on "log" it is what
    exceeds `above` that is lognormal, so that no member falls to `above`. `how` is "set"
    where the fields take the value, "times" where each field is multiplied by it. `only_prior` marks a number
    that no fitted arm can tell, whatever its value: members keep draws of the prior, so that chance narrows
    nothing.
    """

    fields: Annotated[tuple[str, ...], Field(min_length=1)]
    value: float
    low: float
    high: float
    scale: Literal["log", "logit", "linear"] = "log"
    above: float = 0.0
    how: Literal["set", "times"] = "set"
    unit: str
    only_prior: bool = False

    @model_validator(mode="after")
    def _inside(self) -> Parameter:
        if not self.low < self.value < self.high:
            raise ValueError("the value lies between low and high")
        if self.scale == "log" and self.low <= self.above:
            raise ValueError(f'on the scale "log" low is above {self.above:g}')
        if self.scale != "log" and self.above:
            raise ValueError('above goes with the scale "log"')
        if self.scale == "logit" and not (self.low > 0 and self.high < 1):
            raise ValueError('on the scale "logit" low and high lie between 0 and 1')
        return self

    @model_serializer(mode="wrap")
    def _as_said(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is not said: a field that came later changes no digest of a file without it."""
        said: dict[str, Any] = whole(self)
        return said if self.above else {name: each for name, each in said.items() if name != "above"}

    def natural(self, z: np.ndarray | float) -> np.ndarray:
        """Value at `z` standard deviations of the prior from its median."""
        low, middle, high = (float(self._to(v)) for v in (self.low, self.value, self.high))
        return np.asarray(self._from(middle + (high - low) / (2 * _NORMAL_95) * np.asarray(z, float)))

    def shifted(self, x: float, before: float, after: float) -> float:
        """Move another value by what moved `before` to `after`, on this parameter's scale."""
        if x == before:
            return after
        return float(self._from(np.asarray(self._to(x) + self._to(after) - self._to(before))))

    def _to(self, x: float) -> float:
        if self.scale == "log":
            return float(np.log(x - self.above))
        return float(logit(x) if self.scale == "logit" else x)

    def _from(self, x: np.ndarray) -> np.ndarray:
        if self.scale == "log":
            return np.asarray(self.above + np.exp(x))
        return expit(x) if self.scale == "logit" else x


class Cohort(_Said):
    """One arm that is simulated: its protocol, and what the record of lesions needs to know.

    `beyond_progression` is the chance that a patient who has progressed is scanned again at the next visit.
    """

    protocol: str
    arm: str
    beyond_progression: Annotated[float, Field(ge=0, le=1)] = 0.0


class Target(_Said):
    """Published numbers that the simulated cohort is compared with.

    `kind` says what they are: "curve" (share free of the event at months), "rates" (percent of patients, by
    id), "lesions" (share of lesions whose change is at or below `at` percent). `relevance` and `quality`, 0
    to 1, discount the number of patients; `within` is what is asked of the fit: the published share counts as
    known to half of it at least, so that a miss of `within` is two standard errors however few patients there
    were; `use` "check" leaves it out of the fit.
    """

    kind: Literal["curve", "rates", "lesions"]
    cohort: str
    evidence: str
    select: dict[str, str] = Field(default_factory=dict)
    endpoint: str = ""
    ids: tuple[str, ...] = ()
    months: tuple[float, ...] = ()
    relevance: Annotated[float, Field(gt=0, le=1)] = 1.0
    quality: Annotated[float, Field(gt=0, le=1)] = 1.0
    discrepancy: Annotated[float, Field(ge=0, lt=1)] = 0.0
    within: Annotated[float, Field(gt=0, le=1)] = 1.0
    use: Literal["fit", "check"] = "fit"


class Carried(_Said):
    """A population that was not measured and takes over what the fit has learned.

    `kept_apart` are parameters that it does not take over; `differs` is the prior of what tells it from the
    population that was measured, on top of what its own file says.
    """

    population: str
    outcomes: str
    kept_apart: tuple[str, ...] = ()
    differs: dict[str, Parameter] = Field(default_factory=dict)


class Calibration(Card):
    """Everything a fit needs besides its seed and size. Frozen; see `read_calibration`.

    `freezes` is the name under which the posterior is frozen; `carried` are populations frozen with it.
    """

    name: str
    title: str
    description: str = ""
    model: str
    population: str
    outcomes: str
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]
    cohorts: Annotated[dict[str, Cohort], Field(min_length=1)]
    targets: Annotated[dict[str, Target], Field(min_length=1)]
    freezes: str = ""
    carried: dict[str, Carried] = Field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of what a fit depends on; under which name it is frozen is no part of it."""
        said = self.model_dump_json(exclude={"freezes", "carried", "title", "description"})
        return hashlib.sha256(said.encode()).hexdigest()

    @model_validator(mode="after")
    def _whole(self) -> Calibration:
        for name, target in self.targets.items():
            if target.cohort not in self.cohorts:
                raise ValueError(f"target {name} names the cohort {target.cohort}, which does not exist")
        for name, carried in self.carried.items():
            if unknown := set(carried.kept_apart) - set(self.parameters):
                raise ValueError(f"{name} keeps {min(unknown)} apart, which is not a parameter")
        return self


def read_calibration(name: str | Path) -> Calibration:
    """Read a calibration file.

    Parameters
    ----------
    name : str or Path
        Name in the library, as "oak_squamous", or a path.

    Returns
    -------
    Calibration
        Frozen.

    Raises
    ------
    NotInLibraryError, FileTooLargeError, FileTextError, UnknownFieldError, MissingFieldError, CardEntryError
        As `twoarm.trial.entry.read_card`.

    Examples
    --------
    >>> calibration = read_calibration("oak_squamous")
    >>> round(float(calibration.parameters["doubling_time"].natural(0.0)))
    95
    """
    return read_card("calibrations", name, Calibration)[0]
