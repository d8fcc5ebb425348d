"""Type I error of planned designs: trials without a difference, drawn from pools with awkward curves.

    python benchmarks/type_one_error.py --trials 20000 --seeds 20 21 22

Both arms come from the same pool. Curves part from exponential ones in every way the planner meets: strata
with other hazards, patients who respond late or never die, hazards that rise and fall, events seen at scans
only. Each seed has a pool of its own, each case its own draws. Given the pool the trials are independent and
both arms have one distribution, so that the number of rejections is binomial however small the pool is:
`--repeat` runs one case again and again from one pool, and lays the spread of batches beside the binomial.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from scipy.special import ndtri

from twoarm.chance import generator
from twoarm.design.boundaries import Boundaries, efficacy_boundary
from twoarm.plan.operate import Ask, conduct_many
from twoarm.plan.pool import Course, Pool
from twoarm.plan.trials import TOGETHER, Setting
from twoarm.trial.protocol import Enrollment, Randomization

SIZE, HORIZON = 2000, 1461.0
LOW, HIGH = 0.022, 0.028  # what is asked of the designs


def pool_of(kind: str, seed: int) -> tuple[Pool, Course]:
    """A pool of one arm: strata that matter, and curves of a kind."""
    draw = generator(seed, f"pool {kind}")
    severe = draw.random(SIZE) < 0.4
    asia = draw.random(SIZE) < 0.7
    scale = np.where(severe, 200.0, 380.0)
    unit = draw.exponential(size=SIZE)
    if kind == "exponential":
        days = 300.0 * unit
    elif kind == "strata":
        days = scale * unit
    elif kind == "late responders":  # a third never dies, hazards fall after a delay
        days = np.where(
            draw.random(SIZE) < 0.33, np.inf, np.where(unit < 0.4, 300 * unit, 120 + 600 * (unit - 0.4))
        )
        days = np.where(severe, 0.6 * days, days)
    else:  # "scans": progression is seen every six weeks
        days = np.ceil(scale * unit / 42.0) * 42.0
    days = np.ceil(days)
    until = np.minimum(days, HORIZON)
    never = np.full(SIZE, np.inf)
    death = np.where(days <= HORIZON, days, np.inf)
    course = Course(death, never, until, never, never, np.zeros((SIZE, 0)), np.zeros((SIZE, 0)))
    people = pd.DataFrame(
        {"severity": np.where(severe, "high", "low"), "region": np.where(asia, "asia", "other")}
    )
    return Pool(people, {"all": course}), course


def ask_for(looks: int, shares: tuple[int, int], stratified: bool, minimized: bool) -> Ask:
    """600 patients, one analysis or three."""
    events = {1: (360,), 3: (216, 288, 360)}[looks]
    z = float(ndtri(0.975))
    plain = Boundaries(np.ones(1), np.array([z]), np.array([z]), np.array([0.025]), np.nan)
    bounds = (
        plain if looks == 1 else efficacy_boundary(np.array(events) / events[-1], 0.025, "obrien_fleming")
    )
    fields = {"factors": ("severity", "region"), "block_sizes": (2 * sum(shares),)}
    plan = Randomization(**fields, **({"minimize": 0.8} if minimized else {}))
    setting = Setting(600, Enrollment(rate="30 1/month", ramp="8 months"), plan, shares, 0.05 / 365.25)
    return Ask(setting, events, bounds, 0.025, "OS", "investigator", stratified, 365.0)


CASES = (
    ("exponential", 1, (1, 1), False, False),
    ("strata", 1, (1, 1), True, False),
    ("strata", 3, (2, 1), True, False),
    ("late responders", 1, (1, 1), True, False),
    ("late responders", 3, (1, 1), True, False),
    ("late responders", 3, (1, 1), True, True),
    ("scans", 3, (1, 1), True, False),
)


def rejections(case: tuple, trials: int, seed: int, pool_seed: int) -> pd.DataFrame:
    """Which of the null trials of a case each test rejects."""
    kind, looks, shares, stratified, minimized = case
    pool, course = pool_of(kind, pool_seed)
    ask = ask_for(looks, shares, stratified, minimized)
    own = seed * len(CASES) + CASES.index(case)
    found = conduct_many(pool, course, course, ask, replicates=trials, seed=own, overrule=True)
    limit = float(ndtri(0.975))
    return pd.DataFrame(
        {
            "design": found["rejected"],
            "weighted (0, 1)": found["z_late"] >= limit,
            "restricted mean": found["z_mean"] >= limit,
        }
    )


def name_of(case: tuple) -> str:
    """One line for a case."""
    kind, looks, shares, stratified, minimized = case
    how = "minimized" if minimized else "blocks"
    tests = "stratified" if stratified else "plain"
    return f"{kind} | {looks} | {shares[0]}:{shares[1]} | {how}, {tests}"


def compare(trials: int, seeds: list[int]) -> None:
    """Every case with every seed, and all seeds together."""
    print(f"{trials} trials a case and seed; standard error {np.sqrt(0.025 * 0.975 / trials):.4f}")
    rows = []
    for seed in seeds:
        for case in CASES:
            begin = time.perf_counter()
            share = rejections(case, trials, seed, seed).mean()
            rows.append({"case": name_of(case), "seed": seed, **share})
            said = " | ".join(f"{value:.4f}" for value in share)
            print(f"{name_of(case)} | {seed} | {said} | {time.perf_counter() - begin:.0f} s", flush=True)
    table = pd.DataFrame(rows)
    whole = trials * len(seeds)
    print(f"\nall seeds, {whole} trials a case; standard error {np.sqrt(0.025 * 0.975 / whole):.4f}")
    means = table.drop(columns="seed").groupby("case", sort=False).mean()
    span = table.groupby("case", sort=False)["design"].agg(["min", "max"])
    for case, row in means.iterrows():
        said = " | ".join(f"{value:.4f}" for value in row)
        print(f"{case} | {said} | {span['min'][case]:.4f} to {span['max'][case]:.4f}")
    outside = table[(table["design"] < LOW) | (table["design"] > HIGH)]
    print(f"designs outside {LOW} to {HIGH}: {len(outside)} of {len(table)}")


def repeat(case: tuple, trials: int, times: int) -> None:
    """One case from one pool, again and again: are its trials independent?"""
    shares, spread = [], []
    for seed in range(100, 100 + times):
        found = rejections(case, trials, seed, 20)["design"].to_numpy()
        shares.append(found.mean())
        spread.append(found.reshape(-1, TOGETHER).sum(axis=1).var(ddof=1) / (TOGETHER * 0.025 * 0.975))
        print(f"{seed} | {shares[-1]:.4f} | batches {spread[-1]:.2f} of binomial", flush=True)
    print(f"{name_of(case)}: {np.mean(shares):.4f} over {times * trials} trials")
    print(f"runs spread by {np.std(shares, ddof=1):.4f}, binomial {np.sqrt(0.025 * 0.975 / trials):.4f}")
    print(f"batches spread by {np.mean(spread):.2f} of the binomial variance")


def urn(trials: int, events: int = 360) -> None:
    """Test an urn: each event takes a patient at risk at random; only the ratio of the arms is left."""
    draw, limit = generator(1, "urn"), float(ndtri(0.975))
    for treated, others in ((300, 300), (400, 200)):
        left, score, variance = np.full(trials, float(treated)), np.zeros(trials), np.zeros(trials)
        for gone in range(events):
            share = left / (treated + others - gone)
            hit = draw.random(trials) < share
            score, variance, left = score + hit - share, variance + share * (1 - share), left - hit
        z = -score / np.sqrt(variance)
        print(
            f"{treated} against {others}: {(z >= limit).mean():.4f} above, {(z <= -limit).mean():.4f} below"
        )
    print(f"standard error {np.sqrt(0.025 * 0.975 / trials):.4f}")


def main() -> None:
    """Run what is asked and print it."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--trials", type=int, default=20000)
    words.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22])
    words.add_argument("--repeat", type=int, default=0, help="runs of one case from one pool")
    words.add_argument("--case", type=int, default=3, help="of --repeat, counted from 0")
    words.add_argument("--urn", action="store_true", help="the log-rank test alone, at 1:1 and 2:1")
    asked = words.parse_args()
    if asked.urn:
        urn(20 * asked.trials)
    elif asked.repeat:
        repeat(CASES[asked.case], asked.trials, asked.repeat)
    else:
        compare(asked.trials, asked.seeds)


if __name__ == "__main__":
    main()
