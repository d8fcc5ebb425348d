"""Invented pools: curves whose answer is known."""

import numpy as np
import pandas as pd

from twoarm.design.boundaries import Boundaries, efficacy_boundary
from twoarm.plan.operate import Ask
from twoarm.plan.pool import Course, Pool
from twoarm.plan.trials import Setting
from twoarm.trial.protocol import Enrollment, Randomization

Z = 1.959963984540054


def course(days, horizon=1461.0):
    days = np.ceil(days)
    never = np.full(days.size, np.inf)
    death = np.where(days <= horizon, days, np.inf)
    return Course(
        death,
        never,
        np.minimum(days, horizon),
        never,
        never,
        np.zeros((days.size, 0)),
        np.zeros((days.size, 0)),
    )


def pool(size=8000, seed=0, ratio=1.0):
    draw = np.random.default_rng(seed)
    people = pd.DataFrame(
        {
            "region": draw.choice(["asia", "other"], size, p=[0.7, 0.3]),
            "line": draw.choice(["one", "two"], size),
        }
    )
    arms = {"new": course(draw.exponential(300 / ratio, size)), "old": course(draw.exponential(300, size))}
    return Pool(people, arms)


def ask(
    patients=600,
    events=(430,),
    dropout=0.0,
    stratified=False,
    shares=(1, 1),
    minimize=None,
    looks=None,
    until=365.0,
):
    bounds = looks or (
        Boundaries(np.ones(1), np.array([Z]), np.array([Z]), np.array([0.025]), np.nan)
        if len(events) == 1
        else efficacy_boundary(np.array(events) / events[-1], 0.025, "obrien_fleming")
    )
    rule = {} if minimize is None else {"minimize": minimize}
    plan = Randomization(factors=("region", "line"), block_sizes=(2 * sum(shares),), **rule)
    setting = Setting(patients, Enrollment(rate="30 1/month", ramp="6 months"), plan, shares, dropout)
    return Ask(setting, events, bounds, 0.025, "OS", "investigator", stratified, until)
