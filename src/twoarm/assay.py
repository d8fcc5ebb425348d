"""What a sensor read, into what a cell meets: dissociation constants of an assay, calibrated on cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twoarm import catalog
from twoarm.card import Entry, EntryRule, read_entry
from twoarm.errors import EntryFormError, MissingFieldError

_READING = EntryRule("nM", above=0)
_RATIO = EntryRule("", above=0)
_RULES = {"kd_il2ra": _READING, "weakening_il2rb": _RATIO}
_READ_AS = {"kd_il2ra": "sensor_kd_il2ra", "weakening_il2rb": "sensor_kd_il2rbg"}


def in_solution(arm: Mapping[str, Any]) -> dict[str, Any]:
    """Turn an IL-2 arm that gives the readings of an assay into one that gives what holds on a cell.

    Parameters
    ----------
    arm : mapping
        Table ``[il2_arm]`` of a card, with `assay` and, where the chain is bound, `sensor_kd_il2ra` and
        `sensor_kd_il2rbg`. One without `assay` is returned as it is.

    Returns
    -------
    dict
        The table with `kd_il2ra` and `weakening_il2rb` in place of the readings. What the calibration leaves
        open is their range. Entries that the assay gives for its kind of molecule (`kon`, `native_kd_il2rb`,
        `weakening_il2rg`) fill those the card leaves out.

    Raises
    ------
    NotInLibraryError
        If there is no such assay.
    EntryFormError, UnitError
        If a reading cannot be read.

    Notes
    -----
    A straight line between logarithms: value = at_reference * (reading / reference)^slope, within `fold`.

    Examples
    --------
    >>> reading = {"value": "22 nM", "source": "typeickine"}
    >>> arm = in_solution({"assay": "interferometry", "sensor_kd_il2rbg": reading})
    >>> sorted(arm)
    ['kon', 'native_kd_il2rb', 'weakening_il2rb', 'weakening_il2rg']
    """
    if "assay" not in arm:
        return dict(arm)
    if not isinstance(arm["assay"], str):
        raise EntryFormError(given=f"assay {arm['assay']!r}, which is no name")
    path = catalog.find("assays", arm["assay"])
    assay = catalog.read_toml(path)
    found = {key: said for key, said in arm.items() if key not in {"assay", *_READ_AS.values()}}
    for field, reading in _READ_AS.items():
        if reading in arm:
            if field in arm:
                raise EntryFormError(given=f"both `{field}` and `{reading}`")
            line = assay["calibration"][field]
            found[field] = _calibrated(
                read_entry(arm[reading], _READING), line, _RULES[field], str(assay["name"])
            )
    if "weakening_il2rb" not in found:
        raise MissingFieldError(path="card", place="il2_arm with an assay", field="sensor_kd_il2rbg")
    return {**assay["il2_arm"], **found}


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
