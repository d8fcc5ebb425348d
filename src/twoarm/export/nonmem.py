"""A NONMEM data set: doses and concentrations in one table, every column a number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from twoarm.export.records import Records, by_treatment
from twoarm.export.samples import read_sampling, samples
from twoarm.regimen import Regimen

COVARIATES: Mapping[str, str] = {
    "WT": "weight",
    "BSA": "body_surface",
    "ALB": "albumin",
    "AGE": "age",
    "SEXF": "female",
    "ECOG": "ecog",
}
"""Names of covariates in the data set, and of the patients' columns; those the patients lack are left out."""

_FRONT = ["ID", "TIME", "TAD", "AMT", "RATE", "DV", "EVID", "MDV", "BLQ", "LLOQ", "CMT", "TRT"]


def nonmem(records: Records) -> pd.DataFrame:
    """Make the doses and measured concentrations as NONMEM reads them.

    Parameters
    ----------
    records : Records
        Of a trial, or of one arm.

    Returns
    -------
    DataFrame
        `ID` (patient + 1), `TIME` [day since randomization], `TAD` (since the last dose of the analyte),
        `AMT` [nmol], `RATE` [nmol/day; 0 is a bolus], `DV` [nmol/L], `EVID`, `MDV`, `BLQ`, `LLOQ` [nmol/L],
        `CMT` (as `compartments` numbers them), `TRT` (place of the arm) and covariates. Sorted by ID and
        TIME; a concentration at the time of a dose stands before it. NaN where nothing is said.

    Notes
    -----
    Samples are those of ADPC. One below the limit of quantification has `BLQ` 1, the limit as `DV`, and `MDV`
    1, so that it is left out unless asked for (Beal's first method; for his third, drop `MDV` and use `BLQ`).
    The sample before the first dose has `MDV` 1. Every dose has a row of its own, since days and sizes are
    each patient's: there is no `ADDL` and no `II`.

    References
    ----------
    beal2001.
    """
    numbers = compartments(records).set_index(["analyte", "state"])["CMT"]
    arms = {name: place + 1 for place, name in enumerate(records.protocol.arms)}
    parts = [
        _doses(records, regimen, rows, int(numbers[regimen.molecule.name, regimen.target]))
        for _, regimen, rows in by_treatment(records)
    ]
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in _FRONT})
    table = pd.concat([*parts, _readings(records, numbers)], ignore_index=True)
    who = table["patient"].to_numpy()
    table["ID"], table["TRT"] = who + 1, records.patients["arm"].reindex(who).map(arms).to_numpy()
    known = {name: column for name, column in COVARIATES.items() if column in records.patients}
    for name, column in known.items():
        table[name] = records.patients[column].reindex(who).to_numpy(float)
    table = table.sort_values(["ID", "TIME", "EVID"], kind="stable", ignore_index=True)
    return table[[*_FRONT, *known]]


def compartments(records: Records) -> pd.DataFrame:
    """List the compartments of the data set.

    Parameters
    ----------
    records : Records
        Of a trial.

    Returns
    -------
    DataFrame
        `CMT analyte state`: numbers from 1 in the order of arms and treatments, the molecule, and the state
        of the model that its doses go to, or that is measured.
    """
    rows: dict[tuple[str, str], None] = {}
    for regimens in records.prescriptions.values():
        for regimen in regimens:
            for state in (regimen.target, f"{regimen.slot}_central"):
                rows[regimen.molecule.name, state] = None
    table = pd.DataFrame(list(rows), columns=["analyte", "state"])
    table.insert(0, "CMT", np.arange(1, len(table) + 1))
    return table


def _doses(records: Records, regimen: Regimen, rows: pd.DataFrame, number: int) -> pd.DataFrame:
    people = records.patients.loc[rows["patient"]]
    parts = []
    for words in rows["dose"].unique():
        here = (rows["dose"] == words).to_numpy()
        parts.append(regimen.dose_row(people[here], rows["day"].to_numpy(float)[here], words))
    given = pd.concat(parts, ignore_index=True)
    rate = np.divide(given["amt"], given["dur"], out=np.zeros(len(given)), where=given["dur"] > 0)
    return pd.DataFrame(
        {
            "patient": given["id"],
            "TIME": given["time"],
            "TAD": 0.0,
            "AMT": given["amt"],
            "RATE": rate,
            "DV": np.nan,
            "EVID": 1,
            "MDV": 1,
            "BLQ": 0,
            "LLOQ": np.nan,
            "CMT": number,
        }
    )


def _readings(records: Records, numbers: pd.Series) -> pd.DataFrame:
    seen = samples(records, read_sampling())
    below, before = seen["below"].astype(bool), seen["last"].isna()
    measured = [(name, f"{slot}_central") for name, slot in zip(seen["molecule"], seen["slot"], strict=True)]
    return pd.DataFrame(
        {
            "patient": seen["patient"].astype(int),
            "TIME": seen["day"],
            "TAD": seen["day"] - seen["last"],
            "AMT": np.nan,
            "RATE": np.nan,
            "DV": seen["limit"].where(below, seen["value"]),
            "EVID": 0,
            "MDV": (below | before).astype(int),
            "BLQ": below.astype(int),
            "LLOQ": seen["limit"],
            "CMT": [int(numbers[place]) for place in measured],
        }
    )
