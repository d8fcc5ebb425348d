"""What is varied: words of the command line → scenarios of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from twoarm.design.card import Design
from twoarm.errors import EnrollmentSpeedError, VaryError
from twoarm.trial.entry import Card
from twoarm.trial.protocol import Arm, Enrollment, Protocol
from twoarm.wording import foremost, in_words

NUMBERS = {
    "n": "patients",
    "events": "events",
    "rate": "patients a month",
    "ramp": "months",
    "dropout": "a year",
    "target": "rate of response, or of dose-limiting events",
    "null": "rate of response that is too low",
    "cohort": "patients of a dose at a time",
}
WORDS = {"dose": "dose of the experimental arm", "every": "interval of the experimental arm"}
KNOWN = (*NUMBERS, *WORDS)
"""Names that can be varied."""

_ENTRY = ("rate", "ramp", "dropout")
_RATES = ("target", "null")
FITS = {
    "comparison": ("n", "events", *_ENTRY, *WORDS),
    "single_arm": ("n", *_RATES, *_ENTRY, *WORDS),
    "two_stage": (*_RATES, *_ENTRY, *WORDS),
    "basket": (*_RATES, *_ENTRY, *WORDS),
    "escalation": ("n", "target", "cohort"),
}
"""Names that have a meaning in each kind of design; n of an escalation is the most patients it may treat."""

_MOST = 64
_MONTH, _YEAR = 365.25 / 12, 365.25


class Scenario(NamedTuple):
    """One setting of everything that is varied.

    Attributes
    ----------
    values : mapping of str to object
        By name; {} is the protocol as it stands.
    """

    values: Mapping[str, Any]

    @property
    def label(self) -> str:
        """In words."""
        return (
            ", ".join(
                f"{name} = {value:g}" if name in NUMBERS else f"{name} {value}"
                for name, value in self.values.items()
            )
            or "as planned"
        )

    @property
    def regimen(self) -> tuple[tuple[str, str], ...]:
        """What makes other patients of it: dose and interval."""
        return tuple((name, str(self.values[name])) for name in WORDS if name in self.values)


def read_vary(texts: Sequence[str]) -> list[Scenario]:
    """Read what is to be varied.

    Parameters
    ----------
    texts : sequence of str
        As "n=300:900:100" or "dose=1 mg/kg,3 mg/kg"; several are crossed.

    Returns
    -------
    list of Scenario
        Every combination.

    Raises
    ------
    VaryError
        If one is not understood, or there are more than 64.

    Examples
    --------
    >>> [scenario.label for scenario in read_vary(["n=300:500:100"])]
    ['n = 300', 'n = 400', 'n = 500']
    """
    axes = dict(_axis(text) for text in texts)
    scenarios = [Scenario(dict(zip(axes, values, strict=True))) for values in product(*axes.values())]
    if len(scenarios) > _MOST:
        raise VaryError(
            text=" ".join(texts),
            known=KNOWN,
            reason=f"it makes {len(scenarios)} scenarios, more than {_MOST}",
        )
    return scenarios


def check_vary(scenarios: Sequence[Scenario], kind: str) -> None:
    """Refuse what has no meaning in a kind of design.

    Parameters
    ----------
    scenarios : sequence of Scenario
        From `read_vary`.
    kind : str
        Of the design.

    Raises
    ------
    VaryError
        For the first name that has none.

    Examples
    --------
    >>> check_vary(read_vary(["target=0.2,0.25"]), "escalation")
    """
    for scenario in scenarios:
        for name, value in scenario.values.items():
            if name not in FITS[kind]:
                said = f"{name}={value:g}" if name in NUMBERS else f"{name}={value}"
                reason = f'"{name}" has no meaning in a design of kind {kind.replace("_", " ")}'
                raise VaryError(text=said, known=FITS[kind], reason=reason)


def design_of(design: Design, scenario: Scenario) -> Design:
    """Design of a scenario with other rates of response, or another size of an escalation.

    Parameters
    ----------
    design : Design
        As it stands.
    scenario : Scenario
        With `target`, `null`, and of an escalation `n` and `cohort`.

    Returns
    -------
    Design
        Other numbers as they were.

    Raises
    ------
    VaryError
        If a number lies outside what the design's file allows.
    """
    if design.rates is not None:
        part: Card = design.rates
        changes = {name: scenario.values[name] for name in _RATES if name in scenario.values}
        if design.rates.within is not None:
            changes["within"] = f"{design.rates.within} days"
    elif design.escalation is not None:
        part = design.escalation
        names = {"target": "target", "n": "most", "cohort": "cohort"}
        changes = {field: scenario.values[name] for name, field in names.items() if name in scenario.values}
    else:
        return design
    try:
        said_now = {name: value for name, value in part if value is not None}
        changed = type(part)(**{**said_now, **changes})
    except ValidationError as wrong:
        said = " ".join(f"{name}={value}" for name, value in scenario.values.items())
        raise VaryError(text=said, known=FITS[design.kind], reason=_rule_of(wrong)) from None
    return design.model_copy(update={"rates" if design.rates is not None else "escalation": changed})


def enrollment_of(base: Enrollment, values: Mapping[str, Any]) -> Enrollment:
    """Enrollment of a scenario; regions keep their shares of the speed.

    Parameters
    ----------
    base : Enrollment
        Of the protocol.
    values : mapping
        Of the scenario: `rate` [1/month], `ramp` [month].

    Returns
    -------
    Enrollment
        With the scenario's numbers.

    Raises
    ------
    EnrollmentSpeedError
        If nobody would be enrolled.
    """
    rate = float(values["rate"]) / _MONTH if "rate" in values else base.rate
    if not rate > 0:
        raise EnrollmentSpeedError(where="the trial", rate=rate)
    ramp = float(values["ramp"]) * _MONTH if "ramp" in values else base.ramp
    regions = {
        name: region.model_copy(
            update={"rate": region.rate * rate / base.rate, "ramp": ramp if "ramp" in values else region.ramp}
        )
        for name, region in base.regions.items()
    }
    return base.model_copy(update={"rate": rate, "ramp": ramp, "regions": regions})


def dropout_of(base: float, values: Mapping[str, Any]) -> float:
    """Hazard of being lost in a scenario [1/day]; `dropout` is a year's."""
    return float(values["dropout"]) / _YEAR if "dropout" in values else base


def protocol_of(protocol: Protocol, arm: str, scenario: Scenario) -> Protocol:
    """Protocol of a scenario with another dose or interval of the arm's first treatment.

    Parameters
    ----------
    protocol : Protocol
        As it stands.
    arm : str
        The experimental arm.
    scenario : Scenario
        With `dose` or `every`, or neither.

    Returns
    -------
    Protocol
        Priming, reductions and courses stay as they are.

    Raises
    ------
    VaryError
        If the dose or the interval is not one.
    """
    if not scenario.regimen:
        return protocol
    whole = protocol.arms[arm].model_dump()
    first, *others = whole["treatments"]
    treatment = {**_in_words(first), **dict(scenario.regimen)}
    try:
        changed = Arm.model_validate({**whole, "treatments": [treatment, *map(_in_words, others)]})
    except ValidationError as wrong:
        said = " ".join(f"{name}={value}" for name, value in scenario.regimen)
        raise VaryError(text=said, known=KNOWN, reason=_rule_of(wrong)) from None
    return protocol.model_copy(update={"arms": {**protocol.arms, arm: changed}})


def _rule_of(wrong: ValidationError) -> str:
    """Say which rule a card's check names."""
    return in_words(foremost(wrong.errors(include_url=False))).rstrip(".")


_DAYS = ("every", "start", "max_duration", "longest_delay")
_PARTS = ("priming", "re_priming", "course")


def _in_words(treatment: dict[str, Any]) -> dict[str, Any]:
    """Give the times of a treatment their unit again, those of its parts too."""
    parts = {
        part: {name: f"{value} days" if isinstance(value, float) else value for name, value in inner.items()}
        for part, inner in treatment.items()
        if part in _PARTS and inner
    }
    return {**treatment, **{name: f"{treatment[name]} days" for name in _DAYS}, **parts}


def _axis(text: str) -> tuple[str, list[Any]]:
    name, sign, said = (part.strip() for part in text.partition("="))
    if name not in KNOWN:
        raise VaryError(text=text, known=KNOWN, reason=f'"{name}" is none of the names')
    if not sign or not said:
        raise VaryError(text=text, known=KNOWN, reason="no values are given")
    if name in WORDS:
        return name, [part.strip() for part in said.split(",")]
    try:
        if ":" in said:
            first, last, step = (float(part) for part in said.split(":"))
            values = np.arange(first, last + abs(step) / 2, step).tolist()
        else:
            values = [float(part) for part in said.split(",")]
    except (ValueError, ZeroDivisionError):
        raise VaryError(
            text=text, known=KNOWN, reason=f'"{said}" is not a number or a range of numbers'
        ) from None
    if not values or min(values) < 0 or not np.isfinite(values).all():
        raise VaryError(text=text, known=KNOWN, reason="it holds no number, or one below 0")
    if name in ("n", "events", "cohort") and any(value % 1 for value in values):
        raise VaryError(text=text, known=KNOWN, reason="patients and events are whole numbers")
    if name in ("n", "events") and min(values) < 2:
        raise VaryError(text=text, known=KNOWN, reason="patients and events are 2 or more")
    if name == "rate" and min(values) <= 0:
        raise EnrollmentSpeedError(where="the trial", rate=min(values))
    return name, values
