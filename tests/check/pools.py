"""Pools of patients made up by closed forms, in place of simulated ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twoarm.check.pool import Request


def made_up(asked: Request, **_: object) -> pd.DataFrame:
    """Exponential times, and responses at a rate that follows the member's label."""
    chance = np.random.default_rng(asked.seed)
    n = asked.size
    os_day, pfs_day = chance.exponential(300, n) + 1, chance.exponential(120, n) + 1
    responds = chance.random(n) < 0.3
    best = np.where(responds, "PR", np.where(chance.random(n) < 0.5, "SD", "PD"))
    return pd.DataFrame(
        {
            "OS_day": os_day,
            "OS_event": chance.random(n) < 0.9,
            "PFS_day": np.minimum(pfs_day, os_day),
            "PFS_event": True,
            "DOR_day": np.where(responds, 100.0, np.nan),
            "DOR_event": responds,
            "bor": best,
            "bor_any": best,
            "response_day": np.where(responds, 40.0, np.nan),
            "response_any_day": np.where(responds, 40.0, np.nan),
            "severe_day": np.where(chance.random(n) < 0.2, 30.0, np.nan),
            "best_change": 0.0,
            "treated_until": np.minimum(pfs_day, os_day),
            "stopped_day": np.where(chance.random(n) < 0.1, 20.0, np.nan),
        }
    )
