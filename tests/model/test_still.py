"""What never moves is left out, and what is left takes the same course."""

import numpy as np
import pandas as pd
import pytest

from twoarm.engine.simulate import simulate
from twoarm.model.sbml import read_model
from twoarm.model.still import leave_out_still

TEXT = """model m()
  drug' = -k*drug; bound' = on*drug*free - off*bound; free' = make - turn*free - on*drug*free + off*bound;
  idle' = turn*idle; cell' = grow*cell - kill*bound*cell;
  level' = speed*(free0 - level); clock' = time*0 + tick;
  drug = 0; bound = 0; free = make/turn; idle = 0; cell = 10; level = make/turn; clock = 0;
  free0 := make/turn;
  k = 0.3; on = 0.5; off = 0.1; make = 2; turn = 0.4; grow = 0.05; kill = 0.02; speed = 3; tick = 1;
end"""


@pytest.fixture(scope="module")
def model():
    return read_model(TEXT)


def test_states_that_a_dose_can_reach_stay(model):
    assert set(leave_out_still(model, {}, n=1, moved=["drug"]).states) == {
        "drug", "bound", "free", "cell", "clock",
    }  # fmt: skip


def test_without_doses_only_growth_and_the_clock_are_left(model):
    assert set(leave_out_still(model, {}, n=1, moved=[]).states) == {"cell", "clock"}


def test_a_balance_that_one_patient_lacks_is_kept(model):
    small = leave_out_still(model, {"free": np.array([5.0, 4.0])}, n=2, moved=[])
    assert "free" in small.states


def test_the_rest_takes_the_same_course(model):
    patients = pd.DataFrame({"make": [1.0, 2.0, 5.0], "grow": [0.01, 0.05, 0.1]})
    doses = pd.DataFrame({"id": [0, 1, 2], "time": [1.0, 2.0, 3.0], "amt": 10.0, "cmt": "drug"})
    small = leave_out_still(model, {k: v.to_numpy() for k, v in patients.items()}, n=3, moved=["drug"])
    how = {
        "days": 20.0,
        "visits": np.arange(0.0, 21.0),
        "outputs": ["cell", "free", "level"],
        "backend": "reference",
        "rtol": 1e-10,
    }
    whole, part = (simulate(each, patients, doses, **how) for each in (model, small))
    for name in how["outputs"]:
        np.testing.assert_allclose(part[name], whole[name], rtol=2e-5)


def test_numbers_can_take_the_place_of_parameters(model):
    small = leave_out_still(model, {}, n=1, moved=["drug"], fixed={"on": 0.0})
    assert set(small.states) == {"drug", "cell", "clock"}


def test_a_model_with_events_is_left_alone():
    text = "model m(); a' = 0; a = 1; at (time > 1): a = 2; end"
    model = read_model(text)
    assert leave_out_still(model, {}, n=1, moved=[]) == model
