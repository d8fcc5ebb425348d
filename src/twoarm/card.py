"""What stands on a molecule's card: entries with unit and source, gathered in sections.

An entry is a value, a range or a choice. A section is an arm of the molecule, its disposition or its
immunogenicity; the units and bounds of every field are here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from twoarm.bibliography import ASSUMED, read_references
from twoarm.errors import (
    EntryFormError,
    LogRangeError,
    MissingFieldError,
    MissingNoteError,
    RangeOrderError,
    RateOfBindingError,
    UnknownSourceError,
)
from twoarm.units import format_quantity, quantity


class Entry(BaseModel):
    """One number of a card, or the range it is only known to lie in.

    Attributes
    ----------
    unit : str
        House unit of every number here; "" for a ratio or a count.
    value : float or None
        The value; with a range, the best estimate inside it.
    low, high : float or None
        Ends of the range that an ensemble is drawn over.
    scale : {"linear", "log"}
        On which the range is even.
    choices : tuple of float
        Values of which an ensemble takes each as often.
    whole : bool
        Whether only whole numbers are meant.
    source : str
        Keys of the bibliography, split by ";", or "assumed".
    note, place : str
        Why, or how it was read; where in the source.
    tuned : bool
        Whether the value was tuned to data. It is then never drawn, and the range says where tuning searched.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    scale: Literal["linear", "log"] = "linear"
    choices: tuple[float, ...] = ()
    whole: bool = False
    source: str
    note: str = ""
    place: str = ""
    tuned: bool = False

    @property
    def is_drawn(self) -> bool:
        """Whether the entry differs between the members of an ensemble."""
        return not self.tuned and (self.low is not None or len(self.choices) > 1)

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the bibliography, "assumed" left out."""
        keys = (key.strip() for key in self.source.split(";"))
        return tuple(key for key in keys if key not in ("", ASSUMED))

    def nominal(self) -> float:
        """Take the value, or the middle of the range on its scale, or the first choice.

        Returns
        -------
        float
            In `unit`.
        """
        if self.value is not None:
            return self.value
        return self.choices[0] if self.choices else self.at(0.5)

    def at(self, quantile: float) -> float:
        """Take the point of the range, or the choice, at a quantile.

        Parameters
        ----------
        quantile : float
            Between 0 and 1.

        Returns
        -------
        float
            In `unit`; the value where there is nothing to draw.
        """
        if not self.is_drawn:
            return self.nominal()
        if self.choices:
            return self.choices[min(int(quantile * len(self.choices)), len(self.choices) - 1)]
        assert self.low is not None and self.high is not None  # is_drawn says so
        if self.whole:
            return min(math.floor(self.low + quantile * (self.high - self.low + 1)), self.high)
        if self.scale == "log":
            drawn = self.low * (self.high / self.low) ** quantile
        else:
            drawn = self.low + (self.high - self.low) * quantile
        return min(max(drawn, self.low), self.high)

    def __str__(self) -> str:
        """Value or range in words, as a card shows it."""
        if self.choices:
            return " or ".join(format_quantity(choice, self.unit) for choice in self.choices)
        said = format_quantity(self.nominal(), self.unit) if self.value is not None else ""
        if self.low is None or self.high is None:
            return said
        span = f"{self.low:.4g} to {format_quantity(self.high, self.unit)}"
        span += " (log)" if self.scale == "log" else ""
        return f"{said}, {span}" if said else span


@dataclass(frozen=True)
class EntryRule:
    """The rule of a field: the unit and the bounds of its numbers, for ``Annotated[Entry, EntryRule("nM")]``.

    Attributes
    ----------
    unit : str
        House unit; "" for a ratio or a count.
    above, at_least, at_most : float or None
        Bounds of every number of the entry; `above` itself is outside.
    whole : bool
        Whether only whole numbers are meant.
    """

    unit: str
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    whole: bool = False

    def number(self, text: Any) -> float:
        """Read one number of an entry, from words or from a bare ratio."""
        found = quantity(
            text, self.unit, what="value", above=self.above, at_least=self.at_least, at_most=self.at_most
        )
        if self.whole and found != int(found):
            raise EntryFormError(given=f"{found:g} where a whole number is meant")
        return found

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read an entry by this rule."""
        return core_schema.no_info_before_validator_function(self._read, handler(source))

    def _read(self, given: Any) -> Any:
        return given if isinstance(given, Entry) else read_entry(given, self)


def units_of(section: type[BaseModel]) -> dict[str, str]:
    """List the house units of a section's fields.

    Parameters
    ----------
    section : type of pydantic.BaseModel
        A section of a card.

    Returns
    -------
    dict of str to str
        By field, of the fields that are entries.
    """
    found = {}
    for field, hint in get_type_hints(section, include_extras=True).items():
        for part in (hint, *get_args(hint)):
            rules = [rule for rule in getattr(part, "__metadata__", ()) if isinstance(rule, EntryRule)]
            if rules:
                found[field] = rules[0].unit
    return found


_KEYS = ("value", "low", "high", "scale", "choices", "source", "note", "place", "tuned")


def read_entry(given: Any, rule: EntryRule) -> Entry:
    """Read one entry of a card.

    Parameters
    ----------
    given : mapping
        The table as it stands in the file.
    rule : EntryRule
        Unit and bounds of its field.

    Returns
    -------
    Entry
        With all numbers in the house unit.

    Raises
    ------
    EntryFormError
        If it is no table of the known keys and forms.
    RangeOrderError, LogRangeError
        If the range cannot be one.
    MissingNoteError, UnknownSourceError
        If nobody can follow where it comes from.
    UnitError, QuantityRangeError
        If a number cannot be read or lies outside the field's bounds.
    """
    if not isinstance(given, Mapping):
        raise EntryFormError(given=f"the bare value {given!r}")
    if unknown := [key for key in given if key not in _KEYS]:
        raise EntryFormError(given=f'unknown key "{unknown[0]}"')
    ranged, chosen = {"low", "high"} & set(given), "choices" in given
    if (
        len(ranged) == 1
        or (chosen and (ranged or "value" in given))
        or not (ranged or chosen or "value" in given)
    ):
        raise EntryFormError(given=f"{', '.join(f'`{key}`' for key in given) or 'nothing'}")
    scale = given.get("scale", "linear")
    tuned = given.get("tuned", False)
    if scale not in ("linear", "log") or not isinstance(tuned, bool):
        raise EntryFormError(given=f"scale {scale!r} and tuned {tuned!r}")
    choices = given.get("choices", ())
    if chosen and (not isinstance(choices, list) or not choices):
        raise EntryFormError(given=f"choices {choices!r}, which is no list")
    value, low, high = (rule.number(given[key]) if key in given else None for key in ("value", "low", "high"))
    _check_range(value, low, high, scale, rule.unit)
    _check_source(given)
    return Entry(
        unit=rule.unit,
        value=value,
        low=low,
        high=high,
        scale=scale,
        choices=tuple(rule.number(choice) for choice in choices),
        whole=rule.whole,
        source=given["source"].strip(),
        note=str(given.get("note", "")),
        place=str(given.get("place", "")),
        tuned=tuned,
    )


def _check_range(value: float | None, low: float | None, high: float | None, scale: str, unit: str) -> None:
    if low is None or high is None:
        return
    if not low < high or (value is not None and not low <= value <= high):
        raise RangeOrderError(low=low, high=high, value=value, unit=unit)
    if scale == "log" and low <= 0:
        raise LogRangeError(low=low)


def _check_source(given: Mapping[str, Any]) -> None:
    source = given.get("source")
    keys = [key.strip() for key in source.split(";")] if isinstance(source, str) else []
    if not any(keys):
        raise EntryFormError(given="no `source`")
    known = read_references()
    if missing := [key for key in keys if key != ASSUMED and key not in known]:
        raise UnknownSourceError(missing=missing, known=tuple(known))
    if ASSUMED in keys and not str(given.get("note", "")).strip():
        raise MissingNoteError


_FROZEN = ConfigDict(frozen=True, extra="forbid")

_Affinity = Annotated[Entry, EntryRule("nM", above=0)]
_Rate = Annotated[Entry, EntryRule("1/day", above=0)]
_Association = Annotated[Entry, EntryRule("1/(nM*day)", above=0)]
_Fold = Annotated[Entry, EntryRule("", above=0)]
_Ratio = Annotated[Entry, EntryRule("")]
_Share = Annotated[Entry, EntryRule("", at_least=0, at_most=1)]
_Spread = Annotated[Entry, EntryRule("", at_least=0)]
_Copies = Annotated[Entry, EntryRule("", at_least=1, at_most=4, whole=True)]
_Flow = Annotated[Entry, EntryRule("L/day", above=0)]
_Volume = Annotated[Entry, EntryRule("L", above=0)]


class Pd1Arm(BaseModel):
    """How the molecule meets PD-1."""

    model_config = _FROZEN
    sites: _Copies
    kd: _Affinity
    koff: _Rate | None = None
    kon: _Association | None = None
    avidity: Annotated[Entry, EntryRule("", at_least=0)]
    blocks: Annotated[Entry, EntryRule("", at_least=0, at_most=1, whole=True)]

    @model_validator(mode="after")
    def _one_rate(self) -> Pd1Arm:
        given = (self.koff is not None) + (self.kon is not None)
        if given != 1:
            raise RateOfBindingError(arm="pd1_arm", rates=("koff", "kon"), given=given)
        return self


class Pdl1Arm(BaseModel):
    """How the molecule meets PD-L1."""

    model_config = _FROZEN
    kd: _Affinity


class Il2Arm(BaseModel):
    """How the molecule meets the IL-2 receptor; a chain without entry is not bound at all."""

    model_config = _FROZEN
    moieties: _Copies
    kon: _Association
    kd_il2ra: _Affinity | None = None
    koff_il2ra: _Rate | None = None
    native_kd_il2rb: _Affinity | None = None
    weakening_il2rb: _Fold
    weakening_il2rg: _Fold
    cis_gain: Annotated[Entry, EntryRule("nM/copy", at_least=0)] | None = None


class CytotoxicArm(BaseModel):
    """How the molecule kills dividing cells."""

    model_config = _FROZEN
    emax: Annotated[Entry, EntryRule("1/day", at_least=0)]
    ec50: _Affinity
    hill: _Fold
    neutrophil_slope: Annotated[Entry, EntryRule("1/nM", at_least=0)]


class Disposition(BaseModel):
    """Where the molecule goes and how it leaves, for the reference patient, and how covariates change it."""

    model_config = _FROZEN
    route: Literal["intravenous", "subcutaneous"]
    cl: _Flow
    vc: _Volume
    q: _Flow
    vp: _Volume
    q2: _Flow | None = None
    vp2: _Volume | None = None
    ka: _Rate | None = None
    bioavailability: _Share | None = None
    reference_weight: Annotated[Entry, EntryRule("kg", above=0)] | None = None
    weight_exponent_cl: _Ratio | None = None
    weight_exponent_volume: _Ratio | None = None
    reference_albumin: Annotated[Entry, EntryRule("g/L", above=0)] | None = None
    albumin_exponent_cl: _Ratio | None = None
    albumin_exponent_vc: _Ratio | None = None
    cv_cl: _Spread | None = None
    cv_vc: _Spread | None = None

    @model_validator(mode="after")
    def _complete(self) -> Disposition:
        for covariate, exponents in (
            ("weight", (self.weight_exponent_cl, self.weight_exponent_volume)),
            ("albumin", (self.albumin_exponent_cl, self.albumin_exponent_vc)),
        ):
            reference = f"reference_{covariate}"
            if any(exponents) and getattr(self, reference) is None:
                raise MissingFieldError(path="card", place="disposition with exponents", field=reference)
        for field in ("ka", "bioavailability"):
            if self.route == "subcutaneous" and getattr(self, field) is None:
                raise MissingFieldError(path="card", place="disposition under the skin", field=field)
        return self


class Immunogenicity(BaseModel):
    """Antibodies against the molecule."""

    model_config = _FROZEN
    ada_incidence: _Share
    ada_onset: Annotated[Entry, EntryRule("day", above=0)]
    ada_clearance_fold: Annotated[Entry, EntryRule("", at_least=1)]


class Covariates(BaseModel):
    """How clearance and volume differ with what is known of a patient, and with time, in one analysis.

    A fold multiplies where it applies, an exponent is on the patient's value over the reference, and
    ``change_cl`` is the change of the logarithm of clearance that time brings, half of it at ``change_half``.
    Estimates are taken at their value, never drawn: the spread between patients is the population's.
    """

    model_config = _FROZEN
    female_cl: _Fold | None = None
    female_vc: _Fold | None = None
    male_cl: _Fold | None = None
    ecog_cl: _Fold | None = None
    asian_cl: _Fold | None = None
    lung_cl: _Fold | None = None
    reference_tumor: Annotated[Entry, EntryRule("mm", above=0)] | None = None
    tumor_exponent_cl: _Ratio | None = None
    reference_egfr: Annotated[Entry, EntryRule("mL/min", above=0)] | None = None
    egfr_exponent_cl: _Ratio | None = None
    change_cl: _Ratio | None = None
    change_half: Annotated[Entry, EntryRule("day", above=0)] | None = None
    change_hill: _Fold | None = None

    @model_validator(mode="after")
    def _complete(self) -> Covariates:
        for field, needed in (
            ("tumor_exponent_cl", ("reference_tumor",)),
            ("egfr_exponent_cl", ("reference_egfr",)),
            ("change_cl", ("change_half", "change_hill")),
        ):
            for other in needed:
                if getattr(self, field) is not None and getattr(self, other) is None:
                    raise MissingFieldError(path="card", place=f"covariates with {field}", field=other)
        for field in type(self).model_fields:
            entry = getattr(self, field)
            if entry is not None and entry.is_drawn:
                raise EntryFormError(given=f"a range of {field}, an estimate that is not drawn")
        return self


SECTIONS: dict[str, type[BaseModel]] = {
    "pd1_arm": Pd1Arm,
    "pdl1_arm": Pdl1Arm,
    "il2_arm": Il2Arm,
    "cytotoxic_arm": CytotoxicArm,
    "disposition": Disposition,
    "immunogenicity": Immunogenicity,
    "covariates": Covariates,
}
