"""What the scans see: visits with windows, missed scans, reader error, new lesions, non-target disease.

Arrays and tables only. Every draw is keyed by (seed, patient, purpose), so both arms see the same reader.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gammaincinv

from twoarm.chance import normals, uniforms
from twoarm.trial.outcomes import NewLesions, NonTarget, Reader
from twoarm.trial.protocol import LONGEST_LEAD, Imaging
from twoarm.trial.survival import first_crossing, growth_rate


class VisitPlan(NamedTuple):
    """When each patient's scans take place, and which are missed."""

    planned: np.ndarray
    days: np.ndarray
    missed: np.ndarray


class ReaderError(NamedTuple):
    """Standard normal errors of the readers, drawn once for the whole trial."""

    proportional: np.ndarray
    additive: np.ndarray


def planned_days(imaging: Imaging, last_day: float) -> np.ndarray:
    """Days of the planned scans, baseline first.

    Parameters
    ----------
    imaging : Imaging
        Schedule of the protocol.
    last_day : float [day]
        No scan is planned after it.

    Returns
    -------
    (visit,) float array [day]
        0, then every `every` to `until`, then every `later_every`.
    """
    early = np.arange(0.0, min(imaging.until, last_day) + 1e-9, imaging.every)
    late = np.arange(early[-1] + imaging.later_every, last_day + 1e-9, imaging.later_every)
    return np.concatenate([early, late])


def plan_visits(
    imaging: Imaging, reader: Reader, patients: np.ndarray, *, seed: int, last_day: float, replicate: int = 0
) -> VisitPlan:
    """Days on which each patient is scanned.

    Parameters
    ----------
    imaging : Imaging
        Schedule and window of the protocol.
    reader : Reader
        Share of scans that are missed.
    patients : (n,) int array
        Patient labels.
    seed : int
        Seed of the trial.
    last_day : float [day]
        End of the schedule.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    VisitPlan
        `planned` (visit,) and `days` (patient, visit) [day], whole days within the window of the plan, visit
        0 on day 0 or as much before it as the protocol says; `missed` (patient, visit) bool, never at
        baseline.
    """
    planned = planned_days(imaging, last_day)
    spread = normals(seed, "scan day", patients, planned.size, replicate=replicate) * imaging.window / 2
    jitter = np.clip(np.rint(spread), -np.floor(imaging.window), np.floor(imaging.window))
    jitter[:, 0] = -_baseline_leads(imaging, patients, seed=seed, replicate=replicate)
    missed = uniforms(seed, "missed scan", patients, planned.size, replicate=replicate) < reader.missed
    missed[:, 0] = False
    return VisitPlan(planned, planned + jitter, missed)


def growth_before_treatment(patients: pd.DataFrame, lesions: int) -> np.ndarray:
    """Growth of the volume of each lesion before treatment.

    Parameters
    ----------
    patients : DataFrame
        `growth_1` and on [1/day], where the population draws them.
    lesions : int
        How many.

    Returns
    -------
    (patient, lesion) float array [1/day]
        0 where nothing is known of it.
    """
    none = np.zeros(len(patients))
    return np.column_stack([patients.get(f"growth_{j + 1}", none) for j in range(lesions)]).astype(float)


def diameters_at_baseline(diameters: np.ndarray, growth: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Diameters on the day of the baseline scan, from those of day 0.

    Parameters
    ----------
    diameters : (patient, lesion) float array [mm]
        On day 0.
    growth : (patient, lesion) float array [1/day]
        Of the volume, without treatment.
    day : (patient,) float array [day]
        Day of the scan, 0 or before it.

    Returns
    -------
    (patient, lesion) float array [mm]
        A volume that grows by e^(g t) has a diameter that grows by e^(g t / 3).

    Examples
    --------
    >>> diameters_at_baseline(np.array([[30.0]]), np.array([[0.03]]), np.array([-10.0])).round(2)
    array([[27.15]])
    """
    return np.asarray(diameters * np.exp(growth * day[:, None] / 3))


def draw_reader_error(
    reader: Reader,
    patients: np.ndarray,
    visits: int,
    lesions: int,
    *,
    seed: int,
    replicate: int = 0,
    by: str = "",
) -> ReaderError:
    """Errors of reading, a part of which stays with the lesion from scan to scan.

    Parameters
    ----------
    reader : Reader
        Share of the error's variance that lasts (same reader, same outline of the lesion).
    patients : (n,) int array
        Patient labels.
    visits, lesions : int
        How many of each.
    seed : int
        Seed of the trial.
    replicate : int
        Number of the repeated trial.
    by : str
        Who reads; "" is the investigator.

    Returns
    -------
    ReaderError
        `proportional` (patient, visit), common to the lesions of a scan, and `additive` (patient, visit,
        lesion), each of variance 1 and correlation `reader.lasting` between visits.
    """
    n = np.asarray(patients).size
    size = 1 + lesions
    fresh = normals(seed, f"reader, this scan{by}", patients, visits * size, replicate=replicate)
    fresh = fresh.reshape(n, visits, size)
    lasting = normals(seed, f"reader, every scan{by}", patients, size, replicate=replicate)[:, None]
    error = np.sqrt(1 - reader.lasting) * fresh + np.sqrt(reader.lasting) * lasting
    return ReaderError(error[..., 0], error[..., 1:])


def read_diameters(
    true: np.ndarray, proportional: np.ndarray, additive: np.ndarray, reader: Reader
) -> tuple[np.ndarray, np.ndarray]:
    """Write down what a reader sees of each lesion in one scan.

    Parameters
    ----------
    true : (patient, lesion) float array [mm]
        True diameters; 0 for a lesion that the patient does not have.
    proportional : (patient,) float array
        Standard normal error of this scan.
    additive : (patient, lesion) float array
        Standard normal errors of the lesions.
    reader : Reader
        Sizes of the errors, limits of sight, step of the ruler.

    Returns
    -------
    diameter : (patient, lesion) float array [mm]
        Whole steps of the ruler; 0 where the lesion can no longer be seen.
    too_small : (patient, lesion) bool array
        Seen, but below the size that can be measured.

    Notes
    -----
    The published error is one of the sum of diameters: sum (1 + p e1) + a e2. The proportional part is shared
    by the lesions of a scan; the additive part is a/sqrt(lesions) for each, so that the sum has the published
    error.

    References
    ----------
    chatterjee2017 for p and a; eisenhauer2009, section 4.3.2 for lesions too small to measure.
    """
    present = true > 0
    many = np.sqrt(np.maximum(present.sum(axis=1, keepdims=True), 1))
    read = true * (1 + reader.proportional * proportional[:, None]) + reader.additive * additive / many
    read = np.maximum(np.rint(read / reader.step) * reader.step, 0.0)
    visible = present & (true >= reader.visible_from)
    too_small = visible & (read < reader.measurable_from)
    return np.where(visible, read, 0.0), too_small


def new_lesion_days(
    sld: np.ndarray,
    days: np.ndarray,
    patients: np.ndarray,
    rule: NewLesions,
    *,
    seed: int,
    replicate: int = 0,
) -> np.ndarray:
    """Day from which a new lesion can be seen.

    Parameters
    ----------
    sld : (patient, week) float array [mm]
        True sum of diameters; NaN where not simulated.
    days : (week,) float array [day]
        Weekly, from 0.
    patients : (patient,) int array
        Patient labels.
    rule : NewLesions
        Hazard of the outcomes file.
    seed : int
        Seed of the trial.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    (patient,) float array [day]
        NaN where none has appeared yet.

    Notes
    -----
    h(t) = h0 (1 + a exp(-t/f)) (sld/s0)^b exp(c g), with g the recent growth rate (negative while the tumor
    shrinks). Lesions that were there before treatment and too small to be seen make the first weeks worse.
    """
    growth = growth_rate(sld, days, window=rule.growth_window, floor=rule.sld_floor)
    burden = np.maximum(sld, rule.sld_floor) / rule.sld_reference
    hazard = rule.hazard * burden**rule.burden_power * np.exp(rule.growth_effect * growth)
    hazard = hazard * (1 + rule.early * np.exp(-days / rule.early_fades))
    limit = -np.log(uniforms(seed, "new lesion", patients, replicate=replicate)[:, 0])
    return first_crossing(hazard, days, limit)


def non_target_limits(
    rule: NonTarget, patients: np.ndarray, *, seed: int, replicate: int = 0, by: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Who has non-target disease, and by how much it must grow to be called progression.

    Parameters
    ----------
    rule : NonTarget
        Share of patients with such disease; median and spread of the limit.
    patients : (n,) int array
        Patient labels.
    seed : int
        Seed of the trial.
    replicate : int
        Number of the repeated trial.
    by : str
        Whose limit; "" is the investigator's.

    Returns
    -------
    present : (n,) bool array
        Has non-target disease.
    limit : (n,) float array
        Sum over its nadir at which the reader calls unequivocal progression.

    Notes
    -----
    Readers differ in the growth that they ask for, by a factor: nobody calls progression what has not grown.
    """
    present = uniforms(seed, "non-target disease", patients, replicate=replicate)[:, 0] < rule.share
    z = normals(seed, f"non-target limit{by}", patients, replicate=replicate)[:, 0]
    return present, 1.0 + (rule.limit - 1.0) * np.exp(rule.limit_spread * z)


def read_non_target(
    sld: np.ndarray, nadir: np.ndarray, present: np.ndarray, limit: np.ndarray, rule: NonTarget
) -> np.ndarray:
    """Non-target response at one scan, for disease that follows the course of the targets.

    Parameters
    ----------
    sld, nadir : (patient,) float array [mm]
        True sum of diameters now, and its lowest so far.
    present, limit : (patient,) arrays
        From `non_target_limits`.
    rule : NonTarget
        Sum below which non-target disease has gone too.

    Returns
    -------
    (patient,) str array
        "CR", "NN", "PD"; "none" without non-target disease.
    """
    worse = sld >= limit * np.maximum(nadir, rule.gone_below)
    return np.select([~present, worse, sld < rule.gone_below], ["none", "PD", "CR"], default="NN")


def readings_table(
    patients: np.ndarray, days: np.ndarray, diameters: np.ndarray, too_small: np.ndarray, held: np.ndarray
) -> pd.DataFrame:
    """One row for each lesion read.

    Parameters
    ----------
    patients : (patient,) int array
        Labels.
    days : (patient, visit) float array [day]
        Days of the scans.
    diameters, too_small : (patient, visit, lesion) arrays
        What was read [mm]; NaN where nothing was.
    held : (patient, visit) bool array
        Whether the scan took place.

    Returns
    -------
    DataFrame
        `patient visit day lesion diameter too_small`; lesions numbered from 1, only those present at
        baseline.
    """
    exists = diameters[:, :1] > 0
    row, visit, lesion = np.nonzero(held[:, :, None] & exists & ~np.isnan(diameters))
    return pd.DataFrame(
        {
            "patient": patients[row],
            "visit": visit,
            "day": days[row, visit],
            "lesion": lesion + 1,
            "diameter": diameters[row, visit, lesion],
            "too_small": too_small[row, visit, lesion],
        }
    )


def _baseline_leads(imaging: Imaging, patients: np.ndarray, *, seed: int, replicate: int) -> np.ndarray:
    """Whole days from each patient's baseline scan to day 0, gamma-distributed."""
    mean, spread = imaging.baseline_lead, imaging.baseline_spread
    if mean == 0 or spread == 0:
        return np.full(np.size(patients), np.rint(mean))
    draw = uniforms(seed, "baseline scan", patients, replicate=replicate)[:, 0]
    lead = gammaincinv((mean / spread) ** 2, draw) * spread**2 / mean
    return np.minimum(np.rint(lead), LONGEST_LEAD)
