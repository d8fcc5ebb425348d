"""From readouts to verdicts: one number a draw of the card, and whether the claim holds there."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import beta

from twoarm.experiment.claims import Claim
from twoarm.experiment.fragile import fragility, holds, in_words
from twoarm.experiment.numbers import effects
from twoarm.experiment.plan import Experiment

__all__ = ["REFUTES", "SUPPORTS", "UNDECIDED", "contradicts", "effects", "holds", "judge", "rule_in_words"]

SUPPORTS, REFUTES, UNDECIDED = "supports", "refutes", "undecided"


def judge(
    experiment: Experiment,
    values: pd.DataFrame,
    cards: pd.DataFrame,
    people: pd.DataFrame | None = None,
    *,
    seed: int,
    fragile: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Judge every claim of an experiment.

    Parameters
    ----------
    experiment : Experiment
        What is claimed, with the numbers that would refute it.
    values : DataFrame
        A row a part, draw and patient, as `Courses.values`.
    cards : DataFrame
        A row a draw, as `Courses.cards`.
    people : DataFrame, optional
        A row a draw and patient, as `Courses.people`.
    seed : int
        Of the resampling of patients, where there is one draw only.
    fragile : DataFrame, optional
        From `fragility`, where it is known already.

    Returns
    -------
    DataFrame
        A row a claim: `claim`, `readout`, `middle`, `low`, `high` (median and 90 % of the draws), `holds`
        (share of the draws where it holds), `holds_low`, `holds_high` (exact 95 %), `contradicts` (share
        where the number lies on the refuting side), `draws` (in which it was asked), `over` ("draws of the
        card" or "patients, resampled"), `verdict`, `rule` (where it holds and is refuted, in words),
        `weakest` (where it is weakest, in words, as `in_words`), `measured`.

    Notes
    -----
    A draw gives one number: see :class:`twoarm.experiment.plan.Claim`. A claim is supported where it holds in
    at least `experiment.needed` of the draws, refuted where at least half of them lie on the refuting side,
    and undecided otherwise. With one card, patients are drawn again with replacement, and the shares are of
    these resamples. A draw whose number does not exist (a dose for equal activity that is not on the ladder)
    counts as a draw in which nothing holds, unless the claim is asked `where_known`: then it is left out, and
    where all are, the claim is undecided.

    References
    ----------
    clopper1934 (interval of a share).
    """
    numbers = {
        index: effects(claim, experiment, values, seed=seed) for index, claim in enumerate(experiment.claims)
    }
    fragile = fragility(experiment, values, cards, people) if fragile is None else fragile
    rows = [
        _verdict(claim, experiment, numbers[index], len(cards))
        | {"weakest": in_words(fragile, claim.says), "measured": claim.measured}
        for index, claim in enumerate(experiment.claims)
    ]
    return pd.DataFrame(rows)


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


def _verdict(claim: Claim, experiment: Experiment, number: np.ndarray, draws: int) -> dict[str, object]:
    ensemble = len(number) == draws and draws > 1
    known = number[np.isfinite(number)]
    asked = known if claim.where_known else number
    yes, no, n = int(holds(claim, asked).sum()), int(contradicts(claim, asked).sum()), len(asked)
    verdict = SUPPORTS if yes >= experiment.needed * n else REFUTES if no >= 0.5 * n else UNDECIDED
    low, middle, high = np.quantile(known, [0.05, 0.5, 0.95]) if len(known) else (np.nan,) * 3
    share_low, share_high = _exact(yes, n) if ensemble and n else (np.nan, np.nan)
    return {
        "claim": claim.says,
        "readout": experiment.label_of(claim.readout),
        "middle": float(middle),
        "low": float(low),
        "high": float(high),
        "holds": yes / n if n else np.nan,
        "holds_low": share_low,
        "holds_high": share_high,
        "contradicts": no / n if n else np.nan,
        "draws": n if ensemble else draws,
        "over": "draws of the card" if ensemble else "patients, resampled",
        "verdict": verdict if n else UNDECIDED,
        "rule": rule_in_words(claim),
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
