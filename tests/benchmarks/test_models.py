"""The published models of the benchmark behave as their papers say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import simulate
from twoarm.model.sbml import read_model

MODELS = Path(__file__).parents[2] / "benchmarks" / "models"


def published(name):
    return read_model(MODELS / f"{name}.ant")


def steepness(stimulus, response):
    """Hill coefficient that has this ratio of stimuli for 90 % and 10 % of the largest response."""
    share = response / response.max()
    ten, ninety = (np.interp(level, share, np.log(stimulus)) for level in (0.1, 0.9))
    return np.log(81) / (ninety - ten)


def test_the_kinases_of_huang_and_ferrell_are_as_steep_as_printed():
    stimulus = np.logspace(-7.5, -1, 521)
    patients = pd.DataFrame({"E1": stimulus})
    run = simulate(
        published("huang_ferrell_1996"),
        patients,
        days=2000.0,
        visits=[1500.0, 2000.0],
        rtol=1e-8,
    )
    for active, printed in (("KKKp", 1.0), ("KKpp", 1.7), ("Kpp", 4.9)):
        response = run[active].to_numpy()
        assert response[:, 0] == pytest.approx(response[:, 1], rel=1e-6)
        assert round(steepness(stimulus, response[:, 1]), 1) == printed


def peaks(course):
    """Places of the maxima."""
    return np.flatnonzero((course[1:-1] > course[:-2]) & (course[1:-1] >= course[2:]))


def test_kholodenkos_cascade_oscillates_for_its_feedback():
    every = 5.0
    patients = pd.DataFrame({"Ki": [9.0, 1e12]})
    run = simulate(
        published("kholodenko_2000"),
        patients,
        days=20_000.0,
        visits=np.arange(10_000, 20_000, every),
    )
    with_feedback, without = run["MAPK_PP"].to_numpy()
    periods = np.diff(peaks(with_feedback)) * every / 60
    assert len(periods) >= 4
    assert periods == pytest.approx(np.full(len(periods), 20.0), rel=0.1)
    assert np.ptp(with_feedback) > 200
    assert np.ptp(without) < 1e-3


def test_kirschner_and_panettas_tumor_cycles_where_printed():
    patients = pd.DataFrame({"c": [5e-5, 0.03, 0.0315, 0.0335]})
    run = simulate(
        published("kirschner_panetta_1998"),
        patients,
        days=16_000.0,
        visits=np.arange(12_000.0, 16_000.0),
    )
    large, *cycles, small = run["T"].to_numpy()
    assert large == pytest.approx(np.full(len(large), 1e9), rel=0.02)  # its carrying capacity is 1/b = 1e9
    for cycle in cycles:
        assert np.ptp(cycle) > 0.5 * cycle.max()
        assert np.ptp(np.diff(peaks(cycle))) <= 2  # days: the same period again and again
    assert np.ptp(small) < 0.2 * small.max()
    assert small.max() < 1e5
