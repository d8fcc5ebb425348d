"""How wide a prediction is, and what makes it so: card, population, trial, patients, chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twoarm.check.sampling import finite_on, scale_of_unit

PARTS = ("card", "population", "trial", "patients", "sampling")
"""What a prediction's variance is split into."""

_FEWEST_OF_A_RATE = 0.5  # answers added to both sides, so that a cohort in which nobody answers has log odds


def split_width(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Split the variance of predicted endpoints by where it comes from.

    Parameters
    ----------
    cohorts : DataFrame
        From `predict_cohort`.

    Returns
    -------
    DataFrame
        `endpoint arm card population trial patients sampling`: shares that sum to 1, on the scale on which
        the endpoint is nearly normal (logit of shares, log of times and ratios); NaN where nothing varies.
        `card` is the molecule's unknown numbers, `population` what is not known of the population and its
        clinical link, `trial` what trials have of their own (0 where that is not asked for), `patients` who
        of the population is in the cohort, `sampling` what chance does to the same patients.

    Notes
    -----
    Cohorts of n patients drawn with replacement from the pool of a draw and member vary by what who is in
    them and chance add. The part that two fates of the same patients share, their covariance over cohorts, is
    that of the patients; the rest is sampling. Centers of draws and members are split in two directions: what
    draws have in common over members is the card's; what members have in common over draws, and what a member
    does on one draw only, is the population's, less what pools of finite size and few cohorts leave in a
    center. So a member that is drawn anew for each draw counts rightly too. The trial's is what its effect
    adds within a draw and member.
    Estimates below 0 count as 0. Where nobody was followed twice, patients are NaN, and a part of sampling.

    Examples
    --------
    >>> rows = [(d, m, r, 10.0 + 5 * d) for d in (0, 1) for m in (0, 1) for r in (0, 1)]
    >>> table = pd.DataFrame(rows, columns=["draw", "member", "replicate", "value"])
    >>> table = table.assign(endpoint="mOS", arm="a", plain=table["value"], free=table["value"])
    >>> table = table.assign(first=table["value"], second=table["value"])
    >>> table.attrs = {"units": {"mOS": "months"}, "echo": 0.0, "n": {"a": 30}}
    >>> split_width(table)[["card", "population", "trial"]].to_numpy().tolist()
    [[1.0, 0.0, 0.0]]
    """
    units, echo = cohorts.attrs["units"], cohorts.attrs["echo"]
    n = max(cohorts.attrs["n"].values())
    rows = []
    for (endpoint, arm), own in cohorts.groupby(["endpoint", "arm"], sort=False):
        rows.append((endpoint, arm, *_split(own, units[endpoint], echo, n)))
    return pd.DataFrame(rows, columns=["endpoint", "arm", *PARTS])


def _split(own: pd.DataFrame, unit: str, echo: float, n: int) -> tuple[float, ...]:
    """Shares of the parts."""
    columns = ("value", "plain", "free", "first", "second")
    x = own.assign(**{name: _on_scale(own[name], unit, n) for name in columns})
    cells = x.groupby(["draw", "member"])
    within = _mean(cells["free"].var(ddof=1))
    trial = max(_mean(cells["value"].var(ddof=1)) - _mean(cells["plain"].var(ddof=1)), 0.0)
    count = max(float(cells["free"].count().mean()), 1.0)
    card, population = _card_and_population(cells["free"].mean().unstack(), within * (1 / count + echo))
    shared = _shared(x)
    known = 0.0 if np.isnan(shared) else shared
    parts = np.array([card, population, trial, within * known, within * (1 - known)])
    if not parts.sum() > 0:
        return (np.nan,) * len(PARTS)
    shares = parts / parts.sum()
    shares[3] = np.nan if np.isnan(shared) else shares[3]
    return tuple(float(share) for share in shares)


def _card_and_population(centers: pd.DataFrame, left: float) -> tuple[float, float]:
    """Variances of draws and of members from the centers of all; `left` is what chance leaves in one."""
    known = centers.dropna(axis=1)
    table = (known if known.shape[1] > 1 else centers.dropna(axis=0)).to_numpy(float)
    draws, members = table.shape
    if draws < 2 or members < 2:
        spread = max(float(table.var(ddof=1)) - left, 0.0) if table.size > 1 else 0.0
        return (spread, 0.0) if draws > 1 else (0.0, spread)
    of_draws, of_members = table.mean(axis=1), table.mean(axis=0)
    rest = table - of_draws[:, None] - of_members + table.mean()
    both = float((rest**2).sum()) / ((draws - 1) * (members - 1))
    card = max(float(of_draws.var(ddof=1)) - both / members, 0.0)
    alone = max(float(of_members.var(ddof=1)) - both / draws, 0.0)
    return card, alone + max(both - left, 0.0)


def _shared(x: pd.DataFrame) -> float:
    """Share of the variance between cohorts that two fates of the same patients have in common."""
    both = x.dropna(subset=["first", "second"])
    if len(both) < 2:
        return np.nan
    cells = both.groupby(["draw", "member"])
    off = {name: both[name] - cells[name].transform("mean") for name in ("first", "second")}
    total = float((off["first"] ** 2 + off["second"] ** 2).sum()) / 2
    return float(np.clip((off["first"] * off["second"]).sum() / total, 0.0, 1.0)) if total > 0 else np.nan


def _on_scale(values: pd.Series, unit: str, n: int) -> np.ndarray:
    """Values where they are nearly normal; a share of 0 or 100 % of n patients is half a patient from it."""
    if unit == "%":
        values = 100 * (values / 100 * n + _FEWEST_OF_A_RATE) / (n + 2 * _FEWEST_OF_A_RATE)
    return finite_on(values, scale_of_unit(unit))


def _mean(values: pd.Series) -> float:
    """Mean of what is known; 0 where nothing is."""
    known = values.dropna()
    return float(known.mean()) if len(known) else 0.0
