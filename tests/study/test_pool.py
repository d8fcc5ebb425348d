"""Pooling over draws: a difference may be negative, a rate may not."""

import numpy as np
import pandas as pd
import pytest

from twoarm.study.pool import pool


def test_differences_of_rates_and_times_are_pooled_as_they_are():
    rows = []
    for draw, (value, low, high) in enumerate([(-4.0, -8.0, 0.0), (2.0, -2.0, 6.0)]):
        ends = {"draw": draw, "value": value, "low": low, "high": high}
        rows.append(ends | {"quantity": "ORR", "arm": "", "unit": "%"})
        rows.append(ends | {"quantity": "Mean OS to 18 months", "arm": "", "unit": "month"})
    pooled = pool(pd.DataFrame(rows))
    assert np.isfinite(pooled[["value", "low", "high"]]).all(axis=None)
    assert pooled["value"].tolist() == [-1.0, -1.0]
    assert pooled["low"].tolist() == pytest.approx([-7.5, -7.5], abs=0.5)
    assert pooled["high"].tolist() == pytest.approx([5.5, 5.5], abs=0.5)


def test_a_rate_of_an_arm_stays_between_its_bounds():
    one = {"quantity": "ORR", "arm": "new", "unit": "%", "value": 1.0, "low": 0.1, "high": 4.0}
    pooled = pool(pd.DataFrame([one | {"draw": 0}, one | {"draw": 1, "value": 2.0}]))
    assert 0 <= pooled["low"][0] <= pooled["value"][0] <= pooled["high"][0] <= 100


def test_a_ratio_by_any_name_is_pooled_as_a_ratio():
    rows = [
        {"draw": draw, "quantity": "Subdistribution hazard ratio of stopping", "arm": "", "unit": ""}
        | {"value": value, "low": value / 6, "high": value * 6}
        for draw, value in enumerate((0.2, 1.8))
    ]
    pooled = pool(pd.DataFrame(rows))
    assert pooled["low"][0] > 0
    assert pooled["value"][0] == pytest.approx(0.6)
