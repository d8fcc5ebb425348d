"""Quantities in words, as "3 mg/kg", to numbers in house units and back; the only home of pint.

Used at the doors only. Inside, a number is a float in the house unit: day, nM, L, mm, cell, nmol.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from twoarm.errors import QuantityRangeError, UnitError

if TYPE_CHECKING:
    from pint import UnitRegistry
    from pint.facets.plain import PlainQuantity

_LONGEST = 80  # characters; a quantity is short, and a file from a stranger may not keep us busy
_NUMBER = re.compile(
    r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)(?:\s+|(?=[^\d\s.eE])|$)(.*)", re.DOTALL
)
_FACTOR = r"[A-Za-zµμ%]+(?:\^?[+-]?\d|[²³])?"
_PRODUCT = rf"{_FACTOR}(?:\s*[*·]\s*{_FACTOR})*"
# [1 or 1e9] product { / factor or (product) }; no product after the first division, where readers differ
_UNIT = re.compile(
    rf"\s*(?:1(?:0\^|e)?(?P<ten>(?<=[\^e])[+-]?\d{{1,2}})?(?![\d.]))?\s*(?P<over>{_PRODUCT})?"
    rf"(?P<under>(?:\s*/\s*(?:{_FACTOR}|\(\s*{_PRODUCT}\s*\)))*)\s*"
)
_PART = re.compile(r"([A-Za-zµμ%]+)\^?([+-]?\d|[²³])?")
_POWERS = {"": 1, "²": 2, "³": 3}

# word -> its definition in the measures below. A closed list: what is not here is a misspelling.
_WORDS = {
    **{
        f"{p}g": f"{f} * gram"
        for p, f in [("p", 1e-12), ("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("", 1), ("k", 1e3)]
    },
    **{
        f"{p}L": f"{f} * 1e-3 * meter**3"
        for p, f in [("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("d", 0.1), ("", 1)]
    },
    **{
        f"{p}mol": f"{f} * mole"
        for p, f in [("f", 1e-15), ("p", 1e-12), ("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("", 1)]
    },
    **{
        f"{p}M": f"{f} * 1e3 * mole / meter**3"
        for p, f in [("f", 1e-15), ("p", 1e-12), ("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("", 1)]
    },
    **{f"{p}m": f"{f} * meter" for p, f in [("n", 1e-9), ("u", 1e-6), ("m", 1e-3), ("c", 1e-2), ("", 1)]},
    **{f"{p}Da": f"{f} * gram / mole" for p, f in [("", 1), ("k", 1e3), ("M", 1e6)]},
    "s": "1 / 86400 * day",
    "min": "1 / 1440 * day",
    "h": "1 / 24 * day",
    "day": "1 * day",
    "week": "7 * day",
    "month": "365.25 / 12 * day",
    "year": "365.25 * day",
    "cell": "1 * cell",
    "copy": "1 * copy",
    "patient": "1 * patient",
    "body_kg": "1 * body_kilogram",
    "fold": "1",
    "%": "0.01",
}
_SAME = {
    **{f"{word}s": word for word in ("day", "week", "month", "year", "cell", "patient")},
    **dict.fromkeys(("second", "seconds"), "s"),
    **dict.fromkeys(("minute", "minutes"), "min"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(
        ("copies", "receptor", "receptors", "complex", "complexes", "molecule", "molecules"), "copy"
    ),
    **{f"{prefix}l": f"{prefix}L" for prefix in ("n", "u", "m", "d", "")},
}
_MEASURES = ("gram", "mole", "meter", "day", "cell", "copy", "patient", "body_kilogram")


def quantity(
    text: str | float,
    unit: str,
    *,
    what: str = "quantity",
    whose: str = "",
    mass: float | None = None,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> float:
    """Read a quantity in words as a number in the wanted unit.

    Parameters
    ----------
    text : str or float
        A number and a unit, as "3 mg/kg". A bare number is a quantity only where `unit` is "" (no dimension).
    unit : str
        The unit wanted, as "nM" or "1/day"; "" for a ratio or a count.
    what, whose : str
        Words for an error: what it is ("dose") and whose (``'arm "experimental"'``).
    mass : float, optional [kDa]
        Molar mass; with it mass and amount convert into each other, "0.5 mg/L" to nM.
    above, at_least, at_most : float, optional
        Bounds in `unit`; `above` itself is outside.

    Returns
    -------
    float
        Finite, in `unit`.

    Raises
    ------
    UnitError
        If the text is not a number and a unit, or measures something else.
    QuantityRangeError
        If the number is not finite or outside the bounds.

    Notes
    -----
    A month is 365.25/12 days and a year 365.25. "per kg" means per kilogram of body weight, so that mg/kg is
    not a ratio. Copies, receptors, complexes and molecules are the same count, so are their plurals.

    Examples
    --------
    >>> quantity("3 weeks", "day")
    21.0
    >>> quantity("5e-4 1/s", "1/day")
    43.2
    >>> round(quantity("20 mg", "nmol", mass=149), 2)
    134.23
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise _unit_error(text, what, whose, unit)
    number, said = _split(text, unit, what, whose)
    try:
        value = number * _factor(said, unit, mass)
    except _UnitWordError as wrong:
        raise _unit_error(text, what, whose, unit, str(wrong)) from None
    value = float(f"{value:.15g}")
    _check(value, text, unit, what, whose, above, at_least, at_most)
    return value


def factor(unit: str, into: str, *, mass: float | None = None) -> float:
    """Find the number that turns a value in one unit into a value in another.

    Parameters
    ----------
    unit, into : str
        From which unit into which.
    mass : float, optional [kDa]
        Molar mass, between mass and amount.

    Returns
    -------
    float
        The factor.

    Raises
    ------
    UnitError
        If either is not a unit, or they measure different things.

    Examples
    --------
    >>> factor("L/h", "L/day")
    24.0
    """
    try:
        return float(f"{_factor(unit, into, mass):.15g}")
    except _UnitWordError as wrong:
        raise _unit_error(unit, "unit", "", into, str(wrong)) from None


def format_quantity(value: float, unit: str, *, digits: int = 4) -> str:
    """Write a number and its unit so that :func:`quantity` reads it back.

    Parameters
    ----------
    value : float
        In `unit`.
    unit : str
        "" for a ratio or a count.
    digits : int
        Significant digits.

    Returns
    -------
    str
        As "0.35 L/day".

    Examples
    --------
    >>> format_quantity(43.2, "1/day")
    '43.2 1/day'
    """
    return f"{value:.{digits}g} {unit}".rstrip()


def unit_of(text: str) -> str:
    """Take the unit part of a quantity in words, as written.

    Parameters
    ----------
    text : str
        As "3 mg/kg".

    Returns
    -------
    str
        As "mg/kg".

    Raises
    ------
    UnitError
        If the text is not a number and a unit.

    Examples
    --------
    >>> unit_of("75 mg/m2")
    'mg/m2'
    """
    return _split(text, "", "quantity", "")[1]


class _UnitWordError(Exception):
    """Inside only: why a unit text was refused."""


def _split(text: str | float, unit: str, what: str, whose: str) -> tuple[float, str]:
    if isinstance(text, (int, float)):
        if unit:
            raise _unit_error(text, what, whose, unit, "has no unit")
        return float(text), ""
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise _unit_error(text[:_LONGEST], what, whose, unit)
    return float(match[1]), match[2].strip()


def _check(
    value: float,
    text: object,
    unit: str,
    what: str,
    whose: str,
    above: float | None,
    at_least: float | None,
    at_most: float | None,
) -> None:
    bounds = [
        (math.isfinite(value), "a finite number"),
        (above is None or value > above, f"above {above} {unit}"),
        (at_least is None or value >= at_least, f"at least {at_least} {unit}"),
        (at_most is None or value <= at_most, f"at most {at_most} {unit}"),
    ]
    for holds, rule in bounds:
        if not holds:
            raise QuantityRangeError(text=text, what=what, whose=whose, rule=rule.strip())


@cache
def _factor(unit: str, into: str, mass: float | None) -> float:
    given, wanted = _measure(unit), _measure(into)
    if given.dimensionality == wanted.dimensionality:
        return float((given / wanted).to_root_units().magnitude)
    if mass is not None:
        per_amount = mass * _measure("kDa")
        for bridged in (given / per_amount, given * per_amount):
            if bridged.dimensionality == wanted.dimensionality:
                return float((bridged / wanted).to_root_units().magnitude)
    raise _UnitWordError("has no unit" if not unit.strip() else "has a unit that measures something else")


def _measure(unit: str) -> PlainQuantity[Any]:
    """One of the unit, as pint counts it."""
    match = _UNIT.fullmatch(re.sub(r"\bper\b", "/", unit))
    if match is None:
        raise _UnitWordError("is not a quantity")
    over, under = match["over"] or "", match["under"] or ""
    product = _registry().Quantity(10.0 ** int(match["ten"] or 0))
    for text, sign in ((over, 1), (under, -1)):
        for word, power in _PART.findall(text):
            count = _POWERS[power] if power in _POWERS else int(power)
            product = product * _word(word, below=sign < 0) ** (sign * count)
    return product


def _word(word: str, *, below: bool) -> PlainQuantity[Any]:
    word = word.replace("µ", "u").replace("μ", "u")
    word = _SAME.get(word, word)
    if below and word == "kg":
        word = "body_kg"
    if word not in _WORDS:
        raise _UnitWordError("is not a quantity")
    units = _registry()
    return units.Quantity(1.0, units.Unit(f"unit_{'percent' if word == '%' else word}"))


@cache
def _registry() -> UnitRegistry[Any]:
    import pint  # here, so that the package starts quickly

    units: UnitRegistry[Any] = pint.UnitRegistry(None)
    for measure in _MEASURES:
        units.define(f"{measure} = [{measure}_measure]")
    for word, meaning in _WORDS.items():
        units.define(f"unit_{'percent' if word == '%' else word} = {meaning}")
    return units


def _unit_error(
    text: object, what: str, whose: str, unit: str, reason: str = "is not a quantity"
) -> UnitError:
    examples = {"day": "3 weeks", "nM": "0.5 nM", "L/day": "0.2 L/day", "1/day": "0.1 1/day", "": "0.5"}
    return UnitError(
        text=text,
        what=what,
        whose=whose,
        unit=unit,
        reason=reason,
        example=examples.get(unit, f"20 {unit or 'mg'}"),
    )
