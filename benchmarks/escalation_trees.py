"""Dose escalation two independent ways: every outcome of every cohort, and trials drawn by the package.

    python benchmarks/escalation_trees.py    # minutes: target 0.3, ten cohorts of three, ten scenarios
    python benchmarks/escalation_trees.py --cohorts 5 --trials 20000

Nothing of the trees is the package's: boundaries from the paper's formula, elimination by SciPy's Beta
distribution, the choice at the end by pooling neighbors one by one. The exact share of trials stands beside
that among trials drawn. No table of operating characteristics was recalled with certainty, so none stands
here. The scenarios are of the usual kind: the target at each dose in turn, all safe, all toxic.
"""

from __future__ import annotations

import argparse
import math
import sys
from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import beta, binom

from twoarm.design.escalation import boin, three_plus_three

SCENARIOS = {
    "target at dose 1": (0.30, 0.45, 0.55, 0.65, 0.75),
    "target at dose 2": (0.15, 0.30, 0.45, 0.55, 0.65),
    "target at dose 3": (0.05, 0.15, 0.30, 0.45, 0.60),
    "target at dose 4": (0.03, 0.08, 0.15, 0.30, 0.45),
    "target at dose 5": (0.01, 0.03, 0.07, 0.15, 0.30),
    "steep": (0.02, 0.05, 0.30, 0.65, 0.85),
    "flat": (0.20, 0.25, 0.30, 0.35, 0.40),
    "between doses": (0.05, 0.20, 0.40, 0.55, 0.70),
    "all safe": (0.01, 0.02, 0.03, 0.05, 0.08),
    "all toxic": (0.50, 0.60, 0.70, 0.80, 0.90),
}
TARGET, COHORT, CERTAINTY = 0.3, 3, 0.95
State = tuple[int, int, tuple[int, ...], tuple[int, ...]]  # dose, first dose given up, patients, events


def limits(target: float) -> tuple[float, float]:
    """Rates to escalate at and to reduce at; Liu and Yuan 2015, with 0.6 and 1.4 of the target."""
    low, high = 0.6 * target, 1.4 * target
    up = math.log((1 - low) / (1 - target)) / math.log(target * (1 - low) / (low * (1 - target)))
    down = math.log((1 - target) / (1 - high)) / math.log(high * (1 - target) / (target * (1 - high)))
    return up, down


@cache
def given_up(n: int, y: int) -> bool:
    """Whether a dose is too toxic to go on with."""
    return n >= 3 and beta.sf(TARGET, 1 + y, 1 + n - y) > CERTAINTY


def pooled(rates: list[float], weights: list[float]) -> list[float]:
    """Rising fit, by pooling neighbors that fall."""
    blocks: list[list[float]] = []  # mean, weight, length
    for rate, weight in zip(rates, weights, strict=True):
        blocks.append([rate, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, mass, length = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * mass) / (last[1] + mass)
            last[1], last[2] = last[1] + mass, last[2] + length
    return [mean for mean, _, length in blocks for _ in range(int(length))]


def chosen(n: tuple[int, ...], y: tuple[int, ...], ceiling: int) -> int:
    """Dose whose smoothed toxicity is nearest to the target, among those tried and not given up; else -1."""
    tried = [dose for dose in range(ceiling) if n[dose]]
    if not tried:
        return -1
    a, b = ([y[d] + 0.05 for d in tried], [n[d] - y[d] + 0.05 for d in tried])
    means = [p / (p + q) for p, q in zip(a, b, strict=True)]
    spreads = [p * q / ((p + q) ** 2 * (p + q + 1)) for p, q in zip(a, b, strict=True)]
    smooth = pooled(means, [1 / spread for spread in spreads])
    far = [abs(value + 1e-10 * (place + 1) - TARGET) for place, value in enumerate(smooth)]
    return tried[far.index(min(far))]


def tree(rates: tuple[float, ...], cohorts: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact shares of trials that choose each dose (the last: none), and expected patients of each."""
    up, down = limits(TARGET)
    doses, nobody = len(rates), (0,) * len(rates)
    chance = {
        dose: [float(binom.pmf(k, COHORT, rates[dose])) for k in range(COHORT + 1)] for dose in range(doses)
    }
    going: dict[State, float] = {(0, doses, nobody, nobody): 1.0}
    shares, patients = np.zeros(doses + 1), np.zeros(doses)
    for _ in range(cohorts):
        then: dict[State, float] = {}
        for (dose, ceiling, n, y), p in going.items():
            patients[dose] += p * COHORT
            n2 = (*n[:dose], n[dose] + COHORT, *n[dose + 1 :])
            for k, q in enumerate(chance[dose]):
                y2 = (*y[:dose], y[dose] + k, *y[dose + 1 :])
                top = min(ceiling, dose) if given_up(n2[dose], y2[dose]) else ceiling
                if top == 0:
                    shares[-1] += p * q
                    continue
                rate = y2[dose] / n2[dose]
                step = 1 if rate <= up else -1 if rate >= down else 0
                state = (min(max(dose + step, 0), top - 1), top, n2, y2)
                then[state] = then.get(state, 0.0) + p * q
        going = then
    for (_, ceiling, n, y), p in going.items():
        shares[chosen(n, y, ceiling)] += p
    return shares, patients


def three_tree(rates: tuple[float, ...]) -> np.ndarray:
    """Exact shares of 3+3 with six patients on the chosen dose, by the states of one dose after another."""
    doses = len(rates)
    three = [[float(binom.pmf(k, 3, p)) for k in range(4)] for p in rates]
    shares = np.zeros(doses + 1)

    def fall(dose: int, p: float, sixes: tuple[bool, ...]) -> None:
        """Go down from a dose that was too toxic, to one that six have taken with at most one event."""
        if dose < 0:
            shares[-1] += p
        elif sixes[dose]:
            shares[dose] += p
        else:  # three without an event have taken it
            good = p * (three[dose][0] + three[dose][1])
            shares[dose] += good
            fall(dose - 1, p - good, sixes)

    def rise(dose: int, p: float, sixes: tuple[bool, ...]) -> None:
        first, six = p * three[dose][0], p * three[dose][1] * three[dose][0]
        if dose + 1 < doses:
            rise(dose + 1, first, (*sixes, False))
            rise(dose + 1, six, (*sixes, True))
            fall(dose - 1, p - first - six, sixes)
        else:
            good = six + first * (three[dose][0] + three[dose][1])
            shares[dose] += good
            fall(dose - 1, p - good, sixes)

    rise(0, 1.0, ())
    return shares


def compare(cohorts: int, trials: int, seed: int) -> pd.DataFrame:
    """Both ways for each design, scenario and dose."""
    rows = []
    for name, rates in SCENARIOS.items():
        most = cohorts * COHORT
        draws = (
            np.random.default_rng(seed).random((trials, len(rates), max(most, 6)))
            < np.array(rates)[None, :, None]
        )
        exact, expected = tree(rates, cohorts)
        drawn = boin(draws, target=TARGET, cohort=COHORT, most=most, certainty=CERTAINTY)
        three = three_plus_three(draws)
        for dose in range(len(rates) + 1):
            which = dose if dose < len(rates) else -1
            size = (expected[dose], drawn.patients[:, dose].mean()) if dose < len(rates) else (np.nan, np.nan)
            said = "none" if which < 0 else f"{dose + 1}"
            rows.append(("BOIN", name, said, exact[dose], float((drawn.selected == which).mean()), *size))
            share = float((three.selected == which).mean())
            rows.append(("3+3", name, said, three_tree(rates)[dose], share, np.nan, np.nan))
    columns = ["design", "scenario", "dose", "exact", "drawn", "patients exact", "patients drawn"]
    table = pd.DataFrame(rows, columns=columns)
    error = np.sqrt(np.maximum(table["exact"] * (1 - table["exact"]), 1 / trials) / trials)
    return table.assign(errors=(table["drawn"] - table["exact"]) / error)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cohorts", type=int, default=10)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    table = compare(asked.cohorts, asked.trials, asked.seed)
    order = list(SCENARIOS)
    for design, own in table.groupby("design", sort=False):
        for what in ("exact", "drawn"):
            wide = own.pivot(index="scenario", columns="dose", values=what).loc[order]
            print(f"{design}, {what}: % of trials that choose a dose\n{(100 * wide).round(1).to_string()}")
    worst = float(table["errors"].abs().max())
    print(f"largest difference of {len(table)} shares: {worst:.1f} standard errors of {asked.trials} trials")
    sys.exit(worst > 5)


if __name__ == "__main__":
    main()
