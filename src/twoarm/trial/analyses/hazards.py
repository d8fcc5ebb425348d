"""Comparison of hazards: log-rank with weights, Cox's model, and whether hazards are proportional."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

_WIDEST = 10.0  # standard error of a log hazard ratio beyond which the groups are separated, not compared
_TO_THE_END = {"precision": 1e-12}  # the usual one leaves 2e-5 of the log hazard ratio


def log_rank(
    days: np.ndarray,
    events: np.ndarray,
    treated: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    weights: tuple[float, float] = (0.0, 0.0),
) -> tuple[float, float]:
    """Log-rank test of two groups, stratified or weighted if asked.

    Parameters
    ----------
    days : (n,) float array
        Time to event or censoring.
    events : (n,) bool array
        True where it happened.
    treated : (n,) bool array
        Group.
    strata : (n,) array, optional
        Stratum of each.
    weights : (rho, gamma)
        Of Fleming and Harrington: an event at t counts S(t-)^rho (1 - S(t-))^gamma. (0, 0) is the log-rank
        test, (1, 0) leans on early events, (0, 1) on late ones.

    Returns
    -------
    statistic, p : float
        Chi-square with one degree of freedom; (NaN, NaN) where no stratum has both groups at risk at an
        event.

    Notes
    -----
    (sum of w (observed - expected))^2 / sum of w^2 hypergeometric variance, over the event times of all
    strata. S is Kaplan and Meier's curve of both groups together, within the stratum, just before t.

    References
    ----------
    mantel1966; fleming1981.

    Examples
    --------
    >>> time, died = np.array([1.0, 2, 3, 4]), np.ones(4, bool)
    >>> [round(x, 3) for x in log_rank(time, died, np.array([True, True, False, False]))]
    [2.882, 0.09]
    """
    group = np.asarray(treated, bool)
    excess = variance = 0.0
    for own in _parts(strata, group.size):
        more, spread = _observed_less_expected(
            np.asarray(days)[own], np.asarray(events, bool)[own], group[own], weights
        )
        excess, variance = excess + more, variance + spread
    if variance <= 0:
        return np.nan, np.nan
    statistic = excess**2 / variance
    return float(statistic), float(chi2.sf(statistic, 1))


def hazard_ratio(
    days: np.ndarray, events: np.ndarray, treated: np.ndarray, strata: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Hazard ratio of the treated against the others by the Cox model.

    Parameters
    ----------
    days : (n,) float array
        Time to event or censoring.
    events : (n,) bool array
        True where it happened.
    treated : (n,) bool array
        Group.
    strata : (n,) array, optional
        Each stratum has its own baseline hazard.

    Returns
    -------
    ratio, low, high : float
        With a 95 % Wald interval; NaN where a group has no event, or where the events separate the groups.

    References
    ----------
    cox1972; ties by efron1977.

    Examples
    --------
    >>> time, died = np.arange(1.0, 9), np.ones(8, bool)
    >>> ratio, low, high = hazard_ratio(time, died, np.arange(8) % 2 == 0)
    >>> low < ratio < high
    True
    """
    group, happened = np.asarray(treated, bool), np.asarray(events, bool)
    if not (happened & group).any() or not (happened & ~group).any():
        return np.nan, np.nan, np.nan
    found = cox(days, happened, pd.DataFrame({"treated": group.astype(float)}), strata).loc["treated"]
    return float(found["ratio"]), float(found["low"]), float(found["high"])


def ratio_and_proportionality(
    days: np.ndarray, events: np.ndarray, treated: np.ndarray, strata: np.ndarray | None = None
) -> tuple[float, float, float, float]:
    """Give the hazard ratio and the p of its being the same at all times, from one fit.

    Parameters
    ----------
    days, events, treated, strata
        As for `hazard_ratio`.

    Returns
    -------
    ratio, low, high, p : float
        As `hazard_ratio`, and the p of `proportionality`.

    Examples
    --------
    >>> time, died = np.arange(1.0, 9), np.ones(8, bool)
    >>> *_, p = ratio_and_proportionality(time, died, np.arange(8) % 2 == 0)
    >>> 0.05 < p < 1
    True
    """
    group, happened = np.asarray(treated, bool), np.asarray(events, bool)
    if not (happened & group).any() or not (happened & ~group).any():
        return (np.nan,) * 4
    people = pd.DataFrame({"treated": group.astype(float)})
    fit = _fit(days, happened, people, strata)
    found = _effects(fit, ["treated"]).loc["treated"]
    p = _residuals_over_time(fit, _frame(days, happened, people, strata), ["treated"])["p"].iloc[0]
    return float(found["ratio"]), float(found["low"]), float(found["high"]), float(p)


def cox(
    days: np.ndarray, events: np.ndarray, covariates: pd.DataFrame, strata: np.ndarray | None = None
) -> pd.DataFrame:
    """Cox's model with several covariates.

    Parameters
    ----------
    days : (n,) float array
        Time to event or censoring.
    events : (n,) bool array
        True where it happened.
    covariates : (n,) DataFrame
        Numbers; a level is a column of 0 and 1.
    strata : (n,) array, optional
        Each stratum has its own baseline hazard.

    Returns
    -------
    DataFrame, index covariate
        `log_ratio error ratio low high p`, with 95 % Wald intervals; NaN where the events separate the
        groups. ``attrs["log_likelihood"]`` is the partial one, NaN where it has no maximum.

    References
    ----------
    cox1972; ties by efron1977.

    Examples
    --------
    >>> people = pd.DataFrame({"age": [50.0, 60, 70, 65, 55, 80]})
    >>> cox(np.arange(6.0, 0, -1), np.ones(6, bool), people)["ratio"].gt(1).tolist()
    [True]
    """
    return _effects(_fit(days, events, covariates, strata), list(covariates.columns))


def _effects(fit: Any, names: list[str]) -> pd.DataFrame:
    """Table the effects of a fitted model."""
    empty = pd.DataFrame(np.nan, index=names, columns=["log_ratio", "error", "ratio", "low", "high", "p"])
    empty.attrs["log_likelihood"] = np.nan
    if fit is None:
        return empty
    effect, error = fit.params_[names].astype(float), fit.standard_errors_[names].astype(float)
    reach = float(norm.ppf(0.975)) * error
    found = pd.DataFrame({"log_ratio": effect, "error": error, "ratio": np.exp(effect)})
    with np.errstate(over="ignore"):
        found["low"], found["high"] = np.exp(effect - reach), np.exp(effect + reach)
    found["p"] = 2 * norm.sf(np.abs(effect / error))
    found[~(error < _WIDEST)] = np.nan
    found.attrs["log_likelihood"] = float(fit.log_likelihood_)
    return found


def proportionality(
    days: np.ndarray, events: np.ndarray, covariates: pd.DataFrame, strata: np.ndarray | None = None
) -> pd.DataFrame:
    """Test whether hazard ratios stay the same over time.

    Parameters
    ----------
    days, events, covariates, strata
        As for `cox`.

    Returns
    -------
    DataFrame, index covariate
        `statistic p`: chi-square with one degree of freedom; NaN where the model cannot be fitted.

    Notes
    -----
    Scaled Schoenfeld residuals against 1 - S(t-), S being Kaplan and Meier's curve of everybody, with the
    average variance over events: what R's `cox.zph` printed up to version 2 of survival.

    References
    ----------
    grambsch1994.

    Examples
    --------
    >>> time, group = np.arange(1.0, 21), pd.DataFrame({"treated": [1.0] * 5 + [0.0] * 10 + [1.0] * 5})
    >>> float(proportionality(time, np.ones(20, bool), group)["p"].iloc[0]) < 0.05  # dies early, or late
    True
    """
    fit = _fit(days, events, covariates, strata)
    return _residuals_over_time(fit, _frame(days, events, covariates, strata), list(covariates.columns))


def _residuals_over_time(fit: Any, frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Test the residuals of a fitted model."""
    if fit is None or not (fit.standard_errors_ < _WIDEST).all():
        return pd.DataFrame(np.nan, index=names, columns=["statistic", "p"])
    residuals = fit.compute_residuals(frame, kind="scaled_schoenfeld")[names]
    own = frame.loc[residuals.index, "day"].to_numpy(float)
    time = np.unique(own)
    before = _just_before(frame["day"].to_numpy(float), frame["event"].to_numpy(bool), time)
    late = 1 - before[np.searchsorted(time, own)]
    late = late - late.mean()
    scale = len(own) * fit.standard_errors_[names].to_numpy(float) ** 2 * (late**2).sum()
    statistic = np.divide(
        (late @ residuals.to_numpy(float)) ** 2, scale, out=np.full(len(names), np.nan), where=scale > 0
    )
    return pd.DataFrame({"statistic": statistic, "p": chi2.sf(statistic, 1)}, index=names)


def _parts(strata: np.ndarray | None, n: int) -> list[np.ndarray]:
    """Members of each stratum."""
    if strata is None:
        return [np.ones(n, bool)]
    number = np.unique(np.asarray(strata), return_inverse=True)[1]
    return [number == part for part in np.unique(number)]


def _frame(
    days: np.ndarray, events: np.ndarray, covariates: pd.DataFrame, strata: np.ndarray | None
) -> pd.DataFrame:
    frame = covariates.astype(float).reset_index(drop=True)
    frame["day"], frame["event"] = np.asarray(days, float), np.asarray(events, bool)
    if strata is not None:
        frame["stratum"] = np.asarray(strata)
    return frame


def _fit(days: np.ndarray, events: np.ndarray, covariates: pd.DataFrame, strata: np.ndarray | None) -> Any:
    """Fit lifelines' model, or return None where it has no maximum."""
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    column = None if strata is None else "stratum"
    frame = _frame(days, events, covariates, strata)
    with warnings.catch_warnings():  # groups that events separate: said by a number that is not there
        warnings.simplefilter("ignore")
        try:
            return CoxPHFitter().fit(frame, "day", "event", strata=column, fit_options=_TO_THE_END)
        except ConvergenceError:
            return None


def _observed_less_expected(
    days: np.ndarray, events: np.ndarray, group: np.ndarray, weights: tuple[float, float]
) -> tuple[float, float]:
    """Sum over event times of observed less expected events of the group, and of the variance."""
    times = np.unique(days[events])
    at_risk = days[:, None] >= times
    now = (days[:, None] == times) & events[:, None]
    n, n_group = at_risk.sum(axis=0), (at_risk & group[:, None]).sum(axis=0)
    died, died_group = now.sum(axis=0), (now & group[:, None]).sum(axis=0)
    share = n_group / n
    variance = np.where(n > 1, died * share * (1 - share) * (n - died) / np.maximum(n - 1, 1), 0.0)
    before = _just_before(days, events, times)
    weight = before ** weights[0] * (1 - before) ** weights[1]
    return float((weight * (died_group - died * share)).sum()), float((weight**2 * variance).sum())


def _just_before(days: np.ndarray, events: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Kaplan and Meier's curve of everybody, just before each event time."""
    at_risk = (days[:, None] >= times).sum(axis=0)
    died = ((days[:, None] == times) & events[:, None]).sum(axis=0)
    return np.concatenate([[1.0], np.cumprod(1 - died / at_risk)[:-1]]) if times.size else np.ones(0)
