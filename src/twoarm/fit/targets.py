"""What was published, as numbers with their errors; and the same numbers read off a simulated trial."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm import catalog
from twoarm.chance import uniforms
from twoarm.errors import FitTargetError
from twoarm.fit.card import Calibration, Cohort, Target
from twoarm.frozen.read import row_digest, row_name
from twoarm.trial import imaging, recist
from twoarm.trial.analyses.curves import product_limit
from twoarm.trial.ledger import Trial
from twoarm.trial.outcomes import Outcomes
from twoarm.trial.protocol import Protocol

ENDLESS = 10**9  # patients: a simulation without chance of its own
_MONTH = 365.25 / 12
_EDGE = 0.02  # a share of 0 or 1 in a finite cohort is not known exactly
_FIRST = (20.0, 80.0)  # days in which a reading counts as the first after baseline
_LEAST = 3  # readings of a lesion that enter the published series
_RATES = ("ORR", "DCR", "NE")
_FITTED, _CHECKED = "calibrate", "none"


class Mark(NamedTuple):
    """A row of evidence: its table, its name there, and the hash of all it says."""

    table: str
    row: str
    digest: str


@dataclass(frozen=True)
class Reading:
    """One published number.

    Attributes
    ----------
    target, cohort : str
        Where it belongs.
    what : str
        "PFS", "OS", "ORR", "DCR", "NE", or a statistic of lesions.
    at : float
        Month or percent at which it is read; 0 where there is none.
    value : float
        A share between 0 and 1.
    n : float
        Patients behind it, discounted by relevance and quality.
    discrepancy : float
        What a model of this kind may be off by, in the same unit.
    fitted : bool
        Whether it is fitted to, or only compared with.
    rows : tuple of Mark
        Evidence rows it was made from.
    within : float
        What is asked of the fit: the published share counts as known to half of it at least.
    """

    target: str
    cohort: str
    what: str
    at: float
    value: float
    n: float
    discrepancy: float
    fitted: bool
    rows: tuple[Mark, ...]
    within: float = 1.0

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"{self.cohort} {self.what}" + (f" {self.at:g}" if self.at or self.what[0].islower() else "")

    def variance(self, patients: int) -> float:
        """Variance of published minus simulated, for a simulation of `patients`."""
        share = min(max(self.value, _EDGE), 1 - _EDGE)
        chance = share * (1 - share)
        return min(chance / self.n, (self.within / 2) ** 2) + chance / patients + self.discrepancy**2


class Seen(NamedTuple):
    """A simulated cohort as the readings need it."""

    trial: Trial
    table: pd.DataFrame
    protocol: Protocol
    outcomes: Outcomes
    cohort: Cohort
    seed: int
    replicate: int


def covariance(readings: Sequence[Reading]) -> np.ndarray:
    """Covariance of the errors of published numbers.

    Parameters
    ----------
    readings : sequence of Reading
        What was published.

    Returns
    -------
    (reading, reading) float array
        Of the patients that were followed, and on the diagonal what a model may be off by.

    Notes
    -----
    Numbers of one target are shares of the same patients, one inside the other: those alive at month 12 were
    alive at month 6, lesions smaller by half are smaller by a third, responders are under control. Two such
    shares p <= q of n patients have the covariance p (1 - q)/n; for a curve that is Greenwood's formula while
    nobody is censored, and says that its increments are independent, not its months. Where n differs the
    correlation is taken from it. Numbers of different targets count as independent.

    References
    ----------
    greenwood1926.

    Examples
    --------
    >>> one = Reading("os", "a", "OS", 6.0, 0.8, 100.0, 0.0, True, ())
    >>> two = Reading("os", "a", "OS", 12.0, 0.5, 100.0, 0.0, True, ())
    >>> covariance([one, two]).round(4)
    array([[0.0016, 0.001 ],
           [0.001 , 0.0025]])
    """
    share = np.clip([reading.value for reading in readings], _EDGE, 1 - _EDGE)
    error = np.sqrt(share * (1 - share) / [reading.n for reading in readings])
    odds, name = share / (1 - share), np.array([reading.target for reading in readings])
    alike = np.sqrt(np.minimum.outer(odds, odds) / np.maximum.outer(odds, odds))
    off = np.array([reading.discrepancy for reading in readings])
    return np.outer(error, error) * alike * (name[:, None] == name) + np.diag(off**2)


def read_targets(calibration: Calibration) -> dict[str, list[Reading]]:
    """Read the published numbers that a calibration names.

    Parameters
    ----------
    calibration : Calibration
        Its targets.

    Returns
    -------
    dict of str to list of Reading
        By cohort.

    Raises
    ------
    FitTargetError
        If nothing matches, or a row is fitted to whose use is not "calibrate".

    Examples
    --------
    >>> from twoarm.fit.card import read_calibration
    >>> readings = read_targets(read_calibration("oak_squamous"))
    >>> sorted(readings), readings["docetaxel"][0].what
    (['atezolizumab', 'docetaxel'], 'PFS')
    """
    found: dict[str, list[Reading]] = {name: [] for name in calibration.cohorts}
    for name, target in calibration.targets.items():
        found[target.cohort] += {"curve": _curve, "rates": _rates, "lesions": _lesions}[target.kind](
            name, target
        )
    return found


def simulated(readings: Sequence[Reading], seen: Seen) -> np.ndarray:
    """Read off a simulated cohort what was published of the real one.

    Parameters
    ----------
    readings : sequence of Reading
        Of this cohort.
    seen : Seen
        The cohort.

    Returns
    -------
    (reading,) float array
        Shares between 0 and 1.
    """
    wanted = {reading.what for reading in readings}
    curves = {what: _steps(seen.table, what) for what in wanted & {"PFS", "OS"}}
    best = seen.table["bor"].to_numpy(str)
    rates = _shares_of_best(best)
    lesions = lesion_changes(seen) if wanted - {"PFS", "OS", *rates} else {}
    values = []
    for reading in readings:
        if reading.what in curves:
            day, share = curves[reading.what]
            values.append(share[np.searchsorted(day, reading.at * _MONTH, side="right") - 1])
        elif reading.what in rates:
            values.append(rates[reading.what])
        else:
            values.append(float(np.mean(lesions[reading.what] <= reading.at + 1e-9)))
    return np.array(values, float)


def lesion_changes(seen: Seen) -> dict[str, np.ndarray]:
    """Give the changes of one target lesion a patient, chosen as the published series were.

    Parameters
    ----------
    seen : Seen
        A simulated cohort.

    Returns
    -------
    dict of str to (lesion,) float array
        "best_change", "first_change", "last_over_nadir" [%] and "readings"; of patients with three readings
        or more, baseline included. Early progressors are missing there as they are in the published series.

    References
    ----------
    laleh2022.
    """
    day, read = _readings(seen)
    enough = (~np.isnan(read)).sum(axis=1) >= _LEAST
    day, read = day[enough], read[enough]
    later = read[:, 1:]
    low = np.fmin.accumulate(read, axis=1)
    when = np.where(np.isnan(later), np.inf, day[:, 1:])
    first = when.argmin(axis=1)
    row = np.arange(len(read))
    at = when[row, first]
    soon = (at >= _FIRST[0]) & (at <= _FIRST[1])
    last = read.shape[1] - 1 - np.argmax(~np.isnan(read[:, ::-1]), axis=1)
    over = read[row, last] / np.maximum(low[row, last], 1e-9) - 1
    return {
        "best_change": 100 * (np.nanmin(later, axis=1) / read[:, 0] - 1),
        "first_change": 100 * (later[row, first] / read[:, 0] - 1)[soon],
        "last_over_nadir": 100 * over,
        "readings": (~np.isnan(read)).sum(axis=1).astype(float),
    }


def _readings(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Days of the scans and what was read of the first target lesion; NaN where nothing was."""
    trial, reader, rule = seen.trial, seen.outcomes.reader, seen.protocol.imaging
    labels, key = trial.patients.index.to_numpy(), {"seed": seen.seed, "replicate": seen.replicate}
    horizon = float(np.floor(seen.protocol.follow_up.horizon))
    plan = imaging.plan_visits(rule, reader, labels, last_day=horizon, **key)
    visits = plan.planned.size
    noise = imaging.draw_reader_error(reader, labels, visits, 5, seed=seen.seed, replicate=seen.replicate)
    weeks = trial.courses["day"].to_numpy()
    true = np.stack(
        [_between(trial.courses[f"diameter_{j}"].to_numpy(), weeks, plan.days) for j in range(1, 6)], axis=2
    )
    size = trial.patients[[f"diameter_baseline_{j}" for j in range(1, 6)]].to_numpy(float)
    growth = imaging.growth_before_treatment(trial.patients, 5)
    true[:, 0] = imaging.diameters_at_baseline(size, growth, plan.days[:, 0])
    present = true[:, :1] > 0
    read = np.full((labels.size, visits), np.nan)
    for visit in range(visits):
        mm = np.where(present[:, 0], np.nan_to_num(true[:, visit]), 0.0)
        seen_mm, small = imaging.read_diameters(
            mm, noise.proportional[:, visit], noise.additive[:, visit], reader
        )
        read[:, visit] = recist.small_lesion_rule(seen_mm, small)[:, 0]
    read[:, 0] = np.maximum(read[:, 0], reader.measurable_from)
    return plan.days, np.where(_scanned(seen, plan), read, np.nan)


def _between(course: np.ndarray, weeks: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Weekly courses between their weeks; NaN beyond a patient's end."""
    place = np.clip(np.searchsorted(weeks, days, side="right") - 1, 0, weeks.size - 2)
    row = np.arange(len(course))[:, None]
    share = (days - weeks[place]) / (weeks[place + 1] - weeks[place])
    before, after = course[row, place], course[row, place + 1]
    after = np.where(np.isnan(after), before, after)  # the last days of a patient lie within a week
    return before + share * (after - before)


def _scanned(seen: Seen, plan: imaging.VisitPlan) -> np.ndarray:
    """Which scans took place: up to progression, and beyond it by chance, while the patient is followed."""
    people = seen.trial.patients
    end = people["followed_until"].to_numpy(float)[:, None]
    progressed = people["progression_day"].to_numpy(float)[:, None]
    later = np.where(np.isnan(progressed), False, plan.days > progressed)
    draw = uniforms(
        seen.seed,
        "scan beyond progression",
        people.index.to_numpy(),
        plan.planned.size,
        replicate=seen.replicate,
    )
    stays = np.where(later, draw < seen.cohort.beyond_progression, True)
    return (plan.days <= end) & ~plan.missed & np.logical_and.accumulate(stays, axis=1)


def _steps(table: pd.DataFrame, endpoint: str) -> tuple[np.ndarray, np.ndarray]:
    """Days and shares of a Kaplan-Meier curve."""
    curve = product_limit(table[f"{endpoint}_day"], table[f"{endpoint}_event"]).survival_function_
    return curve.index.to_numpy(float), curve.iloc[:, 0].to_numpy()


def _shares_of_best(best: np.ndarray) -> dict[str, float]:
    """Response rates of all patients, and of those whose response could be judged."""
    response, stable, none = np.isin(best, ("CR", "PR")), best == "SD", best == "NE"
    judged = max(float(np.mean(~none)), 1e-9)
    orr, dcr = float(np.mean(response)), float(np.mean(response | stable))
    return {
        "ORR": orr,
        "DCR": dcr,
        "NE": float(np.mean(none)),
        "ORR_evaluable": orr / judged,
        "DCR_evaluable": dcr / judged,
    }


def _curve(name: str, target: Target) -> list[Reading]:
    """Survival at months."""
    rows = {float(row["month"]): (row, mark) for row, mark in _rows(name, target)}
    missing = [month for month in target.months if month not in rows]
    if missing:
        raise FitTargetError(target=name, reason=f"{target.evidence} has no month {missing[0]:g}")
    readings = []
    for month in target.months:
        row, mark = rows[month]
        readings.append(
            _reading(
                name, target, target.endpoint, month, float(row[target.endpoint]), float(row["n"]), (mark,)
            )
        )
    return readings


def _rates(name: str, target: Target) -> list[Reading]:
    """Percentages by id; with a row of endpoint NE among them, of those who could be judged."""
    rows = {row["id"]: (row, mark) for row, mark in _rows(name, target)}
    missing = [each for each in target.ids if each not in rows]
    if missing:
        raise FitTargetError(target=name, reason=f"{target.evidence} has no row {missing[0]}")
    chosen = [rows[each] for each in target.ids]
    apart = [(float(row["value"]) / 100, mark) for row, mark in chosen if row["endpoint"] == "NE"]
    readings = []
    for row, mark in chosen:
        if row["endpoint"] not in _RATES:
            said = f"{row['endpoint']} is not read off a simulated cohort, only {', '.join(_RATES)}"
            raise FitTargetError(target=name, reason=said)
        if row["endpoint"] == "NE":
            continue
        value, n, what = float(row["value"]) / 100, float(row["n"]), row["endpoint"]
        marks: tuple[Mark, ...] = (mark,)
        if apart:
            judged = 1 - apart[0][0]
            value, n, what, marks = value / judged, n * judged, f"{what}_evaluable", (mark, apart[0][1])
        readings.append(_reading(name, target, what, 0.0, value, n, marks))
    return readings


def _lesions(name: str, target: Target) -> list[Reading]:
    """Shares of lesions at or below a change."""
    rows = [(row, mark) for row, mark in _rows(name, target) if row["statistic"] == target.endpoint]
    if target.months:
        raise FitTargetError(
            target=name, reason="lesions are read at percents, given as `ids`, not at months"
        )
    wanted = {float(each) for each in target.ids}
    chosen = [(row, mark) for row, mark in rows if not wanted or float(row["at"]) in wanted]
    return [
        _reading(
            name, target, target.endpoint, float(row["at"]), float(row["value"]), float(row["n"]), (mark,)
        )
        for row, mark in chosen
    ]


def _reading(
    name: str, target: Target, what: str, at: float, value: float, n: float, rows: tuple[Mark, ...]
) -> Reading:
    weight = target.relevance * target.quality
    fitted = target.use == "fit"
    n = n * weight
    return Reading(name, target.cohort, what, at, value, n, target.discrepancy, fitted, rows, target.within)


def _rows(name: str, target: Target) -> list[tuple[dict[str, str], Mark]]:
    """Rows of the evidence that a target selects, each with its mark; only such as may be fitted to."""
    path = catalog.find("evidence", target.evidence)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if all(row.get(k) == v for k, v in target.select.items())]
    if not rows:
        raise FitTargetError(target=name, reason=f"no row of {path.name} is like {dict(target.select)}")
    allowed = (_FITTED,) if target.use == "fit" else (_FITTED, _CHECKED)
    found = []
    for row in rows:
        if target.kind == "rates" and row["id"] not in target.ids:
            continue
        if row["use"] not in allowed:
            raise FitTargetError(target=name, reason=f'a row of {path.name} has the use "{row["use"]}"')
        found.append((row, _mark(path.stem, row)))
    return found


def _mark(evidence: str, row: dict[str, str]) -> Mark:
    """Name a row of evidence together with the hash of all it says."""
    return Mark(evidence, row_name(row), row_digest(row))
