"""The device back end on a device made of this machine: the suite of every back end, and what is its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from twoarm.engine import cuda, simulate, stepper
from twoarm.engine.cohort import ADD_TO_STATE, SET_RATE, Cohort, Schedule, Tolerance
from twoarm.errors import DeviceMemoryError
from twoarm.model import Graph, Model, start
from twoarm.model.sbml import read_model

from . import small_models as small
from . import test_backends
from .simulated_device import SimulatedDevice

SUITE = [
    test
    for name, test in vars(test_backends).items()
    if name.startswith("test_") and list(inspect.signature(test).parameters) == ["backend"]
]


def cohort_of(model: Model, patients: int, *, rtol: float = 1e-7, precision: str = "double") -> Cohort:
    """Patients who differ, with a bolus and an infusion each, and visits on and between steps."""
    rng, states = np.random.default_rng(3), len(model.states)
    spread = np.exp(0.3 * rng.standard_normal((patients, len(model.parameters))))
    start = np.array([model.nodes[node].value for node in model.initial])
    times = np.sort(rng.uniform(0, 20, (patients, 3)), axis=1)
    kinds = np.tile([ADD_TO_STATE, SET_RATE, SET_RATE], patients)
    values = np.column_stack([rng.uniform(1, 5, patients), rng.uniform(1, 2, patients), np.zeros(patients)])
    return Cohort(
        model=model,
        parameters=np.array(model.values) * spread,
        state=np.tile(start, (patients, 1)) * rng.uniform(0.8, 1.2, (patients, states)),
        reset_state=np.zeros((0, states)),
        begin=np.zeros(patients),
        end=rng.uniform(20, 30, patients),
        fresh=np.ones(patients, dtype=bool),
        schedule=Schedule(
            first=3 * np.arange(patients + 1),
            time=times.ravel(),
            kind=kinds,
            state=np.zeros(3 * patients, dtype=np.int64),
            value=values.ravel(),
        ),
        visits=np.linspace(0, 30, 7),
        step=np.zeros(patients),
        tolerance=Tolerance(rtol, np.full(states, 1e-10), 1e-4 * rtol),
        max_steps=20_000,
        method="rodas5p",
        workers=1,
        precision=precision,
    )


@pytest.mark.parametrize("test", SUITE, ids=lambda test: test.__name__[5:])
def test_what_holds_for_every_back_end(test: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    device = SimulatedDevice()
    monkeypatch.setattr(cuda, "open_device", lambda: device)
    test("cuda")
    assert device.launches, "the device was not used"


@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
@pytest.mark.parametrize("precision", ["double", pytest.param("single", marks=pytest.mark.slow)])
def test_courses_are_those_of_the_host(method: str, precision: str) -> None:
    cohort = replace(cohort_of(small.network(), 90, rtol=1e-5, precision=precision), method=method)
    device = SimulatedDevice(resident=32)  # fewer threads than patients: each takes several
    found, expected = cuda.integrate_on(device, cohort), stepper.integrate(cohort)
    assert device.launches == [32]
    assert not found.status.any()
    if precision == "single":  # whether a step is taken may hang on the last bit
        np.testing.assert_allclose(found.recorded, expected.recorded, rtol=1e-3, atol=1e-4)
        return
    np.testing.assert_allclose(found.recorded, expected.recorded, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.state, expected.state, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found.day, expected.day)
    assert found.steps.sum() == pytest.approx(expected.steps.sum(), rel=0.01)


def test_neither_threads_nor_order_nor_turns_change_a_digit() -> None:
    cohort = cohort_of(small.target_mediated(), 75)
    whole = cuda.integrate_on(SimulatedDevice(resident=96), cohort)
    small_device = SimulatedDevice(resident=32, memory=50_000)
    in_turns = cuda.integrate_on(small_device, cohort)
    assert len(small_device.launches) > 2
    back = np.arange(75)[::-1]
    plan = cohort.schedule
    backward = replace(
        cohort,
        **{name: getattr(cohort, name)[back] for name in ("parameters", "state", "begin", "end")},
        schedule=Schedule(
            first=plan.first,
            **{
                name: getattr(plan, name).reshape(75, 3)[back].ravel()
                for name in ("time", "kind", "state", "value")
            },
        ),
    )
    turned = cuda.integrate_on(SimulatedDevice(workers=1), backward)
    for name in ("recorded", "state", "day", "status", "steps", "step", "worst"):
        np.testing.assert_array_equal(getattr(in_turns, name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(turned, name)[back], getattr(whole, name))


def test_rows_that_no_kernel_writes_are_zero_as_on_the_host() -> None:
    g = Graph()  # only x knows the time, and steps read the derivative by time of every state
    rates = {"x": g.sub(g("cos", g.time()), g.state(0)), "y": g.sub(g.state(0), g.state(1))}
    cohort = cohort_of(small.build(g, rates), 5)
    found, expected = cuda.integrate_on(SimulatedDevice(), cohort), stepper.integrate(cohort)
    assert not found.status.any()
    np.testing.assert_allclose(found.recorded, expected.recorded, rtol=1e-9)


def test_failures_end_as_on_the_host() -> None:
    g = Graph()
    model = small.build(g, {"x": g.sub(g.mul(g.state(0), g.state(0)), g.const(0.0))}, initial={"x": 1.0})
    one = cohort_of(model, 4)
    none = Schedule(
        np.zeros(5, np.int64), *(one.schedule.time[:0], one.schedule.kind[:0]), *[np.zeros(0)] * 2
    )
    none = replace(none, state=np.zeros(0, np.int64))
    cohort = replace(one, state=np.array([[0.01], [1.0], [np.nan], [0.02]]), schedule=none)
    found, expected = cuda.integrate_on(SimulatedDevice(), cohort), stepper.integrate(cohort)
    np.testing.assert_array_equal(found.status, expected.status)
    np.testing.assert_array_equal(found.worst, expected.worst)
    assert found.status.astype(bool).tolist() == [False, True, True, False]
    few = replace(cohort, max_steps=5)
    np.testing.assert_array_equal(
        cuda.integrate_on(SimulatedDevice(), few).status, stepper.integrate(few).status
    )


def test_too_little_memory_is_said_before_anything_runs() -> None:
    device = SimulatedDevice(memory=12_000)
    with pytest.raises(
        DeviceMemoryError, match=r"simulated device has 0.01\d* MiB to give and .* ask for fewer visits"
    ):
        cuda.integrate_on(device, cohort_of(small.target_mediated(), 3))
    assert not device.launches


def test_nobody_and_nothing_to_do() -> None:
    cohort = cohort_of(small.decay(), 3)
    none = cuda.cut(cohort, slice(0, 0))
    assert cuda.integrate_on(SimulatedDevice(), none).state.shape == (0, 1)
    still = replace(cohort, end=cohort.begin)
    np.testing.assert_array_equal(cuda.integrate_on(SimulatedDevice(), still).day, cohort.begin)


def test_every_function_of_the_graph_runs_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    g = Graph()
    x, t = g.state(0), g.time()
    names = ["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"]
    names += ["exp", "ln", "log10", "sqrt", "floor", "ceil"]
    total = g.add(g.neg(x), g("factorial", g.parameter(0)))
    for name in names:
        argument = g.add(g.const(1.2 if name == "acosh" else 0.4), g.mul(g.const(0.01), t))
        total = g.add(total, g.mul(g.const(0.1), g(name, argument)))
    model = small.build(g, {"x": total}, initial={"x": 1.0}, values={"k": 2.3})
    monkeypatch.setattr(cuda, "open_device", SimulatedDevice)
    days = {"days": 10.0, "visits": [2.0, 7.0, 10.0], "rtol": 1e-9}
    found, expected = (simulate(model, backend=backend, **days) for backend in ("cuda", "reference"))
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-7)


def test_a_result_says_what_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "open_device", SimulatedDevice)
    people = pd.DataFrame({"k": [0.1, 0.2]})
    found = simulate(small.decay(), people, days=3.0, backend="cuda")
    assert found.attrs["backend"] == "cuda"
    assert found.attrs["backend_reason"] == "asked for"
    assert simulate(small.decay(), people, days=3.0).attrs["backend"] == "cpu"


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["double", "single"])
def test_the_library_s_biology_runs_as_on_the_host(precision: str) -> None:
    model = read_model("pd1_il2")
    table = dict(zip(model.parameters, np.outer(model.values, np.ones(3)), strict=True))
    parameters, states = start(model, table, 3)
    one = cohort_of(small.decay(), 3)
    cohort = replace(
        one,
        model=model,
        parameters=parameters.T.copy(),
        state=states.T.copy(),
        reset_state=np.zeros((0, len(model.states))),
        schedule=replace(
            one.schedule,
            kind=np.full(9, ADD_TO_STATE),
            state=np.full(9, model.states.index("drug_central")),
            value=np.repeat([0.0, 100.0, 1000.0], 3),
        ),
        tolerance=Tolerance(1e-4, np.full(len(model.states), 1e-12), 1e-8),
        precision=precision,
    )
    found, expected = cuda.integrate_on(SimulatedDevice(), cohort), stepper.integrate(cohort)
    assert not found.status.any()
    size = np.nanmax(np.abs(expected.recorded), axis=1, keepdims=True) + 1e-12
    assert np.nanmax(np.abs(found.recorded - expected.recorded) / size) < 1e-3
