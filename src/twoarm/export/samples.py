"""Blood samples: when they are drawn, and what the laboratory reports of the concentrations in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from twoarm.chance import normals
from twoarm.export.records import Records, by_treatment
from twoarm.regimen import Regimen
from twoarm.trial.entry import SOURCED, Card, measured, read_card
from twoarm.trial.protocol import Treatment
from twoarm.units import quantity

_WEEK, _HOURS = 7.0, 24.0


class Times(Card):
    """When samples are drawn; full doses count from 1."""

    before: Annotated[tuple[int, ...], SOURCED]
    followed: Annotated[tuple[int, ...], SOURCED] = ()
    later: Annotated[tuple[str, ...], SOURCED] = ()
    after_last: Annotated[tuple[str, ...], SOURCED] = ()

    @model_validator(mode="after")
    def _weekly(self) -> Times:
        for words in (*self.later, *self.after_last):
            days = quantity(words, "day", what="time of a sample", above=0)
            if days % _WEEK:
                raise ValueError(
                    f'a sample "{words}" after a dose. Trials keep weekly concentrations. Give whole weeks, '
                    'as "7 days".'
                )
        return self


class Assay(Card):
    """How well a laboratory measures: limit of quantification, relative spread, and spread of a blank."""

    limit: Annotated[str, SOURCED]
    cv: Annotated[float, measured("", at_least=0, at_most=1)]
    floor: Annotated[float, measured("", at_least=0, at_most=1)]


class Sampling(Card):
    """When samples are drawn, and the assay of the molecule in each slot; one without is not sampled."""

    name: str
    description: str = ""
    status: str = ""
    schedule: Times
    assays: Annotated[dict[str, Assay], Field(min_length=1)]


class _Slot(NamedTuple):
    """One kind of sample: at which full dose (0: the first of any size, -1: the last), how long after."""

    dose: int
    days: float


def read_sampling(name: str | Path = "sampling") -> Sampling:
    """Read when samples are drawn and how they are measured.

    Parameters
    ----------
    name : str or Path
        Name in the library's exports, or a file.

    Returns
    -------
    Sampling
        The checked file.

    Raises
    ------
    NotInLibraryError, UnknownFieldError, MissingFieldError, CardEntryError
        If there is no such file, or a field is unknown, missing, or breaks its rule.

    Examples
    --------
    >>> read_sampling().schedule.later
    ('7 days', '14 days')
    """
    return read_card("exports", name, Sampling)[0]


def samples(records: Records, sampling: Sampling) -> pd.DataFrame:
    """Draw the samples of every patient and measure what an arm is given.

    Parameters
    ----------
    records : Records
        Of a trial, or of one arm; a patient's samples do not depend on the others.
    sampling : Sampling
        From `read_sampling`.

    Returns
    -------
    DataFrame
        A row a sample: `patient arm molecule slot day sample number planned first last due level value limit
        below`. `day` and `first` (of the first dose) are days since randomization, as is `last`, that of the
        last dose before the sample (NaN before the first); `due` is the planned day of that dose and
        `planned` that of the sample, both since the first dose. `number` numbers the kind of `sample`, which
        is in words. `level` is simulated, `value` measured, `limit` that of quantification [nmol/L]; `below`
        is True under it.

    Notes
    -----
    value = max(level (1 + cv e1) + floor limit e2, 0), with standard normal e1 and e2 keyed by the trial's
    seed, the molecule, the patient and the kind of sample.

    References
    ----------
    None; times and errors are of the file.
    """
    parts = [
        _of_treatment(records, place, regimen, rows, sampling)
        for place, regimen, rows in by_treatment(records)
        if regimen.slot in sampling.assays and f"{regimen.slot}_central_nM" in records.courses
    ]
    columns = ["patient", "arm", "molecule", "slot", "day", "sample", "number", "planned", "first", "last"]
    columns += ["due", "level", "value", "limit", "below"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns, dtype=float)
    return table.sort_values(["patient", "day", "molecule"], kind="stable", ignore_index=True)[columns]


def _slots(times: Times) -> dict[_Slot, str]:
    """List the kinds of samples, in the order that numbers them, with their words."""
    found = {_Slot(0, 0.0): "Before the first dose"}
    for dose in times.before:
        found[_Slot(dose, 0.0)] = f"Before full dose {dose}"
    for dose in times.followed:
        for words in times.later:
            found[_Slot(dose, quantity(words, "day"))] = f"{words} after full dose {dose}"
    for words in times.after_last:
        found[_Slot(-1, quantity(words, "day"))] = f"{words} after the last dose"
    return found


def _of_treatment(
    records: Records, place: int, regimen: Regimen, rows: pd.DataFrame, sampling: Sampling
) -> pd.DataFrame:
    """Draw and measure the samples of one molecule in one arm."""
    arm = str(rows["arm"].iloc[0])
    rule = records.protocol.arms[arm].treatments[place]
    slots, ended = _slots(sampling.schedule), records.patients["off_reason"] != ""
    drawn = []
    for patient, doses in rows.sort_values("day", kind="stable").groupby("patient"):
        given, full = doses["day"].to_numpy(float), (doses["level"] >= 0).to_numpy()
        for number, day, planned in _times(given, full, rule, slots, bool(ended[patient])):
            drawn.append((patient, day, number, planned, given[0], *_last_dose(given, full, day, rule)))
    names = ["patient", "day", "number", "planned", "first", "last", "due"]
    table = pd.DataFrame(drawn, columns=names)
    table = table.drop_duplicates(["patient", "day"])  # a sample before a dose is also one after the last
    table["level"] = _levels(records, f"{regimen.slot}_central_nM", table)
    table = table[table["level"].notna()]
    words = list(slots.values())
    table["sample"] = [words[number] for number in table["number"]]
    table["arm"], table["molecule"], table["slot"] = arm, regimen.molecule.name, str(regimen.slot)
    return _measured(records, regimen, table, sampling.assays[str(regimen.slot)], len(slots))


def _times(
    given: np.ndarray, full: np.ndarray, rule: Treatment, slots: Mapping[_Slot, str], ended: bool
) -> Iterator[tuple[int, float, float]]:
    """Give number, day and planned time since the first dose of a patient's samples."""
    whole = given[full]
    for number, slot in enumerate(slots):
        if slot.dose == 0:
            yield number, given[0], 0.0
        elif slot.dose > 0 and slot.dose <= len(whole):
            day = whole[slot.dose - 1]
            if not ((given > day) & (given <= day + slot.days)).any():
                yield number, day + slot.days, _planned(slot.dose, rule) + slot.days
        elif slot.dose < 0 and ended:
            last = _planned(len(whole), rule) if len(whole) else 0.0
            yield number, given[-1] + slot.days, last + slot.days


def _last_dose(given: np.ndarray, full: np.ndarray, day: float, rule: Treatment) -> tuple[float, float]:
    """Give the day of the last dose before a sample, and when it was planned, since the first."""
    earlier = np.flatnonzero(given < day)
    if not earlier.size:
        return np.nan, np.nan
    last, count = earlier[-1], int(full[earlier].sum())
    ahead = rule.priming.lead if rule.priming else 0.0  # a priming dose is that long before the next full one
    return float(given[last]), _planned(count, rule) if full[last] else _planned(count + 1, rule) - ahead


def _planned(dose: int, rule: Treatment) -> float:
    """Planned day of a full dose since the first dose of any size."""
    course, place = divmod(dose - 1, rule.course.doses) if rule.course else (dose - 1, 0)
    within = place * rule.course.apart if rule.course else 0.0
    return (rule.priming.lead if rule.priming else 0.0) + course * rule.every + within


def _levels(records: Records, course: str, table: pd.DataFrame) -> np.ndarray:
    """Read the weekly course at the samples; NaN off its days and beyond a patient's last."""
    curve = records.courses[course]
    day = pd.Index(curve["day"].to_numpy()).get_indexer(table["day"].to_numpy(float))
    who = pd.Index(curve["patient"].to_numpy()).get_indexer(table["patient"].to_numpy())
    found = curve.transpose("patient", "day").to_numpy()[who, np.maximum(day, 0)].astype(float)
    return np.where(day >= 0, found, np.nan)


def _measured(
    records: Records, regimen: Regimen, table: pd.DataFrame, assay: Assay, kinds: int
) -> pd.DataFrame:
    """Add the error of the assay, and say what lies below its limit."""
    limit = quantity(assay.limit, "nM", what="limit of quantification", mass=regimen.card["mass"])
    people = records.patients.index.to_numpy()
    purpose = f"assay of {regimen.molecule.name}"
    errors = normals(records.seed, purpose, people, 2 * kinds).reshape(len(people), kinds, 2)
    row = pd.Index(people).get_indexer(table["patient"].to_numpy())
    one, two = errors[row, table["number"].to_numpy(int)].T
    value = np.maximum(table["level"] * (1 + assay.cv * one) + assay.floor * limit * two, 0.0)
    return table.assign(value=value, limit=limit, below=value < limit)
