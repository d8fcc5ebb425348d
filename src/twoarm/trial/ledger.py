"""What a trial leaves behind: its tables, written when the last patient has been followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.trial import clinic, imaging

CURVES = (
    *("drug_central_nM", "drug_tumor_nM", "competitor_central_nM", "cytotoxic_central_nM"),
    *("occupancy_pd1_blood", "occupancy_pd1_tumor"),
    *("pstat5_precursor", "pstat5_effector", "pstat5_exhausted", "pstat5_bystander"),
    *("pstat5_treg", "pstat5_treg_tumor", "pstat5_nk"),
    *("cd8_blood", "nk_blood", "treg_blood", "eosinophils", "neutrophils", "effector_tumor"),
    *("il6", "ifng", "scd25", "leak", "activation_exposure", "pd1_block_exposure"),
)
"""Outputs that are kept as curves where the model has them."""

_TOXICITY = ["patient", "toxicity", "grade", "day"]
_EXPOSURES = ["patient", "arm", "treatment", "day", "level", "dose"]


class Trial(NamedTuple):
    """What a trial leaves behind; tables only, days since randomization, sizes in mm.

    Attributes
    ----------
    patients : DataFrame, index patient
        Covariates and parameters as drawn; `arm stratum block enrolled_on` (calendar day); and what happened:
        `death_day` (NaN: alive at the end), `death_cause` ("cancer", "other", ""), `lost_day` (NaN: not
        lost), `followed_until`, `progression_day` (recorded at a scan), `progressed_after` (the last scan
        without it, so that progression lies between), `progression_by` ("target", "new lesion", "non-target",
        ""), `true_progression_day` (weekly, by the true sizes and new lesions), `new_lesion_day`, `off_day`,
        `off_reason` ("" while treated), `crossed_on` (start of what is given after progression), `doses`,
        `next_therapy_day`, `worst_grade`, `status` ("complete" or
        how the integration failed).
    visits : DataFrame
        One row a scan planned before progression or the end: `patient visit day planned held total nadir
        target non_target new_lesion overall`; `overall` is "" at baseline.
    readings : DataFrame
        `patient visit day lesion diameter too_small`.
    exposures : DataFrame
        One row a single dose, each of a course too: `patient arm treatment day level dose`; level -1 is
        priming, 0 full.
    toxicity : DataFrame
        One row for each grade when first reached, all while on treatment or shortly after: `patient toxicity
        grade day`.
    courses : xarray.Dataset
        Weekly outputs of the biology, (patient, day); NaN beyond a patient's end.
    provenance : mapping
        `protocol outcomes arms factors stable_from confirm endpoint events` of the files, seed, replicate,
        number of windows, what the engine said about itself.
    """

    patients: pd.DataFrame
    visits: pd.DataFrame
    readings: pd.DataFrame
    exposures: pd.DataFrame
    toxicity: pd.DataFrame
    courses: xr.Dataset
    provenance: Mapping[str, Any]


def close(
    setup: clinic.Setup,
    state: clinic.State,
    enrolled: pd.DataFrame,
    patients: pd.DataFrame,
    courses: xr.Dataset,
    ended: Sequence[str],
    provenance: Mapping[str, Any],
) -> Trial:
    """Write the tables of a trial.

    Parameters
    ----------
    setup, state : Setup, State
        Of the clinic, when nobody is followed any more.
    enrolled : DataFrame, index patient
        `arm stratum block enrolled_on`.
    patients : DataFrame, index patient
        As drawn.
    courses : Dataset
        Weekly outputs.
    ended : sequence of str
        How each patient's simulation ended, "complete" or a sentence.
    provenance : mapping
        What ran.

    Returns
    -------
    Trial
        See its attributes.
    """
    exposures = _stacked(state.exposures, _EXPOSURES)
    toxicity = _stacked(state.toxicities, _TOXICITY)
    visits, held = _visits(setup, state)
    readings = imaging.readings_table(
        setup.labels,
        setup.plan.days,
        state.diameters,
        state.too_small,
        held & ~np.isnan(state.diameters[..., 0]),
    )
    until = np.minimum(state.now, state.death)
    state.sld[setup.weeks > until[:, None]] = np.nan
    courses = courses.where(courses["day"] <= xr.DataArray(until, dims="patient"))
    happened = _happened(setup, state).assign(status=list(ended))
    doses = exposures.groupby("patient").size().reindex(patients.index, fill_value=0)
    happened = happened.assign(doses=doses.to_numpy(int))
    table = pd.concat([patients, enrolled, happened.set_index(patients.index)], axis=1)
    table.index.name = "patient"
    table.attrs = dict(patients.attrs)
    return Trial(table, visits, readings, exposures, toxicity, courses, provenance)


def true_progression(sld: np.ndarray, weeks: np.ndarray, new_lesion: np.ndarray) -> np.ndarray:
    """Day on which the disease had truly progressed, seen or not.

    Parameters
    ----------
    sld : (patient, week) float array [mm]
        True sum of diameters; NaN beyond a patient's end.
    weeks : (week,) float array [day]
        Weekly.
    new_lesion : (patient,) float array [day]
        Day of the first new lesion; NaN for none.

    Returns
    -------
    (patient,) float array [day]
        First week with a sum 20 % and 5 mm above the lowest so far, or the new lesion if earlier; NaN for
        neither.

    References
    ----------
    eisenhauer2009, section 4.3.1, for the limits.
    """
    lowest = np.fmin.accumulate(sld, axis=1)
    grown = (sld >= 1.2 * lowest) & (sld >= lowest + 5)
    first = np.where(grown.any(axis=1), weeks[grown.argmax(axis=1)], np.nan)
    return np.asarray(np.fmin(first, new_lesion))


def _happened(setup: clinic.Setup, state: clinic.State) -> pd.DataFrame:
    """Say what became of each patient."""
    death = np.where(np.isinf(state.death), np.nan, state.death)
    other = setup.background <= death
    cause = np.select([np.isnan(death), other], ["", "other"], default="cancer")
    until = np.minimum(state.now, state.death)
    evaluable = np.isin(state.overall, ("CR", "PR", "SD"))
    before = np.where(evaluable, setup.plan.days, 0.0).max(axis=1)
    therapy = clinic.next_therapy(setup, state)
    return pd.DataFrame(
        {
            "death_day": death,
            "death_cause": cause,
            "lost_day": np.where(setup.lost <= until, setup.lost, np.nan),
            "followed_until": until,
            "progression_day": state.progression,
            "progressed_after": np.where(np.isnan(state.progression), np.nan, before),
            "progression_by": state.progression_by,
            "true_progression_day": true_progression(state.sld, setup.weeks, state.new_lesion),
            "new_lesion_day": state.new_lesion,
            "off_day": state.schedule.off_day,
            "off_reason": state.schedule.reason,
            "crossed_on": state.schedule.crossed,
            "next_therapy_day": np.where(therapy <= until, therapy, np.nan),
            "worst_grade": state.worst.max(axis=1),
        }
    )


def _visits(setup: clinic.Setup, state: clinic.State) -> tuple[pd.DataFrame, np.ndarray]:
    """One row a scan that came due, and which took place."""
    number = np.arange(setup.plan.planned.size)
    came_due = number < state.next_scan[:, None]
    held = came_due & ~setup.plan.missed
    row, visit = np.nonzero(came_due)
    pick = (row, visit)
    table = pd.DataFrame(
        {
            "patient": setup.labels[row],
            "visit": visit,
            "day": setup.plan.days[pick],
            "planned": setup.plan.planned[visit],
            "held": held[pick],
            "total": state.total[pick],
            "nadir": state.nadir[pick],
            "target": state.target[pick],
            "non_target": state.non_target[pick],
            "new_lesion": state.new_seen[pick],
            "overall": state.overall[pick],
        }
    )
    return table, held


def _stacked(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """One table of many small ones, sorted by patient and day."""
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
    table = pd.concat(tables, ignore_index=True)[columns]
    return table.sort_values(["patient", "day"], kind="stable", ignore_index=True)
