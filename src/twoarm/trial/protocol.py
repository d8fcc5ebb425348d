"""The protocol: arms and doses, who is randomized how, when scans take place, when it ends. Data from a file.

Day 0 of a patient is the day of randomization and first dose; a registry's "day 1" is day 0 here, its day 8
is day 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator

from twoarm.errors import ProtocolError
from twoarm.regimen import Regimen, course_fits
from twoarm.trial.entry import SOURCED, Card, fault_of, measured, read_card
from twoarm.units import quantity

_OPEN = 3652.5  # days; an end that was not given
LONGEST_LEAD = 28.0  # days; a baseline scan is never older (eisenhauer2009, section 3.2.1)


class Priming(Card):
    """A small dose ahead of the first full one."""

    dose: Annotated[str, SOURCED]
    lead: Annotated[float, measured("day", above=0)]


class Course(Card):
    """Several single doses at each decision: how many, and how long from one to the next."""

    doses: Annotated[int, SOURCED, Field(ge=1)]
    apart: Annotated[float, measured("day", above=0)]


class RePriming(Card):
    """When the small dose is given again because treatment paused."""

    after_priming: Annotated[float, measured("day", above=0)]
    after_last_dose: Annotated[float, measured("day", above=0)]


class Treatment(Card):
    """One molecule of an arm: how much, how often, how long, and what happens when it is not tolerated.

    With a `course`, `dose` is each of its single doses and `every` the time from course to course. Whether
    to give, hold or reduce is decided as a course begins; one that has begun is given to its end unless
    treatment stops. A priming dose is given once, not as a course.

    A treatment after progression is a crossover: `start` then counts from the scan that showed it, and
    `taken_by` is the share of patients who take it.
    """

    molecule: Annotated[Any, SOURCED]
    slot: Annotated[str | None, SOURCED] = None
    dose: Annotated[str, SOURCED]
    every: Annotated[float, measured("day", above=0)]
    infusion: Annotated[str | None, SOURCED] = None
    course: Course | None = None
    start: Annotated[float, measured("day", at_least=0)]
    max_duration: Annotated[float, measured("day", above=0)]
    reductions: Annotated[tuple[str, ...], SOURCED] = ()
    longest_delay: Annotated[float, measured("day", above=0)]
    priming: Priming | None = None
    re_priming: RePriming | None = None
    after: Annotated[Literal["randomization", "progression"], SOURCED] = "randomization"
    taken_by: Annotated[float, measured("", above=0, at_most=1)] = 1.0
    draw: Mapping[str, float] | None = None

    @model_validator(mode="after")
    def _course_fits(self) -> Treatment:
        if self.course is None:
            return self
        doses, apart = self.course.doses, self.course.apart
        lasts = quantity(self.infusion, "day", what="infusion", at_least=0) if self.infusion else 0.0
        if doses > 1 and lasts > apart:
            raise ValueError(
                f"infusion of {self.infusion} in a course with doses {apart:g} days apart. One ends before "
                "the next begins. Shorten it, or give the doses further apart."
            )
        if not course_fits(doses, apart, lasts, self.every):
            raise ValueError(
                f"a course of {doses} doses {apart:g} days apart, and the next after {self.every:g} days. A "
                "course ends before the next begins. Give fewer, closer together, or courses less often."
            )
        return self


class Arm(Card):
    """What the patients of one arm are given, and how many they are beside the other arms."""

    label: str
    share: Annotated[int, SOURCED, Field(gt=0)]
    treatments: Annotated[tuple[Treatment, ...], Field(min_length=1)]


class Region(Card):
    """How fast one region enrolls, and when it opens."""

    rate: Annotated[float, measured("1/day", above=0)]
    ramp: Annotated[float, measured("day", at_least=0)] = 0.0
    start: Annotated[float, measured("day", at_least=0)] = 0.0


class Enrollment(Card):
    """How many patients, how fast; by region where `regions` names levels of the patients' `region`."""

    patients: Annotated[int | None, SOURCED, Field(gt=0)] = None
    rate: Annotated[float, measured("1/day", above=0)]
    ramp: Annotated[float, measured("day", at_least=0)] = 0.0
    regions: dict[str, Region] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sum(self) -> Enrollment:
        whole = sum(region.rate for region in self.regions.values())
        if self.regions and abs(whole - self.rate) > 1e-6 * self.rate:
            raise ValueError(
                f"rates of the regions sum to {whole:g} patients a day, the whole to {self.rate:g}. They "
                "are the same. Correct one of them."
            )
        return self


class Randomization(Card):
    """Factors that stratify, and permuted blocks or minimization.

    With `minimize`, the arm that balances the factors best is given with that probability.
    """

    factors: Annotated[tuple[str, ...], SOURCED] = ()
    block_sizes: Annotated[tuple[int, ...], SOURCED, Field(min_length=1)]
    minimize: Annotated[float | None, measured("", above=0.5, at_most=1)] = None

    @model_validator(mode="after")
    def _something_to_balance(self) -> Randomization:
        if self.minimize is not None and not self.factors:
            raise ValueError(
                "minimization without factors. It balances the levels of factors, and there are none. Name "
                "factors, or leave `minimize` out for permuted blocks."
            )
        return self


class Review(Card):
    """Blinded independent review: two readers, and a third who decides where they disagree.

    `versions` is how many sets of readers are drawn for each virtual patient where trials are drawn from a
    pool. `picks` is the chance that a reader follows a lesion as a target, the largest always; `misses_new`
    the chance not to see a new lesion on a scan on which it could be seen. How well they measure stands in
    the outcomes file, as the investigator's error does.
    """

    versions: Annotated[int, SOURCED, Field(ge=1)]
    picks: Annotated[float, measured("", above=0, at_most=1)]
    misses_new: Annotated[float, measured("", at_least=0, at_most=0.9)]


class Imaging(Card):
    """When scans are planned and how responses count.

    The baseline scan is `baseline_lead` days before day 0 in the mean, with a standard deviation of
    `baseline_spread` between patients; what grows, grows in between.
    """

    every: Annotated[float, measured("day", above=0)]
    until: Annotated[float, measured("day", at_least=0)]
    later_every: Annotated[float, measured("day", above=0)]
    window: Annotated[float, measured("day", at_least=0)]
    baseline_lead: Annotated[float, measured("day", at_least=0, at_most=LONGEST_LEAD)] = 0.0
    baseline_spread: Annotated[float, measured("day", at_least=0)] = 0.0
    stable_from: Annotated[float, measured("day", at_least=0)]
    confirm: Annotated[bool, SOURCED]
    treat_beyond_progression: Annotated[bool, SOURCED]
    review: Review | None = None

    @model_validator(mode="after")
    def _apart(self) -> Imaging:
        if 2 * self.window >= min(self.every, self.later_every):
            raise ValueError(
                f"window of {self.window:g} day lets scans {self.every:g} day apart change places. "
                "A window is less than half the interval. Narrow it."
            )
        return self


class FollowUp(Card):
    """How long a patient is followed, and when the data are cut."""

    horizon: Annotated[float, measured("day", above=0)]
    every: Annotated[float, measured("day", above=0)]
    endpoint: Annotated[Literal["OS", "PFS"], SOURCED]
    events: Annotated[int | None, SOURCED, Field(gt=0)] = None


class Protocol(Card):
    """A trial's protocol, frozen; see the fields of its parts.

    Notes
    -----
    From a file every number carries its source. In Python bare values will do, an arm may be a `Regimen` or a
    list of them, ``enrollment="25 per month"``, ``imaging="every 6 weeks"`` and ``follow_up="24 months"`` are
    enough; then there is no ramp, no window, no stratum, blocks are twice the smallest, and responses are
    confirmed.

    Examples
    --------
    >>> read_protocol("marslight_11").arms["experimental"].treatments[0].every
    21.0
    """

    name: str = "protocol"
    title: str = ""
    registry: str = ""
    description: str = ""
    status: str = ""
    population: str = ""
    outcomes: Any
    arms: Annotated[dict[str, Arm], Field(min_length=1)]
    enrollment: Enrollment
    randomization: Randomization
    imaging: Imaging
    follow_up: FollowUp

    @model_validator(mode="before")
    @classmethod
    def _in_words(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping):
            return raw
        full = dict(raw)
        if isinstance(raw.get("arms"), Mapping):
            full["arms"] = {name: _arm(name, arm) for name, arm in raw["arms"].items()}
        if isinstance(raw.get("enrollment"), str):
            full["enrollment"] = {"rate": raw["enrollment"]}
        if isinstance(raw.get("imaging"), str):
            full["imaging"] = _imaging(raw["imaging"])
        if isinstance(raw.get("follow_up"), str):
            full["follow_up"] = {"horizon": raw["follow_up"], "every": raw["follow_up"], "endpoint": "OS"}
        if "randomization" not in raw and isinstance(full.get("arms"), Mapping):
            full["randomization"] = {"block_sizes": (2 * len(full["arms"]),)}
        return full

    @model_validator(mode="after")
    def _blocks(self) -> Protocol:
        whole = sum(arm.share for arm in self.arms.values())
        for size in self.randomization.block_sizes:
            if size <= 0 or size % whole:
                raise ValueError(
                    f"block size {size} is not a multiple of the shares' sum, {whole}. Change one of them."
                )
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _told(cls, raw: Any, read: ModelWrapValidatorHandler[Protocol], info: ValidationInfo) -> Protocol:
        """Say what is wrong with a protocol made in Python as it is said of a file."""
        try:
            return read(raw)
        except ValidationError as wrong:
            if info.context:  # a file: its reader says it, with the path
                raise
            raise ProtocolError(fault=fault_of(wrong, cls, "protocol")) from None

    @property
    def shares(self) -> dict[str, int]:
        """Patients of each arm in the smallest block."""
        return {name: arm.share for name, arm in self.arms.items()}


def read_protocol(name: str | Path) -> Protocol:
    """Read a protocol file.

    Parameters
    ----------
    name : str or Path
        Name in the library, as "marslight_11", or a path.

    Returns
    -------
    Protocol
        Frozen, every time in days; its sources and notes are read by `twoarm.entries.read_entries`.

    Raises
    ------
    NotInLibraryError, FileTooLargeError, FileTextError, UnknownFieldError, MissingFieldError, CardEntryError
        As `twoarm.trial.entry.read_card`.

    Examples
    --------
    >>> sorted(read_protocol("marslight_11").arms)
    ['docetaxel', 'experimental']
    """
    return read_card("protocols", name, Protocol)[0]


def _arm(name: str, arm: Any) -> Any:
    """Take an arm given as one regimen or several, as the fields of an `Arm`."""
    regimens = [arm] if isinstance(arm, Regimen) else arm
    if not isinstance(regimens, (list, tuple)):
        return arm
    return {"label": name, "share": 1, "treatments": [_treatment(regimen) for regimen in regimens]}


def _treatment(regimen: Regimen) -> dict[str, Any]:
    """Take a regimen as the fields of a `Treatment`; without an end it goes on as long as the trial."""
    fields: dict[str, Any] = {
        "molecule": regimen.molecule,
        "slot": regimen.slot,
        "dose": regimen.dose,
        "every": f"{regimen.interval or _OPEN} days",
        "infusion": regimen.infusion,
        "course": _course(regimen),
        "start": f"{regimen.start} days",
        "max_duration": (regimen.max_duration or f"{_OPEN} days") if regimen.interval else "1 day",
        "reductions": regimen.reductions,
        "longest_delay": f"{_OPEN} days",
        "draw": regimen.draw,
    }
    if regimen.priming:
        dose, day = regimen.priming[0]
        lead = regimen.start - (quantity(day, "day") if isinstance(day, str) else float(day))
        fields |= {"start": f"{regimen.start - lead} days", "priming": {"dose": dose, "lead": f"{lead} days"}}
    again = {"after_priming": regimen.reprime_after_priming, "after_last_dose": regimen.reprime_after}
    if any(again.values()):
        fields["re_priming"] = {name: pause or f"{_OPEN} days" for name, pause in again.items()}
    return fields


def _course(regimen: Regimen) -> dict[str, Any] | None:
    """Take the course of a regimen as the fields of a `Course`; None where each dose stands alone."""
    if regimen.doses_per_course == 1:
        return None
    return {"doses": regimen.doses_per_course, "apart": f"{regimen.gap} days"}


def _imaging(words: str) -> dict[str, Any]:
    """``every 6 weeks`` as the fields of an `Imaging`."""
    every = words.removeprefix("every ").strip()
    fields = {
        "every": every,
        "until": "0 days",
        "later_every": every,
        "window": "0 days",
        "stable_from": every,
    }
    return {**fields, "confirm": True, "treat_beyond_progression": False}
