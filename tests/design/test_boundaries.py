"""Boundaries against printed tables, and against an integral that shares no code with them."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from twoarm.design.boundaries import (
    classic_constant,
    classic_inflation,
    crossing,
    efficacy_boundary,
    spend,
    with_futility,
)
from twoarm.errors import DesignNumberError, LookOrderError, NoBoundaryError

# Jennison and Turnbull 1999, Tables 2.1 (Pocock) and 2.3 (O'Brien-Fleming): two-sided 0.01, 0.05, 0.10
POCOCK = {
    2: (2.772, 2.178, 1.875),
    3: (2.873, 2.289, 1.992),
    4: (2.939, 2.361, 2.067),
    5: (2.986, 2.413, 2.122),
}
OBRIEN = {
    2: (2.580, 1.977, 1.678),
    3: (2.595, 2.004, 1.710),
    4: (2.609, 2.024, 1.733),
    5: (2.621, 2.040, 1.751),
}
# Lan-DeMets spending, two-sided 0.05, equal looks, as printed by gsDesign and ldbounds
SPENT_OBRIEN = {
    2: (2.9626, 1.9686),
    3: (3.7103, 2.5114, 1.9930),
    4: (4.3326, 2.9631, 2.3590, 2.0141),
    5: (4.8769, 3.3570, 2.6803, 2.2898, 2.0310),  # gsDesign; WinLD has 3.3569, the integral below 3.35701
}
SPENT_POCOCK = {2: (2.1570, 2.2010), 3: (2.2794, 2.2949, 2.2959), 5: (2.4380, 2.4268, 2.4101, 2.3966, 2.3859)}


@pytest.mark.parametrize("looks", POCOCK)
@pytest.mark.parametrize(("place", "alpha"), [(0, 0.01), (1, 0.05), (2, 0.1)])
def test_classic_constants_are_those_of_the_book(looks, place, alpha):
    # 2.28949 stands as 2.289 in the table: printed digits, and half a digit for how they were rounded
    assert classic_constant(looks, alpha, "pocock") == pytest.approx(POCOCK[looks][place], abs=6e-4)
    assert classic_constant(looks, alpha, "obrien_fleming") == pytest.approx(OBRIEN[looks][place], abs=6e-4)


def test_inflation_is_that_of_the_book():
    # Jennison and Turnbull 1999, Tables 2.2 and 2.4, alpha 0.05
    assert classic_inflation(5, 0.05, 0.8, "pocock") == pytest.approx(1.229, abs=6e-4)
    assert classic_inflation(5, 0.05, 0.9, "pocock") == pytest.approx(1.207, abs=6e-4)
    assert classic_inflation(2, 0.05, 0.9, "obrien_fleming") == pytest.approx(1.007, abs=6e-4)
    assert classic_inflation(5, 0.05, 0.9, "obrien_fleming") == pytest.approx(1.026, abs=6e-4)


@pytest.mark.parametrize("looks", SPENT_OBRIEN)
def test_spending_like_obrien_and_fleming_to_four_digits(looks):
    found = efficacy_boundary(np.arange(1, looks + 1) / looks, 0.025, "obrien_fleming").efficacy
    np.testing.assert_allclose(found, SPENT_OBRIEN[looks], atol=1.01e-4)


@pytest.mark.parametrize("looks", SPENT_POCOCK)
def test_spending_like_pocock_to_four_digits(looks):
    found = efficacy_boundary(np.arange(1, looks + 1) / looks, 0.025, "pocock").efficacy
    np.testing.assert_allclose(found, SPENT_POCOCK[looks], atol=1.51e-4)


def test_futility_is_that_of_the_printed_example():
    # gsDesign(): k = 3, test.type = 4, alpha 0.025, beta 0.1, Hwang-Shih-DeCani -4 and -2, as its manual
    # prints it
    upper = efficacy_boundary([1 / 3, 2 / 3, 1.0], 0.025, "hwang_shih_decani", parameter=-4)
    found = with_futility(upper, 0.1, "hwang_shih_decani", parameter=-2)
    np.testing.assert_allclose(found.efficacy, [3.01, 2.55, 2.00], atol=0.005)
    np.testing.assert_allclose(found.futility, [-0.24, 0.94, 2.00], atol=0.005)
    inflation = (found.drift / (1.959964 + 1.281552)) ** 2
    np.testing.assert_allclose(inflation * np.array([1 / 3, 2 / 3, 1]), [0.357, 0.713, 1.070], atol=6e-4)


@pytest.mark.parametrize("drift", [0.0, 2.0, 3.5])
def test_crossing_agrees_with_the_multivariate_normal(drift):
    # Genz's integral of scipy, which shares no code with ours
    times, upper, lower = np.array([0.3, 0.55, 1.0]), np.array([3.0, 2.4, 2.0]), np.array([-0.5, 0.4, 2.0])
    found = crossing(times, upper, lower, drift=drift)
    shared = np.sqrt(np.minimum.outer(times, times) / np.maximum.outer(times, times))
    mean = drift * np.sqrt(times)

    def stays(k, above=None):
        """P(continue at the looks before k, and at or above `above` at look k)."""
        low = np.append(lower[:k], above if above is not None else -12.0)
        high = np.append(upper[:k], 12.0)
        law = multivariate_normal(
            mean[: k + 1], shared[: k + 1, : k + 1], seed=1, abseps=1e-9, releps=1e-9, maxpts=2_000_000
        )
        return law.cdf(high, lower_limit=low)

    for k in range(3):
        assert found.upper[k] == pytest.approx(stays(k, upper[k]), abs=2e-6)
        assert found.lower[k] == pytest.approx(stays(k) - stays(k, lower[k]), abs=2e-6)


def test_all_of_the_error_is_spent_and_power_is_as_asked():
    upper = efficacy_boundary([0.5, 0.75, 1.0], 0.025, "pocock")
    assert crossing(upper.information, upper.efficacy).upper.sum() == pytest.approx(0.025, abs=1e-8)
    both = with_futility(upper, 0.2, "pocock")
    assert crossing(
        both.information, both.efficacy, both.futility, drift=both.drift
    ).upper.sum() == pytest.approx(0.8, abs=1e-6)


def test_a_binding_stop_lowers_the_bar_and_keeps_the_error():
    upper = efficacy_boundary([0.5, 1.0], 0.025, "obrien_fleming")
    both = with_futility(upper, 0.1, "pocock", binding=True, alpha=0.025, efficacy_how="obrien_fleming")
    assert both.efficacy[-1] < upper.efficacy[-1]
    kept = crossing(both.information, both.efficacy, [both.futility[0], -np.inf]).upper.sum()
    assert kept == pytest.approx(0.025, abs=1e-6)


def test_what_cannot_be_is_refused():
    with pytest.raises(LookOrderError, match="Sort them"):
        efficacy_boundary([0.6, 0.5, 1.0], 0.025, "pocock")
    with pytest.raises(LookOrderError):
        efficacy_boundary([0.6, 0.9], 0.025, "pocock")
    with pytest.raises(DesignNumberError, match="between 0 and 1"):
        spend(0.5, 1.5, "pocock")
    with pytest.raises(DesignNumberError, match="parameter"):
        spend(0.5, 0.025, "power")
    assert issubclass(NoBoundaryError, ValueError)
