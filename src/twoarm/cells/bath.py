"""Cells in a bath of a molecule: every molecule, cell and dose is one patient of the receptor part alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from twoarm.cells.read import CellSet
from twoarm.engine import simulate
from twoarm.errors import QuantityRangeError
from twoarm.model import Model
from twoarm.model.sbml import read_model

OUTPUTS = ("pstat5", "signal", "occupancy", "bound")
_HOURS_A_DAY = 24.0


@cache
def bath_model() -> Model:
    """Read the receptor part in a bath, once."""
    return read_model("bath")


def bath_table(
    cells: CellSet,
    names: Sequence[str],
    molecules: Sequence[Mapping[str, float]],
    doses: ArrayLike,
    *,
    pd1_blocked: float = 0.0,
) -> pd.DataFrame:
    """Lay out the baths: a row for each molecule, cell and dose, doses fastest.

    Parameters
    ----------
    cells : CellSet
        The cells.
    names : sequence of str
        Which of them.
    molecules : sequence of mapping of str to float
        What `twoarm.molecule.model_parameters` gives for the slot "cell", one mapping a molecule.
    doses : (dose,) array [nM]
        What is around the cells.
    pd1_blocked : float
        Share of PD-1 that an earlier antibody holds and does not let go of.

    Returns
    -------
    DataFrame
        Parameters of the model `bath`, (molecule x cell x dose) rows.

    Raises
    ------
    QuantityRangeError
        If `pd1_blocked` is no share below 1.
    """
    if not 0 <= pd1_blocked < 1:
        raise QuantityRangeError(
            text=pd1_blocked, what="pd1_blocked", whose="", rule="a share, 0 or more and below 1"
        )
    dose = np.atleast_1d(np.asarray(doses, dtype=float))
    model = bath_model()
    shared = {name: cells.constants[name] for name in model.parameters if name in cells.constants}
    chosen = [cells.cells[name] for name in names]
    shape = (len(molecules), len(chosen), dose.size)
    columns = {name: np.full(shape, value) for name, value in shared.items()}
    for key, attribute in _CARRIED.items():
        columns[key] = np.broadcast_to(
            np.array([getattr(c, attribute) for c in chosen])[None, :, None], shape
        ).copy()
    for key in molecules[0]:
        columns[key] = np.broadcast_to(np.array([one[key] for one in molecules])[:, None, None], shape).copy()
    columns["drug_nM"] = np.broadcast_to(dose[None, None, :], shape).copy()
    held = pd1_blocked / (1 - pd1_blocked)
    still = {
        "il2_nM": 0.0,
        "dilution": 0.0,
        "earlier_kon": 1.0,
        "earlier_koff": 0.0,
        "earlier_nM": held * cells.constants["kint_pd1"],
    }
    columns |= {name: np.full(shape, value) for name, value in still.items()}
    return pd.DataFrame({name: column.ravel() for name, column in columns.items()})


_CARRIED = {
    "copies_pd1": "pd1",
    "copies_il2ra": "il2ra",
    "copies_il2rb": "il2rb",
    "copies_il2rg": "il2rg",
    "half_signal_here": "half_signal",
}


def bathe(
    table: pd.DataFrame, hours: ArrayLike, outputs: Sequence[str] = OUTPUTS, *, rtol: float = 1e-5
) -> dict[str, NDArray[np.float64]]:
    """Let the cells stand in their baths.

    Parameters
    ----------
    table : DataFrame
        As `bath_table` lays it out.
    hours : (hour,) array [h]
        When to look, rising.
    outputs : sequence of str
        What to look at.
    rtol : float
        Relative tolerance of the solver.

    Returns
    -------
    dict of str to (row, hour) float array
        By output.

    Examples
    --------
    >>> from twoarm.cells.read import read_cells
    >>> from twoarm.molecule import model_parameters, read_molecule
    >>> il2 = model_parameters(read_molecule("aldesleukin"), "cell")
    >>> table = bath_table(read_cells(), ["treg", "nk"], [il2], [0.01, 100.0])
    >>> (bathe(table, [1.0])["pstat5"][:, 0] > 0.1).tolist()
    [True, True, False, True]
    """
    days = np.atleast_1d(np.asarray(hours, dtype=float)) / _HOURS_A_DAY
    run = simulate(
        bath_model(), table, days=float(days[-1]), visits=days, outputs=list(outputs), rtol=rtol, atol=1e-9
    )
    return {name: run[name].to_numpy() for name in outputs}
