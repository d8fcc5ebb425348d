"""What falls below its floor is gone, on every back end, and does not come back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import simulate
from twoarm.errors import ExtinctionFloorError
from twoarm.model import extinguish
from twoarm.model.sbml import read_model

#: Grows at 0.2 a day; killed at 1.2 a day on days 0 to 20: e^-20 of 1e6 cells are left, which is none.
TREATED = """
model treated()
  cells' = (0.2 - piecewise(1.2, time < 20, 0)) * cells;
  cells = 1e6;
end
"""
VISITS = [0.0, 5.0, 10.0, 20.0, 60.0, 120.0]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_half_a_cell_does_not_grow_back(backend: str) -> None:
    model = read_model(TREATED)
    forever = simulate(model, days=120, visits=VISITS, backend=backend, rtol=1e-8).cells[0].to_numpy()
    np.testing.assert_allclose(forever[-1], 1e6, rtol=1e-2)  # all of them, from 0.002 cells
    gone = simulate(extinguish(model, {"cells": 1.0}), days=120, visits=VISITS, backend=backend, rtol=1e-8)
    np.testing.assert_allclose(gone.cells[0, :3], forever[:3], rtol=1e-6)
    np.testing.assert_array_equal(gone.cells[0, 3:], 0.0)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_what_is_fed_rises_through_its_floor(backend: str) -> None:
    model = extinguish(read_model("model fed(); x' = -0.5 * x; x = 0; end"), {"x": 1.0})
    doses = pd.DataFrame({"id": [0, 0], "time": [1.0, 20.0], "amt": [0.5, 8.0], "cmt": "x"})
    found = simulate(model, doses=doses, days=40, visits=[2.0, 21.0, 40.0], backend=backend, rtol=1e-8).x[0]
    np.testing.assert_allclose(found[:2], [0.5 * np.exp(-0.5), 8.0 * np.exp(-0.5)], rtol=2e-5, atol=1e-4)
    assert found[2] == 0.0  # it has been above by now


def test_an_unstable_zero_is_safe_at_a_loose_tolerance() -> None:
    """Logistic growth runs away below zero: an error of one tolerance there is the end of a patient."""
    text = """
    model run()
      effector' = 0.5 * tumor / (1e3 + tumor) - 0.05 * effector;
      tumor' = 0.18 * tumor * (1 - 1e-9 * tumor) - effector * tumor / (1e5 + tumor);
      effector = 10; tumor = 1e5;
    end"""
    model = extinguish(read_model(text), {"tumor": 1.0})
    patients = pd.DataFrame({"effector": np.geomspace(1e4, 1e7, 40)})
    found = simulate(model, patients, days=300, rtol=1e-4)
    assert (found.status == 0).all()
    assert (found.tumor >= 0.0).all()
    assert (found.tumor[:, -1] == 0.0).any()


def test_floors_are_checked() -> None:
    model = read_model(TREATED)
    with pytest.raises(ExtinctionFloorError, match="no state of that name. Close: cells"):
        extinguish(model, {"cell": 1.0})
    for floor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ExtinctionFloorError, match="positive number"):
            extinguish(model, {"cells": floor})
