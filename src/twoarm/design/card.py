"""A design file: what is compared, when it is looked at, and when it stops. Data, apart from the protocol."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from twoarm.errors import (
    DesignArmError,
    DesignKindError,
    EventsAbovePatientsError,
    LookAfterEndError,
    LookOrderError,
    LooksAboveEventsError,
    NoEventsSaidError,
    NoReviewError,
)
from twoarm.trial.entry import SOURCED, Card, measured, read_card
from twoarm.trial.protocol import Protocol, read_protocol

Kind = Literal["comparison", "single_arm", "two_stage", "escalation", "basket"]

_PARTS = {
    "comparison": ("test",),
    "single_arm": ("rates",),
    "two_stage": ("rates",),
    "escalation": ("escalation",),
    "basket": ("rates", "baskets"),
}


class Test(Card):
    """How two arms are compared at the end."""

    __test__ = False  # no test of pytest
    endpoint: Annotated[Literal["OS", "PFS"] | None, SOURCED] = None
    alpha: Annotated[float, measured("", above=0, at_most=0.5)]
    stratified: Annotated[bool, SOURCED]
    by: Annotated[Literal["investigator", "review"], SOURCED] = "investigator"


class Stopping(Card):
    """Which function spends an error."""

    spending: Annotated[Literal["obrien_fleming", "pocock", "hwang_shih_decani", "power"], SOURCED]
    parameter: Annotated[float | None, SOURCED] = None
    error: Annotated[float | None, SOURCED, Field(gt=0, lt=1)] = None
    binding: Annotated[bool, SOURCED] = False


class Sequential(Card):
    """Looks by events, as shares of the final number or as numbers, and what stops the trial there."""

    information: Annotated[tuple[float, ...] | None, SOURCED] = None
    events: Annotated[tuple[int, ...] | None, SOURCED] = None
    efficacy: Stopping
    futility: Stopping | None = None

    @model_validator(mode="after")
    def _looks(self) -> Sequential:
        if (self.information is None) == (self.events is None):
            said = "neither" if self.events is None else "both"
            raise ValueError(
                f"looks are given by {said} of `information` (shares of the final events) and `events` "
                "(numbers). One of them says when the looks are. Keep one."
            )
        return self


class Rates(Card):
    """Response rates of a trial without a control arm.

    A response counts up to `within` after entry, and a stage ends when its last patient has been followed for
    so long; left out, that is the protocol's follow-up. `control` is how several baskets share the error:
    each test has `alpha`, or its part of it, or Holm's steps.
    """

    null: Annotated[float, measured("", above=0, at_most=1)]
    target: Annotated[float, measured("", above=0, at_most=1)]
    alpha: Annotated[float, measured("", above=0, at_most=0.5)]
    power: Annotated[float, measured("", above=0, at_most=1)]
    how: Annotated[Literal["optimal", "minimax"], SOURCED] = "optimal"
    most: Annotated[int, SOURCED, Field(gt=1)] = 100
    within: Annotated[float | None, measured("day", above=0)] = None
    control: Annotated[Literal["none", "bonferroni", "holm"], SOURCED] = "none"

    @model_validator(mode="after")
    def _apart(self) -> Rates:
        if not self.null < self.target < 1:
            raise ValueError(
                f"null rate {self.null:g} and target rate {self.target:g} leave nothing to show. The null "
                "lies below the target, the target below 1. Give, as an example, 0.1 and 0.3."
            )
        return self


class Limiting(Card):
    """What counts as a dose-limiting event: the grade from which a kind does, and how long one looks."""

    window: Annotated[float, measured("day", above=0)]
    grade: Annotated[int, SOURCED, Field(ge=1, le=5)]
    kinds: Annotated[dict[str, int], SOURCED] = Field(default_factory=dict)


class Escalation(Card):
    """How doses are climbed."""

    rules: Annotated[tuple[Literal["three_plus_three", "boin", "crm"], ...], SOURCED, Field(min_length=1)]
    arms: Annotated[tuple[str, ...], Field(min_length=1)]
    target: Annotated[float, measured("", above=0, at_most=0.6)]
    cohort: Annotated[int, SOURCED, Field(gt=0)]
    most: Annotated[int, SOURCED, Field(gt=0)]
    certainty: Annotated[float, measured("", above=0.5, at_most=1)]
    half_width: Annotated[float, measured("", above=0, at_most=0.2)]
    spread: Annotated[float, measured("", above=0)]
    guess: Annotated[int, SOURCED, Field(ge=1)]
    limiting: Limiting

    @model_validator(mode="after")
    def _fits(self) -> Escalation:
        if self.guess > len(self.arms):
            raise ValueError(
                f"guess {self.guess} is none of {len(self.arms)} doses. It is the number, from 1, of the "
                "dose believed to have the target. Lower it, or add doses to `arms`."
            )
        if not self.half_width < min(self.target, 1 - self.target):
            raise ValueError(
                f"half_width {self.half_width:g} around the target {self.target:g} leaves the range from 0 "
                "to 1. Toxicities told apart lie within it. Narrow it."
            )
        if self.cohort > self.most:
            raise ValueError(
                f"a cohort of {self.cohort} patients is more than the {self.most} patients the trial may "
                "treat. Lower `cohort`, or raise `most`."
            )
        return self


class Basket(Card):
    """One disease of a basket trial; without a speed of its own, it has an equal part of the protocol's."""

    population: str
    outcomes: str
    label: str
    rate: Annotated[float | None, measured("1/day", above=0)] = None


class Design(Card):
    """A design, frozen; which of its tables it has follows from `kind`.

    Attributes
    ----------
    kind : {"comparison", "single_arm", "two_stage", "escalation", "basket"}
        Two arms by a log-rank test, with or without looks on the way; response in one arm; Simon's two
        stages; doses one after another; the same arm in several diseases.
    protocol : str
        Name or path; "" for a design that fits any protocol.
    experimental, control : str
        Arms; "" for the first and the last of the protocol.
    """

    name: str = "design"
    title: str = ""
    description: str = ""
    kind: Kind
    protocol: str = ""
    experimental: str = ""
    control: str = ""
    test: Test | None = None
    sequential: Sequential | None = None
    rates: Rates | None = None
    escalation: Escalation | None = None
    baskets: tuple[Basket, ...] = ()


def read_design(name: str | Path) -> Design:
    """Read a design file.

    Parameters
    ----------
    name : str or Path
        Name in the library, as "three_looks", or a path.

    Returns
    -------
    Design
        Frozen; checked against its protocol by `check_design`.

    Raises
    ------
    NotInLibraryError, FileTooLargeError, FileTextError, UnknownFieldError, MissingFieldError, CardEntryError
        As `twoarm.trial.entry.read_card`.
    DesignKindError
        If a table is missing that its kind needs.

    Examples
    --------
    >>> read_design("three_looks").sequential.information
    (0.6, 0.8, 1.0)
    """
    design = read_card("designs", name, Design)[0]
    for part in _PARTS[design.kind]:
        if not getattr(design, part):
            raise DesignKindError(design=design.name, kind=design.kind, part=part, needed=True)
    if design.kind != "comparison" and design.sequential is not None:
        raise DesignKindError(design=design.name, kind=design.kind, part="sequential", needed=False)
    return design


class Planned(Card):
    """A design beside its protocol, with its numbers worked out.

    Attributes
    ----------
    experimental, control : str
        Arms.
    patients : int
        Enrolled.
    events : tuple of int
        At each look, the last the final analysis; () without a test of events.
    endpoint : str
        "OS", "PFS" or "ORR".
    """

    design: Design
    protocol: Protocol
    experimental: str
    control: str
    patients: int
    events: tuple[int, ...]
    endpoint: str


def check_design(
    design: Design,
    protocol: Protocol | None = None,
    *,
    patients: int | None = None,
    events: int | None = None,
) -> Planned:
    """Lay a design beside its protocol, and refuse what cannot be.

    Parameters
    ----------
    design : Design
        From `read_design`.
    protocol : Protocol, optional
        Left out, the one the design names.
    patients : int, optional
        Instead of the protocol's number; events then change in proportion.
    events : int, optional
        Of the final analysis, instead of the protocol's.

    Returns
    -------
    Planned
        With arms, size and events.

    Raises
    ------
    DesignArmError
        If an arm is not in the protocol.
    LookOrderError, LookAfterEndError, LooksAboveEventsError
        If looks do not come one after another, one comes after the end, or two fall on one event.
    EventsAbovePatientsError
        If there are more events than patients.
    DesignKindError
        If nobody says how many patients.
    NoEventsSaidError
        If nobody says how many events.
    NoReviewError
        If progression by review is asked for and the protocol has no review.

    Examples
    --------
    >>> planned = check_design(read_design("three_looks"), read_protocol("marslight_11"), patients=300)
    >>> planned.events
    (129, 172, 215)
    """
    protocol = read_protocol(design.protocol) if protocol is None else protocol
    arms = list(protocol.arms)
    chosen = {
        "experimental": design.experimental or arms[0],
        "control": design.control or (arms[-1] if len(arms) > 1 else ""),
    }
    if design.kind == "comparison" and len(arms) == 1:
        raise DesignArmError(design=design.name, arm="", arms=arms, role="control")
    for role, arm in [
        *chosen.items(),
        *(("a dose", arm) for arm in (design.escalation.arms if design.escalation else ())),
    ]:
        if arm and arm not in protocol.arms:
            raise DesignArmError(design=design.name, arm=arm, arms=arms, role=role)
    planned = protocol.enrollment.patients
    size = patients or planned
    if size is None and design.kind in ("comparison", "single_arm"):
        raise DesignKindError(design=design.name, kind=design.kind, part="enrollment.patients", needed=True)
    looks: tuple[int, ...] = ()
    endpoint = "ORR"
    if design.kind == "comparison":
        assert design.test is not None and size is not None  # read_design made sure
        endpoint = design.test.endpoint or protocol.follow_up.endpoint
        if endpoint == "PFS" and design.test.by == "review" and protocol.imaging.review is None:
            raise NoReviewError(protocol=protocol.name)
        looks = _looks(design, protocol, size, planned or size, events)
    return Planned(
        design=design,
        protocol=protocol,
        patients=size or 0,
        events=looks,
        endpoint=endpoint,
        **chosen,
    )


def _looks(
    design: Design, protocol: Protocol, size: int, planned: int, events: int | None
) -> tuple[int, ...]:
    """Events of each look."""
    final = events or (protocol.follow_up.events and -(-protocol.follow_up.events * size // planned))
    if design.sequential is not None and design.sequential.events and not events:
        # a design that counts its own events: they follow the number of patients as well
        final = -(-design.sequential.events[-1] * size // planned)
    if not final:
        raise NoEventsSaidError(design=design.name, protocol=protocol.name)
    if final > size:
        raise EventsAbovePatientsError(design=design.name, events=final, patients=size)
    if design.sequential is None:
        return (final,)
    if design.sequential.information is not None:
        shares = design.sequential.information
    else:
        own = design.sequential.events or ()
        shares = tuple(count / own[-1] for count in own)
    if any(share >= 1 for share in shares[:-1]):
        place = next(place for place, share in enumerate(shares) if share >= 1)
        raise LookAfterEndError(
            design=design.name, look=place + 1, events=round(shares[place] * final), final=final
        )
    rising = all(a < b for a, b in zip((0.0, *shares), shares, strict=False))
    if not shares or not rising or abs(shares[-1] - 1) > 1e-9:
        raise LookOrderError(design=design.name, looks=shares)
    looks = tuple(math.ceil(round(share * final, 6)) for share in shares)
    if len(set(looks)) < len(looks):
        raise LooksAboveEventsError(design=design.name, looks=looks)
    return looks
