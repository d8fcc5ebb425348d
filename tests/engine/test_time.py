"""Rates that read the time only to ask whether a day has passed: no derivative by time says that they do."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm.engine import simulate
from twoarm.model.sbml import read_model


@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-9])
def test_a_rate_that_changes_on_a_day(method: str, rtol: float) -> None:
    model = read_model("model m; x = 2; k = 0.5; x' = piecewise(-k*x, time < 3, 1 - k*x); end")
    days = np.array([2.0, 4.0, 9.0])
    found = simulate(model, days=9, visits=days, outputs=["x"], rtol=rtol, backend="cpu", method=method)
    later = np.maximum(days - 3.0, 0.0)
    np.testing.assert_allclose(
        found.x[0], 2 * np.exp(-0.5 * days) + 2 * (1 - np.exp(-0.5 * later)), rtol=20 * rtol
    )
