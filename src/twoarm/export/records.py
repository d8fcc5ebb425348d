"""What data sets are made of: the tables of one trial up to its cut, from a folder or from memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.errors import ExportDrawError, NotARunError
from twoarm.regimen import Regimen
from twoarm.study import compose
from twoarm.study import folder as files
from twoarm.trial.ledger import Trial
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.prescribe import Prescriptions, prescribe
from twoarm.trial.protocol import Protocol, read_protocol

_TEXTS = ("off_reason", "death_cause")


class Records(NamedTuple):
    """One trial, cut; some or all of its patients.

    Attributes
    ----------
    patients : DataFrame, index patient
        Columns of `twoarm.trial.cutoff.cut`, and covariates as drawn.
    scans, readings, doses, toxicity : DataFrame
        As in `twoarm.trial.ledger.Trial`, up to each patient's last day.
    courses : xarray.Dataset
        Weekly outputs, (patient, day).
    protocol : Protocol
        Arms, doses, factors.
    prescriptions : mapping of arm to regimens
        With the card's draw that was given.
    events : mapping
        Kinds of adverse events and their labels.
    opened : datetime.date
        When the trial opened.
    seed : int
        Of the trial; errors of assays are drawn with it.
    """

    patients: pd.DataFrame
    scans: pd.DataFrame
    readings: pd.DataFrame
    doses: pd.DataFrame
    toxicity: pd.DataFrame
    courses: xr.Dataset
    protocol: Protocol
    prescriptions: Prescriptions
    events: Mapping[str, str]
    opened: date
    seed: int


def read_records(folder: Path, draw: int | None, opened: date) -> Records:
    """Read one trial of a study's folder.

    Parameters
    ----------
    folder : Path
        Of a finished run.
    draw : int, optional
        Which draw of the cards; left out, the one the page shows.
    opened : datetime.date
        When the trial opened.

    Returns
    -------
    Records
        Of all patients.

    Raises
    ------
    NotARunError, ExportDrawError
        If the folder is not that of a finished run of this version, or has no such draw.
    """
    plan = files.read_record(folder / files.PLAN)
    if "study" not in plan:
        raise NotARunError(folder=folder, missing=f"study in its {files.PLAN}")
    place = compose.shown_trial(folder) if draw is None else folder / "draws" / f"draw-{draw:03d}"
    if not (place / files.RECORD).is_file():
        known = sorted(path.parent.name for path in (folder / "draws").glob(f"draw-???/{files.RECORD}"))
        raise ExportDrawError(folder=folder, draw=draw, known=known)
    protocol = read_protocol(plan["study"]["protocol"])
    table = files.read_table(place / files.OUTCOMES).set_index("patient")
    if "off_reason" not in table:
        raise NotARunError(folder=place, missing="why treatment ended (it was run by an older version)")
    table = table.fillna(dict.fromkeys(_TEXTS, ""))
    people = files.read_table(compose.population_of(folder, place)).set_index("patient")
    number = int(files.read_record(place / files.RECORD)["draw"])
    cards = {path.stem: files.read_table(path) for path in sorted((folder / "cards").glob("*.csv"))}
    draws = {name: _card(card, number) for name, card in cards.items()}
    with xr.open_dataset(place / files.COURSES, engine="h5netcdf") as found:
        courses = found.load()
    parts = (files.read_table(place / f"{name}.csv") for name in ("scans", "readings", "doses", "toxicity"))
    return gather(table, people, tuple(parts), courses, protocol, draws, opened, int(plan["seed"]))


def records_of(
    trial: Trial,
    table: pd.DataFrame,
    protocol: Protocol,
    *,
    draws: Mapping[str, Mapping[str, float]] | None = None,
    opened: date,
) -> Records:
    """Take one trial from memory.

    Parameters
    ----------
    trial : Trial
        From `run_trial`.
    table : DataFrame
        From `cut`.
    protocol : Protocol
        Of the trial.
    draws : mapping, optional
        Cards' draws that were given; left out, nominal values.
    opened : datetime.date
        When the trial opened.

    Returns
    -------
    Records
        Of all patients in the cut.
    """
    parts = (trial.visits, trial.readings, trial.exposures, trial.toxicity)
    seed = int(trial.provenance["seed"])
    return gather(table, trial.patients, parts, trial.courses, protocol, draws or {}, opened, seed)


def gather(
    table: pd.DataFrame,
    people: pd.DataFrame,
    parts: tuple[pd.DataFrame, ...],
    courses: xr.Dataset,
    protocol: Protocol,
    draws: Mapping[str, Mapping[str, float]],
    opened: date,
    seed: int,
) -> Records:
    """Put a trial's tables together and leave out what came after each patient's last day.

    Parameters
    ----------
    table, people : DataFrame, index patient
        The cut, and the patients as drawn.
    parts : DataFrames
        Scans, readings, doses and toxicity.
    courses : xarray.Dataset
        Weekly outputs.
    protocol : Protocol
        Of the trial.
    draws : mapping
        Cards' draws that were given.
    opened : datetime.date
        When the trial opened.
    seed : int
        Of the trial.

    Returns
    -------
    Records
        Of all patients in the cut.
    """
    extra = [name for name in people if name not in table]
    patients = table.join(people[extra])
    last = patients["last_day"]
    kept = [part[part["patient"].map(last).fillna(-np.inf) >= part["day"]] for part in parts]
    scans, readings, doses, toxicity = kept
    courses = courses.sel(patient=patients.index.to_numpy())
    until = xr.DataArray(last.to_numpy(float), dims="patient")
    kinds = read_outcomes(str(protocol.outcomes)).toxicity.kinds
    labels = {kind.name: kind.label for kind in kinds}
    prescriptions = prescribe(protocol, draws)
    courses = courses.where(courses["day"] <= until)
    return Records(
        patients, scans, readings, doses, toxicity, courses, protocol, prescriptions, labels, opened, seed
    )


def of_arm(records: Records, arm: str) -> Records:
    """Keep the patients of one arm.

    Parameters
    ----------
    records : Records
        Of a trial.
    arm : str
        Its name.

    Returns
    -------
    Records
        The same trial, fewer patients.
    """
    patients = records.patients[records.patients["arm"] == arm]
    tables = {
        name: getattr(records, name)[getattr(records, name)["patient"].isin(patients.index)]
        for name in ("scans", "readings", "doses", "toxicity")
    }
    courses = records.courses.sel(patient=patients.index.to_numpy())
    return records._replace(patients=patients, courses=courses, **tables)


def by_treatment(records: Records) -> list[tuple[int, Regimen, pd.DataFrame]]:
    """Split the doses by arm and treatment.

    Parameters
    ----------
    records : Records
        Of a trial.

    Returns
    -------
    list of (int, Regimen, DataFrame)
        Place of the treatment in its arm, what was given, and the rows of its doses.
    """
    found = []
    for (arm, place), rows in records.doses.groupby(["arm", "treatment"], sort=False):
        found.append((int(place), records.prescriptions[str(arm)][int(place)], rows.reset_index(drop=True)))
    return found


def _card(card: pd.DataFrame, draw: int) -> dict[str, float]:
    """One row of a table of cards, as the study took it."""
    row: Any = card.set_index(card.columns[0]).loc[draw]
    return {str(name): float(value) for name, value in row.items()}
