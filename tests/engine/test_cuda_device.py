"""The ordinary suite on a device, where one answers: `make gpu`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from twoarm.engine import cuda, stepper
from twoarm.engine.cuda_driver import Device, open_device
from twoarm.errors import NoCudaDeviceError

from . import small_models as small
from .test_cuda_backend import SUITE, cohort_of

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def device() -> Device:
    try:
        return open_device()
    except NoCudaDeviceError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("test", SUITE, ids=lambda test: test.__name__[5:])
def test_what_holds_for_every_back_end(test: Callable[[str], None], device: Device) -> None:
    assert device.capability >= (8, 0)
    test("cuda")


@pytest.mark.parametrize("method", ["rodas5p", "rodas4"])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_courses_are_those_of_the_host(method: str, precision: str, device: Device) -> None:
    cohort = cohort_of(small.network(80, 200), 5000, rtol=1e-5, precision=precision)
    cohort = replace(cohort, method=method, workers=2)
    found, expected = cuda.integrate_on(device, cohort), stepper.integrate(cohort)
    assert not found.status.any()
    size = np.nanmax(np.abs(expected.recorded), axis=1, keepdims=True)
    error = np.abs(found.recorded - expected.recorded) / size
    assert np.nanmax(error) < (1e-6 if precision == "double" else 1e-3)


def test_the_same_again_to_the_last_bit(device: Device) -> None:
    cohort = cohort_of(small.target_mediated(), 3000)
    one, two = cuda.integrate_on(device, cohort), cuda.integrate_on(device, cohort)
    np.testing.assert_array_equal(one.recorded, two.recorded)


def test_memory_is_given_back(device: Device) -> None:
    cohort = cohort_of(small.decay(), 100)
    cuda.integrate_on(device, cohort)
    with device.current():
        before = device.free_bytes()
        cuda.integrate_on(device, cohort)
        assert device.free_bytes() == before
