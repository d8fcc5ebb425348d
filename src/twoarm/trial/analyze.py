"""The analysis of a trial: every result by arm and between arms, in one table.

Works on any table with the columns of `cut`, so real data can be fed to it. Each statistic stands in
`twoarm.trial.analyses`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from twoarm.errors import AnalysisCellError, MissingColumnError
from twoarm.trial.analyses.columns import MONTH, arm_order
from twoarm.trial.analyses.competing import cumulative_incidence, incidence_at, treatment_ends
from twoarm.trial.analyses.curves import (
    kaplan_meier,
    median_of,
    medians,
    product_limit,
    restricted_mean,
    restricted_mean_difference,
    survival_of,
)
from twoarm.trial.analyses.hazards import hazard_ratio, log_rank, ratio_and_proportionality
from twoarm.trial.analyses.rates import exact_interval, rate_difference
from twoarm.trial.analyses.subdistribution import gray_test, subdistribution_ratio
from twoarm.trial.analyses.subgroups import subgroups
from twoarm.trial.cutoff import cut

__all__ = [
    "analyze",
    "cut",
    "exact_interval",
    "hazard_ratio",
    "kaplan_meier",
    "log_rank",
    "medians",
    "rate_difference",
    "subgroups",
]

LANDMARKS: Mapping[str, Sequence[int]] = {"PFS": (6, 12), "OS": (12, 18)}
"""Months at which survival is read; mean times are up to the last of them."""

_RESPONSE_LASTS = 6  # months at which duration of response is read
_STOPPED = 6  # months by which treatment was stopped for toxicity
_LATE = (0.0, 1.0)  # Fleming and Harrington's weights for an effect that comes late
_COLUMNS = ["quantity", "arm", "value", "low", "high", "unit", "n", "events"]
_Row = tuple[object, ...]
_NO_INTERVAL = (np.nan, np.nan)


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
        `stratified`. Duration of response and the end of treatment are analyzed where the table has their
        columns.
    arms : sequence of str, optional
        Order of the arms; the first is compared with the last. Left out, that of the protocol.
    stratified : bool
        Whether comparisons are stratified.
    landmarks : mapping of endpoint to months
        When survival is read; the last is the horizon of the mean.

    Returns
    -------
    DataFrame
        `quantity arm value low high unit n events`: for each arm "ORR", "DCR", "Grade >= 3 events",
        "Median follow-up", "Median DOR", "DOR at 6 months", "Median time to response", "Stopped for toxicity
        by 6 months", "Median PFS", "PFS at 6 months", ..., "Mean PFS to 12 months"; then, with arm "",
        "Hazard ratio of PFS", differences under the name of what differs ("ORR" in percentage points, "Mean
        PFS to 12 months", "Stratified mean PFS to 12 months"), "Subdistribution hazard ratio of stopping for
        toxicity", "Gray's p of stopping for toxicity", "Log-rank p of PFS", "Late-weighted log-rank p of
        PFS", "Proportional hazards p of PFS", and the same of OS. Intervals of 95 %; an end that is not
        reached is infinite.

    Raises
    ------
    MissingColumnError, ArmsToCompareError
        If a column or an arm is missing.
    AnalysisCellError
        If a time is not a number of at least 0, or an event neither true nor false (1 and 0 will do).

    Notes
    -----
    Patients without an evaluable scan count as non-responders. Median follow-up is by reversed Kaplan-Meier.
    Survival intervals are on the log(-log) scale; ties in the Cox model by Efron. Survival or a mean at a
    month beyond the last patient's follow-up is NaN. The difference of response rates has the score
    interval of Miettinen and Nurminen; the late-weighted test is Fleming and Harrington's (0, 1). Means and
    their difference are not stratified; the stratified difference stands beside it, and is NaN where a
    stratum was not followed so long. Time to response is of responders only and has no interval. Who stopped
    for toxicity is by Aalen and Johansen, progression and death taken into account; it is compared by Gray's
    test and by Fine and Gray's ratio. Every p is two-sided.

    References
    ----------
    clopper1934, kaplan1958, mantel1966, cox1972, efron1977, fleming1981, miettinen1985, grambsch1994,
    uno2014, aalen1978, gray1988, finegray1999, davidsonpilon2019.

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
    order = arm_order(table, arms) if "arm" in table else []
    table = _checked(table, stratified and len(order) > 1)
    rows: list[_Row] = []
    for arm in order:
        own = table[table["arm"] == arm]
        rows += [*_rates(own, arm), *_responders(own, arm), *_stopped(own, arm)]
    for endpoint, months in landmarks.items():
        for arm in order:
            rows += _times(table[table["arm"] == arm], arm, endpoint, months)
    if len(order) > 1:
        pair = table[table["arm"].isin([order[0], order[-1]])]
        ratios: list[_Row] = []
        others = _more_responses(pair, order, stratified)
        for endpoint, months in landmarks.items():
            ratio, *rest = _contrast(pair, endpoint, order[0], stratified, max(months))
            ratios, others = [*ratios, ratio], [*others, *rest]
        # what readers look for comes first
        rows += [*ratios, *others, *_more_stops(pair, order, stratified)]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _checked(table: pd.DataFrame, by_stratum: bool) -> pd.DataFrame:
    """Refuse what cannot be analyzed; returns the table with events as true and false."""
    needed = ["arm", "bor", "grade", "OS_day", "OS_event", "PFS_day", "PFS_event"]
    for name in [*needed, *(["stratum"] if by_stratum else [])]:
        if name not in table:
            raise MissingColumnError(column=name, table="the data cut", purpose="for the analysis")
    events = {}
    for endpoint in ("OS", "PFS"):
        days = pd.to_numeric(table[f"{endpoint}_day"], errors="coerce").to_numpy(float)
        happened = table[f"{endpoint}_event"]
        rule = "A time is a number of days, 0 or more"
        _refuse(table, f"{endpoint}_day", ~(np.isfinite(days) & (days >= 0)), rule)
        rule = "An event is true or false; a missing one is neither"
        _refuse(table, f"{endpoint}_event", ~happened.isin([True, False]).to_numpy(bool), rule)
        events[f"{endpoint}_event"] = happened.astype(bool)
    return table.assign(**events)


def _refuse(table: pd.DataFrame, column: str, wrong: np.ndarray, rule: str) -> None:
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        value = table[column].iloc[place]
        raise AnalysisCellError(column=column, row=table.index[place], value=value, rule=rule)


def _rates(own: pd.DataFrame, arm: str) -> list[_Row]:
    """Shares of patients of one arm, and its follow-up."""
    shares = {
        "ORR": _responded(own),
        "DCR": own["bor"].isin(["CR", "PR", "SD"]),
        "Grade >= 3 events": own["grade"] >= 3,
    }
    rows: list[_Row] = []
    for name, yes in shares.items():
        count, n = int(yes.sum()), len(own)
        low, high = exact_interval(count, n)
        rows.append((name, arm, 100 * count / n, 100 * low, 100 * high, "%", n, count))
    alive = product_limit(own["OS_day"], ~own["OS_event"])
    months = float(alive.median_survival_time_) / MONTH
    known = int((~own["OS_event"]).sum())
    return [*rows, ("Median follow-up", arm, months, *_NO_INTERVAL, "month", len(own), known)]


def _responded(table: pd.DataFrame) -> pd.Series:
    return table["bor"].isin(["CR", "PR"])


def _responders(own: pd.DataFrame, arm: str) -> list[_Row]:
    """How soon those respond who do, and for how long."""
    if not {"DOR_day", "DOR_event", "response_day"} <= set(own):
        return []
    who = own[own["DOR_day"].notna()]
    n, events = len(who), int(who["DOR_event"].sum())
    at = f"DOR at {_RESPONSE_LASTS} months"
    if not n:
        nothing = (np.nan, *_NO_INTERVAL)
        return [
            ("Median DOR", arm, *nothing, "month", 0, 0),
            (at, arm, *nothing, "%", 0, 0),
            ("Median time to response", arm, *nothing, "month", 0, 0),
        ]
    fit = product_limit(who["DOR_day"], who["DOR_event"])
    lasts = survival_of(fit, _RESPONSE_LASTS)
    soon = float(who["response_day"].median()) / MONTH
    return [
        ("Median DOR", arm, *(x / MONTH for x in median_of(fit)), "month", n, events),
        (at, arm, *(100 * x for x in lasts), "%", n, events),
        ("Median time to response", arm, soon, *_NO_INTERVAL, "month", n, n),
    ]


def _stopped(own: pd.DataFrame, arm: str) -> list[_Row]:
    """Share whose treatment ended for toxicity, before progression or death did."""
    if not {"treatment_end", "off_reason"} <= set(own):
        return []
    ends = treatment_ends(own)
    curve = cumulative_incidence(ends, causes=["toxicity"], arms=[arm])
    share = (100 * x for x in incidence_at(curve, _STOPPED * MONTH))
    events = int((ends["cause"] == "toxicity").sum())
    return [(f"Stopped for toxicity by {_STOPPED} months", arm, *share, "%", len(own), events)]


def _times(own: pd.DataFrame, arm: str, endpoint: str, months: Sequence[int]) -> list[_Row]:
    """Median, landmarks and restricted mean of one endpoint in one arm."""
    days, happened = own[f"{endpoint}_day"], own[f"{endpoint}_event"]
    size = (len(own), int(happened.sum()))
    fit = product_limit(days, happened)
    found = [x / MONTH for x in median_of(fit)]
    rows: list[_Row] = [(f"Median {endpoint}", arm, *found, "month", *size)]
    for month in months:
        share = (100 * x for x in survival_of(fit, month))
        rows.append((f"{endpoint} at {month} months", arm, *share, "%", *size))
    mean, error = (x / MONTH for x in restricted_mean(days, happened, max(months) * MONTH))
    reach = float(norm.ppf(0.975)) * error
    return [*rows, (_mean_name(endpoint, max(months)), arm, mean, mean - reach, mean + reach, "month", *size)]


def _mean_name(endpoint: str, month: int) -> str:
    return f"Mean {endpoint} to {month} months"


def _more_responses(pair: pd.DataFrame, order: Sequence[str], stratified: bool) -> list[_Row]:
    """Difference of response rates, the first arm less the last."""
    strata = _strata(pair, stratified)
    by = pd.Series("all" if strata is None else strata, index=pair.index, name="part")
    counted = pd.DataFrame({"arm": pair["arm"], "part": by, "yes": _responded(pair)})
    counts = counted.groupby(["part", "arm"])["yes"].agg(["sum", "size"]).unstack(fill_value=0)
    sides = [counts[name][arm] for arm in (order[0], order[-1]) for name in ("sum", "size")]
    found = (100 * x for x in rate_difference(*sides))
    return [("ORR", "", *found, "%", len(pair), int(counted["yes"].sum()))]


def _more_stops(pair: pd.DataFrame, order: Sequence[str], stratified: bool) -> list[_Row]:
    """Compare the shares whose treatment ended for toxicity."""
    if not {"treatment_end", "off_reason"} <= set(pair):
        return []
    ends = treatment_ends(pair)
    own, any_end = (ends["cause"] == "toxicity").to_numpy(), (ends["cause"] != "").to_numpy()
    treated = (pair["arm"] == order[0]).to_numpy()
    how = (ends["day"].to_numpy(float), own, any_end & ~own, treated, _strata(pair, stratified))
    ratio, p, size = subdistribution_ratio(*how)[:3], gray_test(*how)[1], (len(pair), int(own.sum()))
    return [
        ("Subdistribution hazard ratio of stopping for toxicity", "", *ratio, "", *size),
        ("Gray's p of stopping for toxicity", "", p, *_NO_INTERVAL, "", *size),
    ]


def _strata(table: pd.DataFrame, stratified: bool) -> np.ndarray | None:
    """Stratum of each patient, where there are several."""
    several = stratified and table["stratum"].nunique() > 1
    return table["stratum"].to_numpy(str) if several else None


def _contrast(pair: pd.DataFrame, endpoint: str, first: str, stratified: bool, horizon: int) -> list[_Row]:
    """Comparisons of one endpoint, the first arm against the other."""
    days, events = pair[f"{endpoint}_day"].to_numpy(float), pair[f"{endpoint}_event"].to_numpy(bool)
    treated, strata = (pair["arm"] == first).to_numpy(), _strata(pair, stratified)
    *ratio, same = ratio_and_proportionality(days, events, treated, strata)
    change, within = (
        [x / MONTH for x in restricted_mean_difference(days, events, treated, horizon * MONTH, by)[:3]]
        for by in (None, strata)
    )
    tests = {
        "Log-rank p": log_rank(days, events, treated, strata)[1],
        "Late-weighted log-rank p": log_rank(days, events, treated, strata, weights=_LATE)[1],
        "Proportional hazards p": same,
    }
    size, name = (len(pair), int(events.sum())), _mean_name(endpoint, horizon)
    return [
        (f"Hazard ratio of {endpoint}", "", *ratio, "", *size),
        (name, "", *change, "month", *size),
        *([] if strata is None else [(f"Stratified m{name[1:]}", "", *within, "month", *size)]),
        *((f"{test} of {endpoint}", "", p, *_NO_INTERVAL, "", *size) for test, p in tests.items()),
    ]
