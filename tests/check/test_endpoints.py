"""Endpoints of many cohorts at once, beside the analysis of one trial and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.check.endpoints import MONTH, days_needed, read_endpoint, work_out
from twoarm.errors import NoSuchEndpointError
from twoarm.trial.analyze import analyze


def pool_of(n: int, seed: int) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    os_day = np.ceil(chance.exponential(300, n)) + 1
    pfs_day = np.minimum(np.ceil(chance.exponential(120, n)) + 1, os_day)
    best = chance.choice(["CR", "PR", "SD", "PD", "NE"], n)
    responds = np.isin(best, ["CR", "PR"])
    return pd.DataFrame(
        {
            "OS_day": os_day,
            "OS_event": chance.random(n) < 0.8,
            "PFS_day": pfs_day,
            "PFS_event": chance.random(n) < 0.9,
            "DOR_day": np.where(responds, chance.exponential(200, n), np.nan),
            "DOR_event": responds & (chance.random(n) < 0.7),
            "bor": best,
            "bor_any": best,
            "severe_day": np.where(chance.random(n) < 0.25, 20.0, np.nan),
        }
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cohorts_have_the_numbers_of_the_analysis(seed: int) -> None:
    pools = {"new": pool_of(60, seed), "old": pool_of(50, seed + 10)}
    whole = {arm: np.arange(len(pool))[None] for arm, pool in pools.items()}
    table = pd.concat(
        [pool.assign(arm=arm, stratum="all", follow_up=pool["OS_day"]) for arm, pool in pools.items()],
        ignore_index=True,
    ).assign(grade=lambda t: np.where(t["severe_day"].notna(), 3, 0))
    table["DOR_event"] = table["DOR_event"].astype(bool)
    found = analyze(table, landmarks={"PFS": (6,), "OS": (12,)}).set_index(["quantity", "arm"])["value"]
    names = {
        "ORR": "ORR",
        "DCR": "DCR",
        "TRAE_G3plus": "Grade >= 3 events",
        "mPFS": "Median PFS",
        "mOS": "Median OS",
        "PFS_6m": "PFS at 6 months",
        "OS_12m": "OS at 12 months",
    }
    for name, quantity in names.items():
        for arm, values in work_out(read_endpoint(name), pools, whole).items():
            assert values[0] == pytest.approx(found[quantity, arm], rel=1e-9), (name, arm)
    for name, quantity in (("HR_OS", "Hazard ratio of OS"), ("HR_PFS", "Hazard ratio of PFS")):
        ratio = work_out(read_endpoint(name), pools, whole)[""][0]
        assert ratio == pytest.approx(found[quantity, ""], rel=1e-4)


def test_duration_of_response_is_of_responders_only() -> None:
    pool = pool_of(4, 1).assign(
        bor=["PR", "PR", "SD", "PD"], DOR_day=[60.0, 90, np.nan, np.nan], DOR_event=[True, True, False, False]
    )
    found = work_out(read_endpoint("mDOR"), {"a": pool}, {"a": np.array([[0, 1, 2, 3], [2, 3, 2, 3]])})["a"]
    assert found[0] == pytest.approx(60 / MONTH)
    assert np.isnan(found[1])


def test_a_landmark_beyond_the_last_patient_is_not_known() -> None:
    pool = pool_of(2, 1).assign(OS_day=[100.0, 200.0], OS_event=[True, False])
    found = work_out(read_endpoint("OS_12m"), {"a": pool}, {"a": np.array([[0, 1], [0, 0]])})["a"]
    assert np.isnan(found[0])
    assert found[1] == 0


@pytest.mark.parametrize("name", ["", "ORRR", "OS_0m", "OS_m", "mFOO", "OS_9999m"])
def test_other_endpoints_are_refused(name: str) -> None:
    with pytest.raises(NoSuchEndpointError, match="Choose among them"):
        read_endpoint(name)


def test_follow_up_is_as_long_as_the_landmarks_and_no_longer() -> None:
    assert days_needed(("ORR",), longest=1000) == 500
    assert days_needed(("mOS",), longest=1000) == 1000
    assert days_needed(("ORR", "OS_60m"), longest=1000) == pytest.approx(61 * MONTH)
