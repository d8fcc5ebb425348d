"""Every stratum's list of arms can be cut into permuted blocks, says someone who did not write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.trial.randomize import randomize

from .naive_survival import can_be_permuted_blocks


@pytest.mark.parametrize(
    ("shares", "sizes"),
    [
        ({"a": 1, "b": 1}, [4]),
        ({"a": 1, "b": 1}, [2, 4, 6]),
        ({"a": 2, "b": 1}, [3, 6]),
        ({"a": 1, "b": 1, "c": 1}, [6]),
    ],
)
@pytest.mark.parametrize("seed", range(8))
def test_strata_are_permuted_blocks(shares, sizes, seed):
    rng = np.random.default_rng(seed)
    n = 157
    strata = pd.Series(
        rng.choice(["primary / asia", "primary / other", "acquired / asia"], n), index=range(n)
    )
    enrolled = rng.integers(0, 90, n).astype(float)  # with ties
    table = randomize(strata, enrolled, shares=shares, block_sizes=sizes, seed=seed)
    order = table.assign(label=table.index).sort_values(["enrolled_on", "label"])
    for _, part in order.groupby("stratum"):
        assert can_be_permuted_blocks(part["arm"].tolist(), shares, sizes)
        shuffled = part["arm"].tolist()
        rng.shuffle(shuffled)
        if sizes == [4] and len(shuffled) > 40:
            assert not can_be_permuted_blocks(shuffled, shares, sizes)  # the check can say no
