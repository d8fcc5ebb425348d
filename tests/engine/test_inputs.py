"""What simulate() refuses, and in which words; and what it leaves in the result."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import SupportsDoses, simulate
from twoarm.errors import (
    NoSuchInitialError,
    SimulationInputError,
    UnknownBackendError,
    UnknownColumnError,
    UnknownMethodError,
    UnknownOutputError,
)
from twoarm.model import Graph
from twoarm.model.sbml import read_model

from . import small_models as small


def test_misspelled_column_names_the_close_one() -> None:
    people = pd.DataFrame({"kel_": [0.1]})
    with pytest.raises(UnknownColumnError, match="Close: kel"):
        simulate(small.target_mediated(), people, days=1)


def test_covariates_are_left_alone() -> None:
    people = pd.DataFrame({"k": [0.2], "region": ["asia"]})
    people.attrs["covariates"] = ["region"]
    found = simulate(small.decay(), people, days=1)
    assert found.sizes["patient"] == 1


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({"days": -1.0}, SimulationInputError, "end day of patient 0"),
        ({"days": [1.0, 2.0]}, SimulationInputError, "one for each of the 1 patients"),
        ({"days": np.nan}, SimulationInputError, "end day"),
        ({"days": 1, "visits": [2.0, 1.0]}, SimulationInputError, "ascending"),
        ({"days": 1, "outputs": ["xx"]}, UnknownOutputError, "Close: x"),
        ({"days": 1, "backend": "gpu"}, UnknownBackendError, "reference"),
        ({"days": 1, "failed": "ignore"}, UnknownBackendError, "mask"),
        ({"days": 1, "method": "euler"}, UnknownMethodError, "rodas5p"),
        ({"days": 1, "rtol": 0.0}, SimulationInputError, "rtol"),
        ({"days": 1, "atol": 0.0}, SimulationInputError, "atol"),
        ({"days": 1, "atol": {"z": 1.0}}, UnknownOutputError, "z"),
        ({"days": 1, "workers": 0}, SimulationInputError, "workers"),
        ({"days": 1, "chunk": 0}, SimulationInputError, "chunk"),
    ],
)
def test_bad_arguments(keywords: dict, error: type[Exception], words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(error, match=words):
        simulate(small.decay(), **keywords)


def test_bad_tables() -> None:
    model = small.decay()
    with pytest.raises(SimulationInputError, match="'k' of patient 4"):
        simulate(model, pd.DataFrame({"k": [0.1, "much"]}, index=[3, 4]), days=1)
    with pytest.raises(SimulationInputError, match="may occur once"):
        simulate(model, pd.DataFrame({"k": [0.1, 0.1]}, index=[3, 3]), days=1)
    doses = pd.DataFrame({"id": [0], "time": [0.0], "amt": [1.0], "cmt": ["y"]})
    with pytest.raises(UnknownOutputError, match="'y'"):
        simulate(model, doses=doses, days=1)


def test_initial_must_fit() -> None:
    model = small.decay()
    first = simulate(model, pd.DataFrame({"k": [0.1, 0.2]}), days=1)
    with pytest.raises(NoSuchInitialError, match="patient 5"):
        simulate(model, pd.DataFrame({"k": [0.1]}, index=[5]), days=2, initial=first)
    with pytest.raises(NoSuchInitialError, match="another model"):
        simulate(small.bateman(), days=2, initial=first)
    with pytest.raises(NoSuchInitialError, match="final_state"):
        simulate(model, days=2, initial=first.drop_vars("final_state"))
    with pytest.raises(SimulationInputError, match="after the begin"):
        simulate(model, pd.DataFrame({"k": [0.1]}), days=0.5, initial=first)


class _Plan:
    """Doses that come with a parameter."""

    def dose_rows(self, patients: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"id": patients.index, "time": 0.0, "amt": 10.0, "cmt": "x"})

    def parameters(self, patients: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"k": 0.5}, index=patients.index)


def test_a_regimen_brings_parameters_and_patients_win() -> None:
    assert isinstance(_Plan(), SupportsDoses)
    people = pd.DataFrame({"k": [np.nan]}, index=[0])
    found = simulate(small.decay(), pd.DataFrame(index=[0, 1]), _Plan(), days=1, visits=[1.0], rtol=1e-8)
    np.testing.assert_allclose(found.x, 10 * np.exp(-0.5), rtol=1e-6)
    found = simulate(small.decay(), people.fillna(0.1), [_Plan(), _Plan()], days=1, visits=[1.0], rtol=1e-8)
    np.testing.assert_allclose(found.x, 20 * np.exp(-0.1), rtol=1e-6)


def test_patients_named_only_by_their_doses() -> None:
    doses = pd.DataFrame({"id": [9, 4], "time": 0.0, "amt": [1.0, 2.0], "cmt": "x"})
    found = simulate(small.decay(), doses=doses, days=1, visits=[1.0], rtol=1e-8)
    assert found.patient.to_numpy().tolist() == [4, 9]
    np.testing.assert_allclose(found.x[:, 0], np.array([2, 1]) * np.exp(-0.1), rtol=1e-6)


def test_result_says_what_ran() -> None:
    people = pd.DataFrame({"k": [0.1]})
    people.attrs["seed"] = 7
    found = simulate(small.decay(), people, days=2, rtol=1e-5)
    assert found.attrs["backend"] == "cpu"
    assert found.attrs["method"] == "rodas5p"
    assert found.attrs["rtol"] == 1e-5
    assert found.attrs["seed"] == 7
    assert len(found.attrs["model_digest"]) == 64
    assert "numba" in found.attrs["versions"]
    assert found.day.to_numpy().tolist() == [0.0, 2.0]
    assert list(found.data_vars)[:1] == ["x"]


def test_progress_is_told_and_chunks_do_not_show() -> None:
    told: list[tuple[int, int]] = []
    people = pd.DataFrame({"x": np.arange(5.0)})
    found = simulate(small.decay(), people, days=1, chunk=2, progress=lambda *now: told.append(now))
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert found.sizes["patient"] == 5


def test_nobody_and_no_states() -> None:
    nobody = simulate(small.decay(), pd.DataFrame({"k": []}), days=1, visits=[1.0])
    assert nobody.sizes["patient"] == 0
    g = Graph()
    still = small.build(g, {}, values={"a": 2.0})
    found = simulate(still, pd.DataFrame({"a": [3.0]}), days=1, visits=[0.0, 1.0], outputs=["a"])
    assert found.a.to_numpy().tolist() == [[3.0, 3.0]]


def test_a_species_as_written_as_amount_or_as_concentration() -> None:
    parts = "compartment v = 4; species s in v; s = 2; s' = 0; substanceOnly species n in v; n = 8; n' = 0;"
    model = read_model(f"model m() {parts} end")
    found = {
        how: [float(simulate(model, days=1, visits=[1.0], species=how)[name][0, 0]) for name in ("s", "n")]  # type: ignore[arg-type]
        for how in ("written", "amount", "concentration")
    }
    assert found == {"written": [2, 8], "amount": [8, 8], "concentration": [2, 2]}
    with pytest.raises(UnknownBackendError, match="amount"):
        simulate(model, days=1, species="moles")  # type: ignore[arg-type]
