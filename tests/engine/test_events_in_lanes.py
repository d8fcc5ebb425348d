"""Events in lanes: the reference agrees, nobody's company matters, and no turning is stepped over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from twoarm.engine import simulate
from twoarm.errors import IntegrationError
from twoarm.model import Model
from twoarm.model.sbml import read_model

TITRATED = """
model titrated()
  drug = 10; target = 2; both = 0; cells = 100; given = 0; held = 0;
  drug' = -kon*drug*target + koff*both - kel*drug;
  target' = ksyn - kdeg*target - kon*drug*target + koff*both;
  both' = kon*drug*target - koff*both - kint*both;
  cells' = r*cells*(1 - cells/1e6) - kill*both/(both + 0.5)*cells;
  kon = 20; koff = 3; ksyn = 1; kdeg = 0.5; kint = 0.7; kel = 0.2; r = 0.4; kill = 0.6;
  amount = 10; least = 1;
  at (drug < least), priority = 1: drug = drug + amount, given = given + 1;
  at 0.5 after (cells > 5e4), persistent = false: held = held + 1, cells = cells/2;
  at (time >= 12.25) && (cells > 10): target = target + 1;
end
"""
DAYS = np.arange(0.0, 41.0, 2.5)
OUTPUTS = ["drug", "cells", "given", "held", "target"]


@pytest.fixture(scope="module")
def titrated() -> Model:
    return read_model(TITRATED)


def _patients(model: Model, count: int, seed: int = 0) -> pd.DataFrame:
    rng, values = np.random.default_rng(seed), dict(zip(model.parameters, model.values, strict=True))
    names = ["kon", "kel", "ksyn", "kint", "r", "kill", "amount"]
    return pd.DataFrame({name: values[name] * np.exp(0.3 * rng.normal(size=count)) for name in names})


def _doses(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"id": np.arange(count), "time": 3.0, "amt": 4.0, "cmt": "drug", "ii": 9.0, "addl": 2, "rate": 8.0}
    )


def _run(model: Model, patients: pd.DataFrame, **keywords: object) -> xr.Dataset:
    given = {"days": 40.0, "visits": DAYS, "outputs": OUTPUTS, "backend": "cpu", **keywords}
    return simulate(model, patients, _doses(12), **given)  # type: ignore[arg-type]


def test_agrees_with_the_reference(titrated: Model) -> None:
    patients = _patients(titrated, 12)
    lanes = _run(titrated, patients, rtol=1e-8)
    believed = _run(titrated, patients, rtol=1e-10, backend="reference")
    assert float(believed.given.max()) > 3 and float(believed.held.max()) >= 1
    for name in OUTPUTS:
        scale = 1e-3 * float(believed[name].max())
        np.testing.assert_allclose(lanes[name], believed[name], rtol=2e-6, atol=2e-6 * scale, err_msg=name)


def test_a_patient_has_the_same_digits_in_any_company(titrated: Model) -> None:
    patients = _patients(titrated, 12)
    whole = _run(titrated, patients, workers=2)
    order = np.random.default_rng(1).permutation(12)
    turned = _run(titrated, patients.iloc[order], workers=1, chunk=5)
    alone = _run(titrated, patients.iloc[[3]], workers=1)
    for name in (*OUTPUTS, "final_state", "steps"):
        xr.testing.assert_identical(turned[name].sortby("patient"), whole[name])
        xr.testing.assert_identical(alone[name][0], whole[name].sel(patient=3))


def test_a_run_in_two_windows(titrated: Model) -> None:
    model = read_model(TITRATED.replace("at 0.5 after (cells > 5e4), persistent = false", "at (cells > 5e4)"))
    patients = _patients(model, 6)
    whole = _run(model, patients, rtol=1e-9)
    first = _run(model, patients, rtol=1e-9, days=17.5)
    rest = _run(model, patients, rtol=1e-9, initial=first)
    for name in OUTPUTS:
        joined = np.where(DAYS <= 17.5, first[name], rest[name])
        np.testing.assert_allclose(joined, whole[name], rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8])
def test_error_follows_the_tolerance(method: str, rtol: float) -> None:
    """Thirty refills: the day of each is wrong by what the state was wrong."""
    model = read_model("model m; x = 4; n = 0; x' = -0.1*x; n' = 0; at (x < 2): x = 4, n = n + 1; end")
    period = np.log(2.0) / 0.1
    days = np.linspace(1.0, 30.2 * period, 40)
    found = simulate(model, days=days[-1], visits=days, rtol=rtol, backend="cpu", method=method)
    np.testing.assert_allclose(found.x[0], 4 * np.exp(-0.1 * (days % period)), rtol=60 * rtol)
    np.testing.assert_array_equal(found.n[0], days // period)


def test_a_turning_within_a_step_and_back_is_seen() -> None:
    """The trigger is true for a small part of each swing; steps are far longer."""
    model = read_model(
        "model m; x = 1; v = 0; n = 0; x' = v; v' = -x; n' = 0; at (x > 0.999), t0 = false: n = n + 1; end"
    )
    found = simulate(model, days=62.0, visits=[62.0], rtol=1e-6, backend="cpu")
    assert float(found.n[0, 0]) == 10.0  # at the start, and after each of nine whole turns
    assert float(found.steps[0]) < 600


def test_times_that_a_parameter_sets() -> None:
    model = read_model(
        "model m; x = 0; on = 1; x' = -x; at (time >= on): x = x + 1; at (time >= on + 1/3): x = x + 1; end"
    )
    patients = pd.DataFrame({"on": [0.1, 1.0, 2.0 / 3.0, 7.0]})
    found = simulate(model, patients, days=5.0, visits=[5.0], rtol=1e-10, backend="cpu")
    on = patients.on.to_numpy()
    closed = np.where(on < 5, np.exp(-(5 - on)) * (1 + np.exp(1 / 3)), 0.0)
    np.testing.assert_allclose(found.x[:, 0], closed, rtol=1e-8, atol=1e-12)


def test_a_visit_at_the_day_of_an_event_sees_what_was_before() -> None:
    model = read_model("model m; x = 1; x' = 0; at (time >= 2): x = 5; at 1.5 after (time >= 1): x = 7; end")
    runs = [
        simulate(model, days=4.0, visits=[1.0, 2.0, 2.5, 3.0], backend=backend).x[0].to_numpy()
        for backend in ("cpu", "reference")
    ]
    np.testing.assert_array_equal(runs[0], [1.0, 1.0, 5.0, 7.0])
    np.testing.assert_array_equal(runs[0], runs[1])


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_events_that_follow_each_other_ever_faster_are_passed(backend: str) -> None:
    """A ball that loses half its speed at each bounce rests after three times its first fall."""
    model = read_model(
        "model ball; h = 1; v = 0; n = 0; h' = v; v' = -2*piecewise(1, n < 60, 0); n' = 0;"
        " at (h < 0): h = 0, v = -v/2*piecewise(1, n < 59, 0), n = n + 1; end"
    )
    found = simulate(model, days=4.0, visits=[2.9, 4.0], rtol=1e-8, backend=backend)
    assert abs(float(found.h[0, 1])) < 1e-6 and float(found.n[0, 1]) >= 20


def test_events_without_end_fail_one_patient_and_no_other() -> None:
    model = read_model(
        "model m; x = 0; up = 1; x' = 1; at (x > up): x = -1, up2 = 1; at (x < -0.5): x = 2*big;"
        " up2 = 0; up2' = 0; big = 0; end"
    )
    patients = pd.DataFrame({"big": [0.0, 1.0, 0.0], "up": [1.0, 1.0, 5.0]})
    with pytest.raises(IntegrationError, match=r"\(1\)"):
        simulate(model, patients, days=4.5, backend="cpu")
    found = simulate(model, patients, days=4.5, failed="mask", backend="cpu")
    assert list(found.status.to_numpy() != 0) == [False, True, False]
    np.testing.assert_allclose(found.x[[0, 2], -1], [0.5, 4.5], rtol=1e-6)


def test_many_patients_end_on_their_own_days(titrated: Model) -> None:
    patients = _patients(titrated, 30, seed=3)
    ends = np.linspace(0.0, 40.0, 30)
    found = _run(titrated, patients, days=ends, workers=2)
    np.testing.assert_array_equal(found.final_day, ends)
    assert (np.isnan(found.drug.to_numpy()) == (ends[:, None] < DAYS)).all()
