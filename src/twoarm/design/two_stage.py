"""Simon's two-stage designs: few patients first, the rest only if enough of them respond."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import binom

from twoarm.errors import DesignNumberError, NoTwoStageDesignError


class TwoStage(NamedTuple):
    """A two-stage design and what it does.

    Attributes
    ----------
    first, stop_at : int
        Patients of the first stage; with so many responses or fewer it ends there.
    patients, fail_at : int
        Patients of both stages; with so many responses or fewer the treatment is rejected.
    alpha, power : float
        Exact probability to accept at the null and at the target rate.
    expected : float
        Expected number of patients at the null rate.
    early : float
        Probability to stop after the first stage at the null rate.
    """

    first: int
    stop_at: int
    patients: int
    fail_at: int
    alpha: float
    power: float
    expected: float
    early: float


def two_stage(
    null: float,
    target: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    how: Literal["optimal", "minimax"] = "optimal",
    most: int = 100,
) -> TwoStage:
    """Search for Simon's design.

    Parameters
    ----------
    null, target : float
        Response rate that is too low, and one that is wanted.
    alpha : float
        Largest probability to accept at `null`.
    power : float
        Least probability to accept at `target`.
    how : {"optimal", "minimax"}
        Fewest expected patients at `null`, or fewest patients (then fewest expected).
    most : int
        Largest number of patients that is looked at.

    Returns
    -------
    TwoStage
        Exact binomial numbers.

    Raises
    ------
    DesignNumberError
        If the rates are not 0 < `null` < `target` < 1.
    NoTwoStageDesignError
        If no design of that size keeps both errors.

    References
    ----------
    simon1989, Tables 1 and 2.

    Examples
    --------
    >>> found = two_stage(0.1, 0.3)
    >>> found.stop_at, found.first, found.fail_at, found.patients, round(found.expected, 1)
    (1, 10, 5, 29, 15.0)
    """
    if not 0 < null < target < 1:
        rule = (
            "They must be above 0, below 1, and the null below the target. Give, as an example, 0.1 and 0.3."
        )
        raise DesignNumberError(what="the null and the target rate", value=f"{null} and {target}", rule=rule)
    best: tuple[tuple[float, float], TwoStage] | None = None
    sizes = np.arange(1, most + 1)
    passing = np.array([_least_size(int(n), null, target, power) for n in sizes])
    for n in range(2, most + 1):
        if best is not None and how == "minimax":
            break
        if passing[n - 1] > alpha:
            continue  # no test of n patients keeps both errors, in two stages or in one
        first = sizes[: n - 1]
        # no first stage lets fewer of the useless treatments pass, so that none expects fewer patients
        expected = first + passing[: n - 1] * (n - first)
        worth = first if best is None else first[expected <= best[0][0]]
        for found in _of_size(n, worth.tolist(), null, target, alpha, power):
            rank = (found.expected, float(found.patients))
            if best is None or rank < best[0]:
                best = rank, found
    if best is None:
        raise NoTwoStageDesignError(null=null, target=target, alpha=alpha, power=power, most=most)
    return best[1]


def operate(first: int, stop_at: int, patients: int, fail_at: int, rate: float) -> tuple[float, float]:
    """Exact probabilities of a two-stage design at a response rate.

    Parameters
    ----------
    first, stop_at, patients, fail_at : int
        As `TwoStage`.
    rate : float
        True response rate.

    Returns
    -------
    accept, early : float
        To accept the treatment; to stop after the first stage.

    Examples
    --------
    >>> accept, early = operate(10, 1, 29, 5, 0.1)
    >>> round(accept, 3), round(early, 2)
    (0.047, 0.74)
    """
    x = np.arange(stop_at + 1, first + 1)
    accept = binom.pmf(x, first, rate) @ binom.sf(fail_at - x, patients - first, rate)
    return float(accept), float(binom.cdf(stop_at, first, rate))


def _least_size(n: int, null: float, target: float, power: float) -> float:
    """Least probability to accept at the null of any test of n patients with the power.

    It is that of Neyman and Pearson's test, which draws lots at its limit.
    """
    limit = int(binom.isf(power, n, target))  # more than this many responses: at most the power
    above = binom.sf(limit, n, target)
    lots = (power - above) / binom.pmf(limit, n, target)
    return float(binom.sf(limit, n, null) + lots * binom.pmf(limit, n, null))


def _of_size(
    n: int, firsts: list[int], null: float, target: float, alpha: float, power: float
) -> list[TwoStage]:
    """Best design for each size of the first stage."""
    found = []
    for first in firsts:
        x = np.arange(first + 1)
        rest = np.arange(-1, n + 1)
        accept = {}
        for rate in (null, target):
            # rows: responses of the first stage; columns: limits of the whole
            later = binom.sf(rest[None, :] - x[:, None], n - first, rate)
            joint = binom.pmf(x, first, rate)[:, None] * later
            accept[rate] = np.cumsum(joint[::-1], axis=0)[::-1]  # stage one passed with x or more
        good = (accept[null] <= alpha) & (accept[target] >= power)
        stop, limit = np.nonzero(good[1:])  # row s + 1: passed with more than s
        if not stop.size:
            continue
        early = binom.cdf(stop, first, null)
        expected = first + (1 - early) * (n - first)
        # the largest limit that keeps the power, as Simon's tables have it
        pick = np.lexsort((-limit, expected))[0]
        s, column = int(stop[pick]), int(limit[pick])
        found.append(
            TwoStage(
                first,
                s,
                n,
                int(rest[column]),
                float(accept[null][s + 1, column]),
                float(accept[target][s + 1, column]),
                float(expected[pick]),
                float(early[pick]),
            )
        )
    return found
