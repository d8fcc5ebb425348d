"""Endpoints of many cohorts at once, from what became of a pool of patients; arrays only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from twoarm import chance
from twoarm.errors import NoSuchEndpointError
from twoarm.trial.ranks import hazard_ratios, medians_of, risk_sets, survival_after
from twoarm.units import quantity

MONTH = quantity("1 month", "day")
_TIMED = re.compile(r"(OS|PFS|DOR)_(\d{1,3})m")

Kind = Literal["rate", "median", "landmark", "ratio"]


class Endpoint(NamedTuple):
    """One endpoint of a cohort.

    Attributes
    ----------
    name : str
        As in tables of evidence: "ORR", "mPFS", "OS_12m", "HR_OS", ...
    kind : {"rate", "median", "landmark", "ratio"}
        How it is worked out.
    of : str
        The yes or no, or the time, that it is worked out from.
    month : int
        Of a landmark.
    unit : str
        Of its value.
    """

    name: str
    kind: Kind
    of: str
    month: int
    unit: str


def _responded(pool: pd.DataFrame) -> np.ndarray:
    return pool["bor"].isin(["CR", "PR"]).to_numpy()


_RATES: Mapping[str, tuple[str, Callable[[pd.DataFrame], np.ndarray]]] = {
    "ORR": ("confirmed response", _responded),
    "ORR_any": ("response, confirmed or not", lambda pool: pool["bor_any"].isin(["CR", "PR"]).to_numpy()),
    "CRR": ("confirmed complete response", lambda pool: pool["bor"].eq("CR").to_numpy()),
    "DCR": ("disease controlled", lambda pool: pool["bor_any"].isin(["CR", "PR", "SD"]).to_numpy()),
    "CRR_any": ("complete response, confirmed or not", lambda pool: pool["bor_any"].eq("CR").to_numpy()),
    "TRAE_G3plus": ("related event of grade 3 or above", lambda pool: pool["severe_day"].notna().to_numpy()),
    "TEAE_G3plus": ("event of grade 3 or above", lambda pool: pool["any_severe_day"].notna().to_numpy()),
    "stopped": ("treatment stopped for an event", lambda pool: pool["stopped_day"].notna().to_numpy()),
}
_MEDIANS = {"mOS": "OS", "mPFS": "PFS", "mDOR": "DOR"}

_RATIOS = {"HR_OS": "OS", "HR_PFS": "PFS"}
KNOWN = (*_RATES, *_MEDIANS, "OS_12m", "PFS_6m", *_RATIOS)
"""Names of endpoints; a landmark takes any month."""


def read_endpoint(name: str) -> Endpoint:
    """Find an endpoint by the name that it has in tables of evidence.

    Parameters
    ----------
    name : str
        One of `KNOWN`; OS, PFS and DOR take any month.

    Returns
    -------
    Endpoint
        How it is worked out.

    Raises
    ------
    NoSuchEndpointError
        If there is none of that name.

    Examples
    --------
    >>> read_endpoint("OS_18m").month
    18
    """
    if name in _RATES:
        return Endpoint(name, "rate", _RATES[name][0], 0, "%")
    if name in _MEDIANS:
        return Endpoint(name, "median", _MEDIANS[name], 0, "months")
    if name in _RATIOS:
        return Endpoint(name, "ratio", _RATIOS[name], 0, "ratio")
    timed = _TIMED.fullmatch(name)
    if timed is None or not int(timed[2]):
        raise NoSuchEndpointError(name=name, known=KNOWN)
    return Endpoint(name, "landmark", timed[1], int(timed[2]), "%")


def days_needed(endpoints: tuple[str, ...], *, longest: float) -> float:
    """Follow-up that endpoints need, in days.

    Parameters
    ----------
    endpoints : tuple of str
        Names.
    longest : float [day]
        Follow-up for medians and hazard ratios of survival, whose end is not known beforehand.

    Returns
    -------
    float [day]
        At most what the longest landmark needs, or `longest`.

    Examples
    --------
    >>> days_needed(("ORR", "PFS_6m"), longest=2000.0) < 1100
    True
    """
    needed = longest / 2
    for endpoint in map(read_endpoint, endpoints):
        if endpoint.of in ("OS", "DOR") and endpoint.kind != "landmark":
            needed = max(needed, longest)
        needed = max(needed, (endpoint.month + 1) * MONTH)
    return needed


def work_out(
    endpoint: Endpoint,
    pools: Mapping[str, pd.DataFrame],
    chosen: Mapping[str, np.ndarray],
    *,
    effect: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Work out an endpoint of many cohorts.

    Parameters
    ----------
    endpoint : Endpoint
        From `read_endpoint`.
    pools : mapping of arm to DataFrame
        A row a patient: `OS_day OS_event PFS_day PFS_event DOR_day DOR_event bor bor_any severe_day
        any_severe_day stopped_day`, as far as the endpoint needs them, and `limit` [day] where a record ends.
    chosen : mapping of arm to (cohort, patient) int array
        Rows of the pool that make up each cohort.
    effect : (cohort,) float array, optional
        What each cohort's trial has of its own: a shift of the log odds of a share, of the log of times, or
        of the log of a ratio.
    seed : int
        Of who answers otherwise in such a trial.

    Returns
    -------
    dict of arm to (cohort,) float array
        In the endpoint's unit; a hazard ratio has the one arm "", the first arm against the last. Infinite
        where a median is not reached, NaN where there is nothing to work with.

    Examples
    --------
    >>> pool = pd.DataFrame({"bor": ["PR", "SD"], "bor_any": ["PR", "SD"]})
    >>> work_out(read_endpoint("ORR"), {"new": pool}, {"new": np.array([[0, 1], [1, 1]])})
    {'new': array([50.,  0.])}
    """
    names = list(pools)
    if endpoint.kind == "ratio":
        ratio = _ratio(endpoint.of, pools, chosen, names[0], names[-1])
        return {"": ratio if effect is None else ratio * np.exp(effect)}
    if endpoint.kind == "rate":
        return {
            arm: _rate(endpoint, pools[arm], chosen[arm], effect, chance.generator(seed, f"answers {arm}"))
            for arm in names
        }
    scale = None if effect is None else np.exp(effect)
    one = {"median": _median, "landmark": _landmark}[endpoint.kind]
    return {arm: one(endpoint, pool, chosen[arm], scale) for arm, pool in pools.items()}


def _rate(
    endpoint: Endpoint,
    pool: pd.DataFrame,
    chosen: np.ndarray,
    effect: np.ndarray | None,
    draw: np.random.Generator,
) -> np.ndarray:
    yes = _RATES[endpoint.name][1](pool)
    held = yes[chosen]
    if effect is not None:
        # patients answer otherwise, each alike, as many as the odds of such a trial ask for
        usual = (yes.sum() + 0.5) / (yes.size + 1)
        here = expit(logit(usual) + effect)[:, None]
        lot = draw.random(held.shape)
        held = np.where(
            here < usual, held & (lot < here / usual), held | (lot < (here - usual) / (1 - usual))
        )
    return np.asarray(100.0 * held.mean(axis=1))


def _median(
    endpoint: Endpoint, pool: pd.DataFrame, chosen: np.ndarray, scale: np.ndarray | None
) -> np.ndarray:
    days, events, counted = _times(endpoint.of, pool, chosen, scale)
    found = medians_of(days, events, counted) / MONTH
    return np.where(counted.any(axis=1), found, np.nan)


def _landmark(
    endpoint: Endpoint, pool: pd.DataFrame, chosen: np.ndarray, scale: np.ndarray | None
) -> np.ndarray:
    days, events, counted = _times(endpoint.of, pool, chosen, None)
    sets = risk_sets(days, events, np.ones(days.shape, bool))
    curve = survival_after(sets)
    if scale is not None:  # of the hazard: a longer time would ask for what lies beyond the record
        curve = curve ** (1 / scale[:, None])
    place = (sets.day <= endpoint.month * MONTH).sum(axis=1) - 1
    value = np.where(place >= 0, curve[np.arange(len(curve)), np.maximum(place, 0)], 1.0)
    unseen = days.max(axis=1) < endpoint.month * MONTH  # the curve ends before: known only where it is at 0
    nobody = ~counted.any(axis=1)
    return np.asarray(100.0 * np.where((unseen & (value > 0)) | nobody, np.nan, value))


def _ratio(
    of: str, pools: Mapping[str, pd.DataFrame], chosen: Mapping[str, np.ndarray], first: str, last: str
) -> np.ndarray:
    own, other = (_times(of, pools[arm], chosen[arm], None) for arm in (first, last))
    treated = np.concatenate([np.ones(own[0].shape, bool), np.zeros(other[0].shape, bool)], axis=1)
    days, events = (np.concatenate([own[k], other[k]], axis=1) for k in (0, 1))
    return np.asarray(np.exp(hazard_ratios(risk_sets(days, events, treated)).log_ratio))


def _times(
    of: str, pool: pd.DataFrame, chosen: np.ndarray, scale: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days, whether the event happened, and who counts, of every cohort; no longer than its record."""
    days = pool[f"{of}_day"].to_numpy(float)[chosen]
    events = pool[f"{of}_event"].to_numpy(bool)[chosen]
    counted = ~np.isnan(days)
    if scale is not None:
        days = days * scale[:, None]
        limit = pool["limit"].to_numpy(float)[chosen] if "limit" in pool else np.inf
        events, days = events & (days <= limit), np.minimum(days, limit)
    return np.where(counted, days, -1.0), events & counted, counted
