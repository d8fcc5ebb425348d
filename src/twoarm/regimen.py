"""A regimen: which molecule, how much, how often, in words; to dose rows in nmol and days.

Day 0 is the day of randomization or first dose, which a protocol calls day 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from twoarm.errors import (
    DoseLevelError,
    MissingColumnError,
    MissingFieldError,
    NoSlotError,
    QuantityRangeError,
    RegimenError,
    SlotTakenError,
    UnitError,
)
from twoarm.molecule import Molecule, model_parameters, slots
from twoarm.units import factor, quantity, unit_of

# what a dose may be counted in, and the patient's column that it is multiplied by
_PER = {"nmol": None, "nmol/kg": ("weight", "kg"), "nmol/m2": ("body_surface", "m2")}
_OPEN = 3652.5  # days that a regimen without end is written out for; a run stops where its own days end


class PlannedDose(NamedTuple):
    """One dose of the plan: its day, how much in words, and whether it is "priming", "loading" or "dose"."""

    day: float
    dose: str
    purpose: str


@dataclass(frozen=True)
class Regimen:
    """Which molecule, how much, how often.

    Parameters
    ----------
    molecule : Molecule
        What is given.
    dose : str
        In mass or amount, flat, per kg or per m2: "20 mg", "3 mg/kg", "75 mg/m2".
    every : str, optional
        Time between doses, or from the first dose of a course to that of the next, as "3 weeks"; left out,
        there is one dose, or one course.
    start_day : float or str
        Day of the first full dose; a number is days.
    priming : sequence of (str, float or str)
        Small doses given ahead: how much, on which day.
    loading : str, optional
        Dose that stands in for the first full one.
    infusion : str, optional
        Duration, as "1 h"; left out, the dose is given at once.
    doses_per_course : int
        Single doses of a course; 1 where each dose stands alone.
    apart : str, optional
        Time between the single doses of a course, as "8 h".
    max_duration : str, optional
        From `start_day`; no dose, and no course, is begun at its end or later.
    max_doses : int, optional
        Largest number of single doses, priming not counted; it may cut the last course short.
    reductions : sequence of str
        Doses of level 1, 2, ... when the full one is not tolerated.
    reprime_after_priming, reprime_after : str, optional
        Prime again when more than this passed since the priming dose without a full one, or at least this
        since the last dose. Kept here for whoever conducts a trial; a plan has no pauses.
    route : {"intravenous", "subcutaneous"}, optional
        Left out, the card's.
    slot : {"drug", "competitor", "cytotoxic"}, optional
        What it is in the model; left out, the usual one of the molecule.
    draw : mapping of str to float, optional
        A row of :func:`twoarm.molecule.draw_cards`; left out, nominal values.

    Raises
    ------
    UnitError, QuantityRangeError
        If a quantity cannot be read, or is negative.
    RegimenError
        If parts contradict each other.
    NoSlotError
        If the molecule cannot fill the slot.

    Examples
    --------
    >>> from twoarm.molecule import read_molecule
    >>> fusion = Regimen(
    ...     read_molecule("ibi363"),
    ...     "3 mg/kg",
    ...     "3 weeks",
    ...     start_day=7,
    ...     priming=[("0.1 mg/kg", 0)],
    ...     infusion="1 h",
    ... )
    >>> patients = pd.DataFrame({"weight": [60.0, 80.0]})
    >>> fusion.amounts(patients).round().tolist()
    [1059.0, 1412.0]

    A course of 14 doses 8 hours apart, begun every two weeks:

    >>> cytokine = Regimen(
    ...     read_molecule("aldesleukin"), "0.037 mg/kg", "2 weeks", doses_per_course=14, apart="8 h"
    ... )
    >>> [round(dose.day, 2) for dose in cytokine.schedule(until=15)][-4:]
    [4.33, 14.0, 14.33, 14.67]
    """

    molecule: Molecule
    dose: str
    every: str | None = None
    start_day: float | str = 0.0
    priming: Sequence[tuple[str, float | str]] = ()
    loading: str | None = None
    infusion: str | None = None
    doses_per_course: int = 1
    apart: str | None = None
    max_duration: str | None = None
    max_doses: int | None = None
    reductions: Sequence[str] = ()
    reprime_after_priming: str | None = None
    reprime_after: str | None = None
    route: Literal["intravenous", "subcutaneous"] | None = None
    slot: str | None = None
    draw: Mapping[Any, float] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be, while the user is there to read why."""
        for name in ("priming", "reductions"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.draw is not None:
            object.__setattr__(self, "draw", {str(field): float(value) for field, value in self.draw.items()})
        possible = slots(self.card)
        object.__setattr__(self, "slot", self.slot or possible[0])
        if self.slot not in possible:
            raise NoSlotError(molecule=self.molecule.name, slot=str(self.slot), slots=possible)
        for needed in ("mass", "disposition"):
            if getattr(self.molecule, needed) is None:
                raise MissingFieldError(path=self.molecule.name, place="a card that is dosed", field=needed)
        assert self.molecule.disposition is not None  # of the line above
        object.__setattr__(self, "route", self.route or self.molecule.disposition.route)
        if self.route not in ("intravenous", "subcutaneous"):
            raise self._wrong("route", f"is {self.route!r}", 'Give "intravenous" or "subcutaneous".')
        if self.route == "subcutaneous" and (self.slot != "drug" or "disposition.ka" not in self.card):
            raise self._wrong("route", "needs the slot of the drug and a card with ka", "Give it by vein.")
        loading = () if self.loading is None else (self.loading,)
        for dose in (self.dose, *loading, *self.reductions, *(dose for dose, _ in self.priming)):
            self._per(dose)
        start, infusion = self.start, self.infusion_days
        for _, day in self.priming:
            if not self._days(day, "priming day") < start:
                raise self._wrong("priming", "is not ahead of the first full dose", "Give it an earlier day.")
        self._check_course()
        if self.interval is None and (self.max_duration or (self.max_doses or 1) > self.doses_per_course):
            raise self._wrong("duration", "needs a time between doses", 'Give `every`, as "3 weeks".')
        if self.max_doses is not None and self.max_doses < 1:
            raise self._wrong("max_doses", f"is {self.max_doses}", "Give at least one dose.")
        if self.interval is not None and infusion > self.interval:
            raise self._wrong("infusion", "lasts longer than the time between doses", "Shorten it.")
        for rule in (self.max_duration, self.reprime_after, self.reprime_after_priming):
            if rule is not None:
                quantity(rule, "day", what="time", whose=self._whose, above=0)

    @cached_property
    def card(self) -> Mapping[str, float]:
        """Entries of the card in house units: of the draw, or nominal."""
        return self.molecule.nominal() if self.draw is None else dict(self.draw)

    @cached_property
    def start(self) -> float:
        """Day of the first full dose."""
        return self._days(self.start_day, "start_day")

    @cached_property
    def interval(self) -> float | None:
        """Days between doses; None for a single dose."""
        return (
            None
            if self.every is None
            else quantity(self.every, "day", what="every", whose=self._whose, above=0)
        )

    @cached_property
    def gap(self) -> float:
        """Days between the single doses of a course; 0 where each dose stands alone."""
        if self.apart is None:
            return 0.0
        return quantity(self.apart, "day", what="apart", whose=self._whose, above=0)

    @cached_property
    def infusion_days(self) -> float:
        """Days that one infusion lasts; 0 for a dose at once."""
        if self.infusion is None:
            return 0.0
        return quantity(self.infusion, "day", what="infusion", whose=self._whose, at_least=0)

    @property
    def target(self) -> str:
        """State of the model that a dose goes to."""
        return f"{self.slot}_{'depot' if self.route == 'subcutaneous' else 'central'}"

    @property
    def levels(self) -> tuple[str, ...]:
        """Doses by level: the full one, then the reductions."""
        return (self.dose, *self.reductions)

    def schedule(self, until: float | None = None) -> tuple[PlannedDose, ...]:
        """List the planned doses in order.

        Parameters
        ----------
        until : float, optional [day]
            Where the list ends, itself outside; left out, where the regimen ends or after ten years.

        Returns
        -------
        tuple of PlannedDose
            Of a patient who misses none.

        Examples
        --------
        >>> from twoarm.molecule import read_molecule
        >>> plan = Regimen(read_molecule("docetaxel"), "75 mg/m2", "3 weeks", max_doses=3)
        >>> [dose.day for dose in plan.schedule()]
        [0.0, 21.0, 42.0]
        """
        plan = [PlannedDose(self._days(day, "priming day"), dose, "priming") for dose, day in self.priming]
        number = np.arange(self._count(until))
        days = self._day_of(number // self.doses_per_course, number % self.doses_per_course)
        plan += [
            PlannedDose(float(day), self.loading or self.dose, "loading" if self.loading else "dose")
            for day in days[:1]
        ]
        plan += [PlannedDose(float(day), self.dose, "dose") for day in days[1:]]
        return tuple(sorted(dose for dose in plan if until is None or dose.day < until))

    def amounts(self, patients: pd.DataFrame, level: int = 0) -> np.ndarray:
        """Amount of one full or reduced dose, patient by patient.

        Parameters
        ----------
        patients : pandas.DataFrame
            With column `weight` [kg] for a dose per kg, `body_surface` [m2] for one per m2.
        level : int
            0 the full dose, 1 and above the reductions.

        Returns
        -------
        (patient,) float array [nmol]
            As given, before bioavailability.

        Raises
        ------
        DoseLevelError
            If the regimen has no such level.
        MissingColumnError, QuantityRangeError
            If a patient's size is missing or cannot be.
        """
        if not 0 <= level < len(self.levels):
            raise DoseLevelError(molecule=self.molecule.name, level=level, levels=len(self.levels))
        return self.amounts_of(self.levels[level], patients)

    def amounts_of(self, dose: str, patients: pd.DataFrame) -> np.ndarray:
        """Amount of any dose of this molecule, patient by patient.

        Parameters
        ----------
        dose : str
            In words, as "0.1 mg/kg".
        patients : pandas.DataFrame
            As of :meth:`amounts`.

        Returns
        -------
        (patient,) float array [nmol]
            As given, before bioavailability.

        Raises
        ------
        UnitError, QuantityRangeError, MissingColumnError
            If the dose or a patient's size cannot be used.
        """
        amount, per = self._per(dose)
        if per is None:
            return np.full(len(patients), amount)
        return amount * _positive(patients, *per, purpose=f'for the dose "{dose}" of {self.molecule.name}')

    def dose_row(self, patients: pd.DataFrame, day: ArrayLike, dose: str) -> pd.DataFrame:
        """Make the rows of one dose to each of these patients.

        Parameters
        ----------
        patients : pandas.DataFrame
            Who gets it; index is the patient's label.
        day : float or (patient,) float array [day]
            When.
        dose : str
            How much, in words.

        Returns
        -------
        pandas.DataFrame
            Columns of :mod:`twoarm.doses`: id, time [day], amt [nmol], cmt, dur [day], bioavailability.
        """
        return self._rows(patients, np.broadcast_to(np.asarray(day, float), len(patients)), dose)

    def dose_rows(self, patients: pd.DataFrame) -> pd.DataFrame:
        """Make the dose table of the plan; repeated doses stand in one row, by `ii` and `addl`.

        Parameters
        ----------
        patients : pandas.DataFrame
            Who gets it; index is the patient's label.

        Returns
        -------
        pandas.DataFrame
            Columns of :mod:`twoarm.doses`: id, time [day], amt [nmol], cmt, dur [day], ii [day], addl,
            bioavailability; sorted by patient and time.

        Raises
        ------
        MissingColumnError, QuantityRangeError
            If a patient's size is missing or cannot be.
        """
        groups = [(self._days(day, "priming day"), dose, 1, 0.0) for dose, day in self.priming]
        if self.loading:
            groups.append((self.start, self.loading, 1, 0.0))
        groups += [(day, self.dose, times, step) for day, times, step in self._repeats()]
        tables = []
        for day, dose, times, step in groups:
            rows = self._rows(patients, np.full(len(patients), day), dose)
            rows["ii"] = step if times > 1 else 0.0
            rows["addl"] = times - 1
            tables.append(rows)
        table = pd.concat(tables, ignore_index=True)
        return table.sort_values(["id", "time"], kind="stable", ignore_index=True)

    def parameters(self, patients: pd.DataFrame) -> pd.DataFrame:
        """Work out the model's parameters of this molecule in each patient.

        Parameters
        ----------
        patients : pandas.DataFrame
            May have `weight` [kg], `albumin` [g/L], `clearance_factor`, `volume_factor`, `peripheral_factor`,
            `cytotoxic_clearance_factor` (1 = typical) and `ada_susceptibility` (0 to 1): anti-drug antibodies
            arise where it is below the card's incidence; and, where the card names their effects, `female`,
            `ecog`, `lung` (0 or 1), `region`, `sld_baseline` [mm], `egfr` [mL/min] and `clearance_change`,
            added to the card's own. Where a column is absent, patients are as the card's reference patient,
            without such antibodies; `attrs["as_reference"]` of the result lists those.

        Returns
        -------
        pandas.DataFrame
            (patient, parameter), index as of `patients`.

        Raises
        ------
        QuantityRangeError
            If a covariate is not above 0.

        Notes
        -----
        With W weight and A albumin over the reference patient's, and f the patient's own factor,

            cl = cl_card W^a A^b f_cl,   q = q_card W^a,   vc = vc_card W^c A^d f_v,   vp = vp_card W^c f_v

        times the folds and powers of the card's covariates. `peripheral_factor`, where given, stands for f_v
        in vp.

        References
        ----------
        ahamadi2017 and bajaj2017, for the form.
        """
        typical = model_parameters(self.card, str(self.slot))
        table = pd.DataFrame(
            {name: np.full(len(patients), value) for name, value in typical.items()}, patients.index
        )
        absent: list[str] = []
        weight = self._relative(patients, "weight", "kg", absent)
        albumin = self._relative(patients, "albumin", "g/L", absent)
        cytotoxic = self.slot == "cytotoxic"
        own_cl = _column(patients, "cytotoxic_clearance_factor" if cytotoxic else "clearance_factor", absent)
        own_volume = np.ones(len(patients)) if cytotoxic else _column(patients, "volume_factor", absent)
        flow = weight ** self._exponent("weight_exponent_cl")
        size = weight ** self._exponent("weight_exponent_volume")
        flows, volumes = (("q1", "q2"), ("v1", "v2")) if cytotoxic else (("q",), ("vp",))
        table[f"{self.slot}_cl"] *= flow * albumin ** self._exponent("albumin_exponent_cl") * own_cl
        table[f"{self.slot}_vc"] *= size * albumin ** self._exponent("albumin_exponent_vc") * own_volume
        for name in flows:
            table[f"{self.slot}_{name}"] *= flow
        own_peripheral = (
            _column(patients, "peripheral_factor", []) if "peripheral_factor" in patients else own_volume
        )
        for name in volumes:
            table[f"{self.slot}_{name}"] *= size * (own_volume if cytotoxic else own_peripheral)
        table[f"{self.slot}_cl"] *= self._covariates(patients, "cl", absent)
        table[f"{self.slot}_vc"] *= self._covariates(patients, "vc", absent)
        if self.slot == "drug":
            if "covariates.change_cl" in self.card:
                table["drug_change_cl"] += _plain(patients, "clearance_change", absent)
            incidence = self.card.get("immunogenicity.ada_incidence", 0.0)
            susceptible = _column(patients, "ada_susceptibility", absent)
            table["ada"] = (susceptible < incidence).astype(float)
        table.attrs["as_reference"] = absent
        return table

    @property
    def _whose(self) -> str:
        return f'the regimen of "{self.molecule.name}"'

    def _wrong(self, part: str, reason: str, remedy: str) -> RegimenError:
        return RegimenError(molecule=self.molecule.name, part=part, reason=reason, remedy=remedy)

    def _days(self, day: float | str, what: str) -> float:
        text = day if isinstance(day, str) else f"{float(day)!r} day"
        return quantity(text, "day", what=what, whose=self._whose, at_least=0)

    def _check_course(self) -> None:
        """Refuse a course that cannot be given, or that the next one would run into."""
        count = self.doses_per_course
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise self._wrong("doses_per_course", f"is {count!r}", "Give a whole number, at least 1.")
        if count > 1 and self.apart is None:
            raise self._wrong(
                "doses_per_course", f"of {count} needs the time between them", 'Give `apart`, as "8 h".'
            )
        if count == 1 and self.apart is not None:
            raise self._wrong("apart", "needs a course of several doses", "Give `doses_per_course`.")
        if count > 1 and self.infusion_days > self.gap:
            raise self._wrong("infusion", f"lasts longer than {self.apart}, the time apart", "Shorten it.")
        if self.interval is not None and not course_fits(count, self.gap, self.infusion_days, self.interval):
            reason = f"of {count} doses {self.apart} apart ends after the next is due, {self.every} later"
            raise self._wrong("a course", reason, "Give fewer doses, closer together, or courses less often.")

    def _day_of(self, course: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Day of a single dose: which course, and which dose of it, both counted from 0."""
        days = self.start + (self.interval or 0.0) * course
        return days + in_course(self.gap, place) if self.doses_per_course > 1 else days

    def _repeats(self) -> list[tuple[float, int, float]]:
        """Day, times and step of rows that together are all full doses, as few rows as may be."""
        count, size, done = self._count(None), self.doses_per_course, int(self.loading is not None)
        number = np.arange(done, count)
        course, place = number // size, number % size
        few = count <= size * size  # courses of a regimen, against the doses of a course
        key, step = (course, self.gap) if size > 1 and few else (place, self.interval or 0.0)
        _, first, times = np.unique(key, return_index=True, return_counts=True)
        days = self._day_of(course[first], place[first])
        return [(float(day), int(n), step) for day, n in zip(days, times, strict=True)]

    def _count(self, until: float | None) -> int:
        """Count the single full doses from `start`, of courses begun at most at `until` or ten years."""
        if self.interval is None:
            return min(self.doses_per_course, self.max_doses or self.doses_per_course)
        span = _OPEN if until is None else max(until - self.start, 0.0)
        if self.max_duration is not None:
            span = min(
                span, quantity(self.max_duration, "day", what="max_duration", whose=self._whose, above=0)
            )
        begun = int(np.ceil(span / self.interval - 1e-9))  # one part in 1e9: whole intervals stay whole
        count = begun * self.doses_per_course
        return count if self.max_doses is None else min(count, self.max_doses)

    def _per(self, dose: str) -> tuple[float, tuple[str, str] | None]:
        """Amount in nmol, and the column and unit that it is counted per."""
        try:
            said = unit_of(dose)
        except (UnitError, TypeError):
            said = ""
        for unit, per in _PER.items():
            try:
                factor(said, unit, mass=self.card["mass"])
            except UnitError:
                continue
            return quantity(dose, unit, what="dose", whose=self._whose, mass=self.card["mass"], above=0), per
        reason = "has a unit that no dose has" if said else "is not a quantity"
        raise UnitError(text=dose, what="dose", whose=self._whose, unit="", reason=reason, example="3 mg/kg")

    def _rows(self, patients: pd.DataFrame, day: np.ndarray, dose: str) -> pd.DataFrame:
        amount = self.amounts_of(dose, patients)
        share = self.card.get("disposition.bioavailability", 1.0) if self.target.endswith("depot") else 1.0
        return pd.DataFrame(
            {
                "id": patients.index.to_numpy(),
                "time": day,
                "amt": amount,
                "cmt": self.target,
                "dur": 0.0 if self.target.endswith("depot") else self.infusion_days,
                "bioavailability": share,
            }
        )

    def _exponent(self, name: str) -> float:
        return self.card.get(f"disposition.{name}", 0.0)

    def _covariates(self, patients: pd.DataFrame, what: str, absent: list[str]) -> np.ndarray:
        """Multiply the folds and powers of the card's covariates, patient by patient."""
        factor = np.ones(len(patients))
        for name, (column, level) in _GROUPS.items():
            fold = self.card.get(f"covariates.{name}_{what}")
            if fold is not None and column not in patients:
                absent.append(column)
            elif fold is not None:
                factor *= np.where(patients[column].to_numpy() == level, fold, 1.0)
        for name, (column, unit) in _POWERS.items():
            exponent = self.card.get(f"covariates.{name}_exponent_{what}")
            if exponent is not None and column not in patients:
                absent.append(column)
            elif exponent is not None:
                own = _positive(patients, column, unit, purpose="")
                factor *= (own / self.card[f"covariates.reference_{name}"]) ** exponent
        return factor

    def _relative(self, patients: pd.DataFrame, name: str, unit: str, absent: list[str]) -> np.ndarray:
        reference = self.card.get(f"disposition.reference_{name}")
        if reference is None:
            return np.ones(len(patients))
        if name not in patients:
            absent.append(name)
            return np.ones(len(patients))
        return _positive(patients, name, unit, purpose="") / reference


def in_course(apart: ArrayLike, place: np.ndarray) -> np.ndarray:
    """Work out how long after its course's first dose each dose is given.

    Parameters
    ----------
    apart : float or (dose,) float array [day]
        Time between the doses of a course, or one for each of `place`.
    place : (dose,) int array
        Which dose of its course, counted from 0.

    Returns
    -------
    (dose,) float array [day]
        To nine digits, so that the third time 8 hours is a whole day.

    Examples
    --------
    >>> in_course(8 / 24, np.array([1, 3]))
    array([0.33333333, 1.        ])
    """
    return np.round(np.asarray(apart, float) * place, 9)


def course_fits(doses: int, apart: float, infusion: float, every: float) -> bool:
    """Say whether a course ends before the next is due.

    Parameters
    ----------
    doses : int
        Single doses of the course.
    apart, infusion, every : float [day]
        Time between them, how long each lasts, and from course to course.

    Returns
    -------
    bool
        The last dose begins before the next course, and has ended by then.

    Examples
    --------
    >>> course_fits(14, 1 / 3, 0.0, 14.0), course_fits(3, 1.0, 0.0, 2.0)
    (True, False)
    """
    last = (doses - 1) * apart
    return last < every and last + infusion <= every * (1 + 1e-9)  # whole intervals stay whole


def combine(*regimens: Regimen) -> tuple[Regimen, ...]:
    """Put regimens together, each in a slot of its own.

    Parameters
    ----------
    *regimens : Regimen
        Given in the same period.

    Returns
    -------
    tuple of Regimen
        The same, in order; :func:`twoarm.engine.simulate.simulate` takes it as doses.

    Raises
    ------
    SlotTakenError
        If two fill the same slot: the model holds one set of parameters a slot.

    Examples
    --------
    >>> from twoarm.molecule import read_molecule
    >>> fusion = Regimen(read_molecule("ibi363"), "1 mg/kg", "2 weeks")
    >>> backbone = Regimen(read_molecule("docetaxel"), "75 mg/m2", "3 weeks")
    >>> [regimen.slot for regimen in combine(fusion, backbone)]
    ['drug', 'cytotoxic']
    """
    taken: dict[str, str] = {}
    for regimen in regimens:
        slot, name = str(regimen.slot), regimen.molecule.name
        if slot in taken:
            raise SlotTakenError(slot=slot, molecules=(taken[slot], name))
        taken[slot] = name
    return regimens


# effects of a card's covariates: the patient's column, and the level it is for or the unit it is in
_GROUPS: Mapping[str, tuple[str, object]] = {
    "female": ("female", 1),
    "male": ("female", 0),
    "ecog": ("ecog", 1),
    "asian": ("region", "asia"),
    "lung": ("lung", 1),
}
_POWERS = {"tumor": ("sld_baseline", "mm"), "egfr": ("egfr", "mL/min")}


def _plain(patients: pd.DataFrame, name: str, absent: list[str]) -> np.ndarray:
    if name not in patients:
        absent.append(name)
        return np.zeros(len(patients))
    return patients[name].to_numpy(dtype=float)


def _column(patients: pd.DataFrame, name: str, absent: list[str]) -> np.ndarray:
    if name not in patients:
        absent.append(name)
        return np.ones(len(patients))
    return _positive(patients, name, "", purpose="")


def _positive(patients: pd.DataFrame, name: str, unit: str, *, purpose: str) -> np.ndarray:
    if name not in patients:
        raise MissingColumnError(column=name, table="patients", purpose=purpose)
    values = patients[name].to_numpy(dtype=float)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if wrong.size:
        whose = f"patient {patients.index[wrong[0]]}"
        raise QuantityRangeError(
            text=values[wrong[0]], what=name, whose=whose, rule=f"above 0 {unit}".strip()
        )
    return values
