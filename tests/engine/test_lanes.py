"""Any width of vector, any register set, either precision: the same patient."""

from __future__ import annotations

import llvmlite.binding as llvm
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from twoarm.engine import compiled, kernel, object_code, simulate, stepper
from twoarm.engine.cohort import Cohort, Solved
from twoarm.engine.vector import Vector
from twoarm.model import Model

from . import small_models as small

MODELS = [small.target_mediated(), small.forced(), small.network(30, 70, seed=3)]


def run(model: Model, **options: object) -> xr.Dataset:
    """Thirteen unlike patients, some doses: no width divides them evenly."""
    rng = np.random.default_rng(0)
    own = {
        name: value * np.exp(0.3 * rng.standard_normal(13))
        for name, value in zip(model.parameters, model.values, strict=True)
    }
    target = model.states[0]
    doses = pd.DataFrame({"id": range(13), "time": 2.5, "amt": rng.uniform(1, 5, 13), "cmt": target})
    return simulate(
        model, pd.DataFrame(own), doses, days=9.0, visits=np.linspace(0, 9, 7), backend="cpu", **options
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_width_changes_no_digit(model: Model, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(model)

    def narrow(cohort: Cohort) -> Solved:
        return stepper.integrate_and_count(cohort, lanes)[0]

    monkeypatch.setattr(stepper, "integrate", narrow)
    xr.testing.assert_identical(run(model), whole)


@pytest.mark.parametrize(("cpu", "features", "lanes"), [("haswell", "+avx,+avx2,+fma", 4), ("x86-64", "", 2)])
def test_older_machines(cpu: str, features: str, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    host = object_code.host()
    if not host.triple.startswith("x86_64") or ("fma" in features and "+fma" not in host.features):
        pytest.skip("this machine cannot run that code")
    whole = run(MODELS[2])
    older = object_code.Machine(host.triple, cpu, features)
    assert older.vector("double").lanes == lanes
    compiled.vector_kernel.cache_clear()
    monkeypatch.setattr(object_code, "host", lambda: older)
    found = run(MODELS[2])
    compiled.vector_kernel.cache_clear()
    for name in MODELS[2].states:
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-7, atol=1e-12)
    if "fma" in features:
        xr.testing.assert_identical(found, whole)


def test_arm_code_is_made() -> None:
    """Machine code for 64-bit ARM: it cannot run here, but every line of the kernel must be translatable."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    arm = object_code.Machine("aarch64-unknown-linux-gnu", "neoverse-n1", "+neon")
    for precision, lanes in (("double", 2), ("single", 4)):
        vector = arm.vector(precision)
        assert vector.lanes == lanes
        text, _ = compiled.vector_text(MODELS[2], "rodas5p", vector)
        code = object_code._compile(f"{kernel.prelude(vector, Vector(1))}\n{text}", arm)
        assert code[:4] == b"\x7fELF"
        assert int.from_bytes(code[18:20], "little") == 183  # EM_AARCH64


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
def test_single_precision_is_good_to_its_tolerance(model: Model, method: str) -> None:
    exact = run(model, rtol=1e-10)
    found = run(model, rtol=1e-4, precision="single", method=method)
    for name in model.states:
        scale = np.abs(exact[name]).max()
        assert float(np.abs(found[name] - exact[name]).max() / scale) < 1e-3
    assert found.attrs["single_precision_error_rms"] < 1e-3


def test_single_precision_keeps_time_in_double() -> None:
    """A thousandth of a day is not lost at day ten million, where floats are whole days apart."""
    doses = pd.DataFrame({"id": [0], "time": [1e7 + 1e-3], "amt": [1.0], "cmt": ["x"]})
    found = simulate(
        small.decay(), doses=doses, days=1e7 + 1.001, visits=[1e7 + 1.001], rtol=1e-5, precision="single"
    )
    np.testing.assert_allclose(found.x.item(), np.exp(-0.1), rtol=1e-4)


def test_useful_share() -> None:
    """Lanes that are done take the next patient at once: hardly any work is idle."""
    counted = []

    def count(cohort: Cohort) -> Solved:
        solved, room = stepper.integrate_and_count(cohort)
        counted.append(solved.steps.sum() / room)
        return solved

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepper, "integrate", count)
        model = MODELS[2]
        spread = np.exp(0.5 * np.random.default_rng(1).standard_normal(400))
        simulate(model, pd.DataFrame({model.parameters[0]: spread}), days=30.0, workers=1)
    assert 0.95 < counted[0] <= 1.0
