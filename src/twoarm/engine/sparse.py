"""Static sparse LU: an ordering, its fill and the operations of factor and solve, all known before any value.

Pivots stay on the diagonal. That is safe for `I/(hγ) - J` when `h` is short, and a bad pivot shows as a
rejected step (see `stepper`), so nothing is ever searched or swapped while integrating.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Group = tuple[tuple[int, ...], tuple[int, ...]]

_MOST_TOGETHER = 8  #: rows of a group; their sums stay in registers
_WINDOW = 256  #: rows looked through for the next of a group


@dataclass(frozen=True)
class Factorization:
    """Where every factor of a sparse matrix lies.

    Attributes
    ----------
    order : tuple of int
        Pivot position to row (and column) of the matrix.
    lower, upper : tuple of tuple of int
        Columns of each row of the strict factors, by pivot position, ascending.
    forward, backward : tuple of (rows, columns)
        The two solves, by groups of rows that read much the same columns: a group needs the values of its
        `columns`, all known by then, and besides only its own rows, in the order given.
    slots : mapping of (int, int) to int
        Place of an entry, by pivot positions, in the array of factors: first the lower factor, then the upper
        one and the inverse pivots, in the order the solves read them.
    """

    order: tuple[int, ...]
    lower: tuple[tuple[int, ...], ...]
    upper: tuple[tuple[int, ...], ...]
    forward: tuple[Group, ...]
    backward: tuple[Group, ...]
    slots: Mapping[tuple[int, int], int]

    @property
    def size(self) -> int:
        """Number of factors to store."""
        return len(self.slots)

    @property
    def positions(self) -> dict[int, int]:
        """Pivot position of each row (and column) of the matrix."""
        return {index: position for position, index in enumerate(self.order)}

    def entry_slots(self, entries: Iterable[tuple[int, int]]) -> list[int]:
        """Places of many entries of the matrix."""
        position = self.positions
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
        Each pivot is the one that fills least, and of these the one with the least
        `(row count - 1)(column count - 1)` left.

    References
    ----------
    duff2017, chapters 5 and 7.

    Examples
    --------
    >>> arrow = [(0, i) for i in range(4)] + [(i, 0) for i in range(4)]
    >>> plan = factorize(4, arrow)
    >>> plan.order[-2:], plan.size  # no fill once the full row comes late
    ((0, 3), 10)
    """
    rows, columns = [1 << i for i in range(size)], [1 << i for i in range(size)]
    for i, j in entries:
        rows[i] |= 1 << j
        columns[j] |= 1 << i
    left = set(range(size))
    order: list[int] = []
    upper_by_index = [0] * size
    lower_by_index = [0] * size
    costs = {i: _fill(i, rows, columns) for i in left}
    while left:
        pivot = min(left, key=lambda i: (costs[i], i))
        left.discard(pivot)
        order.append(pivot)
        bit = 1 << pivot
        right, below = rows[pivot] & ~bit, columns[pivot] & ~bit
        upper_by_index[pivot] = right
        touched = right | below
        for j in _members(right):
            columns[j] = columns[j] & ~bit | below
        for i in _members(below):
            rows[i] = rows[i] & ~bit | right
            lower_by_index[i] |= bit
        for i in _members(touched):  # those whose own row or column changed; the rest hardly did
            costs[i] = _fill(i, rows, columns)
    return _number(order, lower_by_index, upper_by_index)


def _members(bits: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


def _fill(i: int, rows: list[int], columns: list[int]) -> tuple[int, int]:
    """Entries that pivot `i` would fill, and the product of Markowitz's rule."""
    bit = 1 << i
    right, below = rows[i] & ~bit, columns[i] & ~bit
    product = right.bit_count() * below.bit_count()
    if not product:
        return 0, 0
    return sum((right & ~rows[k]).bit_count() for k in _members(below)), product


def _number(order: list[int], lower: list[int], upper: list[int]) -> Factorization:
    position = {index: place for place, index in enumerate(order)}
    lower_rows = tuple(tuple(sorted(position[k] for k in _members(lower[index]))) for index in order)
    upper_rows = tuple(tuple(sorted(position[k] for k in _members(upper[index]))) for index in order)
    forward = tuple(_groups(lower_rows, range(len(order))))
    backward = tuple(_groups(upper_rows, range(len(order) - 1, -1, -1)))
    slots: dict[tuple[int, int], int] = {}
    for groups, factors, pivots in ((forward, lower_rows, False), (backward, upper_rows, True)):
        for group in groups:
            for i, k in group_entries(group, factors):
                slots[i, k] = len(slots)
            if pivots:
                for i in group[0]:
                    slots[i, i] = len(slots)
    return Factorization(tuple(order), lower_rows, upper_rows, forward, backward, slots)


def group_entries(group: Group, factors: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Entries of a group of rows in the order the solve reads them: by column, then among its own rows."""
    rows, columns = group
    within = {i: frozenset(factors[i]) for i in rows}
    for k in (*columns, *rows):
        for i in rows:
            if k in within[i]:
                yield i, k


def _groups(factors: Sequence[Sequence[int]], order: Sequence[int]) -> Iterator[Group]:
    """Rows in an order in which they can be solved, those with columns in common together."""
    need = {i: sum(1 << k for k in factors[i]) for i in order}
    left, done = list(order), 0
    while left:
        ready = [i for i in left[:_WINDOW] if not need[i] & ~done]
        rows = [max(ready, key=lambda i: need[i].bit_count())]
        own, union = 1 << rows[0], need[rows[0]]
        while len(rows) < _MOST_TOGETHER:
            best, most = -1, 0
            for i in left[:_WINDOW]:
                shared = (need[i] & (union | own)).bit_count()
                if not shared or own >> i & 1 or need[i] & ~(done | own):
                    continue
                gain = 2 * shared - (need[i] & ~(union | own)).bit_count()
                if best < 0 or gain > most:
                    best, most = i, gain
            if best < 0:
                break
            rows.append(best)
            own, union = own | 1 << best, union | need[best]
        yield tuple(rows), tuple(_members(union & ~own))
        done |= own
        left = [i for i in left if not own >> i & 1]


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
