"""What a simulated trial says of a rate or a median: draw by draw of the molecule's card."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.designate.posterior import Axis, exceeds, median_error, of_counts, of_median, of_one
from twoarm.errors import NoArmOfDrugError, NotARunError
from twoarm.molecule import Molecule, read_molecule
from twoarm.study import folder as files
from twoarm.study.card import Study
from twoarm.study.compose import quantity_of
from twoarm.trial.protocol import Protocol, read_protocol


class Simulated(NamedTuple):
    """What the draws of a card say, each worth the same."""

    drug: np.ndarray  # (draw, grid) densities of the drug's arm
    control: np.ndarray | None  # likewise of the other arm; None where there is one arm only
    control_label: str
    patients: int  # in the drug's arm


def read_simulated(folder: str | Path, axis: Axis, drug: str, endpoint: str) -> Simulated:
    """Read the endpoint of a finished run, draw by draw.

    Parameters
    ----------
    folder : str or Path
        Of `run_study`.
    axis : Axis
        Where densities live.
    drug : str
        Molecule whose arm is asked about.
    endpoint : str
        As facts name it: "ORR", "mPFS".

    Returns
    -------
    Simulated
        A density for each draw: what its patients, as many as were simulated, say of the draw's own rate or
        median.

    Raises
    ------
    NotARunError
        If the folder holds no finished trial.
    NoArmOfDrugError
        If no arm is given the drug.
    """
    place = Path(folder)
    plan = files.read_record(place / files.PLAN)
    if "study" not in plan:
        raise NotARunError(folder=place, missing=f"study in its {files.PLAN}")
    protocol = read_protocol(Study.model_validate(plan["study"]).protocol)
    arm, others = _arms(place, protocol, drug)
    trials = sorted(path.parent for path in (place / "draws").glob(f"*/{files.RECORD}"))
    tables = [files.read_table(trial / "measures.csv") for trial in trials if "chance" not in trial.name]
    if not tables:
        raise NotARunError(folder=place, missing="finished trial")
    measures = pd.concat(tables, ignore_index=True)
    measures = measures[measures["quantity"] == quantity_of(endpoint)].sort_values("draw")
    own = measures[measures["arm"] == arm]
    if own.empty:
        raise NotARunError(folder=place, missing=f"measure {quantity_of(endpoint)}")
    control = measures[measures["arm"] == others[0]] if others else None
    return Simulated(
        drug=_densities(axis, own),
        control=None if control is None else _densities(axis, control),
        control_label=protocol.arms[others[0]].label if others else "",
        patients=int(own["n"].iloc[0]),
    )


def mean_exceeds(axis: Axis, drug: np.ndarray, therapy: np.ndarray, *, points: float, ratio: float) -> float:
    """Average over draws of the probability that the drug lies above the therapy.

    Parameters
    ----------
    axis : Axis
        Where densities live.
    drug : (draw, grid) float array
        One density a draw.
    therapy : (draw, grid) or (grid,) float array
        Of the same draw, or the same for all.
    points, ratio : float
        As `exceeds`.

    Returns
    -------
    float
        The probability.
    """
    beside = np.broadcast_to(therapy, drug.shape)
    found = [
        exceeds(axis, new, old, points=points, ratio=ratio) for new, old in zip(drug, beside, strict=True)
    ]
    return float(np.mean(found))


def _arms(folder: Path, protocol: Protocol, drug: str) -> tuple[str, list[str]]:
    """Name the drug's arm, and the others."""
    given = {name: {_name(part.molecule) for part in arm.treatments} for name, arm in protocol.arms.items()}
    own = [name for name, molecules in given.items() if drug in molecules]
    if not own:
        raise NoArmOfDrugError(folder=folder, drug=drug, arms=list(protocol.arms))
    return own[0], [name for name in protocol.arms if name not in own]


def _name(molecule: object) -> str:
    return molecule.name if isinstance(molecule, Molecule) else read_molecule(str(molecule)).name


def _densities(axis: Axis, rows: pd.DataFrame) -> np.ndarray:
    found = []
    for row in rows.to_dict("records"):
        if axis.kind == "rate":
            found.append(of_one(axis, of_counts(axis, row["events"], row["n"])))
        elif np.isfinite(row["value"]):
            error, _ = median_error(row["value"], row["low"], row["high"], row["n"])
            found.append(of_one(axis, of_median(axis, row["value"], error)))
    return np.array(found)
