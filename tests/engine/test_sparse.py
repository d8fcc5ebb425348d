"""Static LU against numpy."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm.engine.sparse import factor, factorize, solve


@st.composite
def matrices(draw: st.DrawFn) -> tuple[np.ndarray, list[tuple[int, int]]]:
    size = draw(st.integers(1, 25))
    count = draw(st.integers(0, 3 * size))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    entries = [(int(i), int(j)) for i, j in rng.integers(0, size, (count, 2))]
    matrix = np.zeros((size, size))
    for i, j in entries:
        matrix[i, j] = rng.normal()
    matrix[np.diag_indices(size)] += np.abs(matrix).sum(axis=1) + 1.0
    return matrix, entries


@given(matrices())
@settings(max_examples=60, deadline=None)
def test_solves_as_numpy_does(case: tuple[np.ndarray, list[tuple[int, int]]]) -> None:
    matrix, entries = case
    plan = factorize(len(matrix), entries)
    right = np.arange(1.0, len(matrix) + 1)
    np.testing.assert_allclose(
        solve(plan, factor(plan, matrix), right), np.linalg.solve(matrix, right), rtol=1e-11, atol=1e-13
    )


@given(matrices())
@settings(max_examples=30, deadline=None)
def test_every_slot_is_used_once(case: tuple[np.ndarray, list[tuple[int, int]]]) -> None:
    matrix, entries = case
    plan = factorize(len(matrix), entries)
    assert sorted(plan.slots.values()) == list(range(plan.size))
    assert sorted(plan.order) == list(range(len(matrix)))


def test_order_avoids_fill() -> None:
    size = 30
    arrow = [(0, i) for i in range(size)] + [(i, 0) for i in range(size)]
    assert factorize(size, arrow).size == 3 * size - 2  # in the given order it would be size squared


def test_tridiagonal_has_no_fill() -> None:
    size = 40
    band = [(i, i + 1) for i in range(size - 1)] + [(i + 1, i) for i in range(size - 1)]
    assert factorize(size, band).size == 3 * size - 2
