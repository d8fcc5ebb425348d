"""Functions for devices against libm's, over their range and at their edges."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from scipy import special

from twoarm.engine import cuda_math

RNG = np.random.default_rng(0)
SMALL = 10.0 ** RNG.uniform(-300, -3, 500)
ANGLES = np.concatenate([np.linspace(-30, 30, 4001), SMALL, -SMALL, RNG.uniform(-9e5, 9e5, 3000)])
NEAR_ONE = 1 - 10.0 ** RNG.uniform(-15, -1, 300)
UNIT = np.concatenate([np.linspace(-1, 1, 4001), SMALL, NEAR_ONE, -NEAR_ONE])
WIDE = np.concatenate([np.linspace(-40, 40, 3001), SMALL, 10.0 ** RNG.uniform(-3, 300, 900)])

CASES = {
    "sin": (np.sin, ANGLES),
    "cos": (np.cos, ANGLES),
    "tan": (np.tan, ANGLES),
    "asin": (np.arcsin, UNIT),
    "acos": (np.arccos, UNIT),
    "atan": (np.arctan, WIDE),
    "sinh": (np.sinh, np.concatenate([np.linspace(-709, 709, 3001), SMALL])),
    "cosh": (np.cosh, np.linspace(-709, 709, 3001)),
    "tanh": (np.tanh, WIDE),
    "asinh": (np.arcsinh, WIDE),
    "acosh": (
        np.arccosh,
        np.concatenate([1 + 10.0 ** RNG.uniform(-15, 1, 900), 10 ** RNG.uniform(0, 300, 900)]),
    ),
    "atanh": (np.arctanh, np.concatenate([np.linspace(-0.9999, 0.9999, 3001), SMALL])),
    "tgamma": (
        special.gamma,
        np.concatenate([np.linspace(0.01, 171, 3001), np.linspace(-20.003, -0.017, 777)]),
    ),
}


def values(name: str, x: np.ndarray) -> np.ndarray:
    one = cuda_math.FUNCTIONS[name]

    @numba.njit(error_model="numpy")
    def fill(x, found):  # type: ignore[no-untyped-def]
        for i in range(len(x)):
            found[i] = one(x[i])

    found = np.empty_like(x)
    fill(x, found)
    return found


@pytest.mark.parametrize("name", CASES)
def test_against_libm(name: str) -> None:
    exact, x = CASES[name]
    tolerance = 3e-13 if name == "tgamma" else 6e-16
    np.testing.assert_allclose(values(name, x), exact(x), rtol=tolerance, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_at_the_edges(name: str) -> None:
    exact, _ = CASES[name]
    x = np.array([0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 2.0, 0.5])
    with np.errstate(all="ignore"):
        expected = exact(x)
    found = values(name, x)
    if name == "atanh":  # infinite at its ends, and not a number beyond
        np.testing.assert_array_equal(found[[4, 5]], [np.inf, -np.inf])
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_an_angle_too_far_away_is_no_number() -> None:
    for name in ("sin", "cos", "tan"):
        assert np.isnan(values(name, np.array([1.1e6, -1e300]))).all()


def test_all_of_libm_that_kernels_may_call_is_there() -> None:
    from twoarm.engine.elementary import LIBM

    assert set(LIBM.values()) == cuda_math.FUNCTIONS.keys() | {"exp", "log", "log10"}
    assert math.isclose(values("tgamma", np.array([5.0]))[0], 24.0, rel_tol=1e-13)
