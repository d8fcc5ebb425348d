"""A NONMEM data set: doses and concentrations in one table, every column a number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from twoarm.export.adam import by_treatment
from twoarm.export.records import Records
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

_FRONT = ["ID", "TIME", "AMT", "RATE", "DV", "EVID", "MDV", "CMT", "TRT"]


def nonmem(records: Records) -> pd.DataFrame:
    """Make the doses and weekly concentrations as NONMEM reads them.

    Parameters
    ----------
    records : Records
        Of a trial, or of one arm.

    Returns
    -------
    DataFrame
        `ID` (patient + 1), `TIME` [day since randomization], `AMT` [nmol], `RATE` [nmol/day; 0 is a bolus],
        `DV` [nmol/L], `EVID`, `MDV`, `CMT` (as `compartments` numbers them), `TRT` (place of the arm) and
        covariates. Sorted by ID and TIME; a concentration at the time of a dose stands before it. NaN where
        nothing is said.

    Notes
    -----
    Concentrations are simulated, without assay error. One before the first dose, or after so long that it is
    0, is marked as missing (`MDV` 1), since it has no logarithm.
    """
    numbers = compartments(records).set_index("analyte")["CMT"]
    arms = {name: place + 1 for place, name in enumerate(records.protocol.arms)}
    parts = []
    for _, regimen, rows in by_treatment(records):
        number = int(numbers[regimen.molecule.name])
        parts += [_doses(records, regimen, rows, number), _readings(records, regimen, rows, number)]
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in _FRONT})
    table = pd.concat(parts, ignore_index=True)
    who = table["patient"].to_numpy()
    table["ID"], table["TRT"] = who + 1, records.patients["arm"].reindex(who).map(arms).to_numpy()
    known = {name: column for name, column in COVARIATES.items() if column in records.patients}
    for name, column in known.items():
        table[name] = records.patients[column].reindex(who).to_numpy(float)
    table = table.sort_values(["ID", "TIME", "EVID"], kind="stable", ignore_index=True)
    observed = table["EVID"] == 0
    table[["AMT", "RATE"]] = table[["AMT", "RATE"]].mask(observed)
    table["DV"] = table["DV"].where(observed)
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
        of the model that its doses go to.
    """
    rows: dict[str, str] = {}
    for regimens in records.prescriptions.values():
        for regimen in regimens:
            rows.setdefault(regimen.molecule.name, regimen.target)
    table = pd.DataFrame(list(rows.items()), columns=["analyte", "state"])
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
            "AMT": given["amt"],
            "RATE": rate,
            "DV": 0.0,
            "EVID": 1,
            "MDV": 1,
            "CMT": number,
        }
    )


def _readings(records: Records, regimen: Regimen, rows: pd.DataFrame, number: int) -> pd.DataFrame:
    course = f"{regimen.slot}_central_nM"
    columns = ["patient", "TIME", "AMT", "RATE", "DV", "EVID", "MDV", "CMT"]
    if course not in records.courses:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
    curve = records.courses[course].sel(patient=rows["patient"].unique()).to_pandas()
    long = curve.rename_axis(index="patient", columns="TIME").stack().rename("DV").reset_index()
    seen = long["DV"] > 0
    return long.assign(AMT=0.0, RATE=0.0, EVID=0, MDV=np.where(seen, 0, 1), CMT=number)[columns]
