"""Screening, variance shares and the worth of measurements against functions whose answers are known."""

import numpy as np
import pytest

from twoarm.learn.emulator import _cost, emulate, predict
from twoarm.learn.indices import elementary_effects, trajectories, variance_shares
from twoarm.learn.worth import worth_of


def ishigami(u):
    """Ishigami and Homma's function of three angles, on [0, 1]."""
    z = (2 * u - 1) * np.pi
    return np.sin(z[:, 0]) + 7 * np.sin(z[:, 1]) ** 2 + 0.1 * z[:, 2] ** 4 * np.sin(z[:, 0])


def ishigami_shares():
    """Its Sobol indices in closed form."""
    a, b, pi = 7.0, 0.1, np.pi
    first = 0.5 * (1 + b * pi**4 / 5) ** 2
    second = a**2 / 8
    both = b**2 * pi**8 * (1 / 18 - 1 / 50)
    total = first + second + both
    return np.array([first, second, 0]) / total, np.array([first + both, second, both]) / total


def test_shares_of_ishigami_are_those_of_the_closed_form():
    first, total = ishigami_shares()
    found = variance_shares(["a", "b", "c"], ishigami, size=4096, seed=3)
    assert found["first"].to_numpy() == pytest.approx(first, abs=0.03)
    assert found["total"].to_numpy() == pytest.approx(total, abs=0.03)


def test_shares_survive_the_emulator():
    first, total = ishigami_shares()
    points = np.random.default_rng(5).random((180, 3))
    emulator = emulate(points, ishigami(points), searches=1)
    assert emulator.explained > 0.9
    found = variance_shares(["a", "b", "c"], lambda x: predict(emulator, x), size=1024, seed=3)
    assert found["first"].to_numpy() == pytest.approx(first, abs=0.1)
    assert found["total"].to_numpy() == pytest.approx(total, abs=0.1)


def test_screening_of_a_straight_line_gives_its_slopes():
    names = ["a", "b", "c"]
    points = trajectories(names, 5, seed=2)
    found = elementary_effects(names, points, points @ [3.0, -1.0, 0.0], seed=1).set_index("name")
    assert found["effect"].to_numpy() == pytest.approx([3, 1, 0], abs=1e-9)
    assert found["spread"].to_numpy() == pytest.approx([0, 0, 0], abs=1e-9)


def test_one_trajectory_gives_its_slopes_and_no_error():
    names = ["a", "b", "c"]
    points = trajectories(names, 1, seed=2)
    found = elementary_effects(names, points, points @ [3.0, -1.0, 0.0], seed=1)
    assert found["effect"].to_numpy() == pytest.approx([3, 1, 0], abs=1e-9)
    assert found["error"].isna().all()


def test_a_trajectory_with_a_failed_run_is_left_out():
    names = ["a", "b"]
    points = trajectories(names, 3, seed=2)
    values = points @ [2.0, 1.0]
    values[4] = np.nan
    found = elementary_effects(names, points, values, seed=1)
    assert (found["trajectories"] == 2).all()
    assert found["effect"].to_numpy() == pytest.approx([2, 1], abs=1e-9)
    none = elementary_effects(names, points, np.full(9, np.nan), seed=1)
    assert none["effect"].isna().all()


def test_slope_of_the_likelihood_is_that_of_differences():
    rng = np.random.default_rng(0)
    x, at = rng.random((30, 3)), rng.normal(size=5) * 0.3
    squares, target = (x[:, None] - x[None]) ** 2, rng.normal(size=30)
    _, slope = _cost(at, squares, target)
    steps = 1e-6 * np.eye(5)
    said = [
        (_cost(at + step, squares, target)[0] - _cost(at - step, squares, target)[0]) / 2e-6 for step in steps
    ]
    assert slope == pytest.approx(said, rel=1e-4, abs=1e-4)


def test_leaving_one_out_is_what_leaving_one_out_gives():
    rng = np.random.default_rng(1)
    x = rng.random((25, 2))
    y = np.sin(4 * x[:, 0]) + 0.2 * rng.normal(size=25)
    whole = emulate(x, y, searches=1)
    target, residuals = (y - whole.center) / whole.scale, []
    for i in range(25):
        keep = np.arange(25) != i
        gap = ((x[:, None] - x[None]) / whole.lengths) ** 2
        kernel = whole.height * np.exp(-0.5 * gap.sum(-1))
        inner = kernel[np.ix_(keep, keep)] + whole.noise * np.eye(24)
        residuals.append(target[i] - kernel[i, keep] @ np.linalg.solve(inner, target[keep]))
    assert whole.explained == pytest.approx(1 - np.mean(np.square(residuals)), abs=1e-8)


@pytest.mark.parametrize(("columns", "share"), [([0], 4 / 6), ([0, 1], 5 / 6), ([2], 0.0)])
def test_worth_of_a_sum_of_normals_is_its_share_of_the_variance(columns, share):
    """Prediction 2 a + b + e with everything standard normal: Var 6."""
    x = np.random.default_rng(4).normal(size=(160, 4))
    found = worth_of(x[:, columns], 2 * x[:, 0] + x[:, 1] + x[:, 3])
    assert found.share == pytest.approx(share, abs=0.12)
    assert found.low - 1e-6 <= share <= found.high


def test_an_error_of_measurement_takes_worth_away():
    """Measured with as much error as it varies, a says half of what it knows: 4/6 becomes 2/6."""
    x = np.random.default_rng(4).normal(size=(160, 3))
    values = 2 * x[:, 0] + x[:, 1] + x[:, 2]
    found = worth_of(x[:, 0], values, error=1.0)
    assert found.share == pytest.approx(2 / 6, abs=0.12)
    assert found.share < worth_of(x[:, 0], values).share


def test_nothing_measured_is_worth_nothing():
    values = np.random.default_rng(4).normal(size=40)
    assert worth_of(np.ones(40), values) == (0, 0, 0, 0)


def test_too_few_runs_are_refused():
    with pytest.raises(ValueError, match="needs 8"):
        emulate(np.zeros((5, 1)), np.zeros(5))
