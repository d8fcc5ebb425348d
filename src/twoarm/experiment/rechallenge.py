"""A second inoculation: who was cured, what of their T cells is left, and whether the new tumor takes.

The equations stay as they are. The end of the first course is the start of a second one, in which the place
of the first tumor holds new tumor cells and nothing else, and the tumor-specific cells that outlived the
first tumor are counted to the pool from which a tumor draws. Naive animals get the same cells on day 0.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.engine.simulate import simulate
from twoarm.errors import NotInModelError
from twoarm.experiment.animals import Rechallenge
from twoarm.experiment.cohort import Treated
from twoarm.model import Model

_ENDED = ["final_state", "final_day", "status"]


def outputs_for(rechallenge: Rechallenge) -> list[str]:
    """List the outputs of the first course that a second inoculation needs."""
    return [rechallenge.cured_output, rechallenge.memory_into, *rechallenge.memory_from]


def rechallenged(
    rechallenge: Rechallenge,
    model: Model,
    treated: Treated,
    run: xr.Dataset,
    out: np.ndarray,
    *,
    backend: Literal["auto", "cpu", "reference"] = "auto",
    lenient: bool = False,
) -> pd.DataFrame:
    """Inoculate the cured again, with and without their memory, and the same animals while naive.

    Parameters
    ----------
    rechallenge : Rechallenge
        When, with what, and what is cured and taken.
    model : Model
        The equations.
    treated : Treated
        Everybody of the part.
    run : Dataset
        Their first courses, to the day of the second inoculation.
    out : (course,) bool array
        Who was taken out before.
    backend : {"auto", "cpu", "reference"}
        As of `simulate`.
    lenient : bool
        Whether a course that fails is left out, and does not end the experiment.

    Returns
    -------
    DataFrame
        A row a course: `cured` (0 or 1), `memory` (multiple of a naive animal's), and `take`,
        `take_forgetful`, `take_naive` (0 or 1; NaN for who was not cured).

    Raises
    ------
    NotInModelError
        If a state or parameter is none of the model's.
    TwoarmError
        As `simulate`.

    Notes
    -----
    memory = pool + (survivors of the first tumor)/(cells of one naive pool). What is left of drug acts on.
    """
    _check(rechallenge, model)
    cured = (run[rechallenge.cured_output].to_numpy()[:, -1] < rechallenge.cured_below) & ~out
    survivors = sum(run[name].to_numpy()[:, -1] for name in rechallenge.memory_from)
    per = np.prod([_parameter(model, treated.table, name) for name in rechallenge.memory_per], axis=0)
    memory = run[rechallenge.memory_into].to_numpy()[:, -1] + survivors / per
    table = pd.DataFrame({"cured": cured.astype(float), "memory": np.where(cured, memory, np.nan)})
    takes = ["take", "take_forgetful", "take_naive"]
    table[takes] = np.nan
    if not cured.any():
        return table
    own = treated.table[cured]
    own.attrs = treated.table.attrs
    doses = None if treated.doses is None else treated.doses[treated.doses["id"].isin(own.index)]
    ended = run[_ENDED].sel(patient=own.index.to_numpy())
    naive = simulate(model, own, days=0.0, visits=[0.0], outputs=[rechallenge.take_output], backend=backend)
    for name, start, pool, given in (
        ("take", ended, memory[cured], doses),
        ("take_forgetful", ended, 1.0, doses),
        ("take_naive", naive[_ENDED], 1.0, None),
    ):
        table.loc[cured, name] = _takes(rechallenge, model, own, given, start, pool, backend, lenient)
    return table


def _check(rechallenge: Rechallenge, model: Model) -> None:
    """Refuse what the model does not have."""
    states = [*rechallenge.inoculum, *rechallenge.emptied, rechallenge.memory_into]
    for what, named, known in (
        ("state", states, model.states),
        ("parameter", rechallenge.memory_per, model.parameters),
    ):
        for name in named:
            if name not in known:
                raise NotInModelError(name=name, what=what, model=model.name, known=known)


def _takes(
    rechallenge: Rechallenge,
    model: Model,
    table: pd.DataFrame,
    doses: pd.DataFrame | None,
    start: xr.Dataset,
    pool: np.ndarray | float,
    backend: Literal["auto", "cpu", "reference"],
    lenient: bool,
) -> np.ndarray:
    """Put new tumor cells into the place of the old, and see whether they grow."""
    start = start.copy(deep=True)
    place = {str(name): number for number, name in enumerate(start["state"].to_numpy())}
    state = start["final_state"].to_numpy()
    state[:, [place[name] for name in rechallenge.emptied]] = 0.0
    for name, count in rechallenge.inoculum.items():
        state[:, place[name]] = count
    state[:, place[rechallenge.memory_into]] = pool
    start["final_state"] = (("patient", "state"), state)
    end = float(start["final_day"].to_numpy().max()) + rechallenge.watch
    run = simulate(
        model,
        table,
        doses,
        days=end,
        visits=[end],
        outputs=[rechallenge.take_output],
        initial=start,
        backend=backend,
        failed="mask" if lenient else "raise",
    )
    size = run[rechallenge.take_output].to_numpy()[:, -1]
    return np.where(np.isfinite(size), size >= rechallenge.take_above, np.nan)


def _parameter(model: Model, table: pd.DataFrame, name: str) -> np.ndarray:
    """Each patient's value of a parameter: their own, or the model's."""
    if name in table:
        return table[name].to_numpy(float)
    return np.full(len(table), model.values[model.parameters.index(name)], dtype=float)
