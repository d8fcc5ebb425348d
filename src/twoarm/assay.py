"""What a sensor read, into what a cell meets: dissociation constants of an assay, calibrated on cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twoarm import catalog
from twoarm.card import Entry, EntryRule, read_entry
from twoarm.errors import (
    AssayMissingError,
    CardEntryError,
    EntryFormError,
    MissingFieldError,
    TwoarmError,
)

_READING = EntryRule("nM", above=0)
_RATIO = EntryRule("", above=0)
_RULES = {"kd_il2ra": _READING, "weakening_il2rb": _RATIO}
_READ_AS = {"kd_il2ra": "sensor_kd_il2ra", "weakening_il2rb": "sensor_kd_il2rbg"}
_AS_IT_STANDS = "kd_il2rb"  # a dissociation constant of beta that needs no calibration
_OF_AN_ASSAY = (*_READ_AS.values(), _AS_IT_STANDS)
_ALONE = ("kon", "weakening_il2rb", "weakening_il2rg")  # what a card gives that names no assay


def in_solution(arm: Mapping[str, Any]) -> dict[str, Any]:
    """Turn an IL-2 arm that gives the readings of an assay into one that gives what holds on a cell.

    Parameters
    ----------
    arm : mapping
        Table ``[il2_arm]`` of a card. With `assay` it gives, where the chain is bound, readings of a sensor,
        `sensor_kd_il2ra` and `sensor_kd_il2rbg`, or affinities in solution, `kd_il2ra` and `kd_il2rb`, as the
        assay has it. One that needs no assay is returned as it is.

    Returns
    -------
    dict
        The table with `kd_il2ra` and `weakening_il2rb` in place of the readings. What a calibration leaves
        open is their range. Entries that the assay gives for its kind of molecule (`kon`, `native_kd_il2rb`,
        `weakening_il2rg`) fill those the card leaves out.

    Raises
    ------
    NotInLibraryError
        If there is no such assay.
    AssayMissingError
        If the card gives readings, or leaves out what an assay would fill in, and names no assay.
    MissingFieldError
        If the assay has no line for a reading, or nothing says how beta is bound.
    CardEntryError, EntryFormError
        If a reading cannot be read, or one thing is said twice.

    Notes
    -----
    A straight line between logarithms: value = at_reference * (reading / reference)^slope, within `fold`.

    Examples
    --------
    >>> reading = {"value": "22 nM", "source": "typeickine"}
    >>> arm = in_solution({"assay": "interferometry", "sensor_kd_il2rbg": reading})
    >>> sorted(arm)
    ['kon', 'native_kd_il2rb', 'weakening_il2rb', 'weakening_il2rg']
    >>> round(in_solution({"assay": "solution", "kd_il2rb": reading})["weakening_il2rb"].nominal(), 3)
    0.153
    """
    if "assay" not in arm:
        _check_alone(arm)
        return dict(arm)
    if not isinstance(arm["assay"], str):
        raise EntryFormError(given=f"assay {arm['assay']!r}, which is no name")
    path = catalog.find("assays", arm["assay"])
    assay = catalog.read_toml(path)
    lines = assay.get("calibration", {})
    readable = _READ_AS.values() if lines else (_AS_IT_STANDS,)
    found = {key: said for key, said in arm.items() if key not in {"assay", *readable}}
    for field, reading in _READ_AS.items() if lines else ():
        if reading in arm:
            if field in arm:
                raise EntryFormError(given=f"both `{field}` and `{reading}`")
            found[field] = _calibrated(
                _reading(arm, reading), lines[field], _RULES[field], str(assay["name"])
            )
    if _AS_IT_STANDS in arm and not lines:
        if "weakening_il2rb" in arm:
            raise EntryFormError(given=f"both `weakening_il2rb` and `{_AS_IT_STANDS}`")
        native = {**assay["il2_arm"], **found}["native_kd_il2rb"]
        found["weakening_il2rb"] = _over(_reading(arm, _AS_IT_STANDS), native)
    if "weakening_il2rb" not in found:
        raise MissingFieldError(
            path="card", place=f'il2_arm with the assay "{assay["name"]}"', field=list(readable)[-1]
        )
    return {**assay["il2_arm"], **found}


def _reading(arm: Mapping[str, Any], field: str) -> Entry:
    """Read one reading, and say which it was if it cannot be read."""
    try:
        return read_entry(arm[field], _READING)
    except TwoarmError as wrong:
        raise CardEntryError(path="entry", place=field, reason=str(wrong)) from wrong


def _check_alone(arm: Mapping[str, Any]) -> None:
    """Refuse an arm that cannot be read without an assay, in words that lead to one."""
    readings = [field for field in _OF_AN_ASSAY if field in arm]
    missing = [field for field in _ALONE if field not in arm]
    if readings or missing:
        raise AssayMissingError(readings=readings, missing=missing)


def _over(reading: Entry, native: Any) -> Entry:
    """Fold over the native constant; a range stays one."""
    at = read_entry(native, _READING).nominal()
    ends = {key: getattr(reading, key) for key in ("value", "low", "high")}
    folds = {key: None if end is None else end / at for key, end in ends.items()}
    choices = tuple(choice / at for choice in reading.choices)
    note = f"{reading.nominal():.3g} nM over the native {at:g} nM. {reading.note}".strip()
    return reading.model_copy(update={"unit": "", **folds, "choices": choices, "note": note})


def _calibrated(reading: Entry, line: Mapping[str, Any], rule: EntryRule, assay: str) -> Entry:
    reference = _READING.number(line["reference"]["value"])
    at, slope, fold = (
        own.number(line[key]["value"])
        for key, own in (("at_reference", rule), ("slope", _RATIO), ("fold", _RATIO))
    )

    def along(value: float) -> float:
        return at * (value / reference) ** slope

    middle = along(reading.nominal())
    low = along(reading.low if reading.low is not None else reading.nominal()) / fold
    high = along(reading.high if reading.high is not None else reading.nominal()) * fold
    note = f"{reading.nominal():.3g} nM read by {assay}, calibrated on cells. {reading.note}".strip()
    said = f"{reading.source};{line['source']}"
    sources = dict.fromkeys(key.strip() for key in said.split(";"))
    return Entry(
        unit=rule.unit, value=middle, low=low, high=high, scale="log", source=";".join(sources), note=note
    )
