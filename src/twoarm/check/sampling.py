"""Cohorts drawn from pools of patients: who is in them, how long they are seen, what a pool's size adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm import chance
from twoarm.check.endpoints import MONTH, read_endpoint
from twoarm.check.events import first_severe
from twoarm.check.pool import twins_of
from twoarm.frozen import Member
from twoarm.study.pool import Scale, scale_of


class Drawn(NamedTuple):
    """Patients of one draw and member, and the cohorts that are made of them.

    Attributes
    ----------
    pools : dict of arm to DataFrame
        Everybody once.
    chosen : dict of arm to (cohort, patient) int array
        Rows of the pools.
    """

    pools: dict[str, pd.DataFrame]
    chosen: dict[str, np.ndarray]


def once_and_twins(
    tables: Sequence[pd.DataFrame], members: Sequence[Member], size: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame | None]:
    """Take pools apart: everybody once; those who were followed twice; the same with their other fate.

    Parameters
    ----------
    tables : sequence of DataFrame
        From `simulate_pool`, one a part of the cohort.
    members : sequence of Member
        Whose patients they are.
    size : int
        Patients asked for of each.
    seed : int
        Of events that no drug caused.

    Returns
    -------
    everybody, first, second : DataFrame, or None
        Parts joined; None where nobody was followed twice.
    """
    whole = []
    for place, (table, member) in enumerate(zip(tables, members, strict=True)):
        day = first_severe(table, member, seed=seed + place) if "treated_until" in table else np.nan
        whole.append(table.assign(any_severe_day=day))
    once = pd.concat([table.iloc[:size] for table in whole], ignore_index=True)
    if any(len(table) <= size for table in whole):
        return once, None, None
    first = pd.concat([table.iloc[: twins_of(size)] for table in whole], ignore_index=True)
    second = pd.concat([table.iloc[size:] for table in whole], ignore_index=True)
    return once, first, second


def seen(pool: pd.DataFrame, follow_up: tuple[float, float] | None, seed: int) -> pd.DataFrame:
    """Cut each patient's record where the cohort was reported.

    Parameters
    ----------
    pool : DataFrame
        From `once_and_twins`.
    follow_up : tuple of two floats [months] or None
        Between which patients are followed; None to the end.
    seed : int
        Of how long each is.

    Returns
    -------
    DataFrame
        The same, with `limit` [day].
    """
    if follow_up is None:
        return pool.assign(limit=np.inf)
    low, high = (MONTH * end for end in follow_up)
    limit = low + (high - low) * chance.uniforms(seed, "follow-up", np.arange(len(pool)))[:, 0]
    pool = pool.assign(limit=limit)
    for name in ("OS", "PFS"):
        later = pool[f"{name}_day"] > limit
        pool[f"{name}_event"] &= ~later
        pool[f"{name}_day"] = pool[f"{name}_day"].clip(upper=limit)
    for response, day in (("bor", "response_day"), ("bor_any", "response_any_day")):
        early = pool[response].isin(["CR", "PR"]) & (pool[day] > limit)
        pool[response] = pool[response].mask(early, "SD")
    gone = pool["response_day"] > limit
    end = (limit - pool["response_day"]).where(pool["DOR_day"].notna())
    pool["DOR_event"] &= ~(pool["DOR_day"] > end) & ~gone
    pool["DOR_day"] = np.minimum(pool["DOR_day"], end).mask(gone)
    for name in ("severe_day", "any_severe_day", "stopped_day"):
        if name in pool:
            pool[name] = pool[name].mask(pool[name] > limit)
    return pool


def choose(
    n: int, pool: int, shares: Sequence[float], cohorts: int, seed: int, *, replacing: bool
) -> np.ndarray:
    """Choose the patients of many cohorts.

    Parameters
    ----------
    n : int
        Patients of each.
    pool : int
        Patients of each part's pool; pools are joined in the order of the parts.
    shares : sequence of float
        Of the parts.
    cohorts : int
        How many.
    seed : int
        Of the choice.
    replacing : bool
        Whether a patient may be in a cohort twice; where a part needs more than there are, they are.

    Returns
    -------
    (cohort, patient) int array
        Rows of the joined pools.

    Examples
    --------
    >>> choose(4, 10, [0.5, 0.5], 1, 3, replacing=False).shape
    (1, 4)
    """
    counts = np.floor(n * np.asarray(shares) + 1e-9).astype(int)
    counts[np.argsort(counts - n * np.asarray(shares))[: n - counts.sum()]] += 1
    draw = chance.generator(seed, f"cohorts of {n}")
    columns = []
    for place, count in enumerate(counts):
        if replacing or count > pool:
            rows = draw.integers(pool, size=(cohorts, count))
        else:
            rows = np.argsort(draw.random((cohorts, pool)), axis=1)[:, :count]
        columns.append(rows + place * pool)
    return np.concatenate(columns, axis=1)


def echo_of(sizes: Mapping[str, int], pool: int, shares: Sequence[float]) -> float:
    """Say what the finite size of pools adds between them, over what sampling does within a cohort.

    Examples
    --------
    >>> echo_of({"one": 64}, 128, [1.0]), echo_of({"one": 64}, 128, [0.5, 0.5])
    (0.5, 0.25)
    """
    return max(sizes.values()) / pool * float(np.sum(np.square(shares)))


def drawn_in(table: pd.DataFrame, echo: float) -> pd.DataFrame:
    """Take out of the spread between pools what their finite size adds.

    Parameters
    ----------
    table : DataFrame
        `draw member arm endpoint value plain`: with and without what trials have of their own.
    echo : float
        From `echo_of`.

    Returns
    -------
    DataFrame
        The same; centers of draws and members drawn in to the share of their variance that is not chance, on
        the scale of `scale_of_unit`.
    """
    found = {name: table[name].to_numpy(float).copy() for name in ("value", "plain")}
    for (name, _), own in table.groupby(["endpoint", "arm"], sort=False):
        scale = scale_of_unit(read_endpoint(str(name)).unit)
        plain = finite_on(own["plain"], scale)
        cells = pd.Series(plain, own.index).groupby([own["draw"], own["member"]])
        centers = cells.mean()
        if centers.notna().sum() < 2:
            continue
        # a cohort varies by sigma^2/n about the center of its pool, and that by sigma^2/pool about the truth
        chance_of_pools = float(cells.var(ddof=1).mean()) * echo
        between = float(np.nanvar(centers, ddof=1))
        kept = np.sqrt(max(between - chance_of_pools, 0.0) / between) if between > 0 else 1.0
        moved = (1 - kept) * (cells.transform("mean").to_numpy() - float(np.nanmean(centers)))
        for column, values in found.items():
            x = finite_on(own[column], scale)
            known = np.isfinite(x) & np.isfinite(moved)
            values[own.index[known]] = scale.back(x[known] - moved[known])
    return table.assign(**found)


def finite_on(values: pd.Series, scale: Scale) -> np.ndarray:
    """Values on a scale; NaN where they are not finite there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x = scale.to(values.to_numpy(float))
    return np.where(np.isfinite(x), x, np.nan)


def scale_of_unit(unit: str) -> Scale:
    """Scale on which an endpoint of this unit is nearly normal.

    Parameters
    ----------
    unit : str
        "%", "months" or "ratio".

    Returns
    -------
    Scale
        Logit for shares, log for times and ratios.

    Examples
    --------
    >>> float(scale_of_unit("ratio").to(np.array(1.0)))
    0.0
    """
    return scale_of("HR" if unit == "ratio" else "", "month" if unit == "months" else unit)
