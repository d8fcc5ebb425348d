"""One suite for every back end: known solutions, dosing at edges, windows, and patients who fail."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.integrate import solve_ivp

from twoarm.engine import simulate
from twoarm.errors import IntegrationError
from twoarm.model import Model, evaluate, jacobian

from . import small_models as small

BACKENDS = pytest.mark.parametrize("backend", ["reference", "cpu"])
DAYS = np.arange(0.0, 31.0, 3.0)


def table(*rows: tuple[int, float, float, str, float]) -> pd.DataFrame:
    """Dose table of (id, time, amt, cmt, dur)."""
    return pd.DataFrame(rows, columns=["id", "time", "amt", "cmt", "dur"])


def run(model: Model, backend: str, **keywords: object) -> xr.Dataset:
    return simulate(model, backend=backend, **{"rtol": 1e-8, "days": 30.0, "visits": DAYS, **keywords})  # type: ignore[arg-type]


@BACKENDS
def test_decay_after_boluses(backend: str) -> None:
    found = run(small.decay(), backend, doses=table((0, 0, 100, "x", 0), (0, 10, 50, "x", 0)))
    exact = 100 * np.exp(-0.1 * DAYS) + np.where(DAYS > 10, 50 * np.exp(-0.1 * (DAYS - 10)), 0)
    exact[0] = 0.0  # what is recorded on the day of a dose is before the dose
    np.testing.assert_allclose(found.x[0], exact, rtol=1e-6)


@BACKENDS
def test_infusion(backend: str) -> None:
    found = run(small.decay(), backend, doses=table((0, 4.5, 70, "x", 7.0)))
    during = 10 / 0.1 * (1 - np.exp(-0.1 * np.clip(DAYS - 4.5, 0, 7)))
    exact = during * np.exp(-0.1 * np.clip(DAYS - 11.5, 0, None))
    np.testing.assert_allclose(found.x[0], exact, rtol=1e-6, atol=1e-12)


@BACKENDS
def test_infusions_that_overlap_and_touch(backend: str) -> None:
    doses = table((0, 3, 60, "x", 6.0), (0, 6, 90, "x", 9.0), (0, 15, 30, "x", 3.0))
    found = run(small.decay(), backend, doses=doses)
    exact = np.zeros_like(DAYS)
    for _, start, amount, _, length in doses.itertuples(index=False):
        during = amount / length / 0.1 * (1 - np.exp(-0.1 * np.clip(DAYS - start, 0, length)))
        exact += during * np.exp(-0.1 * np.clip(DAYS - start - length, 0, None))
    np.testing.assert_allclose(found.x[0], exact, rtol=1e-6, atol=1e-12)


@BACKENDS
def test_bateman(backend: str) -> None:
    found = run(small.bateman(), backend, doses=table((0, 0, 100, "depot", 0)))
    exact = 100 * 1.2 / (1.2 - 0.15) * (np.exp(-0.15 * DAYS) - np.exp(-1.2 * DAYS))
    np.testing.assert_allclose(found.central[0], exact, rtol=2e-6, atol=1e-9)


@BACKENDS
def test_two_compartments(backend: str) -> None:
    found = run(small.two_compartments(), backend, doses=table((0, 0, 10, "central", 0)))
    k10, k12, k21 = 0.4, 0.9, 0.3
    total, root = k10 + k12 + k21, np.sqrt((k10 + k12 + k21) ** 2 - 4 * k10 * k21)
    alpha, beta = (total + root) / 2, (total - root) / 2
    exact = (
        10 * ((alpha - k21) * np.exp(-alpha * DAYS) + (k21 - beta) * np.exp(-beta * DAYS)) / (alpha - beta)
    )
    exact[0] = 0.0
    np.testing.assert_allclose(found.central[0], exact, rtol=2e-6, atol=1e-9)


@BACKENDS
def test_logistic_growth_over_six_decades(backend: str) -> None:
    found = run(small.logistic(), backend, days=90.0, visits=np.linspace(0, 90, 10))
    day = found.day.to_numpy()
    np.testing.assert_allclose(found.n[0], 1e12 / (1 + (1e12 / 1e6 - 1) * np.exp(-0.3 * day)), rtol=3e-6)


@BACKENDS
def test_right_hand_side_with_time_in_it(backend: str) -> None:
    found = run(small.forced(), backend)
    exact = (2 * np.cos(DAYS) + np.sin(DAYS) - 2 * np.exp(-2 * DAYS)) / 5
    np.testing.assert_allclose(found.x[0], exact, rtol=1e-5, atol=1e-6)


@BACKENDS
def test_target_mediated_steady_state_under_infusion(backend: str) -> None:
    kel, kint, inflow = 0.05, 4.0, 5.0
    doses = table((0, 0, inflow * 400, "drug", 400.0))
    found = run(small.target_mediated(), backend, days=390.0, visits=[390.0], doses=doses)
    drug, target, complex_ = (float(found[name][0, 0]) for name in ("drug", "target", "complex"))
    assert inflow == pytest.approx(kel * drug + kint * complex_, rel=1e-6)
    assert 3.0 == pytest.approx(1.5 * target + kint * complex_, rel=1e-6)
    assert 50.0 * drug * target == pytest.approx((20.0 + kint) * complex_, rel=1e-6)


@BACKENDS
def test_robertson(backend: str) -> None:
    visits = [0.4, 40.0, 4e3, 4e5, 4e7]
    found = run(small.robertson(), backend, days=4e7, visits=visits, atol=1e-14)
    exact = solve_ivp(
        lambda t, y: [
            -0.04 * y[0] + 1e4 * y[1] * y[2],
            0.04 * y[0] - 1e4 * y[1] * y[2] - 3e7 * y[1] ** 2,
            3e7 * y[1] ** 2,
        ],
        (0, 4e7),
        [1, 0, 0],
        method="Radau",
        t_eval=visits,
        rtol=1e-10,
        atol=1e-18,
    ).y
    for row, name in enumerate(("a", "b", "c")):
        np.testing.assert_allclose(found[name][0], exact[row], rtol=2e-5)


@BACKENDS
def test_a_run_in_windows_is_the_run_in_one(backend: str) -> None:
    model = small.target_mediated()
    doses = table(
        (0, 0, 5, "drug", 2.0), (0, 9, 8, "drug", 6.0), (0, 15, 4, "drug", 0), (1, 12, 3, "drug", 0)
    )
    people = pd.DataFrame({"kel": [0.05, 0.1]})
    whole = run(model, backend, patients=people, doses=doses)
    pieces, part = [], None
    for end in (6.0, 12.0, 15.0, 30.0):  # the second cuts an infusion, the last two cut at a dose
        part = run(model, backend, patients=people, doses=doses, days=end, initial=part)
        pieces.append(part.drug.to_numpy())
    together = pieces[0].copy()
    for piece in pieces[1:]:
        assert not (~np.isnan(together) & ~np.isnan(piece)).any()  # no visit is recorded twice
        together = np.where(np.isnan(together), piece, together)
    np.testing.assert_allclose(together, whole.drug, rtol=2e-6, atol=1e-9)


@BACKENDS
def test_dose_on_a_visit_and_on_the_last_day(backend: str) -> None:
    model, doses = small.decay(), table((0, 3, 10, "x", 0), (0, 30, 1000, "x", 0))
    found = run(model, backend, doses=doses)
    assert found.x[0, 1] == 0.0
    assert float(found.x[0, 2]) == pytest.approx(10 * np.exp(-0.3), rel=1e-6)
    assert float(found.final_state[0, 0]) < 10  # a dose on the end day belongs to the next window
    after = run(model, backend, doses=doses, initial=found, days=31.0, visits=[31.0])
    assert float(after.x[0, 0]) == pytest.approx(1000 * np.exp(-0.1), rel=1e-2)


@BACKENDS
def test_each_patient_has_an_end_day_and_parameters(backend: str) -> None:
    people = pd.DataFrame({"x": [1.0, 2.0, np.nan], "k": [0.1, np.nan, 0.3]}, index=[7, 3, 5])
    found = run(small.decay(), backend, patients=people, days=[30.0, 4.0, 0.0])
    np.testing.assert_allclose(found.x.sel(patient=7), np.exp(-0.1 * DAYS), rtol=1e-6)
    np.testing.assert_allclose(found.x.sel(patient=3)[:2], [2.0, 2 * np.exp(-0.3)], rtol=1e-6)
    assert np.isnan(found.x.sel(patient=3)[2:]).all()
    assert found.final_day.to_numpy().tolist() == [30.0, 4.0, 0.0]


@BACKENDS
def test_reset_brings_back_the_start(backend: str) -> None:
    doses = pd.DataFrame(
        {
            "id": [0, 0, 0],
            "time": [0.0, 5.0, 12.0],
            "amt": [5.0, 0.0, 2.0],
            "cmt": ["x"] * 3,
            "evid": [1, 3, 4],
        }
    )
    found = run(small.decay(), backend, patients=pd.DataFrame({"x": [1.0]}), doses=doses)
    exact = np.where(DAYS <= 5, 6 * np.exp(-0.1 * DAYS), np.exp(-0.1 * (DAYS - 5)))
    exact = np.where(DAYS > 12, 3 * np.exp(-0.1 * (DAYS - 12)), exact)
    exact[0] = 1.0
    np.testing.assert_allclose(found.x[0], exact, rtol=1e-6)


@BACKENDS
def test_patient_who_blows_up_is_named_and_can_be_masked(backend: str) -> None:
    graph_model = _explosive()
    people = pd.DataFrame({"x": [0.01, 1.0, 0.02]}, index=[11, 12, 13])
    with pytest.raises(IntegrationError, match=r"1 of 3 patients did not finish \(12\)") as caught:
        run(graph_model, backend, patients=people, days=3.0, visits=[0.5, 3.0])
    assert "other 2" in str(caught.value)
    found = run(graph_model, backend, patients=people, days=3.0, visits=[0.5, 3.0], failed="mask")
    assert found.status.to_numpy().astype(bool).tolist() == [False, True, False]
    assert np.isnan(found.x[1]).all()
    assert np.isnan(found.final_state[1]).all()
    assert int(found.stiffest[1]) == 0
    assert float(found.final_day[1]) == pytest.approx(1.0, abs=1e-4)
    kept = run(graph_model, backend, patients=people, days=3.0, visits=[0.5, 3.0], failed="keep")
    np.testing.assert_allclose(kept.x[1, 0], 2.0, rtol=1e-6)
    assert np.isnan(kept.x[1, 1])
    np.testing.assert_allclose(found.x[[0, 2], 1], [1 / (100 - 3), 1 / (50 - 3)], rtol=1e-6)
    later = run(graph_model, backend, patients=people, days=4.0, visits=[4.0], failed="mask", initial=found)
    assert later.status[1] == found.status[1]
    assert np.isnan(later.x[1, 0])


def _explosive() -> Model:
    """x' = x^2 is infinite at t = 1/x0."""
    from twoarm.model import Graph

    g = Graph()
    return small.build(g, {"x": g.mul(g.state(0), g.state(0))})


@BACKENDS
def test_start_that_is_not_a_number(backend: str) -> None:
    from twoarm.model import Graph

    g = Graph()
    model = small.build(g, {"x": g("ln", g.parameter(0))}, values={"a": 1.0})
    people = pd.DataFrame({"a": [1.0, -1.0]})
    found = run(model, backend, patients=people, failed="mask")
    assert found.status.to_numpy().astype(bool).tolist() == [False, True]


def _cohort(model: Model, patients: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(5)
    spread = np.exp(0.3 * rng.standard_normal((patients, len(model.parameters))))
    people = pd.DataFrame(np.array(model.values) * spread, columns=list(model.parameters))
    days = np.sort(rng.uniform(0, 25, (patients, 2)), axis=1)
    rows = [
        (i, float(day), 3.0, "x1", float(length))
        for i in range(patients)
        for day, length in zip(days[i], (0.0, 1.5), strict=True)
    ]
    return people, table(*rows)


def test_fast_agrees_with_reference_on_a_random_network() -> None:
    model = small.network()
    people, doses = _cohort(model, 5)
    fast = run(model, "cpu", patients=people, doses=doses, rtol=1e-7)
    slow = run(model, "reference", patients=people, doses=doses, rtol=1e-9)
    for name in model.states:
        np.testing.assert_allclose(fast[name], slow[name], rtol=2e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
def test_error_follows_the_tolerance(method: str) -> None:
    model = small.network(states=12, reactions=30, seed=3)
    people, doses = _cohort(model, 2)
    exact = run(model, "reference", patients=people, doses=doses, rtol=1e-11).to_array().sel(variable="x3")
    errors = []
    for rtol in (1e-3, 1e-5, 1e-7):
        found = run(model, "cpu", patients=people, doses=doses, rtol=rtol, method=method)
        errors.append(float(np.abs(found.x3 - exact).max() / np.abs(exact).max()))
    assert errors[0] < 1e-2
    assert errors[1] < 1e-4
    assert errors[2] < 1e-6
    assert errors[2] < errors[0]


def test_digits_do_not_depend_on_company_order_threads_or_chunks() -> None:
    model = small.network(seed=1)
    people, doses = _cohort(model, 19)
    whole = run(model, "cpu", patients=people, doses=doses, rtol=1e-5, workers=1)
    shuffled = people.sample(frac=1.0, random_state=2)
    mixed = run(model, "cpu", patients=shuffled, doses=doses[::-1], rtol=1e-5, workers=3, chunk=7)
    alone = run(model, "cpu", patients=people.loc[[4]], doses=doses, rtol=1e-5)
    for name in model.states:
        np.testing.assert_array_equal(mixed[name].sel(patient=whole.patient), whole[name])
        np.testing.assert_array_equal(alone[name][0], whole[name].sel(patient=4))


def test_kernel_of_one_lane_is_the_graph() -> None:
    from twoarm.engine.compiled import scalar_kernel

    model = small.network(seed=2)
    kernel, rng = scalar_kernel(model), np.random.default_rng(0)
    state, parameters = rng.uniform(0, 2, len(model.states)), np.array(model.values)
    constants = kernel.constants(parameters)
    values = evaluate(model.nodes, state, parameters, 1.5)
    rates = np.ones(len(state))
    kernel.add_rates(1.5, state, constants, rates)
    np.testing.assert_allclose(rates - 1.0, [values[i] for i in model.rates], rtol=1e-11, atol=1e-11)
    graph, entries = jacobian(model)
    expected = evaluate(graph.nodes, state, parameters, 1.5)
    found = np.empty(len(entries))
    kernel.jacobian(1.5, state, constants, found)
    by_place = {(row, column): expected[node] for row, column, node in entries}
    np.testing.assert_allclose(found, [by_place[place] for place in kernel.pattern], rtol=1e-12)
