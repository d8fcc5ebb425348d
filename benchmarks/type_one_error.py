"""Type I error of planned designs: trials without a difference, drawn from pools with awkward curves.

    python benchmarks/type_one_error.py --trials 20000

Both arms come from the same pool. Curves part from exponential ones in every way the planner meets: strata
with other hazards, patients who respond late or never die, hazards that rise and fall, events seen at scans
only. Prints a table.
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
from twoarm.plan.trials import Setting
from twoarm.trial.protocol import Enrollment, Randomization

SIZE, HORIZON = 2000, 1461.0


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


def main() -> None:
    """Run every case and print the table."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--trials", type=int, default=20000)
    words.add_argument("--seed", type=int, default=20)
    asked = words.parse_args()
    half = float(ndtri(0.975)) * np.sqrt(0.025 * 0.975 / asked.trials)
    print(f"{asked.trials} trials a case; Monte Carlo alone: 0.025 +- {half:.4f}")
    print("curves\tlooks\tratio\tstratified\tminimized\tdesign\tweighted (0,1)\trestricted mean\tseconds")
    limit = float(ndtri(0.975))
    for kind, looks, shares, stratified, minimized in CASES:
        begin = time.perf_counter()
        pool, course = pool_of(kind, asked.seed)
        ask = ask_for(looks, shares, stratified, minimized)
        found = conduct_many(
            pool, course, course, ask, replicates=asked.trials, seed=asked.seed, overrule=True
        )
        rates = [
            found["rejected"].mean(),
            (found["z_late"] >= limit).mean(),
            (found["z_mean"] >= limit).mean(),
        ]
        said = "\t".join(f"{rate:.4f}" for rate in rates)
        ratio = f"{shares[0]}:{shares[1]}"
        print(
            f"{kind}\t{looks}\t{ratio}\t{stratified}\t{minimized}\t{said}\t{time.perf_counter() - begin:.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
