"""Survival statistics once more, by another hand: textbook sums in plain Python.

Kaplan and Meier's product, Greenwood's variance, Mantel's log-rank, Cox's partial likelihood with Efron's
ties, Clopper and Pearson's interval, and a check of permuted blocks. Slow on purpose; shares nothing with
``twoarm.trial``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

Z95 = 1.959963984540054


class Step(NamedTuple):
    """One row of a Kaplan-Meier table, just after ``day``."""

    day: float
    at_risk: int
    events: int
    survival: float
    low: float
    high: float


def kaplan_meier(days: list[float], events: list[bool]) -> list[Step]:
    """Product-limit estimate at each distinct event day with the log(-log) interval (Greenwood)."""
    steps: list[Step] = []
    survival, greenwood = 1.0, 0.0
    for day in sorted({d for d, e in zip(days, events, strict=True) if e}):
        at_risk = sum(1 for d in days if d >= day)
        died = sum(1 for d, e in zip(days, events, strict=True) if e and d == day)
        survival *= 1.0 - died / at_risk
        if at_risk > died:
            greenwood += died / (at_risk * (at_risk - died))
        low, high = math.nan, math.nan
        if 0.0 < survival < 1.0 and at_risk > died:
            centre = math.log(-math.log(survival))
            half = Z95 * math.sqrt(greenwood) / abs(math.log(survival))
            low, high = math.exp(-math.exp(centre + half)), math.exp(-math.exp(centre - half))
        steps.append(Step(day, at_risk, died, survival, low, high))
    return steps


def survival_at(steps: list[Step], day: float) -> float:
    """The estimate at ``day`` (right-continuous)."""
    answer = 1.0
    for step in steps:
        if step.day <= day:
            answer = step.survival
    return answer


def median(steps: list[Step]) -> float:
    """First day on which survival is at or below one half; infinity when never."""
    for step in steps:
        if step.survival <= 0.5 + 1e-12:
            return step.day
    return math.inf


def median_interval(steps: list[Step]) -> tuple[float, float]:
    """Brookmeyer and Crowley: days on which each limit of the band falls to one half."""
    low, high = math.inf, math.inf
    for step in steps:
        below = step.survival == 0.0
        if math.isinf(low) and (below or step.low <= 0.5):
            low = step.day
        if math.isinf(high) and (not below and step.high <= 0.5):
            high = step.day
    return low, high


def log_rank(days: list[float], events: list[bool], treated: list[bool]) -> float:
    """Mantel-Haenszel chi-square with one degree of freedom, unstratified."""
    difference, variance = _log_rank_terms(days, events, treated)
    return difference**2 / variance


def stratified_log_rank(
    days: list[float], events: list[bool], treated: list[bool], strata: list[str]
) -> float:
    """Sums over strata before the square is taken."""
    difference, variance = 0.0, 0.0
    for stratum in sorted(set(strata)):
        rows = [i for i, name in enumerate(strata) if name == stratum]
        one, two = _log_rank_terms(
            [days[i] for i in rows], [events[i] for i in rows], [treated[i] for i in rows]
        )
        difference += one
        variance += two
    return difference**2 / variance


def _log_rank_terms(days: list[float], events: list[bool], treated: list[bool]) -> tuple[float, float]:
    difference, variance = 0.0, 0.0
    for day in sorted({d for d, e in zip(days, events, strict=True) if e}):
        n = sum(1 for d in days if d >= day)
        n_treated = sum(1 for d, t in zip(days, treated, strict=True) if d >= day and t)
        died = sum(1 for d, e in zip(days, events, strict=True) if d == day and e)
        died_treated = sum(1 for d, e, t in zip(days, events, treated, strict=True) if d == day and e and t)
        difference += died_treated - died * n_treated / n
        if n > 1:
            variance += died * (n_treated / n) * (1 - n_treated / n) * (n - died) / (n - 1)
    return difference, variance


def cox_binary(
    days: list[float], events: list[bool], treated: list[bool], strata: list[str] | None = None
) -> tuple[float, float]:
    """Log hazard ratio of treated against the others and its standard error (Efron's ties, Newton)."""
    names = strata if strata is not None else ["all"] * len(days)
    beta = 0.0
    for _ in range(50):
        score, information = 0.0, 0.0
        for stratum in set(names):
            rows = [i for i, name in enumerate(names) if name == stratum]
            one, two = _efron(
                beta, [days[i] for i in rows], [events[i] for i in rows], [treated[i] for i in rows]
            )
            score += one
            information += two
        step = score / information
        beta += step
        if abs(step) < 1e-12:
            break
    return beta, 1.0 / math.sqrt(information)


def _efron(beta: float, days: list[float], events: list[bool], treated: list[bool]) -> tuple[float, float]:
    """Score and information at ``beta``."""
    weight = [math.exp(beta) if t else 1.0 for t in treated]
    score, information = 0.0, 0.0
    for day in sorted({d for d, e in zip(days, events, strict=True) if e}):
        risk_all = sum(w for w, d in zip(weight, days, strict=True) if d >= day)
        risk_treated = sum(w for w, d, t in zip(weight, days, treated, strict=True) if d >= day and t)
        dying = [i for i, (d, e) in enumerate(zip(days, events, strict=True)) if d == day and e]
        dying_all = sum(weight[i] for i in dying)
        dying_treated = sum(weight[i] for i in dying if treated[i])
        for k in range(len(dying)):
            share = k / len(dying)
            mean = (risk_treated - share * dying_treated) / (risk_all - share * dying_all)
            score -= mean
            information += mean * (1.0 - mean)  # a 0/1 covariate: its square is itself
        score += sum(1 for i in dying if treated[i])
    return score, information


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact binomial interval by bisection on the tail sums themselves."""
    tail = (1.0 - level) / 2.0

    def at_least(k: int, p: float) -> float:
        return math.fsum(math.comb(n, j) * p**j * (1.0 - p) ** (n - j) for j in range(k, n + 1))

    def bisect(is_too_low: object) -> float:
        low, high = 0.0, 1.0
        for _ in range(200):
            middle = (low + high) / 2.0
            if is_too_low(middle):  # type: ignore[operator]
                low = middle
            else:
                high = middle
        return (low + high) / 2.0

    lower = 0.0 if successes == 0 else bisect(lambda p: at_least(successes, p) < tail)
    upper = 1.0 if successes == n else bisect(lambda p: 1.0 - at_least(successes + 1, p) > tail)
    return lower, upper


def can_be_permuted_blocks(arms: list[str], ratio: dict[str, int], sizes: list[int]) -> bool:
    """Whether a stratum's assignments, in order of enrollment, can be cut into balanced blocks.

    The last block may be unfinished, yet must still be completable.
    """
    unit = sum(ratio.values())
    reachable = {0}
    for start in range(len(arms)):
        if start not in reachable:
            continue
        for size in sizes:
            quota = {arm: count * size // unit for arm, count in ratio.items()}
            block = arms[start : start + size]
            counts = {arm: block.count(arm) for arm in ratio}
            if sum(counts.values()) != len(block):
                return False  # an arm nobody declared
            if all(counts[arm] <= quota[arm] for arm in ratio):
                reachable.add(min(start + size, len(arms)))
    return len(arms) in reachable
