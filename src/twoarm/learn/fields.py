"""Each entry of a card before and after reports: by the draws' weights, and through an emulator of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm import chance
from twoarm.learn.emulator import emulate, predict
from twoarm.learn.looks import weights_of
from twoarm.molecule import Molecule, draw_cards

_SHUFFLES = 2000  # of the weights, for what chance alone would move
_MANY = 16_384  # draws of the card that an emulator is asked about
_ENDS = (0.05, 0.5, 0.95)
_DEEPEST = 20.0  # log likelihood below the best one: such a draw weighs nothing in any case


class Emulated(NamedTuple):
    """A card weighed through an emulator.

    Attributes
    ----------
    fields : DataFrame
        `field low middle high shift contraction`.
    explained : float
        Share of the log likelihood of draws left out one by one that the others predict.
    draws : int
        Draws of the card that were weighed.
    effective : float
        How many equally weighted ones would tell as much.
    """

    fields: pd.DataFrame
    explained: float
    draws: int
    effective: float


def fields_of(molecule: Molecule, cards: pd.DataFrame, weight: np.ndarray, seed: int) -> pd.DataFrame:
    """Lay each entry of the card before and after side by side.

    Parameters
    ----------
    molecule : Molecule
        Whose card.
    cards : DataFrame
        Its draws.
    weight : (draw,) float array
        Summing to 1.
    seed : int
        Of the shuffles.

    Returns
    -------
    DataFrame
        `field unit prior_low prior prior_high low middle high contraction shift chance`: 90 % before and
        after; one minus the ratio of variances; the move of the mean in prior standard deviations; the share
        of shuffled weights that move it as far.
    """
    shuffles = chance.generator(seed, "shuffled weights")
    orders = np.array([shuffles.permutation(len(weight)) for _ in range(_SHUFFLES)])
    even = np.full(len(weight), 1 / len(weight))
    rows = []
    for field, entry in molecule.entries().items():
        value = cards[field].to_numpy(float)
        on = np.log(value) if entry.scale == "log" else value
        spread = on.std() if entry.is_drawn else 0.0
        if spread == 0:
            continue
        shift, contraction = _moved(on, weight)
        by_chance = np.abs(weight[orders] @ on - on.mean()) / spread
        share = float(np.mean(by_chance >= abs(shift) - 1e-12))
        ends = [*quantiles(value, even), *quantiles(value, weight)]
        rows.append((field, entry.unit, *ends, contraction, shift, share))
    columns = ["field", "unit", "prior_low", "prior", "prior_high", "low", "middle", "high"]
    return pd.DataFrame(rows, columns=[*columns, "contraction", "shift", "chance"])


def emulated_fields(molecule: Molecule, cards: pd.DataFrame, logs: np.ndarray, seed: int) -> Emulated:
    """Weigh many more draws of the card by a smooth function of it through the log likelihoods.

    Parameters
    ----------
    molecule : Molecule
        Whose card.
    cards : DataFrame
        The draws that were simulated.
    logs : (draw,) float array
        Their log likelihoods, rough because few patients and one member of the population stand behind each.
    seed : int
        Of the emulator and the further draws.

    Returns
    -------
    Emulated
        What is a function of the card is kept; what is not is noise, and taken out.
    """
    drawn = [field for field, entry in molecule.entries().items() if entry.is_drawn]
    drawn = [field for field in drawn if cards[field].nunique() > 1]
    many = draw_cards(molecule, _MANY, int(chance.generator(seed, "emulated card").integers(2**31)))
    places = {
        name: np.column_stack([place_of(molecule, field, table[field].to_numpy(float)) for field in drawn])
        for name, table in (("few", cards), ("many", many))
    }
    held = np.maximum(logs, logs.max() - _DEEPEST)  # a median that was never reached has no likelihood
    emulator = emulate(places["few"], held, seed=seed)
    said = predict(emulator, places["many"])
    weight = weights_of(said)
    rows = []
    for field in drawn:
        value = many[field].to_numpy(float)
        on = np.log(value) if molecule.entries()[field].scale == "log" else value
        rows.append((field, *quantiles(value, weight), *_moved(on, weight)))
    columns = ["field", "low", "middle", "high", "shift", "contraction"]
    told = pd.DataFrame(rows, columns=columns)
    return Emulated(told, emulator.explained, _MANY, chance.effective_number(weight))


def place_of(molecule: Molecule, field: str, value: np.ndarray) -> np.ndarray:
    """Say where in its range a value lies, 0 to 1.

    Parameters
    ----------
    molecule : Molecule
        Whose card.
    field : str
        A drawn entry.
    value : (n,) float array
        In the entry's unit.

    Returns
    -------
    (n,) float array
        On the scale the entry is drawn on.
    """
    entry = molecule.entries()[field]
    if entry.choices:
        low, high = min(entry.choices), max(entry.choices)
        return np.asarray((value - low) / (high - low))
    assert entry.low is not None and entry.high is not None  # a drawn entry has a range
    if entry.scale == "log":
        return np.asarray(np.log(value / entry.low) / np.log(entry.high / entry.low))
    return np.asarray((value - entry.low) / (entry.high - entry.low))


def quantiles(values: np.ndarray, weight: np.ndarray) -> tuple[float, float, float]:
    """Take 5, 50 and 95 % of weighted values; infinite ones last.

    Parameters
    ----------
    values, weight : (n,) float arrays
        Weights sum to 1.

    Returns
    -------
    tuple of three floats
        In the unit of the values.
    """
    order = np.argsort(values)
    below = np.cumsum(weight[order]) - 0.5 * weight[order]
    places = np.searchsorted(below, _ENDS).clip(0, len(values) - 1)
    low, middle, high = (float(value) for value in values[order][places])
    return low, middle, high


def _moved(on: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Move of the mean in prior standard deviations, and one minus the ratio of variances."""
    mean = float(weight @ on)
    return (mean - on.mean()) / on.std(), 1 - float(weight @ (on - mean) ** 2) / on.std() ** 2
