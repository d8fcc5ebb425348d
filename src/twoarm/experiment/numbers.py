"""From readouts to a claim's number: in every draw, in every single patient, or in resampled patients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twoarm.chance import generator
from twoarm.experiment.claims import Claim
from twoarm.experiment.plan import Experiment, rung

_RESAMPLED = 400  # times the patients are drawn again where there is one card only
_QUANTILE = {"median": 0.5, "low": 0.05, "high": 0.95}

Parts = dict[str, dict[str, np.ndarray]]
"""Of each part, its amount and its readouts, each a (world, patient) array."""


def arrays_of(experiment: Experiment, values: pd.DataFrame) -> Parts:
    """Put readouts into arrays, a row a draw and a column a patient.

    Parameters
    ----------
    experiment : Experiment
        Which readouts there are.
    values : DataFrame
        A row a part, draw and patient, as `Courses.values`.

    Returns
    -------
    dict
        As `Parts`.
    """
    names = [name for name in ("amount", *experiment.readouts, *experiment.added()) if name in values]
    parts: Parts = {}
    for part, table in values.groupby("part", sort=False):
        rows = table.sort_values(["draw", "patient"])
        shape = (rows["draw"].nunique(), -1)
        parts[str(part)] = {name: rows[name].to_numpy(float).reshape(shape) for name in names}
    return parts


def effects(claim: Claim, experiment: Experiment, values: pd.DataFrame, *, seed: int) -> np.ndarray:
    """Work out a claim's number in every draw, or in every resample of the patients of a single card.

    Parameters
    ----------
    claim : Claim
        What is compared.
    experiment : Experiment
        Which ladders there are.
    values : DataFrame
        As `Courses.values`.
    seed : int
        Of the resampling.

    Returns
    -------
    (draw,) or (resample,) float array
        NaN where there is no such number.
    """
    parts = arrays_of(experiment, values)
    draws, patients = next(iter(parts.values()))["amount"].shape
    if draws == 1 and patients > 1:
        random = generator(seed, f"resample {claim.says}")
        picks = random.integers(patients, size=(_RESAMPLED, patients))
        parts = {
            part: {name: read[0][picks] for name, read in table.items()} for part, table in parts.items()
        }
    return number_of(claim, experiment, parts)


def each_alone(claim: Claim, experiment: Experiment, parts: Parts) -> np.ndarray:
    """Work out a claim's number in every single patient of every draw.

    Parameters
    ----------
    claim, experiment : Claim, Experiment
        What is compared.
    parts : Parts
        From `arrays_of`.

    Returns
    -------
    (draw * patient,) float array
        One draw after another; NaN where there is no such number.
    """
    alone = {
        part: {name: read.reshape(-1, 1) for name, read in table.items()} for part, table in parts.items()
    }
    return number_of(claim, experiment, alone)


def number_of(claim: Claim, experiment: Experiment, parts: Parts) -> np.ndarray:
    """Work out a claim's number in every world of these arrays.

    Parameters
    ----------
    claim, experiment : Claim, Experiment
        What is compared.
    parts : Parts
        Readouts, a row a world.

    Returns
    -------
    (world,) float array
        NaN where there is no such number.
    """
    number = _shape if claim.shape else _matched if claim.at_equal else _ratio
    return number(claim, experiment, parts)


def _read(claim: Claim, table: dict[str, np.ndarray], readout: str | None = None) -> np.ndarray:
    value = table[readout or claim.readout]
    return value / table["amount"] if claim.per_dose else value


def _ratio(claim: Claim, _experiment: Experiment, parts: Parts) -> np.ndarray:
    """Divide the number of a group by that of another, and by the ratio of a second pair."""
    steps: list[tuple[str, str | None, int]] = [(claim.group, None, 1)]
    if claim.against:
        steps.append((claim.against, claim.against_readout, -1))
    if claim.over:
        steps += [(claim.over[0], claim.over_readout, -1), (claim.over[1], claim.over_readout, 1)]
    number = np.ones((1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, readout, power in steps:
            values = _read(claim, parts[name], readout)
            if claim.statistic == "mean":
                values = _mean(values)
            elif claim.statistic != "paired":
                values = np.quantile(values, _QUANTILE[claim.statistic], axis=1, keepdims=True)
            number = number * values if power > 0 else number / values
    return _median(number)


def _median(values: np.ndarray) -> np.ndarray:
    """Median of those who have the number; a course that failed among drawn numbers has none."""
    known = ~np.isnan(values)
    return np.array(
        [np.median(row[own]) if own.any() else np.nan for row, own in zip(values, known, strict=True)]
    )


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of those who have the number."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
    return np.asarray(total / known.sum(axis=1, keepdims=True))


def _ladder(name: str, experiment: Experiment, parts: Parts) -> list[dict[str, np.ndarray]]:
    rungs = [parts[rung(name, dose)] for dose in experiment.groups[name].doses]
    return sorted(rungs or [parts[name]], key=lambda table: float(table["amount"].mean()))


def _shape(claim: Claim, experiment: Experiment, parts: Parts) -> np.ndarray:
    """Last over largest along a ladder, or its worst step; medians over patients."""
    heights = np.array(
        [np.median(_read(claim, table), axis=1) for table in _ladder(claim.group, experiment, parts)]
    )
    if claim.shape == "fall":
        return np.asarray(heights[-1] / heights.max(axis=0))
    return np.asarray(np.diff(heights, axis=0).min(axis=0) / np.abs(heights).max(axis=0))


def _matched(claim: Claim, experiment: Experiment, parts: Parts) -> np.ndarray:
    """Ratio of readouts at the dose where the other readout is equal; straight lines between doses."""
    assert claim.against is not None
    ladder = _ladder(claim.group, experiment, parts)
    other = parts[claim.against]
    activity = np.array([np.median(_read(claim, table, claim.at_equal), axis=1) for table in ladder])
    height = np.array([np.median(_read(claim, table), axis=1) for table in ladder])
    wanted = np.median(_read(claim, other, claim.at_equal), axis=1)
    against = np.median(_read(claim, other), axis=1)
    crossed = (activity[:-1] - wanted) * (activity[1:] - wanted) <= 0
    world, at = np.arange(len(wanted)), crossed.argmax(axis=0)
    low, high = activity[at, world], activity[at + 1, world]
    share = (wanted - low) / np.where(high == low, 1.0, high - low)
    between = height[at, world] + share * (height[at + 1, world] - height[at, world])
    return np.asarray(np.where(crossed.any(axis=0), between / against, np.nan))
