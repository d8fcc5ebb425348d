"""The biology of one arm without what never moves on it: the same courses, in a fraction of the time."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.doses import DoseRows
from twoarm.engine.simulate import simulate
from twoarm.model import Model
from twoarm.model.still import leave_out_still
from twoarm.trial.outcomes import Outcomes
from twoarm.trial.prescribe import patient_table, prescribe
from twoarm.trial.protocol import Protocol

_OF_A_LESION = re.compile(r".*_[1-5]")  # a lesion that nobody here has, somebody else may have
_WORTH = 0.6  # share of the states that may be left: else compiling costs more than it saves
_MADE: dict[object, Model] = {}  # what was left out before: a model is compiled once


def lean_model(
    model: Model,
    patients: pd.DataFrame,
    protocol: Protocol,
    arm: str,
    outcomes: Outcomes,
    draws: Mapping[str, Mapping[str, float]] | None = None,
) -> Model:
    """Leave out of a model what never moves in patients of one arm.

    Parameters
    ----------
    model : Model
        The biology.
    patients : DataFrame
        The patients.
    protocol : Protocol
        With the arm.
    arm : str
        What all of them are given.
    outcomes : Outcomes
        Whose drivers are needed.
    draws : mapping of molecule to card values, optional
        Which member of a card's ensemble is given.

    Returns
    -------
    Model
        With the outputs of a trial. A parameter that is 0 in every patient is taken as 0, unless it is a
        lesion's. The whole model where little would be left out.
    """
    prescriptions = {arm: prescribe(protocol, draws)[arm]}
    table = patient_table(patients, np.full(len(patients), arm), prescriptions)
    moved = {regimen.target for regimen in prescriptions[arm]}
    outputs = ["sld", *(f"diameter_{j}" for j in range(1, 6)), *outcomes.drivers]
    return _without_still(model, table, moved, outputs)


def lean_untreated(model: Model, patients: pd.DataFrame, outputs: Iterable[str]) -> Model:
    """Leave out of a model what never moves in patients who are given nothing.

    Parameters
    ----------
    model : Model
        The biology.
    patients : DataFrame
        The patients.
    outputs : iterable of str
        What will be asked for.

    Returns
    -------
    Model
        As `lean_model` gives.
    """
    return _without_still(model, patients, (), outputs)


def _without_still(
    model: Model, table: pd.DataFrame, moved: Collection[str], outputs: Iterable[str]
) -> Model:
    numbers = {name: table[name].to_numpy(float) for name in table if name in model.parameters}
    fixed = {
        name: 0.0
        for name, values in numbers.items()
        if (values == 0).all() and not _OF_A_LESION.fullmatch(name)
    }
    key = (model.digest, tuple(sorted(fixed)), tuple(sorted(moved)), tuple(sorted(set(outputs))))
    if key not in _MADE:
        small = leave_out_still(model, numbers, n=len(table), moved=moved, fixed=fixed, outputs=key[-1])
        _MADE[key] = small if len(small.states) < _WORTH * len(model.states) else model
    return _MADE[key]


def advance_lean(rtol: float, small: Model) -> partial[xr.Dataset]:
    """Bind the simulator to a model from which parts were left out.

    Parameters
    ----------
    rtol : float
        Tolerance.
    small : Model
        From `lean_model`.

    Returns
    -------
    callable
        As `simulate`; columns of patients that the model no longer needs are not handed on.
    """
    return partial(_advance, rtol, needed_of(small))


def needed_of(model: Model) -> set[str]:
    """Name the parameters that a model's equations still read."""
    return {model.parameters[int(node.value)] for node in model.nodes if node.op == "parameter"}


def _advance(
    rtol: float, needed: set[str], model: Model, patients: pd.DataFrame, doses: Any = None, **how: Any
) -> xr.Dataset:
    """Simulate one window, without checking again what the trial itself has written."""
    own = patients[[name for name in patients if name in needed]]
    own.attrs = {}
    return simulate(model, own, None if doses is None else _rows(doses), workers=1, rtol=rtol, **how)


def _rows(doses: pd.DataFrame) -> DoseRows:
    """Single doses as the engine takes them."""
    amount = doses["amt"].to_numpy(float) * doses["bioavailability"].to_numpy(float)
    length = doses["dur"].to_numpy(float)
    rate = np.divide(amount, length, out=np.zeros_like(amount), where=length > 0)
    kind = np.where(rate > 0, "infusion", "bolus").astype(object)
    day, state = doses["time"].to_numpy(float), doses["cmt"].to_numpy(object)
    return DoseRows(doses["id"].to_numpy(), day, state, amount, rate, kind)
