"""Blocks are balanced, strata apart, enrollment steady; nothing depends on the order of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm.errors import BlockSizeError, MissingColumnError
from twoarm.trial.randomize import enrollment_days, randomize, strata_of

SHARES = {"experimental": 1, "control": 1}


def cohort(n: int, seed: int) -> pd.Series:
    draw = np.random.default_rng(seed)
    return pd.Series(draw.choice(["a", "b", "c"], n), index=draw.permutation(n))


@given(st.integers(1, 200), st.integers(0, 1000), st.sampled_from([(4,), (2, 4), (4, 6)]))
@settings(max_examples=40, deadline=None)
def test_blocks_are_balanced(n: int, seed: int, sizes: tuple[int, ...]) -> None:
    strata = cohort(n, seed)
    table = randomize(strata, np.arange(n) % 7, shares=SHARES, block_sizes=sizes, seed=seed)
    for _, part in table.groupby("stratum"):
        sums = part.sort_values("enrolled_on", kind="stable")
        whole = sums[sums["block"] < part["block"].max()]  # the last block of a stratum may be cut short
        for _, block in whole.groupby("block"):
            assert (block["arm"] == "control").sum() * 2 == len(block)
        assert abs((part["arm"] == "control").sum() * 2 - len(part)) <= max(sizes)


def test_unequal_shares() -> None:
    table = randomize(
        pd.Series("all", index=range(300)), np.arange(300.0), shares={"a": 2, "b": 1}, block_sizes=[6], seed=1
    )
    assert (table["arm"] == "a").sum() == 200


def test_order_of_rows_does_not_matter() -> None:
    strata = cohort(97, 3)
    day = enrollment_days(5, strata.index.to_numpy(), rate=0.5, ramp=60)
    turn = np.random.default_rng(0).permutation(97)
    one = randomize(strata, day, shares=SHARES, block_sizes=[4, 6], seed=5)
    two = randomize(strata.iloc[turn], day[turn], shares=SHARES, block_sizes=[4, 6], seed=5)
    pd.testing.assert_frame_equal(one.sort_index(), two.sort_index())


def test_other_seed_other_list() -> None:
    strata = pd.Series("all", index=range(60))
    first, second = (
        randomize(strata, np.arange(60.0), shares=SHARES, block_sizes=[4], seed=seed)["arm"]
        for seed in (1, 2)
    )
    assert (first != second).any()


def test_enrollment_rises_then_stays() -> None:
    days = enrollment_days(2, np.arange(20_000), rate=40.0, ramp=200.0)
    expected = [40 * 100**2 / 400, 40 * 100, 40 * 300]  # by day 100, 200, 400
    found = [(days < day).sum() for day in (100, 200, 400)]
    np.testing.assert_allclose(found, expected, rtol=0.05)
    assert days.max() <= 20_000 / 40 + 100


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(BlockSizeError, match=r"block size 5 .* multiple of 2"):
        randomize(pd.Series(["a"]), np.zeros(1), shares=SHARES, block_sizes=[5], seed=1)
    with pytest.raises(MissingColumnError, match="region"):
        strata_of(pd.DataFrame({"sex": [1]}), ["region"])
