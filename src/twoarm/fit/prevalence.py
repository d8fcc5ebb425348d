"""Prevalence weights: how common each virtual patient has to be for a cohort to look as published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linprog, minimize

from twoarm.chance import effective_number
from twoarm.errors import OutOfReachError, WeightTableError
from twoarm.fit.targets import Reading

_MONTH = 365.25 / 12
_PASSES = 30  # of curves with censored patients, until they stay
_SAME = 1e-6
_COUNTED = 0.5  # of the patients that a target counts at equal weights
_SLACK = 1e-7  # of a share
_MET = 1e-4  # a miss by less is the end of a search, not a target out of reach
ASKED = {
    "PFS": (0.05, "PFS at every month"),
    "OS": (0.05, "OS at every month"),
    "ORR_evaluable": (0.03, "objective response"),
    "ORR": (0.03, "objective response"),
    "best_change": (0.10, "distribution of best change"),
}  # what is asked of a fitted arm, a share, and its name
_NEEDED = ("arm", "what", "at", "value", "tolerance")


class Prevalence(NamedTuple):
    """Weights of virtual patients, and what they make of a cohort.

    Attributes
    ----------
    weights : Series, index patient
        They sum to 1.
    effective : float
        Number of equally weighted patients that would say as much: 1 over the sum of squares.
    targets : DataFrame
        As asked, with `before` (all patients alike) and `after`.
    """

    weights: pd.Series
    effective: float
    targets: pd.DataFrame


def weigh_patients(table: pd.DataFrame, targets: pd.DataFrame) -> Prevalence:
    """Weigh virtual patients so that the cohort meets target marginals, and as evenly as that allows.

    Parameters
    ----------
    table : DataFrame
        One row for each patient and arm: `patient arm`, `PFS_day PFS_event` (and the like) for curves, and
        numbers. A patient followed in both arms has one weight.
    targets : DataFrame
        `arm what at value tolerance`, shares. `what` with a day and an event in the table is a curve, read
        at month `at`; another column gives the share of its numbers at or below `at`, or its mean where `at`
        is missing. Where a column is NaN a patient is not counted.

    Returns
    -------
    Prevalence
        Weights of least relative entropy to equal ones among all that meet the targets.

    Raises
    ------
    WeightTableError
        If a column is missing.
    OutOfReachError
        If no weights meet the targets.

    Notes
    -----
    Maximum entropy: weights are exp(-f l) up to a factor, f what each patient adds to each target, l found
    as the minimum of a convex function. Where it has none, a linear program says how near weights can come. A
    patient censored before month m counts with the share of the others who go on to m (the Kaplan-Meier
    estimate is the one that agrees with itself in this way), found again with the new weights until nothing
    moves.

    References
    ----------
    jaynes1957 (maximum entropy), allen2016, rieger2018 (prevalence weights), efron1967 (self-consistency).

    Examples
    --------
    >>> table = pd.DataFrame({"patient": range(4), "arm": "a", "response": [1.0, 0, 0, 0]})
    >>> asked = {"arm": "a", "what": "response", "at": np.nan, "value": 0.5, "tolerance": 0.0}
    >>> found = weigh_patients(table, pd.DataFrame([asked]))
    >>> found.weights.round(3).tolist(), round(found.effective, 2)
    ([0.5, 0.167, 0.167, 0.167], 3.0)
    """
    _checked(table, targets)
    patients = pd.Index(sorted(table["patient"].unique()), name="patient")
    weights = np.full(len(patients), 1.0 / len(patients))
    asked = targets[list(_NEEDED)].reset_index(drop=True)
    if asked.empty:
        return Prevalence(
            pd.Series(weights, patients), float(len(patients)), asked.assign(before=[], after=[])
        )
    before = _shares(table, asked, patients, weights)[1]
    for _ in range(_PASSES):
        features, _ = _shares(table, asked, patients, weights)
        new = _tilted(features, asked)
        moved, weights = float(np.abs(new - weights).sum()), new
        if moved < _SAME:
            break
    after = _shares(table, asked, patients, weights)[1]
    told = asked.assign(before=before, after=after)
    return Prevalence(pd.Series(weights, patients), effective_number(weights), told)


def demands_of(readings: Sequence[Reading]) -> pd.DataFrame:
    """Say what is asked of a fit, as targets of `weigh_patients`.

    Parameters
    ----------
    readings : sequence of Reading
        Published numbers.

    Returns
    -------
    DataFrame
        `arm what at value tolerance cohort demand`: one row for each fitted reading that something is asked
        of; members take the place of patients, `arm` is "members", `what` the place of the reading.
    """
    rows = [
        ("members", str(place), np.nan, reading.value, *ASKED[reading.what], reading.cohort)
        for place, reading in enumerate(readings)
        if reading.fitted and reading.what in ASKED
    ]
    return pd.DataFrame(rows, columns=[*_NEEDED, "demand", "cohort"])


def members_as_patients(simulated: np.ndarray) -> pd.DataFrame:
    """Lay out members that could be simulated, as a table for `weigh_patients`.

    Parameters
    ----------
    simulated : (member, reading) float array
        What each gave.

    Returns
    -------
    DataFrame
        `patient arm`, and a column for each reading.
    """
    good = np.flatnonzero(np.isfinite(simulated).all(axis=1))
    table = pd.DataFrame(simulated[good], columns=[str(place) for place in range(simulated.shape[1])])
    return table.assign(patient=good, arm="members")


def weigh_members(readings: Sequence[Reading], simulated: np.ndarray, room: float) -> np.ndarray | None:
    """Weigh the members of a posterior as evenly as the demands on a fit allow.

    Parameters
    ----------
    readings : sequence of Reading
        Published numbers.
    simulated : (member, reading) float array
        What each member gave.
    room : float
        Share of what is allowed that the weighted mean may be off by: chance takes the rest.

    Returns
    -------
    (member,) float array or None
        None where no weights keep the demands.

    References
    ----------
    allen2016, jaynes1957.
    """
    asked = demands_of(readings)
    try:
        found = weigh_patients(
            members_as_patients(simulated), asked.assign(tolerance=room * asked["tolerance"])
        )
    except OutOfReachError:
        return None
    weights = np.zeros(len(simulated))
    weights[found.weights.index] = found.weights
    return weights


def _checked(table: pd.DataFrame, targets: pd.DataFrame) -> None:
    if missing := [name for name in _NEEDED if name not in targets]:
        raise WeightTableError(reason=f"the targets have no column {missing[0]}")
    if missing := [name for name in ("patient", "arm") if name not in table]:
        raise WeightTableError(reason=f"the outcomes have no column {missing[0]}")
    for what, arm in targets[["what", "arm"]].itertuples(index=False):
        if what not in table and f"{what}_day" not in table:
            raise WeightTableError(reason=f"the outcomes have neither a column {what} nor {what}_day")
        if not (table["arm"] == arm).any():
            raise WeightTableError(reason=f"no patient of the outcomes is in the arm {arm}")


def _shares(
    table: pd.DataFrame, asked: pd.DataFrame, patients: pd.Index, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give what each patient adds above and below each target's tolerance, and its share as weighted.

    Where weighted sums of all features, (patient, 3 targets), are at most 0, every target is met. The last
    third keeps half of the patients who are counted: weights of those who are not would meet any share.
    """
    count = len(asked)
    features, found = np.zeros((len(patients), 3 * count)), np.zeros(count)
    for place, target in enumerate(asked.itertuples(index=False)):
        own = table[table["arm"] == target.arm]
        row = patients.get_indexer(own["patient"])
        if f"{target.what}_day" in own:
            value = _alive(own, str(target.what), float(target.at) * _MONTH, weights[row])
        else:
            number = own[str(target.what)].to_numpy(float)
            value = number if np.isnan(target.at) else np.where(np.isnan(number), np.nan, number <= target.at)
        counted = ~np.isnan(value)
        row, value = row[counted], value[counted]
        found[place] = weights[row] @ value / max(weights[row].sum(), 1e-300)
        features[row, place] = value - target.value - target.tolerance
        features[row, count + place] = target.value - target.tolerance - value
        features[:, 2 * count + place] = _COUNTED * row.size / len(patients)
        features[row, 2 * count + place] -= 1.0
    return features, found


def _alive(own: pd.DataFrame, what: str, day: float, weights: np.ndarray) -> np.ndarray:
    """Whether each patient is free of the event after a day; of the censored, the share that will be."""
    time, event = own[f"{what}_day"].to_numpy(float), own[f"{what}_event"].to_numpy(bool)
    order = np.lexsort((~event, time))  # events of a day come before its censorings
    at_risk = weights[order][::-1].cumsum()[::-1]
    falls = np.where(event[order], 1 - weights[order] / np.maximum(at_risk, 1e-300), 1.0)
    curve = np.maximum(falls, 0.0).cumprod()
    own_curve = np.empty_like(curve)
    own_curve[order] = curve
    last = np.searchsorted(time[order], day, side="right")
    at_day = curve[last - 1] if last else 1.0
    share = np.where(own_curve > 0, at_day / np.where(own_curve > 0, own_curve, 1.0), 0.0)
    return np.where(time > day, 1.0, np.where(event, 0.0, np.minimum(share, 1.0)))


def _tilted(features: np.ndarray, asked: pd.DataFrame) -> np.ndarray:
    """Give weights exp(-features l) that meet every target, or an error that names the worst."""
    sides = features.shape[1]
    scale = np.maximum(features.std(axis=0), 1e-6)
    unit, room = features / scale, _SLACK / scale

    def dual(tilt: np.ndarray) -> tuple[float, np.ndarray]:
        weight, top = _weight(-unit @ tilt)
        return float(top + room @ tilt), room - weight @ unit

    found = minimize(
        dual, np.zeros(sides), jac=True, method="L-BFGS-B", bounds=[(0, None)] * sides,
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-8},
    )  # fmt: skip
    weight, _ = _weight(-unit @ found.x)
    if (weight @ features > _MET).any():
        _reached(features, asked)
    return weight


def _weight(logs: np.ndarray) -> tuple[np.ndarray, float]:
    """Give weights that sum to 1, and the logarithm of the mean of what they were."""
    top = logs.max()
    weight = np.exp(logs - top)
    total = weight.sum()
    return weight / total, float(top + np.log(total / logs.size))


def _reached(features: np.ndarray, asked: pd.DataFrame) -> None:
    """Refuse targets that no weights meet: the least excess over the tolerances, by a linear program."""
    patients, sides = features.shape
    found = linprog(
        np.r_[np.zeros(patients), 1.0], A_ub=np.c_[features.T, -np.ones(sides)], b_ub=np.zeros(sides),
        A_eq=np.r_[np.ones(patients), 0.0][None], b_eq=[1.0], bounds=(0, None), method="highs",
    )  # fmt: skip
    if found.x[-1] <= _MET:
        return
    means, count = found.x[:patients] @ features, len(asked)
    place = int(np.argmin(found.ineqlin.marginals)) % count  # the target that is in the way
    own = asked.iloc[place]
    counted = features[:, 2 * count + place].min() + 1.0 - means[2 * count + place]
    at = "" if np.isnan(own["at"]) else f" at {own['at']:g}"
    raise OutOfReachError(
        target=f"{own['arm']} {own['what']}{at}",
        place=place,
        asked=float(own["value"]),
        tolerance=float(own["tolerance"]),
        nearest=round(float(means[place] / max(counted, 1e-300) + own["value"] + own["tolerance"]), 6) + 0.0,
        patients=patients,
    )
