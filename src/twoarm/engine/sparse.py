"""Static sparse LU: an ordering, its fill and the operations of factor and solve, all known before any value.

Pivots stay on the diagonal. That is safe for `I/(hγ) - J` when `h` is short, and a bad pivot shows as a
rejected step (see `stepper`), so nothing is ever searched or swapped while integrating.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Factorization:
    """Where every factor of a sparse matrix lies.

    Attributes
    ----------
    order : tuple of int
        Pivot position to row (and column) of the matrix.
    lower, upper : tuple of tuple of int
        Columns of each row of the strict factors, by pivot position, ascending.
    slots : mapping of (int, int) to int
        Place of an entry, by pivot positions, in the array of factors: first the lower factor by row, then
        the upper factor and the inverse pivots from the last row up, in the order the solves read them.
    """

    order: tuple[int, ...]
    lower: tuple[tuple[int, ...], ...]
    upper: tuple[tuple[int, ...], ...]
    slots: Mapping[tuple[int, int], int]

    @property
    def size(self) -> int:
        """Number of factors to store."""
        return len(self.slots)

    @property
    def _positions(self) -> dict[int, int]:
        return {index: position for position, index in enumerate(self.order)}

    def entry_slots(self, entries: Iterable[tuple[int, int]]) -> list[int]:
        """Places of many entries of the matrix."""
        position = self._positions
        return [self.slots[position[row], position[column]] for row, column in entries]


def factorize(size: int, entries: Iterable[tuple[int, int]]) -> Factorization:
    """Plan the factors of a matrix from its pattern alone.

    Parameters
    ----------
    size : int
        Rows of the matrix.
    entries : iterable of (row, column)
        Where it may be other than zero. The diagonal is always included.

    Returns
    -------
    Factorization
        Pivots by Markowitz's rule: each is the one with the least `(row count - 1)(column count - 1)` left.

    References
    ----------
    duff2017, chapter 5.

    Examples
    --------
    >>> arrow = [(0, i) for i in range(4)] + [(i, 0) for i in range(4)]
    >>> plan = factorize(4, arrow)
    >>> plan.order[-2:], plan.size  # no fill once the full row comes late
    ((0, 3), 10)
    """
    rows: list[set[int]] = [{i} for i in range(size)]
    columns: list[set[int]] = [{i} for i in range(size)]
    for i, j in entries:
        rows[i].add(j)
        columns[j].add(i)
    left = set(range(size))
    order: list[int] = []
    upper_by_index: list[set[int]] = []
    lower_by_index: list[set[int]] = [set() for _ in range(size)]
    while left:
        pivot = min(left, key=lambda i: ((len(rows[i]) - 1) * (len(columns[i]) - 1), i))
        left.discard(pivot)
        order.append(pivot)
        right, below = rows[pivot] - {pivot}, columns[pivot] - {pivot}
        for j in right:
            columns[j].discard(pivot)
            columns[j] |= below
        for i in below:
            rows[i].discard(pivot)
            rows[i] |= right
            lower_by_index[i].add(pivot)
        upper_by_index.append(right)
    return _number(order, lower_by_index, upper_by_index)


def _number(order: list[int], lower: list[set[int]], upper: list[set[int]]) -> Factorization:
    position = {index: place for place, index in enumerate(order)}
    lower_rows = tuple(tuple(sorted(position[k] for k in lower[index])) for index in order)
    upper_rows = tuple(tuple(sorted(position[k] for k in columns)) for columns in upper)
    slots: dict[tuple[int, int], int] = {}
    for i, row in enumerate(lower_rows):
        for k in row:
            slots[i, k] = len(slots)
    for i in reversed(range(len(order))):
        for j in upper_rows[i]:
            slots[i, j] = len(slots)
        slots[i, i] = len(slots)
    return Factorization(tuple(order), lower_rows, upper_rows, slots)


def factor(plan: Factorization, matrix: np.ndarray) -> np.ndarray:
    """Factors of a matrix, one operation after the other: slow, and what the kernel must match.

    Parameters
    ----------
    plan : Factorization
        Made for the matrix's pattern.
    matrix : (size, size) float array
        Its values.

    Returns
    -------
    (plan.size,) float array
        Lower factor, upper factor and inverse pivots, in their slots.
    """
    values = np.zeros(plan.size)
    for (i, j), slot in plan.slots.items():
        values[slot] = matrix[plan.order[i], plan.order[j]]
    slots = plan.slots
    for i in range(len(plan.order)):
        for k in plan.lower[i]:
            values[slots[i, k]] *= values[slots[k, k]]
            for j in plan.upper[k]:
                values[slots[i, j]] -= values[slots[i, k]] * values[slots[k, j]]
        values[slots[i, i]] = 1.0 / values[slots[i, i]]
    return values


def solve(plan: Factorization, factors: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve with the result of `factor`.

    Parameters
    ----------
    plan : Factorization
        The plan used for the factors.
    factors : (plan.size,) float array
        Result of `factor`.
    right : (size,) float array
        Right-hand side.

    Returns
    -------
    (size,) float array
        The solution.
    """
    x, order, slots = np.array(right, dtype=float), plan.order, plan.slots
    for i, row in enumerate(plan.lower):
        for k in row:
            x[order[i]] -= factors[slots[i, k]] * x[order[k]]
    for i in reversed(range(len(order))):
        for j in plan.upper[i]:
            x[order[i]] -= factors[slots[i, j]] * x[order[j]]
        x[order[i]] *= factors[slots[i, i]]
    return x
