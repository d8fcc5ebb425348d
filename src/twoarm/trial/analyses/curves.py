"""Survival curves and what is read from them: medians, rates at a month, restricted means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from twoarm.trial.analyses.columns import MONTH, arm_order


def kaplan_meier(
    table: pd.DataFrame, *, endpoints: Sequence[str] = ("PFS", "OS"), arms: Sequence[str] | None = None
) -> pd.DataFrame:
    """Survival curves with risk sets.

    Parameters
    ----------
    table : DataFrame
        From `cut`: `arm` and, for each endpoint, `<endpoint>_day` and `<endpoint>_event`.
    endpoints : sequence of str
        Which.
    arms : sequence of str, optional
        Order of the arms.

    Returns
    -------
    DataFrame
        `endpoint arm day survival low high at_risk censored`, a row for day 0 and each day with an event or
        censoring; `at_risk` just before the day.

    References
    ----------
    kaplan1958; intervals on the log(-log) scale.
    """
    curves = []
    for endpoint in endpoints:
        for arm in arm_order(table, arms):
            own = table[table["arm"] == arm]
            fit = product_limit(own[f"{endpoint}_day"], own[f"{endpoint}_event"])
            ends = fit.confidence_interval_survival_function_.to_numpy()
            curve = pd.DataFrame(
                {
                    "day": fit.survival_function_.index.to_numpy(float),
                    "survival": fit.survival_function_.iloc[:, 0].to_numpy(),
                    "low": ends[:, 0],
                    "high": ends[:, 1],
                    "at_risk": fit.event_table["at_risk"].to_numpy(int),
                    "censored": fit.event_table["censored"].to_numpy(int),
                }
            )
            curves.append(curve.assign(endpoint=endpoint, arm=arm))
    order = ["endpoint", "arm", "day", "survival", "low", "high", "at_risk", "censored"]
    return pd.concat(curves, ignore_index=True)[order]


def medians(
    table: pd.DataFrame, *, endpoints: Sequence[str] = ("PFS", "OS"), arms: Sequence[str] | None = None
) -> pd.DataFrame:
    """Median times with intervals.

    Parameters
    ----------
    table : DataFrame
        As for `kaplan_meier`.
    endpoints, arms : sequence of str
        As for `kaplan_meier`.

    Returns
    -------
    DataFrame
        `endpoint arm median low high` [day]; infinite where not reached.

    Notes
    -----
    The interval's ends are the first days on which the curve's interval touches one half.
    """
    rows = []
    for endpoint in endpoints:
        for arm in arm_order(table, arms):
            own = table[table["arm"] == arm]
            fit = product_limit(own[f"{endpoint}_day"], own[f"{endpoint}_event"])
            rows.append((endpoint, arm, *median_of(fit)))
    return pd.DataFrame(rows, columns=["endpoint", "arm", "median", "low", "high"])


def median_of(fit: Any) -> tuple[float, float, float]:
    """Read the median off a curve that is fitted; see `medians`.

    Parameters
    ----------
    fit : lifelines.KaplanMeierFitter
        From `product_limit`.

    Returns
    -------
    median, low, high : float
        In the unit of the days; infinite where not reached.

    Examples
    --------
    >>> median_of(product_limit(pd.Series([1.0, 2, 3]), pd.Series([True, True, True])))[0]
    2.0
    """
    from lifelines.utils import median_survival_times

    low, high = median_survival_times(fit.confidence_interval_survival_function_).to_numpy()[0]
    return float(fit.median_survival_time_), float(low), float(high)


def survival_at(days: pd.Series, events: pd.Series, month: float) -> tuple[float, float, float]:
    """Survival at a month, with its interval.

    Parameters
    ----------
    days, events : Series
        Time to event or censoring [day], and whether it happened.
    month : float [month]
        When.

    Returns
    -------
    survival, low, high : float
        0 to 1, the interval on the log(-log) scale; NaN beyond the last patient's follow-up.

    References
    ----------
    kaplan1958.

    Examples
    --------
    >>> [
    ...     float(round(x, 2))
    ...     for x in survival_at(pd.Series([30.0, 90, 400]), pd.Series([True, True, False]), 6)
    ... ]
    [0.33, 0.01, 0.77]
    """
    return survival_of(product_limit(days, events), month)


def survival_of(fit: Any, month: float) -> tuple[float, float, float]:
    """Read survival at a month off a curve that is fitted; see `survival_at`.

    Parameters
    ----------
    fit : lifelines.KaplanMeierFitter
        From `product_limit`.
    month : float [month]
        When.

    Returns
    -------
    survival, low, high : float
        0 to 1.

    Examples
    --------
    >>> fit = product_limit(pd.Series([30.0, 90, 400]), pd.Series([True, True, False]))
    >>> round(survival_of(fit, 6)[0], 2)
    0.33
    """
    day = month * MONTH
    survival = float(fit.survival_function_at_times(day).iloc[0])
    if day > float(fit.event_table.index[-1]) and survival > 0:
        return np.nan, np.nan, np.nan  # nobody was followed so long: the curve ends before
    ends = fit.confidence_interval_survival_function_
    place = max(int(np.searchsorted(ends.index.to_numpy(), day, side="right")) - 1, 0)
    low, high = ends.iloc[place].astype(float)
    return survival, float(low), float(high)


def restricted_mean(days: pd.Series, events: pd.Series, until: float) -> tuple[float, float]:
    """Mean time without the event up to a horizon: the area under the survival curve.

    Parameters
    ----------
    days, events : Series
        Time to event or censoring, and whether it happened.
    until : float
        Horizon, in the unit of `days`.

    Returns
    -------
    mean, error : float
        In the unit of `days`, and its standard error; NaN where nobody was followed so long and the curve
        has not come to 0.

    Notes
    -----
    Variance: sum over event times t of (area from t to the horizon)^2 d/(n (n - d)), with n at risk and
    d events.

    References
    ----------
    klein2003, section 4.5.

    Examples
    --------
    >>> mean, error = restricted_mean(pd.Series([1.0, 2, 3, 4]), pd.Series([True] * 4), 4.0)
    >>> round(mean, 3), round(error, 3)  # nobody censored: mean and its usual error, with n for n - 1
    (2.5, 0.559)
    """
    time, happened = np.asarray(days, float), np.asarray(events, bool)
    day, place = np.unique(time, return_inverse=True)
    died = np.bincount(place, weights=happened, minlength=len(day))
    at_risk = np.cumsum(np.bincount(place, minlength=len(day))[::-1])[::-1].astype(float)
    survival = np.cumprod(1 - died / at_risk)
    if until > day[-1] and survival[-1] > 0:
        return np.nan, np.nan
    edge = np.minimum(np.concatenate([[0.0], day, [until]]), until)
    area = np.concatenate([[1.0], survival]) * np.maximum(np.diff(edge), 0.0)
    later = np.cumsum(area[::-1])[::-1][1:]  # from each day on; its own step is 0 long beyond the horizon
    left = at_risk * (at_risk - died)
    terms = np.divide(died, left, out=np.zeros_like(left), where=left > 0)
    return float(area.sum()), float(np.sqrt((later**2 * terms)[day <= until].sum()))


def restricted_mean_difference(
    days: np.ndarray,
    events: np.ndarray,
    treated: np.ndarray,
    until: float,
    strata: np.ndarray | None = None,
) -> tuple[float, float, float, float]:
    """Difference of restricted mean times of two groups, stratified if asked.

    Parameters
    ----------
    days, events, treated : (n,) array
        As for `log_rank`.
    until : float
        Horizon, in the unit of `days`.
    strata : (n,) array, optional
        Stratum of each. One with a single group says nothing.

    Returns
    -------
    difference, low, high, p : float
        Treated less others with a 95 % interval, and the p of no difference (two-sided, normal); NaN where
        a group of a stratum was not followed as long as the horizon.

    Notes
    -----
    Differences within strata are weighted by n1 n2/(n1 + n2), n1 and n2 being patients of the groups, as
    `rate_difference` weights them.

    References
    ----------
    uno2014; weights of strata: mantel1959.

    Examples
    --------
    >>> time, group = np.array([1.0, 2, 3, 4]), np.array([False, False, True, True])
    >>> restricted_mean_difference(time, np.ones(4, bool), group, 4.0)[0]
    2.0
    """
    group, happened = np.asarray(treated, bool), np.asarray(events, bool)
    days = np.asarray(days, float)
    parts = [np.ones(len(days), bool)] if strata is None else [strata == name for name in np.unique(strata)]
    found = []
    for part in parts:
        sides = [part & group, part & ~group]
        if all(side.any() for side in sides):
            means = [restricted_mean(pd.Series(days[s]), pd.Series(happened[s]), until) for s in sides]
            weight = 1 / sum(1 / side.sum() for side in sides)
            found.append((weight, means[0][0] - means[1][0], np.hypot(means[0][1], means[1][1])))
    if not found:
        return (np.nan,) * 4
    weights, differences, errors = np.array(found).T
    weights = weights / weights.sum()
    difference, error = float(weights @ differences), float(np.sqrt(weights**2 @ errors**2))
    if not error > 0:
        return difference, np.nan, np.nan, np.nan
    reach = float(norm.ppf(0.975)) * error
    p = 2 * float(norm.sf(abs(difference) / error))
    return difference, difference - reach, difference + reach, p


def product_limit(days: pd.Series, events: pd.Series) -> Any:
    """Fit Kaplan and Meier's curve; lifelines' own object.

    Examples
    --------
    >>> product_limit(pd.Series([1.0, 2.0]), pd.Series([True, False])).median_survival_time_
    np.float64(1.0)
    """
    from lifelines import KaplanMeierFitter

    return KaplanMeierFitter().fit(np.asarray(days, float), np.asarray(events, bool))
