"""From the protocol's words to the engine's numbers: parameters of the molecules and rows of single doses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from twoarm.molecule import Molecule, read_molecule
from twoarm.regimen import Regimen, combine
from twoarm.trial.courses import Singles
from twoarm.trial.dosing import dose_words
from twoarm.trial.protocol import Protocol, Treatment

Prescriptions = Mapping[str, tuple[Regimen, ...]]
"""The regimens of each arm, in the order of its treatments."""


def prescribe(protocol: Protocol, draws: Mapping[str, Mapping[str, float]] | None = None) -> Prescriptions:
    """Resolve the molecules of every arm.

    Parameters
    ----------
    protocol : Protocol
        Its arms name molecules of the library, or hold them.
    draws : mapping of molecule name to row of `twoarm.molecule.draw_cards`, optional
        Which member of an ensemble to give; left out, nominal values.

    Returns
    -------
    mapping of arm to tuple of Regimen
        One for each treatment.

    Raises
    ------
    SlotTakenError
        If two treatments of an arm fill the same slot of the model.
    """
    return {
        name: combine(*(_regimen(part, draws or {}) for part in arm.treatments))
        for name, arm in protocol.arms.items()
    }


def patient_table(patients: pd.DataFrame, arm_of: np.ndarray, prescriptions: Prescriptions) -> pd.DataFrame:
    """Join the patients with the parameters of what their arm is given.

    Parameters
    ----------
    patients : DataFrame, index patient
        Own values come first: they are never overwritten.
    arm_of : (patient,) str array
        Arm of each patient.
    prescriptions : mapping
        From `prescribe`.

    Returns
    -------
    DataFrame
        As `patients`; NaN ("not given") in the parameters of other arms' molecules.
    """
    added = []
    for arm, regimens in prescriptions.items():
        members = patients[arm_of == arm]
        added.append(pd.concat([regimen.parameters(members) for regimen in regimens], axis=1))
    given = pd.concat(added).reindex(patients.index)
    own = patients.columns.intersection(given.columns)
    table = pd.concat([patients, given.drop(columns=own)], axis=1)
    table[own] = patients[own].where(patients[own].notna(), given[own])
    table.attrs = dict(patients.attrs)
    return table


def dose_table(
    patients: pd.DataFrame,
    arm_of: np.ndarray,
    given: Singles,
    protocol: Protocol,
    prescriptions: Prescriptions,
) -> pd.DataFrame | None:
    """Rows of single doses.

    Parameters
    ----------
    patients : DataFrame, index patient
        With the sizes that doses are counted by.
    arm_of : (patient,) str array
        Arm of each patient.
    given : Singles
        From `twoarm.trial.courses`.
    protocol, prescriptions : Protocol, mapping
        The words, and what they mean.

    Returns
    -------
    DataFrame or None
        Columns of `twoarm.doses`; None where nobody is given anything.
    """
    tables = []
    for arm, regimens in prescriptions.items():
        for place, regimen in enumerate(regimens):
            mine = given.only((arm_of[given.row] == arm) & (given.treatment == place))
            for level in np.unique(mine.level):
                of_level = mine.only(mine.level == level)
                words = dose_words(protocol.arms[arm].treatments[place], int(level))
                tables.append(regimen.dose_row(patients.iloc[of_level.row], of_level.day, words))
    return pd.concat(tables, ignore_index=True) if tables else None


def still_running(doses: pd.DataFrame | None, end: pd.Series) -> pd.DataFrame | None:
    """Pick the infusions that a window's end cuts, for the next window to go on with.

    Parameters
    ----------
    doses : DataFrame or None
        Rows of the window, from `dose_table`.
    end : Series of float [day], index patient
        Its end.

    Returns
    -------
    DataFrame or None
        Some of the rows; None where there are none.
    """
    if doses is None:
        return None
    cut = doses[doses["time"] + doses["dur"] > doses["id"].map(end)]
    return cut if len(cut) else None


def _regimen(part: Treatment, draws: Mapping[str, Mapping[str, float]]) -> Regimen:
    """One treatment as a regimen, for its single doses and its parameters."""
    molecule = part.molecule if isinstance(part.molecule, Molecule) else read_molecule(part.molecule)
    draw = draws.get(molecule.name, part.draw)
    return Regimen(
        molecule, part.dose, f"{part.every} days", infusion=part.infusion, slot=part.slot, draw=draw
    )
