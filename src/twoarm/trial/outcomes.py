"""The clinical link: from what the biology says to what a clinic writes down.

Its numbers live in library/outcomes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from twoarm import catalog
from twoarm.lineage import line_of
from twoarm.trial.entry import SOURCED, Card, check_card, measured

BLOCKED = "pd1_block_exposure"  # days for which PD-1 has met no ligand


class Reader(Card):
    """How well diameters are read."""

    proportional: Annotated[float, measured("", at_least=0, at_most=1)]
    additive: Annotated[float, measured("mm", at_least=0)]
    lasting: Annotated[float, measured("", at_least=0, at_most=1)]
    step: Annotated[float, measured("mm", above=0)]
    measurable_from: Annotated[float, measured("mm", at_least=0)]
    visible_from: Annotated[float, measured("mm", at_least=0)]
    missed: Annotated[float, measured("", at_least=0, at_most=1)]


class NewLesions(Card):
    """Hazard of a first new lesion."""

    hazard: Annotated[float, measured("1/day", at_least=0)]
    sld_reference: Annotated[float, measured("mm", above=0)]
    sld_floor: Annotated[float, measured("mm", above=0)]
    burden_power: Annotated[float, measured("")]
    growth_effect: Annotated[float, measured("week")]
    growth_window: Annotated[float, measured("day", above=0)]
    early: Annotated[float, measured("", at_least=0)] = 0.0
    early_fades: Annotated[float, measured("day", above=0)] = 42.0


class NonTarget(Card):
    """Disease that is seen and not measured."""

    share: Annotated[float, measured("", at_least=0, at_most=1)]
    limit: Annotated[float, measured("", above=1)]
    limit_spread: Annotated[float, measured("", at_least=0)]
    gone_below: Annotated[float, measured("mm", above=0)]


class SurvivalLink(Card):
    """Accelerated life: see `twoarm.trial.survival.log_time`."""

    intercept: Annotated[float, measured("")]
    spread: Annotated[float, measured("", above=0)]
    growth_emax: Annotated[float, measured("")]
    growth_ec50: Annotated[float, measured("1/week", above=0)]
    growth_window: Annotated[float, measured("day", above=0)]
    sld_floor: Annotated[float, measured("mm", above=0)]
    baseline_sld: Annotated[float, measured("1/mm")]
    baseline_sld_reference: Annotated[float, measured("mm")]
    time_to_growth: Annotated[float, measured("1/week")]
    time_to_growth_reference: Annotated[float, measured("week")]
    albumin: Annotated[float, measured("L/g")]
    albumin_reference: Annotated[float, measured("g/L", above=0)]
    next_therapy: Annotated[float, measured("")]
    next_therapy_after_block: Annotated[float, measured("")] = 0.0
    blocked_half: Annotated[float, measured("day", above=0)] = 42.0
    next_therapy_share: Annotated[float, measured("", at_least=0, at_most=1)]
    next_therapy_gap: Annotated[float, measured("day", at_least=0)]
    background: Annotated[float, measured("1/day", at_least=0)]
    early_deaths: Annotated[float, measured("", at_least=0, at_most=0.9)] = 0.0
    early_fades: Annotated[float, measured("day", above=0)] = 56.0
    dropout: Annotated[float, measured("1/day", at_least=0)]


class Toxicity(Card):
    """One kind of adverse event and what drives its grade.

    severity = slope ln(driver/reference) + loading * frailty + scatter * logistic; the grade is the highest
    whose limit is reached. Where scatter is 0 the limits are values of the driver itself (a blood count).
    `seen` is the share of patients in whom it is noticed between visits.
    """

    name: str
    label: str
    driver: str
    driver_unit: str
    recovers: bool
    slope: Annotated[float, measured("")]
    reference: Annotated[float, measured("", above=0)]
    loading: Annotated[float, measured("")]
    scatter: Annotated[float, measured("", at_least=0)]
    limits: Annotated[dict[str, float], SOURCED]
    seen: Annotated[float, measured("", at_least=0, at_most=1)]
    hold_at: Annotated[int, SOURCED]
    reduce_at: Annotated[int, SOURCED]
    stop_at: Annotated[int, SOURCED]

    @model_validator(mode="after")
    def _grades(self) -> Toxicity:
        if set(self.limits) - set("12345") or not self.limits:
            raise ValueError(
                'limits are named by grade, "1" to "5". Write, as an example, { "3" = 2.2, "4" = 4.0 }.'
            )
        severity = grade_limits(self)[1]
        if (np.diff(severity) <= 0).any():
            raise ValueError(f"limits {self.limits} do not get worse with the grade. Sort them.")
        return self


class ToxicitySet(Card):
    """Every kind of event, and what they share."""

    frailty: Annotated[float, measured("", at_least=0)]
    after_dose: Annotated[tuple[str, ...], SOURCED]
    counts_for: Annotated[float, measured("day", at_least=0)]
    recheck: Annotated[float, measured("day", above=0)]
    kinds: Annotated[tuple[Toxicity, ...], Field(min_length=1)]


class Outcomes(Card):
    """Everything between the biology's outputs and the tables of a trial."""

    name: str
    title: str
    description: str = ""
    status: str = ""
    extends: str = ""
    reader: Reader
    new_lesions: NewLesions
    non_target: NonTarget
    survival: SurvivalLink
    toxicity: ToxicitySet

    @property
    def drivers(self) -> tuple[str, ...]:
        """Outputs of the biology that toxicities and survival need."""
        block = (BLOCKED,) if self.survival.next_therapy_after_block else ()
        return tuple(dict.fromkeys([*(kind.driver for kind in self.toxicity.kinds), *block]))


def read_outcomes(name: str | Path) -> Outcomes:
    """Read an outcomes file.

    Parameters
    ----------
    name : str or Path
        Name in the library, as "squamous_nsclc", or a path.

    Returns
    -------
    Outcomes
        Frozen, every number in the house unit; its sources and notes are read by
        `twoarm.entries.read_entries`.

    Raises
    ------
    NotInLibraryError, FileTooLargeError, FileTextError, UnknownFieldError, MissingFieldError, CardEntryError
        As `twoarm.trial.entry.read_card`.

    Notes
    -----
    A file that says `extends` has what the other file has, save for the entries that it states itself.

    Examples
    --------
    >>> read_outcomes("squamous_nsclc").reader.additive
    3.29
    """
    path = catalog.find("outcomes", name)
    return check_card(outcomes_text(path), Outcomes, path)


def outcomes_text(path: Path) -> dict[str, Any]:
    """Read an outcomes file as tables of entries, over the file that it extends.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Before any check of its entries.

    Raises
    ------
    FileMissingError, FileTooLargeError, FileTextError, NotInLibraryError
        If a file cannot be found or read.
    CardEntryError
        If the other file extends one itself.
    """
    line = line_of("outcomes", path, deepest=2)
    own, text = catalog.read_toml(line[0]), catalog.read_toml(line[-1])
    for name, table in own.items() if len(line) > 1 else ():
        both = isinstance(table, dict) and isinstance(text.get(name), dict)
        text[name] = {**text[name], **table} if both else table
    return text


def grade_limits(kind: Toxicity) -> tuple[np.ndarray, np.ndarray]:
    """Grades that a kind of event can have, and the severity from which each holds.

    Parameters
    ----------
    kind : Toxicity
        One kind of event.

    Returns
    -------
    grades : (grade,) int array
        Rising.
    limits : (grade,) float array
        Severity; limits given as values of the driver are turned into it.

    Examples
    --------
    >>> kinds = {kind.name: kind for kind in read_outcomes("squamous_nsclc").toxicity.kinds}
    >>> grade_limits(kinds["neutropenia"])[0]
    array([1, 2, 3, 4])
    """
    names = sorted(kind.limits)
    grades, limits = np.array([int(name) for name in names]), np.array([kind.limits[name] for name in names])
    return grades, limits if kind.scatter > 0 else kind.slope * np.log(limits / kind.reference)
