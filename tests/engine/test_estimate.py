"""What is said of time and memory before a job begins."""

from __future__ import annotations

import pandas as pd
import pytest

from twoarm.engine.compiled import vector_kernel
from twoarm.engine.estimate import Estimate, bytes_in_flight, estimate_job
from twoarm.engine.job import Job, plan_job
from twoarm.engine.request import read_settings
from twoarm.model import Model

from . import small_models as small


def job(model: Model, n: int, precision: str = "double", backend: str = "auto", **how: object) -> Job:
    settings = read_settings(
        model,
        outputs=None,
        rtol=1e-6,
        atol=None,
        method=None,
        precision=precision,
        max_steps=100_000,
        workers=2,
        failed="raise",
        chunk=512,
    )
    people = pd.DataFrame(index=pd.RangeIndex(n))
    fixed = {"days": 20.0, "visits": [10.0, 20.0], "reduce": None, **how}
    return plan_job(model, people, None, backend=backend, settings=settings, **fixed)  # type: ignore[arg-type]


def test_an_estimate_grows_with_the_job() -> None:
    few, many = (estimate_job(job(small.network(), n), on_disk=True) for n in (1_000, 1_000_000))
    assert 0 < few.seconds < many.seconds
    assert many.memory < 2 * few.memory  # a stream to disk does not hold the million
    assert many.disk == 1000 * few.disk > 0
    held = estimate_job(job(small.network(), 1_000_000), on_disk=False)
    assert held.memory > many.disk
    assert held.disk == 0
    assert "1,000,000 patients of 40 states, 512 at a time" in str(many)


def test_a_patient_in_flight_takes_a_lane_of_the_vectors() -> None:
    model = small.network()
    kernel = vector_kernel(model, "rodas5p", "double")
    least = 8 * (kernel.factors + kernel.stored + 10 * kernel.states)  # factors, constants, stages and states
    double, single = (bytes_in_flight(job(model, 3, precision)) for precision in ("double", "single"))
    assert least < double < 2 * least
    assert single == pytest.approx(double / 2, rel=0.1)
    assert bytes_in_flight(job(model, 3, backend="reference")) == 0


def test_jobs_of_nobody_of_one_and_of_the_reference() -> None:
    assert estimate_job(job(small.decay(), 0), on_disk=False).seconds == 0.0
    assert estimate_job(job(small.decay(), 1), on_disk=False).seconds > 0.0
    assert estimate_job(job(small.decay(), 5, backend="reference"), on_disk=False).in_flight == 0


def test_words() -> None:
    made = Estimate(10, 3, 4, 1, 7300.0, 730.0, 0, 5 * 10**9, 10**9, 0)
    assert made.too_large
    assert str(made) == (
        "10 patients of 3 states, 4 at a time: about 2.03 h on 1 worker (7.3e+05 ms a patient and core), "
        "5 GB of memory. The machine has 1 GB left"
    )
