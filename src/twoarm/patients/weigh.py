"""Weigh virtual patients so that their aggregates are the published ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from twoarm.errors import MissingColumnError, UnreachableAggregateError

_FEWEST = 0.05
_CLOSE = 1e-4
_STEEPEST = 30.0


def weigh_patients(
    patients: pd.DataFrame,
    *,
    means: Mapping[str, float] | None = None,
    quantiles: Mapping[str, Mapping[float, float]] | None = None,
    shares: Mapping[str, Mapping[str, float]] | None = None,
) -> pd.Series:
    """Prevalence weights that give a cohort the means, quantiles and shares of a published one.

    Parameters
    ----------
    patients : DataFrame
        From `draw_patients`.
    means : mapping, optional
        Column to mean, in the column's unit, as ``{"age": 63.5}``.
    quantiles : mapping, optional
        Column to value by probability, as ``{"sld_baseline": {0.25: 52, 0.5: 82, 0.75: 116}}``.
    shares : mapping, optional
        Column to share by category, as ``{"region": {"asia": 0.2}}``.

    Returns
    -------
    Series
        Weights with mean 1, indexed as the patients; ``attrs["effective"]`` is the number of equally
        weighted patients that would be as informative, (sum w)^2 / sum w^2.

    Raises
    ------
    MissingColumnError
        If there is no such column.
    UnreachableAggregateError
        If no weights give the aggregates, or those that do leave fewer than 1 patient in 20 effective.

    Notes
    -----
    Of all weights that meet the aggregates these are the closest to equal ones (least Kullback-Leibler
    divergence): w_i is proportional to exp(sum_k l_k f_k(x_i)), where the l_k minimize the convex dual
    log mean exp(sum_k l_k (f_k(x_i) - t_k)). Weigh before an arm is predicted, and not again after.

    References
    ----------
    jaynes1957.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [50.0, 60.0, 70.0, 80.0]})
    >>> weights = weigh_patients(table, means={"age": 68.0})
    >>> float((weights * table["age"]).mean().round(3))
    68.0
    """
    features, names = _features(patients, means or {}, quantiles or {}, shares or {})
    if features.shape[1] == 0:
        return _series(np.ones(len(patients)), patients)
    spread = features.std(axis=0)
    for k, name in enumerate(names):
        if not features[:, k].min() < 0 < features[:, k].max():
            raise UnreachableAggregateError(aggregate=name, effective=0.0)
    scaled = features / spread
    # beyond tens of standard deviations a handful of patients has all the weight: bounded, not infinite
    found = minimize(
        _dual,
        np.zeros(scaled.shape[1]),
        args=(scaled,),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_STEEPEST, _STEEPEST)] * scaled.shape[1],
        options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 1000},
    )
    tilt = scaled @ found.x
    weights = np.exp(tilt - tilt.max())
    weights /= weights.mean()
    effective = len(weights) / float(np.mean(weights**2))
    left = np.abs(np.mean(weights[:, None] * scaled, axis=0))
    if left.max() > _CLOSE or effective < _FEWEST * len(weights):
        raise UnreachableAggregateError(aggregate=names[int(left.argmax())], effective=effective)
    return _series(weights, patients)


def _dual(multipliers: np.ndarray, features: np.ndarray) -> tuple[float, np.ndarray]:
    """Value and gradient of the convex dual."""
    tilt = features @ multipliers
    top = tilt.max()
    weights = np.exp(tilt - top)
    total = weights.sum()
    return float(top + np.log(total / len(tilt))), weights @ features / total


def _features(
    patients: pd.DataFrame,
    means: Mapping[str, float],
    quantiles: Mapping[str, Mapping[float, float]],
    shares: Mapping[str, Mapping[str, float]],
) -> tuple[np.ndarray, list[str]]:
    """Collect what must average to zero, one column an aggregate, and its name in words."""
    columns: dict[str, np.ndarray] = {}
    for column, mean in means.items():
        columns[f"mean {mean:g} of {column}"] = _values(patients, column).to_numpy(dtype=float) - mean
    for column, points in quantiles.items():
        values = _values(patients, column).to_numpy(dtype=float)
        for probability, value in points.items():
            columns[f"quantile {probability:g} of {column} at {value:g}"] = (values <= value) - probability
    for column, parts in shares.items():
        values = _values(patients, column).astype(str).to_numpy()
        for category, share in parts.items():
            columns[f"share {share:g} of {column} {category}"] = (values == category) - share
    table = np.column_stack(list(columns.values())) if columns else np.zeros((len(patients), 0))
    return table, list(columns)


def _values(patients: pd.DataFrame, column: str) -> pd.Series:
    """One column of the patients."""
    if column not in patients:
        raise MissingColumnError(column=column, table="patients", purpose="to weigh them by it")
    return patients[column]


def _series(weights: np.ndarray, patients: pd.DataFrame) -> pd.Series:
    """Weights by patient, with their effective number."""
    result = pd.Series(weights, index=patients.index, name="weight_of_patient")
    result.attrs["effective"] = float(weights.sum() ** 2 / np.sum(weights**2))
    return result
