"""Derivatives of outputs: against closed forms, against differences of runs, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from twoarm.engine import simulate
from twoarm.engine.sensitivities import sensitivities
from twoarm.errors import (
    IntegrationError,
    NoDerivativeError,
    SimulationInputError,
    UnknownBackendError,
    UnknownOutputError,
    UnsupportedModelError,
)
from twoarm.model import Event, Graph, Model
from twoarm.model.sbml import read_model

from . import small_models as small

DAYS = np.array([0.0, 0.5, 2.0, 5.0, 9.0, 14.0])
BACKENDS = ("cpu", "reference")


def _differences(
    model: Model, patients: pd.DataFrame, names: Sequence[str], outputs: Sequence[str], **keywords: object
) -> xr.DataArray:
    """Fourth-order central differences, by Richardson from two widths (patient, day, parameter, output)."""
    found = []
    for name in names:
        size = np.abs(patients[name].to_numpy())
        size = np.where(size == 0.0, 1.0, size)
        by_width = []
        for width in (2e-3, 1e-3):
            sides = []
            for sign in (1, -1):
                moved = patients.assign(**{name: patients[name] + sign * width * size})
                moved.attrs = patients.attrs
                run = simulate(model, moved, outputs=outputs, rtol=1e-11, **keywords)  # type: ignore[arg-type]
                sides.append(np.stack([run[o].to_numpy() for o in outputs], axis=-1))
            by_width.append((sides[0] - sides[1]) / (2 * width * size[:, None, None]))
        found.append((4 * by_width[1] - by_width[0]) / 3)
    return np.stack(found, axis=2)  # type: ignore[return-value]


def _stacked(found: xr.Dataset, outputs: Sequence[str]) -> np.ndarray:
    return np.stack([found[name].to_numpy() for name in outputs], axis=-1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_decay_with_boluses(backend: str) -> None:
    doses = pd.DataFrame({"id": 0, "time": [0.0, 4.0], "amt": [3.0, 5.0], "cmt": "x"})
    patient = pd.DataFrame({"k": [0.3], "x": [2.0]})
    found = sensitivities(
        small.decay(), patient, doses, parameters=["k", "x"], outputs="x", days=14, visits=DAYS,
        backend=backend, rtol=1e-9,
    )  # fmt: skip
    late = DAYS > 4.0
    fall, second = np.exp(-0.3 * DAYS), np.where(late, np.exp(-0.3 * (DAYS - 4.0)), 0.0)
    given = np.where(DAYS > 0, 5.0, 2.0)  # a visit sees what was before the dose of its instant
    by_k = -DAYS * given * fall - (DAYS - 4.0) * 5.0 * second
    np.testing.assert_allclose(found.x[0, :, 0], by_k, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.x.sel(parameter="x")[0], fall, rtol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_infusion_into_one_compartment(backend: str) -> None:
    ke, rate, long = 0.2, 3.0, 4.0
    doses = pd.DataFrame({"id": 0, "time": [0.0], "amt": [rate * long], "rate": [rate], "cmt": "x"})
    found = sensitivities(
        small.decay(), pd.DataFrame({"k": [ke]}), doses, parameters=["k"], outputs=["x"], days=14,
        visits=DAYS, backend=backend, rtol=1e-9,
    )  # fmt: skip

    def level(k: float) -> np.ndarray:
        t = np.minimum(DAYS, long)
        return rate / k * (1 - np.exp(-k * t)) * np.exp(-k * (DAYS - t))

    h = 1e-4
    closed = (8 * (level(ke + h) - level(ke - h)) - level(ke + 2 * h) + level(ke - 2 * h)) / (12 * h)
    np.testing.assert_allclose(found.x[0, :, 0], closed, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_logistic_by_rate_capacity_and_start(backend: str) -> None:
    r, most, first, t = 0.3, 1e12, 1e6, np.array([10.0, 30.0, 45.0, 60.0, 90.0])
    names = ["r", "most", "n"]
    found = sensitivities(
        small.logistic(), parameters=names, outputs=["n"], days=90, visits=t, backend=backend, rtol=1e-9,
        scale="relative",
    )  # fmt: skip
    share = 1 / (1 + (most / first - 1) * np.exp(-r * t))  # n / most
    rest = (1 - share) * most / (most - first)
    np.testing.assert_allclose(found.n.sel(parameter="n")[0], rest, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.n.sel(parameter="most")[0], 1 - rest, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(found.n.sel(parameter="r")[0], r * t * (1 - share), rtol=1e-5, atol=1e-9)


CHAIN = """
model chain()
  a = 1.5; b = 2*a^2; k = 0.1*b; y = a*b; z = y + 1;
  y' = -k*y + 0.2*z;  z' = a - 0.3*z;
  seen := y*a + k;
end
"""


def test_what_follows_from_a_parameter_moves_with_it() -> None:
    """Derived parameters, initial values of initial values, outputs that hold a parameter."""
    model, names = read_model(CHAIN), ["a", "b", "k", "y", "z"]
    found = sensitivities(model, parameters=names, outputs=["seen", "z"], days=9, visits=DAYS[:5], rtol=1e-9)
    values = {"a": 1.5, "b": 4.5, "k": 0.45, "y": 6.75, "z": 7.75}
    expected = []
    for name in names:  # the rest is left to follow
        patient = pd.DataFrame({name: [values[name]]})
        expected.append(_differences(model, patient, [name], ["seen", "z"], days=9, visits=DAYS[:5])[:, :, 0])
    np.testing.assert_allclose(
        _stacked(found, ["seen", "z"]), np.stack(expected, axis=2), rtol=1e-6, atol=1e-8
    )


def test_what_a_patient_has_of_their_own_does_not_move() -> None:
    model = read_model(CHAIN)
    own = pd.DataFrame({"a": [1.0, 1.5], "b": [3.0, np.nan], "y": [np.nan, 2.0]})
    found = sensitivities(model, own, parameters=["a"], outputs=["seen"], days=9, visits=DAYS[:5], rtol=1e-9)
    expected = _differences(model, own, ["a"], ["seen"], days=9, visits=DAYS[:5])
    np.testing.assert_allclose(_stacked(found, ["seen"]), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reset_begins_anew(backend: str) -> None:
    model = read_model("model m; a = 2; x = 3*a; x' = -k*x; k = 0.3; end")
    doses = pd.DataFrame({"id": 0, "time": [1.0, 4.0], "amt": [5.0, 0.0], "cmt": "x", "evid": [1, 3]})
    found = sensitivities(
        model,
        None,
        doses,
        parameters=["a", "k"],
        outputs=["x"],
        days=9,
        visits=[9.0],
        backend=backend,
        rtol=1e-9,
    )
    fall = np.exp(-0.3 * 5.0)
    np.testing.assert_allclose(found.x[0, 0], [3 * fall, -5.0 * 6.0 * fall], rtol=1e-7)


@pytest.mark.parametrize("scale", ["absolute", "relative"])
@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
def test_network_against_differences(scale: str, method: str) -> None:
    model, rng = small.network(12, 30), np.random.default_rng(1)
    names = [*model.parameters[:5], "x3"]
    start = dict(zip(model.parameters, model.values, strict=True)) | {"x3": 1.3}
    patients = pd.DataFrame({n: start[n] * np.exp(0.3 * rng.normal(size=3)) for n in names}, index=[7, 4, 9])
    outputs = ["x0", "x5", "x11"]
    keywords = {"days": 14.0, "visits": DAYS}
    found = sensitivities(
        model, patients, parameters=names, outputs=outputs, method=method, rtol=1e-8, scale=scale, **keywords
    )
    expected = _differences(model, patients, names, outputs, **keywords)
    if scale == "relative":
        level = _stacked(simulate(model, patients, outputs=outputs, rtol=1e-10, **keywords), outputs)
        expected = expected * patients.to_numpy()[:, None, :, None] / level[:, :, None, :]
    np.testing.assert_allclose(_stacked(found, outputs), expected, rtol=1e-5, atol=1e-6)
    assert list(found.patient) == [7, 4, 9]
    assert found.x0.dims == ("patient", "day", "parameter")


def test_zero_is_a_size_like_any_other() -> None:
    g = Graph()
    rate = g.sub(g.parameter(1), g.mul(g.parameter(0), g.state(0)))
    model = small.build(g, {"x": rate}, values={"k": 0.0, "made": 0.0}, initial={"x": 2.0})
    found = sensitivities(model, parameters=["k", "made", "x"], outputs=["x"], days=4, visits=[4.0])
    np.testing.assert_allclose(found.x[0, 0], [-8.0, 4.0, 1.0], rtol=1e-5)


def test_kink_of_a_rate() -> None:
    """x' = -k above 1, -k x below: 2 - kt, then exp(1 - kt)."""
    model = read_model("model m; x = 2; k = 0.5; x' = piecewise(-k, x > 1, -k*x); end")
    found = sensitivities(model, parameters=["k", "x"], outputs=["x"], days=9, visits=DAYS[:5], rtol=1e-8)
    tail = np.where(DAYS[:5] < 2.0, 1.0, np.exp(1 - 0.5 * DAYS[:5]))
    np.testing.assert_allclose(found.x[0, :, 0], -DAYS[:5] * tail, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.x[0, :, 1], tail, rtol=1e-5)


def test_a_jump_at_a_fixed_day_is_right() -> None:
    model = read_model("model m; x = 2; k = 0.5; x' = piecewise(-k*x, time < 3, 1 - k*x); end")
    found = sensitivities(model, parameters=["k"], outputs=["x"], days=9, visits=[9.0], rtol=1e-9)
    k = 0.5
    after = -6 * np.exp(-6 * k) / k + (1 - np.exp(-6 * k)) / k**2
    np.testing.assert_allclose(found.x[0, 0, 0], -18 * np.exp(-9 * k) - after, rtol=1e-6)


def test_jumps_that_a_chosen_name_moves_are_refused() -> None:
    model = read_model("model m; x = 2; k = 0.5; c = 1; x' = piecewise(-k, x > c, -2*k); end")
    with pytest.raises(NoDerivativeError, match=r"jumps.*\(x\)"):
        sensitivities(model, parameters=["c"], days=9)
    timed = read_model("model m; x = 2; on = 0.5; x' = piecewise(0, time < on, 1); end")
    with pytest.raises(NoDerivativeError):
        sensitivities(timed, parameters=["on"], days=9)
    assert float(sensitivities(timed, parameters=["x"], days=9).x[0, -1, 0]) == pytest.approx(1.0)


SCHEDULED = """
model scheduled()
  x = 2; y = 1; k = 0.3; a = 0.5; b = 4; late = 1.5; on = 0;
  x' = -k*x + piecewise(1, on > 0.5, 0);  y' = x - y;
  at (time >= 2), priority = 2: x = a*x + b, on = 1;
  at (time >= 2), priority = 1: y = x*a;
  at late after (time >= 3): x = x + y*y, on = 0;
end
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_events_on_fixed_days(backend: str) -> None:
    """What is assigned is differentiated: at once, after another event of the instant, and after a delay."""
    model, names, outputs = read_model(SCHEDULED), ["k", "a", "b", "x"], ["x", "y"]
    start = {"k": 0.3, "a": 0.5, "b": 4.0, "x": 2.0}
    patients = pd.DataFrame({name: [start[name], 1.3 * start[name]] for name in names})
    keywords = {"days": 9.0, "visits": [1.0, 2.5, 4.0, 6.0, 9.0]}
    found = sensitivities(
        model, patients, parameters=names, outputs=outputs, rtol=1e-9, backend=backend, **keywords
    )
    expected = _differences(model, patients, names, outputs, **keywords)
    np.testing.assert_allclose(_stacked(found, outputs), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(NoDerivativeError):
        sensitivities(model, parameters=["late"], days=9.0)


def test_events_whose_day_moves_are_refused_by_name() -> None:
    g = Graph()
    x = g.state(0)
    halve = Event("halve it", g("gt", x, g.const(5.0)), None, None, (("x", g.const(1.0)),))
    model = small.build(g, {"x": g.const(1.0)}, values={"k": 0.1}, events=(halve,))
    with pytest.raises(NoDerivativeError, match="halve it"):
        sensitivities(model, parameters=["x"], days=1)
    assert float(sensitivities(model, parameters=["k"], outputs=["x"], days=1).x[0, -1, 0]) == 0.0


def test_a_delay_is_followed_and_its_length_is_not() -> None:
    text = "model m; x = 1; k = 0.4; lag = 1; x' = -k*delay(x, lag); end"
    model = read_model(text)
    found = sensitivities(model, parameters=["k"], outputs=["x"], days=2, visits=[0.5, 2.0], rtol=1e-9)
    # 1 - kt up to day 1; then 1 - k - k (t - 1) + k^2 (t - 1)^2 / 2
    np.testing.assert_allclose(found.x[0, :, 0], [-0.5, -2.0 + 0.4], rtol=1e-6)
    with pytest.raises(UnsupportedModelError, match="delay"):
        sensitivities(model, parameters=["lag"], days=2)


def test_what_is_in_balance_at_once_stays_so() -> None:
    g = Graph()
    a, b, k = g.state(0), g.state(1), g.parameter(0)
    there = g.sub(g.mul(k, a), b)
    fast = g.mul(g.const(1e7), there)
    model = small.build(
        g, {"a": g.sub(g.neg(fast), a), "b": fast}, values={"k": 3.0}, initial={"a": 1.0, "b": 0.0}
    )
    model = replace(model, relaxing=((0, g.neg(there)), (1, there)), nodes=tuple(g.nodes))
    found = sensitivities(model, parameters=["k"], outputs=["a", "b"], days=1, visits=[0.0, 1.0], rtol=1e-8)
    k1 = 4.0  # a = exp(-t/k1)/k1, b = k a
    a1, slope = np.exp(-1 / k1) / k1, np.exp(-1 / k1) * (1 / k1**3 - 1 / k1**2)
    np.testing.assert_allclose(found.a[0, :, 0], [-1 / 16, slope], rtol=1e-5)
    np.testing.assert_allclose(found.b[0, :, 0], [1 / 4 - 3 / 16, a1 + 3 * slope], rtol=1e-5)


def test_a_patient_has_the_same_digits_in_any_company() -> None:
    model, rng = small.network(12, 30), np.random.default_rng(2)
    names = list(model.parameters[:4])
    start = dict(zip(model.parameters, model.values, strict=True))
    patients = pd.DataFrame({n: start[n] * np.exp(0.5 * rng.normal(size=20)) for n in names})
    keywords = {"parameters": names, "outputs": ["x0", "x5"], "days": 14.0, "visits": DAYS}
    whole = sensitivities(model, patients, workers=2, **keywords)
    order = rng.permutation(20)
    turned = sensitivities(model, patients.iloc[order], workers=1, chunk=7, **keywords)
    xr.testing.assert_identical(turned.x0.sortby("patient"), whole.x0)
    xr.testing.assert_identical(turned.x5.sortby("patient"), whole.x5)


def test_nan_and_status_as_simulate_has_them() -> None:
    model = read_model("model m; x = 1; k = 1; x' = k*x^2; end")  # reaches infinity on day 1/k
    patients = pd.DataFrame({"k": [0.1, 1.0]})
    keywords = {"parameters": ["k", "x"], "outputs": ["x"], "visits": [0.5, 5.0], "days": [4.0, 5.0]}
    with pytest.raises(IntegrationError):
        sensitivities(model, patients, **keywords)
    found = sensitivities(model, patients, failed="mask", **keywords)
    assert np.isnan(found.x[0, 1]).all()  # after the end
    assert (found.status[0] == 0).all() and (found.status[1] != 0).all()
    assert np.isnan(found.x[1]).all()
    np.testing.assert_allclose(found.x[0, 0], [0.5 / 0.95**2, 1 / 0.95**2], rtol=1e-5)


def test_what_cannot_be_right_is_refused() -> None:
    model = small.decay()
    with pytest.raises(UnknownOutputError, match="kk"):
        sensitivities(model, parameters=["kk"], days=1)
    with pytest.raises(SimulationInputError, match="at least one"):
        sensitivities(model, parameters=[], days=1)
    with pytest.raises(UnknownBackendError, match="scale"):
        sensitivities(model, parameters=["k"], days=1, scale="log")  # type: ignore[arg-type]


def test_words_and_units() -> None:
    model = read_model(
        "model m; unit time_unit = 86400 second; unit nM = 1e-9 mole/litre; x = 1 nM; k = 1; x' = -k*x; end"
    )
    found = sensitivities(model, parameters=["k"], outputs=["x"], days=1)
    assert found.x.attrs["units"] == f"{model.units['x']} per unit of the parameter"
    assert "derivative" in found.x.attrs["long_name"]
    assert found.attrs["model_digest"] == model.digest
    assert sensitivities(model, parameters="k", days=1, scale="relative").x.attrs["units"] == "1"


@pytest.mark.slow
def test_product_model_against_differences() -> None:
    from twoarm.molecule import read_molecule
    from twoarm.regimen import Regimen

    model = read_model("pd1_il2")
    names = ["killing", "il2ra_effector", "growth_1", "divide_effector", "pdl1_tumor"]
    values = dict(zip(model.parameters, model.values, strict=True))
    patients = pd.DataFrame({name: [values[name], 1.2 * values[name]] for name in names})
    patients["weight"], patients["body_surface"], patients["albumin"] = 70.0, 1.8, 40.0
    patients.attrs["covariates"] = ["weight", "body_surface", "albumin"]
    doses = Regimen(read_molecule("ibi363"), dose="3 mg/kg", every="3 weeks")
    outputs = ["sld", "nk_ratio", "drug_tumor_nM"]
    keywords = {"days": 30.0, "visits": [1.0, 21.0, 30.0], "doses": doses}
    found = sensitivities(model, patients, parameters=names, outputs=outputs, **keywords)
    expected = _differences(model, patients, names, outputs, **keywords)
    level = _stacked(simulate(model, patients, outputs=outputs, rtol=1e-8, **keywords), outputs)[
        :, :, None, :
    ]
    size = patients[names].to_numpy()[:, None, :, None]
    error = (_stacked(found, outputs) - expected) * size / level
    assert np.abs(error).max() < 1e-6  # of elasticities
    largest = np.abs(expected * size / level).max(axis=(0, 1, 3))
    assert (largest > 1e-3).sum() >= 3  # so that the line above says something
