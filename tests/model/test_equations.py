"""How patients start: what is derived follows from what is given, and a given value wins."""

import pickle

import numpy as np
import pytest

from twoarm.model import Model, start
from twoarm.model.sbml import read_model

TEXT = """
model derived
  compartment v = 2;
  species a in v = 3;
  k = 1; twice = 2*k; thrice = 3*twice;
  b = 10*thrice; b' = -k*b;
  from_start = a*100;
  a -> ; k*a*v;
end
"""


@pytest.fixture(scope="module")
def model() -> Model:
    return read_model(TEXT)


def value(model: Model, tables: tuple[np.ndarray, np.ndarray], name: str) -> list[float]:
    parameters, states = tables
    if name in model.states:
        return states[model.states.index(name)].tolist()
    return parameters[model.parameters.index(name)].tolist()


def test_derived_values_follow_what_each_patient_has(model: Model) -> None:
    tables = start(model, {"k": [1.0, 5.0]}, patients=2)
    assert value(model, tables, "thrice") == [6.0, 30.0]
    assert value(model, tables, "b") == [60.0, 300.0]


def test_a_given_value_wins_over_its_formula_and_feeds_the_others(model: Model) -> None:
    tables = start(model, {"twice": [np.nan, 7.0]}, patients=2)
    assert value(model, tables, "twice") == [2.0, 7.0]
    assert value(model, tables, "thrice") == [6.0, 21.0]


def test_a_state_holds_the_amount_and_may_be_given(model: Model) -> None:
    tables = start(model, {"a": 20.0, "b": 1.0})
    assert value(model, tables, "a") == [20.0]
    assert value(model, tables, "b") == [1.0]
    assert value(model, tables, "from_start") == [1000.0]  # the concentration, 20 in a volume of 2
    assert value(model, start(model), "a") == [6.0]


def test_defaults_are_those_of_a_patient_with_nothing_of_their_own(model: Model) -> None:
    np.testing.assert_array_equal(start(model)[0][:, 0], model.values)


def test_an_unknown_name_is_an_error(model: Model) -> None:
    with pytest.raises(KeyError, match="nowhere"):
        start(model, {"nowhere": 1.0})


def test_a_model_is_frozen_hashable_and_survives_pickling(model: Model) -> None:
    again = pickle.loads(pickle.dumps(model))
    assert again == model
    assert hash(again) == hash(model)
    assert again.digest == model.digest
    with pytest.raises(TypeError):
        model.outputs["new"] = 0  # type: ignore[index]
    assert read_model(TEXT.replace("k = 1", "k = 2")) != model
