"""The analysis: rates with exact intervals, Kaplan-Meier, log-rank, Cox. The only home of lifelines.

Works on any table with the columns of `cut`, so real data can be fed to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from twoarm.errors import ArmsToCompareError, MissingColumnError
from twoarm.trial.cutoff import cut
from twoarm.units import quantity

__all__ = [
    "analyze",
    "cut",
    "exact_interval",
    "hazard_ratio",
    "kaplan_meier",
    "log_rank",
    "medians",
    "subgroups",
]

LANDMARKS: Mapping[str, Sequence[int]] = {"PFS": (6, 12), "OS": (12, 18)}
"""Months at which survival is read."""

_MONTH = quantity("1 month", "day")
_WIDEST = 10.0  # standard error of a log hazard ratio beyond which the groups are separated, not compared
_COLUMNS = ["quantity", "arm", "value", "low", "high", "unit", "n", "events"]


def analyze(
    table: pd.DataFrame,
    *,
    arms: Sequence[str] | None = None,
    stratified: bool = True,
    landmarks: Mapping[str, Sequence[int]] = LANDMARKS,
) -> pd.DataFrame:
    """Results of a trial, by arm and between arms.

    Parameters
    ----------
    table : DataFrame, index patient
        From `cut`: `arm bor grade OS_day OS_event PFS_day PFS_event follow_up`, and `stratum` if
        `stratified`.
    arms : sequence of str, optional
        Order of the arms; the first is compared with the last. Left out, that of the protocol.
    stratified : bool
        Whether hazard ratio and log-rank are stratified.
    landmarks : mapping of endpoint to months
        When survival is read.

    Returns
    -------
    DataFrame
        `quantity arm value low high unit n events`: for each arm "ORR", "DCR", "Grade >= 3 events",
        "Median follow-up",
        "Median PFS", "PFS at 6 months", ...; then, with arm "", "Hazard ratio of PFS", "Log-rank p of PFS"
        and of OS. Intervals of 95 %; an end that is not reached is infinite.

    Raises
    ------
    MissingColumnError, ArmsToCompareError
        If a column or an arm is missing.

    Notes
    -----
    Patients without an evaluable scan count as non-responders. Median follow-up is by reversed Kaplan-Meier.
    Survival intervals are on the log(-log) scale; ties in the Cox model by Efron. Survival at a
    month beyond the last patient's follow-up is NaN.

    References
    ----------
    clopper1934, kaplan1958, mantel1966, cox1972, davidsonpilon2019.

    Examples
    --------
    >>> table = pd.DataFrame({"arm": ["new"] * 4 + ["old"] * 4, "stratum": "all", "grade": 0})
    >>> table["bor"] = ["PR", "PR", "SD", "PD", "PR", "PD", "PD", "NE"]
    >>> table["OS_day"] = table["PFS_day"] = [500.0, 400, 300, 200, 250, 150, 100, 50]
    >>> table["OS_event"] = table["PFS_event"] = True
    >>> found = analyze(table).set_index(["quantity", "arm"])["value"]
    >>> found["ORR", "new"], found["ORR", "old"], found["Hazard ratio of OS", ""] < 1
    (np.float64(50.0), np.float64(25.0), np.True_)
    """
    for name in ("arm", "bor", "grade", "OS_day", "OS_event", "PFS_day", "PFS_event"):
        if name not in table:
            raise MissingColumnError(column=name, table="the data cut", purpose="for the analysis")
    order = _order(table, arms)
    rows: list[tuple[object, ...]] = []
    for arm in order:
        rows += _rates(table[table["arm"] == arm], arm)
    middle = medians(table, arms=order)
    for endpoint in landmarks:
        for arm in order:
            rows += _times(table[table["arm"] == arm], arm, endpoint, middle, landmarks[endpoint])
    if len(order) > 1:
        for endpoint in landmarks:
            rows += _contrast(table, endpoint, order, stratified)
    return pd.DataFrame(rows, columns=_COLUMNS)


def exact_interval(count: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a proportion.

    Parameters
    ----------
    count, n : int
        Successes and trials.
    level : float
        Coverage.

    Returns
    -------
    tuple of float
        0 to 1; (0, 1) for `n` = 0.

    References
    ----------
    clopper1934.

    Examples
    --------
    >>> [round(100 * end, 1) for end in exact_interval(11, 30)]
    [19.9, 56.1]
    """
    from scipy.stats import binomtest

    if n == 0:
        return 0.0, 1.0
    interval = binomtest(int(count), int(n)).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


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
        for arm in _order(table, arms):
            own = table[table["arm"] == arm]
            fit = _fit(own[f"{endpoint}_day"], own[f"{endpoint}_event"])
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
    from lifelines.utils import median_survival_times

    rows = []
    for endpoint in endpoints:
        for arm in _order(table, arms):
            own = table[table["arm"] == arm]
            fit = _fit(own[f"{endpoint}_day"], own[f"{endpoint}_event"])
            low, high = median_survival_times(fit.confidence_interval_survival_function_).to_numpy()[0]
            rows.append((endpoint, arm, float(fit.median_survival_time_), float(low), float(high)))
    return pd.DataFrame(rows, columns=["endpoint", "arm", "median", "low", "high"])


def log_rank(
    days: np.ndarray, events: np.ndarray, treated: np.ndarray, strata: np.ndarray | None = None
) -> tuple[float, float]:
    """Log-rank test of two groups, stratified if asked.

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

    Returns
    -------
    statistic, p : float
        Chi-square with one degree of freedom; (NaN, NaN) where no stratum has both groups at risk at an
        event.

    Notes
    -----
    (sum of observed - expected)^2 / sum of hypergeometric variances, over the event times of all strata.

    References
    ----------
    mantel1966.

    Examples
    --------
    >>> time, died = np.array([1.0, 2, 3, 4]), np.ones(4, bool)
    >>> [round(x, 3) for x in log_rank(time, died, np.array([True, True, False, False]))]
    [2.882, 0.09]
    """
    group = np.asarray(treated, bool)
    parts = (
        np.zeros(group.size, int) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    )
    excess = variance = 0.0
    for part in np.unique(parts):
        own = parts == part
        more, spread = _observed_less_expected(
            np.asarray(days)[own], np.asarray(events, bool)[own], group[own]
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
    cox1972; ties by Efron.

    Examples
    --------
    >>> time, died = np.arange(1.0, 9), np.ones(8, bool)
    >>> ratio, low, high = hazard_ratio(time, died, np.arange(8) % 2 == 0)
    >>> low < ratio < high
    True
    """
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError

    group, happened = np.asarray(treated, bool), np.asarray(events, bool)
    if not (happened & group).any() or not (happened & ~group).any():
        return np.nan, np.nan, np.nan
    frame = pd.DataFrame({"day": np.asarray(days, float), "event": happened, "treated": group.astype(float)})
    if strata is not None:
        frame["stratum"] = np.asarray(strata)
    # its usual precision leaves 2e-5 of the log hazard ratio (tests/second_opinion/test_analyze_agrees.py)
    to_the_end = {"precision": 1e-12}
    strata_column = None if strata is None else "stratum"
    with warnings.catch_warnings():  # arms that events separate: said below, by a number that is not there
        warnings.simplefilter("ignore")
        try:
            fit = CoxPHFitter().fit(frame, "day", "event", strata=strata_column, fit_options=to_the_end)
        except ConvergenceError:
            return np.nan, np.nan, np.nan
    effect, error = float(fit.params_["treated"]), float(fit.standard_errors_["treated"])
    if not error < _WIDEST:
        return np.nan, np.nan, np.nan
    reach = float(norm.ppf(0.975)) * error
    return float(np.exp(effect)), float(np.exp(effect - reach)), float(np.exp(effect + reach))


def subgroups(
    table: pd.DataFrame, factors: Sequence[str], *, endpoint: str = "OS", arms: Sequence[str] | None = None
) -> pd.DataFrame:
    """Hazard ratio and difference of response rates by level of each factor.

    Parameters
    ----------
    table : DataFrame
        From `cut`.
    factors : sequence of str
        Columns; "stratum" is one.
    endpoint : str
        Which time.
    arms : sequence of str, optional
        The first is compared with the last.

    Returns
    -------
    DataFrame
        `stratum level quantity n value low high`: "Hazard ratio of OS" for the level, and "ORR" of each arm
        [%].
    """
    order = _order(table, arms)
    rows = []
    for factor in factors:
        for level, part in table.groupby(factor, sort=True):
            own = part[part["arm"].isin([order[0], order[-1]])]
            days, events = own[f"{endpoint}_day"], own[f"{endpoint}_event"]
            found = hazard_ratio(np.asarray(days), np.asarray(events), np.asarray(own["arm"] == order[0]))
            rows.append((factor, str(level), f"Hazard ratio of {endpoint}", len(own), *found))
            for arm in order:
                in_arm = part[part["arm"] == arm]
                count, n = int(in_arm["bor"].isin(["CR", "PR"]).sum()), len(in_arm)
                ends = exact_interval(count, n)
                share = 100 * count / n if n else np.nan
                rows.append((factor, str(level), f"ORR, {arm}", n, share, 100 * ends[0], 100 * ends[1]))
    return pd.DataFrame(rows, columns=["stratum", "level", "quantity", "n", "value", "low", "high"])


def _order(table: pd.DataFrame, arms: Sequence[str] | None) -> list[str]:
    """Put the arms in order; those of the protocol where none is given, else as they come."""
    present = [str(arm) for arm in table["arm"].unique()]
    wanted = list(arms if arms is not None else table.attrs.get("compare", present))
    for arm in wanted:
        if arm not in present:
            raise ArmsToCompareError(arms=present, wanted=arm)
    return wanted


def _fit(days: pd.Series, events: pd.Series) -> Any:
    from lifelines import KaplanMeierFitter

    return KaplanMeierFitter().fit(days.to_numpy(float), events.to_numpy(bool))


def _rates(own: pd.DataFrame, arm: str) -> list[tuple[object, ...]]:
    """Shares of patients of one arm, and its follow-up."""
    shares = {
        "ORR": own["bor"].isin(["CR", "PR"]),
        "DCR": own["bor"].isin(["CR", "PR", "SD"]),
        "Grade >= 3 events": own["grade"] >= 3,
    }
    rows: list[tuple[object, ...]] = []
    for name, yes in shares.items():
        count, n = int(yes.sum()), len(own)
        low, high = exact_interval(count, n)
        rows.append((name, arm, 100 * count / n, 100 * low, 100 * high, "%", n, count))
    alive = _fit(own["OS_day"], ~own["OS_event"])
    months = float(alive.median_survival_time_) / _MONTH
    return [
        *rows,
        ("Median follow-up", arm, months, np.nan, np.nan, "month", len(own), int((~own["OS_event"]).sum())),
    ]


def _times(
    own: pd.DataFrame, arm: str, endpoint: str, middle: pd.DataFrame, months: Sequence[int]
) -> list[tuple[object, ...]]:
    """Median and landmarks of one endpoint in one arm."""
    n, events = len(own), int(own[f"{endpoint}_event"].sum())
    row = middle[(middle["endpoint"] == endpoint) & (middle["arm"] == arm)].iloc[0]
    found = [row["median"] / _MONTH, row["low"] / _MONTH, row["high"] / _MONTH]
    rows: list[tuple[object, ...]] = [(f"Median {endpoint}", arm, *found, "month", n, events)]
    fit = _fit(own[f"{endpoint}_day"], own[f"{endpoint}_event"])
    ends = fit.confidence_interval_survival_function_
    for month in months:
        day = month * _MONTH
        place = max(int(np.searchsorted(ends.index.to_numpy(), day, side="right")) - 1, 0)
        share = [float(fit.survival_function_at_times(day).iloc[0]), *ends.iloc[place].astype(float)]
        if day > float(own[f"{endpoint}_day"].max()) and share[0] > 0:
            share = [np.nan] * 3  # nobody was followed so long: the curve ends before
        rows.append((f"{endpoint} at {month} months", arm, *(100 * x for x in share), "%", n, events))
    return rows


def _contrast(
    table: pd.DataFrame, endpoint: str, order: Sequence[str], stratified: bool
) -> list[tuple[object, ...]]:
    """Hazard ratio and log-rank p of the first arm against the last."""
    own = table[table["arm"].isin([order[0], order[-1]])]
    days, events = own[f"{endpoint}_day"].to_numpy(float), own[f"{endpoint}_event"].to_numpy(bool)
    treated = (own["arm"] == order[0]).to_numpy()
    strata = own["stratum"].to_numpy(str) if stratified and own["stratum"].nunique() > 1 else None
    ratio = hazard_ratio(days, events, treated, strata)
    p = log_rank(days, events, treated, strata)[1]
    n, count = len(own), int(events.sum())
    return [
        (f"Hazard ratio of {endpoint}", "", *ratio, "", n, count),
        (f"Log-rank p of {endpoint}", "", p, np.nan, np.nan, "", n, count),
    ]


def _observed_less_expected(days: np.ndarray, events: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """Sum over event times of observed less expected events of the group, and of the variance."""
    times = np.unique(days[events])
    at_risk = days[:, None] >= times
    now = (days[:, None] == times) & events[:, None]
    n, n_group = at_risk.sum(axis=0), (at_risk & group[:, None]).sum(axis=0)
    died, died_group = now.sum(axis=0), (now & group[:, None]).sum(axis=0)
    share = n_group / n
    variance = np.where(n > 1, died * share * (1 - share) * (n - died) / np.maximum(n - 1, 1), 0.0)
    return float((died_group - died * share).sum()), float(variance.sum())
