"""What a design does: trials drawn from pools, looked at and stopped as it says; summaries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from twoarm.chance import generator
from twoarm.design.boundaries import Boundaries, efficacy_boundary, with_futility
from twoarm.design.card import Planned
from twoarm.plan.batches import kept, place_of
from twoarm.plan.pool import Course, Pool, levels_of
from twoarm.plan.trials import (
    TOGETHER,
    Drawn,
    Happened,
    Setting,
    draw_trials,
    event_day,
    happen,
    observe,
    scans_of,
    stratum_of,
)
from twoarm.trial.ranks import (
    hazard_ratios,
    log_rank_scores,
    medians_of,
    restricted_means,
    risk_sets,
)

MONTH = 365.25 / 12
_CALENDAR = 12  # data cuts at which the hazard ratio is shown
_PERIODS = (0.0, 3.0, 6.0, 12.0, 18.0, 24.0, 36.0)  # months of follow-up between which it is shown


class Ask(NamedTuple):
    """What is asked of the trials of one scenario.

    Attributes
    ----------
    setting : Setting
        Size, speed, randomization, dropout.
    events : tuple of int
        At each look.
    boundaries : Boundaries
        Of each look.
    alpha : float
        One-sided.
    endpoint : str
        "OS" or "PFS".
    by : str
        Whose progression.
    stratified : bool
        Whether tests, hazard ratios and restricted means are.
    until : float [day]
        End of the restriction of the mean.
    """

    setting: Setting
    events: tuple[int, ...]
    boundaries: Boundaries
    alpha: float
    endpoint: str
    by: str
    stratified: bool
    until: float


def boundaries_of(planned: Planned) -> Boundaries:
    """Work out the boundaries of a planned design.

    Parameters
    ----------
    planned : Planned
        From `twoarm.design.card.check_design`.

    Returns
    -------
    Boundaries
        One look without a sequential part.

    Raises
    ------
    NoBoundaryError, DesignNumberError
        If the error cannot be spent as asked.
    """
    assert planned.design.test is not None  # check_design made sure
    alpha, sequential = planned.design.test.alpha, planned.design.sequential
    if sequential is None:
        z = float(ndtri(1 - alpha))
        return Boundaries(np.ones(1), np.array([z]), np.array([z]), np.array([alpha]), np.nan)
    information = np.array(planned.events, float) / planned.events[-1]
    how = sequential.efficacy
    found = efficacy_boundary(information, alpha, how.spending, parameter=how.parameter)
    stop = sequential.futility
    if stop is None or stop.error is None:
        return found
    return with_futility(
        found,
        stop.error,
        stop.spending,
        parameter=stop.parameter,
        binding=stop.binding,
        alpha=alpha,
        efficacy_how=how.spending,
        efficacy_parameter=how.parameter,
    )


def conduct_many(
    pool: Pool,
    experimental: Course,
    control: Course,
    ask: Ask,
    *,
    replicates: int,
    seed: int,
    overrule: bool = False,
    keep: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """Conduct many trials, with every look and every test at the end.

    Parameters
    ----------
    pool : Pool
        Whose patients.
    experimental, control : Course
        What happens to them in each arm; the same course twice for trials without a difference.
    ask : Ask
        The scenario.
    replicates : int
        How many trials.
    seed : int
        Of the trials.
    overrule : bool
        Whether stops for futility are overruled, as non-binding ones may be: for the type I error.
    keep : Path, optional
        Folder in which finished batches of trials are kept, to go on from.
    progress : callable, optional
        Told the share done.

    Returns
    -------
    DataFrame, one row a trial
        `rejected`, `futile`, `look` (that stopped it, from 1), `day` and `enrolled` at the stop, `events`,
        `log_ratio` (of the Cox model) and `error` at the stop; at the final analysis whether stopped before
        or not: `final_day`, `final_events`, `z_log_rank`, `z_late` (weight (0, 1) of Fleming and Harrington),
        `z_mean` (restricted mean), `mean_gain` [day], `final_log_ratio`, `median_experimental`,
        `median_control` [day]. A positive z favors the experimental arm.
    """
    parts = []
    chunks = -(-replicates // TOGETHER)
    strata = stratum_of(pool, ask.setting)
    place = place_of(keep, ask, seed, overrule, pool.size, strata, experimental, control, _regions(pool, ask))
    for chunk in range(chunks):
        trials = min(TOGETHER, replicates - chunk * TOGETHER)
        make = partial(_conduct, pool, experimental, control, ask, seed, chunk, trials, overrule)
        parts.append(kept(place, f"{chunk:04d}-{trials}", make))
        if progress is not None:
            progress((chunk + 1) / chunks)
    return pd.concat(parts, ignore_index=True)


def ratios_over_time(
    pool: Pool, experimental: Course, control: Course, ask: Ask, *, trials: int, seed: int
) -> pd.DataFrame:
    """Hazard ratio of trials as their data mature, and in periods of follow-up.

    Parameters
    ----------
    pool, experimental, control, ask, seed
        As `conduct_many`.
    trials : int
        How many.

    Returns
    -------
    DataFrame
        `trial`, `kind` ("calendar": at a data cut; "period": events of a period alone, at the final
        analysis), `step` (number of the cut or period), `month` (of the cut since the trial opened; end of
        the period), `start` [month], `ratio`.
    """
    rows = []
    for chunk in range(-(-trials // TOGETHER)):
        drawn = draw_trials(pool, ask.setting, seed=seed, chunk=chunk)
        drawn = Drawn(*(part[: min(TOGETHER, trials - chunk * TOGETHER)] for part in drawn))
        happened = happen(drawn, experimental, control, ask.endpoint, by=ask.by)
        scans = scans_of(drawn, experimental, control) if ask.endpoint == "PFS" else None
        final = event_day(drawn, happened, ask.events[-1])
        label = np.arange(len(final)) + chunk * TOGETHER
        for step, share in enumerate(np.arange(1, _CALENDAR + 1) / _CALENDAR):
            strata = drawn.stratum if ask.stratified else None
            sets = risk_sets(*observe(drawn, happened, share * final, scans), drawn.treated, strata)
            ratio = np.exp(hazard_ratios(sets).log_ratio)
            rows.append(_ratios(label, "calendar", step, share * float(np.median(final)) / MONTH, 0.0, ratio))
        for step, (start, end) in enumerate(pairwise(_PERIODS)):
            found = hazard_ratios(sets, between=(start * MONTH, end * MONTH))
            rows.append(_ratios(label, "period", step, end, start, np.exp(found.log_ratio)))
    return pd.concat(rows, ignore_index=True)


def summarize(trials: pd.DataFrame, looks: int, alpha: float) -> dict[str, float]:
    """Summarize the trials of one scenario and draw.

    Parameters
    ----------
    trials : DataFrame
        From `conduct_many`.
    looks : int
        How many the design has.
    alpha : float
        One-sided, for the tests laid beside the design's own.

    Returns
    -------
    dict of str to float
        Shares (0 to 1), months and numbers.
    """
    limit = float(ndtri(1 - alpha))
    found = {
        "power": float(trials["rejected"].mean()),
        "futile": float(trials["futile"].mean()),
        "months": float(trials["day"].mean() / MONTH),
        "final_months": float(trials["final_day"].mean() / MONTH),
        "patients": float(trials["enrolled"].mean()),
        "events": float(trials["events"].mean()),
        "final_events": float(trials["final_events"].mean()),
        "hazard_ratio": float(np.exp(trials["final_log_ratio"].median())),
        "hazard_ratio_low": float(np.exp(trials["final_log_ratio"].quantile(0.05))),
        "hazard_ratio_high": float(np.exp(trials["final_log_ratio"].quantile(0.95))),
        "power_log_rank": float((trials["z_log_rank"] >= limit).mean()),
        "power_late": float((trials["z_late"] >= limit).mean()),
        "power_mean": float((trials["z_mean"] >= limit).mean()),
        "mean_gain": float(trials["mean_gain"].mean() / MONTH),
        "median_experimental": float(trials["median_experimental"].median() / MONTH),
        "median_control": float(trials["median_control"].median() / MONTH),
    }
    for look in range(1, looks + 1):
        here = trials["look"] == look
        found[f"efficacy_{look}"] = float((here & trials["rejected"]).mean())
        found[f"futility_{look}"] = float((here & trials["futile"]).mean())
        found[f"months_{look}"] = float(trials[f"day_{look}"].mean() / MONTH)
    return found


def pool_error(
    pool: Pool, experimental: Course, control: Course, ask: Ask, *, seed: int, again: int = 40
) -> float:
    """Estimate the standard error of the pool's own log hazard ratio.

    Parameters
    ----------
    pool, experimental, control, ask, seed
        As `conduct_many`.
    again : int
        Bootstrap samples of the pool's patients.

    Returns
    -------
    float
        Every trial drawn from the pool shares it.
    """
    strata = stratum_of(pool, ask.setting)
    found = []
    for sample in bootstrap(pool.size, again, seed):
        who = np.concatenate([sample, sample])[None]
        treated = np.repeat([True, False], pool.size)[None]
        nothing = np.zeros(who.shape)
        one = Drawn(who, nothing, treated, strata[who], nothing + np.inf, nothing)
        happened = happen(one, experimental, control, ask.endpoint)
        cutoff = np.full(1, float(ask.until) * 2)
        own = one.stratum if ask.stratified else None
        sets = risk_sets(*observe(one, happened, cutoff), one.treated, own)
        found.append(float(hazard_ratios(sets).log_ratio[0]))
    return float(np.nanstd(found, ddof=1))


def bootstrap(size: int, again: int, seed: int) -> Iterator[np.ndarray]:
    """Rows of a pool drawn with replacement, again and again.

    Examples
    --------
    >>> next(bootstrap(3, 1, seed=1)).shape
    (3,)
    """
    for number in range(again):
        yield generator(seed, "plan, error of the pool", replicate=number).integers(size, size=size)


def _conduct(
    pool: Pool,
    experimental: Course,
    control: Course,
    ask: Ask,
    seed: int,
    chunk: int,
    trials: int,
    overrule: bool,
) -> pd.DataFrame:
    """Draw one batch of trials and look at them."""
    drawn = draw_trials(pool, ask.setting, seed=seed, chunk=chunk)
    drawn = Drawn(*(part[:trials] for part in drawn))
    happened = happen(drawn, experimental, control, ask.endpoint, by=ask.by)
    scans = scans_of(drawn, experimental, control) if ask.endpoint == "PFS" else None
    return _looks(drawn, happened, scans, ask, overrule)


def _regions(pool: Pool, ask: Ask) -> tuple[str, ...]:
    """Where each patient lives, where that decides who enters."""
    return tuple(levels_of(pool.patients, "region", ()).tolist()) if ask.setting.enrollment.regions else ()


def _looks(
    drawn: Drawn, happened: Happened, scans: np.ndarray | None, ask: Ask, overrule: bool
) -> pd.DataFrame:
    """Every look of a batch of trials."""
    trials, last = len(drawn.who), len(ask.events)
    strata = drawn.stratum if ask.stratified else None
    table: dict[str, np.ndarray] = {
        "look": np.full(trials, last),
        "rejected": np.zeros(trials, bool),
        "futile": np.zeros(trials, bool),
    }
    going = np.ones(trials, bool)
    stopped = {name: np.zeros(trials) for name in ("day", "enrolled", "events", "log_ratio", "error")}
    for look, events in enumerate(ask.events, start=1):
        day = event_day(drawn, happened, events)
        days, seen = observe(drawn, happened, day, scans)
        sets = risk_sets(days, seen, drawn.treated, strata)
        z = -log_rank_scores(sets).z
        table[f"day_{look}"] = day
        reject = going & (z >= ask.boundaries.efficacy[look - 1])
        futile = going & ~reject & (z < ask.boundaries.futility[look - 1])
        if look == last:
            futile, ends = np.zeros(trials, bool), going
        else:
            futile = futile & (not overrule)
            ends = reject | futile
        if ends.any():
            own = None if strata is None else strata[ends]
            found = hazard_ratios(risk_sets(days[ends], seen[ends], drawn.treated[ends], own))
            now = (day[ends], (days[ends] >= 0).sum(axis=1), seen[ends].sum(axis=1), *found)
            for name, values in zip(stopped, now, strict=True):
                stopped[name][ends] = values
            table["look"][ends] = look
        table["rejected"] |= reject
        table["futile"] |= futile
        going = going & ~ends
    means = restricted_means(days, seen, drawn.treated, strata, until=ask.until)
    table |= stopped | {
        "final_day": day,
        "final_events": seen.sum(axis=1),
        "z_log_rank": z,
        "z_late": -log_rank_scores(sets, gamma=1.0).z,
        "z_mean": means.z,
        "mean_gain": means.difference,
        "final_log_ratio": hazard_ratios(sets).log_ratio,
        "median_experimental": medians_of(days, seen, drawn.treated),
        "median_control": medians_of(days, seen, ~drawn.treated),
    }
    return pd.DataFrame(table)


def _ratios(
    label: np.ndarray, kind: str, step: int, month: float, start: float, ratio: np.ndarray
) -> pd.DataFrame:
    return pd.DataFrame(
        {"trial": label, "kind": kind, "step": step, "month": month, "start": start, "ratio": ratio}
    )
