"""A model without what never moves on an arm takes its patients the same way, those with rare lesions too."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from twoarm.engine.simulate import simulate
from twoarm.model.sbml import read_model
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import read_population
from twoarm.study.lean import advance_lean, lean_model, lean_untreated, needed_of
from twoarm.trial.conduct import run_trial
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.protocol import read_protocol

RTOL = 1e-6


@pytest.fixture(scope="module")
def whole():
    return read_model("pd1_il2")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    table = draw_patients(read_population("io_naive_squamous_nsclc"), 24, seed=4)
    few = table[(table["lesions"] <= 2)].head(8)
    few.attrs = table.attrs
    return few


@pytest.mark.parametrize("arm", ["nivolumab", "docetaxel"])
def test_courses_are_those_of_the_whole_model(whole, people: pd.DataFrame, arm: str) -> None:
    """The model is made in patients with two lesions at most, and one of five is followed."""
    protocol, outcomes = read_protocol("checkmate_017"), read_outcomes("squamous_nsclc")
    small = lean_model(whole, people, protocol, arm, outcomes)
    assert len(small.states) < 0.3 * len(whole.states)
    assert lean_model(whole, people, protocol, arm, outcomes) is small  # made once
    other = people.copy()
    other.attrs = people.attrs
    for lesion in range(1, 6):
        other[f"diameter_baseline_{lesion}"] = 10.0 + lesion
    trials = [
        run_trial(
            model,
            protocol,
            other,
            seed=3,
            assignment=pd.Series(arm, index=other.index),
            advance=advance,
        )
        for model, advance in (
            (small, advance_lean(RTOL, small)),
            (whole, partial(simulate, rtol=RTOL, workers=1)),
        )
    ]
    one, two = (trial.visits.select_dtypes("number") for trial in trials)
    np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_without_treatment_less_moves_still(whole, people: pd.DataFrame) -> None:
    small = lean_untreated(whole, people, ["sld"])
    assert 0 < len(small.states) < len(whole.states) / 4
    assert {f"diameter_baseline_{lesion}" for lesion in range(1, 6)} <= needed_of(small)
    assert "drug_cl" not in needed_of(small)
