"""From readouts to verdicts: one number a draw of the card, and whether the claim holds there."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import beta, spearmanr

from twoarm.chance import generator
from twoarm.experiment.plan import Claim, Experiment, rung

SUPPORTS, REFUTES, UNDECIDED = "supports", "refutes", "undecided"
_LEAST = 0.3  # rank correlation worth telling
_RESAMPLED = 400  # times the patients are drawn again where there is one card only
_QUANTILE = {"median": 0.5, "low": 0.05, "high": 0.95}


def judge(experiment: Experiment, values: pd.DataFrame, cards: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Judge every claim of an experiment.

    Parameters
    ----------
    experiment : Experiment
        What is claimed, with the numbers that would refute it.
    values : DataFrame
        A row a part, draw and patient, as `Courses.values`.
    cards : DataFrame
        A row a draw, as `Courses.cards`.
    seed : int
        Of the resampling of patients, where there is one draw only.

    Returns
    -------
    DataFrame
        A row a claim: `claim`, `readout`, `middle`, `low`, `high` (median and 90 % of the draws), `holds`
        (share of the draws where it holds), `holds_low`, `holds_high` (exact 95 %), `contradicts` (share
        where the number lies on the refuting side), `draws`, `over` ("draws of the card" or "patients,
        resampled"), `verdict`, `rule` (where it holds and is refuted, in words), `drivers`, `measured`.

    Notes
    -----
    A draw gives one number: see :class:`twoarm.experiment.plan.Claim`. A claim is supported where it holds in
    at least `experiment.needed` of the draws, refuted where at least half of them lie on the refuting side,
    and undecided otherwise. With one card, patients are drawn again with replacement, and the shares are of
    these resamples. A draw whose number does not exist (a dose for equal activity that is not on the ladder)
    counts as a draw in which nothing holds. `drivers` are the two entries of the cards that it follows
    most (Spearman), where that is beyond chance (one in a hundred, all entries together) and at least 0.3.

    References
    ----------
    clopper1934 (interval of a share).
    """
    numbers = {
        index: effects(claim, experiment, values, seed=seed) for index, claim in enumerate(experiment.claims)
    }
    rows = [
        _verdict(claim, experiment, numbers[index], cards) for index, claim in enumerate(experiment.claims)
    ]
    return pd.DataFrame(rows)


def effects(claim: Claim, experiment: Experiment, values: pd.DataFrame, *, seed: int) -> np.ndarray:
    """Work out a claim's number in every draw, or in every resample of the patients of a single card.

    Parameters
    ----------
    claim : Claim
        What is compared.
    experiment : Experiment
        Which ladders there are.
    values : DataFrame
        As `Courses.values`.
    seed : int
        Of the resampling.

    Returns
    -------
    (draw,) or (resample,) float array
        NaN where there is no such number.
    """
    number = _shape if claim.shape else _matched if claim.at_equal else _ratio
    draws = sorted(values["draw"].unique())
    if len(draws) > 1:
        parts = dict(tuple(values.groupby("draw")))
        return np.array([number(claim, experiment, _by_part(parts[draw])) for draw in draws])
    people = _by_part(values)
    labels = np.unique(values["patient"])
    if len(labels) == 1:
        return np.array([number(claim, experiment, people)])
    random = generator(seed, f"resample {claim.says}")
    picks = random.integers(len(labels), size=(_RESAMPLED, len(labels)))
    return np.array(
        [
            number(claim, experiment, {name: table.iloc[pick] for name, table in people.items()})
            for pick in picks
        ]
    )


Parts = dict[str, pd.DataFrame]


def _by_part(values: pd.DataFrame) -> Parts:
    return {str(name): table.sort_values("patient") for name, table in values.groupby("part")}


def _read(claim: Claim, table: pd.DataFrame, readout: str | None = None) -> np.ndarray:
    value = table[readout or claim.readout].to_numpy(float)
    return value / table["amount"].to_numpy(float) if claim.per_dose else value


def _ratio(claim: Claim, _experiment: Experiment, parts: Parts) -> float:
    """Divide the number of a group by that of another, and by the ratio of a second pair."""
    steps: list[tuple[str, str | None, int]] = [(claim.group, None, 1)]
    if claim.against:
        steps.append((claim.against, claim.against_readout, -1))
    if claim.over:
        steps += [(claim.over[0], claim.over_readout, -1), (claim.over[1], claim.over_readout, 1)]
    number = np.ones(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, readout, power in steps:
            values = _read(claim, parts[name], readout)
            if claim.statistic != "paired":
                values = np.quantile(values, [_QUANTILE[claim.statistic]])
            number = number * values if power > 0 else number / values
    return float(np.median(number))


def _ladder(name: str, experiment: Experiment, parts: Parts) -> list[pd.DataFrame]:
    rungs = [parts[rung(name, dose)] for dose in experiment.groups[name].doses]
    return sorted(rungs or [parts[name]], key=lambda table: float(table["amount"].mean()))


def _shape(claim: Claim, experiment: Experiment, parts: Parts) -> float:
    """Last over largest along a ladder, or its worst step; medians over patients."""
    heights = np.array([np.median(_read(claim, table)) for table in _ladder(claim.group, experiment, parts)])
    if claim.shape == "fall":
        return float(heights[-1] / heights.max())
    return float(np.diff(heights).min() / np.abs(heights).max())


def _matched(claim: Claim, experiment: Experiment, parts: Parts) -> float:
    """Ratio of readouts at the dose where the other readout is equal; straight lines between doses."""
    assert claim.against is not None
    ladder = _ladder(claim.group, experiment, parts)
    other = parts[claim.against]
    activity = np.array([np.median(_read(claim, table, claim.at_equal)) for table in ladder])
    height = np.array([np.median(_read(claim, table)) for table in ladder])
    wanted, against = np.median(_read(claim, other, claim.at_equal)), np.median(_read(claim, other))
    crossed = np.flatnonzero((activity[:-1] - wanted) * (activity[1:] - wanted) <= 0)
    if not len(crossed):
        return float("nan")
    at = int(crossed[0])
    share = (wanted - activity[at]) / (activity[at + 1] - activity[at] or 1.0)
    return float((height[at] + share * (height[at + 1] - height[at])) / against)


def holds(claim: Claim, number: np.ndarray) -> np.ndarray:
    """Whether a claim holds at these numbers; it does not at NaN.

    Parameters
    ----------
    claim : Claim
        With its bounds.
    number : float array
        From `effects`.

    Returns
    -------
    bool array
        As many.
    """
    above = -np.inf if claim.holds_above is None else claim.holds_above
    below = np.inf if claim.holds_below is None else claim.holds_below
    return np.asarray((number >= above) & (number <= below))


def contradicts(claim: Claim, number: np.ndarray) -> np.ndarray:
    """Whether these numbers lie on the refuting side; NaN does not.

    Parameters
    ----------
    claim : Claim
        With its bounds.
    number : float array
        From `effects`.

    Returns
    -------
    bool array
        As many.
    """
    above = np.inf if claim.refuted_above is None else claim.refuted_above
    below = -np.inf if claim.refuted_below is None else claim.refuted_below
    return np.asarray((number > above) | (number < below))


def _verdict(
    claim: Claim, experiment: Experiment, number: np.ndarray, cards: pd.DataFrame
) -> dict[str, object]:
    yes, no, n = int(holds(claim, number).sum()), int(contradicts(claim, number).sum()), len(number)
    verdict = SUPPORTS if yes >= experiment.needed * n else REFUTES if no >= 0.5 * n else UNDECIDED
    known = number[np.isfinite(number)]
    low, middle, high = np.quantile(known, [0.05, 0.5, 0.95]) if len(known) else (np.nan,) * 3
    ensemble = n == len(cards) and n > 1
    share_low, share_high = _exact(yes, n) if ensemble else (np.nan, np.nan)
    return {
        "claim": claim.says,
        "readout": experiment.readouts[claim.readout].label,
        "middle": float(middle),
        "low": float(low),
        "high": float(high),
        "holds": yes / n,
        "holds_low": share_low,
        "holds_high": share_high,
        "contradicts": no / n,
        "draws": len(cards),
        "over": "draws of the card" if ensemble else "patients, resampled",
        "verdict": verdict,
        "rule": rule_in_words(claim),
        "drivers": _drivers(number, cards) if ensemble else "",
        "measured": claim.measured,
    }


def rule_in_words(claim: Claim) -> str:
    """Say where a claim holds and where it is refuted.

    Examples
    --------
    >>> told = {"says": "less", "readout": "x", "group": "a", "source": "assumed", "note": "none is known"}
    >>> rule_in_words(Claim(**told, holds_below=0.8, refuted_above=1))
    'holds up to 0.8; refuted above 1'
    """
    between = (
        f"from {claim.holds_above:g} to {claim.holds_below:g}"
        if claim.holds_above is not None and claim.holds_below is not None
        else f"up to {claim.holds_below:g}"
        if claim.holds_above is None
        else f"from {claim.holds_above:g}"
    )
    sides = [
        f"{word} {bound:g}"
        for word, bound in (("below", claim.refuted_below), ("above", claim.refuted_above))
        if bound is not None
    ]
    return f"holds {between}; refuted {' or '.join(sides)}"


def _exact(yes: int, n: int) -> tuple[float, float]:
    low = float(beta.ppf(0.025, yes, n - yes + 1)) if yes else 0.0
    high = float(beta.ppf(0.975, yes + 1, n - yes)) if yes < n else 1.0
    return low, high


def _drivers(number: np.ndarray, cards: pd.DataFrame) -> str:
    known = np.isfinite(number)
    if known.sum() < 10 or np.ptp(number[known]) == 0:
        return ""
    strength: dict[str, float] = {}
    for name in cards:
        column = cards[name].to_numpy(float)[known]
        field = str(name).split(" ", 1)[1]
        if np.ptp(column) > 0 and field not in strength:
            strength[field] = float(spearmanr(column, number[known]).statistic)
    first = sorted(strength, key=lambda field: -abs(strength[field]))[:2]
    least = max(_LEAST, -float(ndtri(0.005 / max(len(strength), 1))) / math.sqrt(known.sum() - 1))
    return ", ".join(f"{field} ({strength[field]:+.2f})" for field in first if abs(strength[field]) >= least)
