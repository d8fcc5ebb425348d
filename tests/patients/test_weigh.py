"""Weights: aggregates are met, and nothing more is changed than that needs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm.errors import MissingColumnError, UnreachableAggregateError
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import read_population
from twoarm.patients.weigh import weigh_patients

PATIENTS = draw_patients(read_population("io_naive_squamous_nsclc"), 2000, 4)


@settings(max_examples=20, deadline=None)
@given(
    age=st.floats(60, 68),
    asia=st.floats(0.1, 0.5),
    median=st.floats(65, 95),
)
def test_aggregates_are_met(age: float, asia: float, median: float) -> None:
    weights = weigh_patients(
        PATIENTS,
        means={"age": age},
        shares={"region": {"asia": asia}},
        quantiles={"sld_baseline": {0.5: median}},
    )
    assert weights.mean() == pytest.approx(1)
    assert (weights * PATIENTS["age"]).mean() == pytest.approx(age, abs=0.01)
    assert (weights * (PATIENTS["region"] == "asia")).mean() == pytest.approx(asia, abs=1e-3)
    assert (weights * (PATIENTS["sld_baseline"] <= median)).mean() == pytest.approx(0.5, abs=1e-3)
    assert 0 < weights.attrs["effective"] <= len(PATIENTS) * (1 + 1e-9)


def test_oak_quartiles_cost_few_patients() -> None:
    weights = weigh_patients(PATIENTS, quantiles={"sld_baseline": {0.25: 52, 0.5: 82, 0.75: 116}})
    assert weights.attrs["effective"] > 0.95 * len(PATIENTS)
    # what was not asked for stays as it was
    assert (weights * PATIENTS["age"]).mean() == pytest.approx(PATIENTS["age"].mean(), abs=0.3)


def test_nothing_asked_is_nothing_weighed() -> None:
    assert (weigh_patients(PATIENTS) == 1).all()


def test_aggregates_that_hold_already_weigh_nothing() -> None:
    weights = weigh_patients(PATIENTS, means={"age": PATIENTS["age"].mean()})
    assert np.allclose(weights, 1, atol=1e-3)


@pytest.mark.parametrize(
    "asked",
    [
        {"means": {"age": 120.0}},
        {"quantiles": {"sld_baseline": {0.5: 11.0}}},
        {"shares": {"region": {"moon": 0.5}}},
    ],
)
def test_what_no_weights_give_is_an_error(asked: dict[str, dict[str, object]]) -> None:
    with pytest.raises(UnreachableAggregateError):
        weigh_patients(PATIENTS, **asked)  # type: ignore[arg-type]


def test_aggregates_that_contradict_are_an_error() -> None:
    with pytest.raises(UnreachableAggregateError):
        weigh_patients(PATIENTS, quantiles={"age": {0.5: 60.0, 0.4: 66.0}})


def test_a_column_must_exist() -> None:
    with pytest.raises(MissingColumnError, match="pdl1_share"):
        weigh_patients(pd.DataFrame({"age": [1.0]}), means={"pdl1_share": 0.5})
