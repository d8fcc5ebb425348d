"""Where a device's threads find everything: one table of numbers, and tiles of interleaved rows.

Threads come in tiles of `TILE`. A tile holds every row of every array of its threads, row by row, the same
row of neighbors side by side: a warp that reads one row reads whole cache lines.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

TILE = 32  #: threads whose rows lie side by side: a warp
#: Arrays on a thread's own stack, which the device interleaves by itself.
_STACK = frozenset({"%m", "%z"})
_OF_PATIENT = "%p"  #: a patient's parameters, in the table of all patients
_GLOBAL = "ptr addrspace(1)"
_LINE = 128  #: bytes of a device's cache line


@dataclass(frozen=True)
class Tile:
    """Rows of a tile.

    Attributes
    ----------
    offsets : tuple of int
        Byte of a tile at which each array begins.
    bytes : int
        Bytes of a whole tile.
    """

    offsets: tuple[int, ...]
    bytes: int


def lay_tile(arrays: list[np.ndarray]) -> Tile:
    """Put arrays one after the other, each from a cache line on.

    Parameters
    ----------
    arrays : list of (row, 1) or (1,) array
        Arrays of one thread.

    Returns
    -------
    Tile
        Where each lies.

    Examples
    --------
    >>> lay_tile([np.zeros((3, 1)), np.zeros(1, np.bool_), np.zeros((1, 1))])
    Tile(offsets=(0, 768, 896), bytes=1152)
    """
    offsets, end = [], 0
    for array in arrays:
        offsets.append(end)
        end += -(-array.nbytes * TILE // _LINE) * _LINE
    return Tile(tuple(offsets), end)


def leaves(value: Any) -> Iterator[Any]:
    """Arrays and numbers inside nested tuples, in order."""
    if isinstance(value, tuple):
        for field in value:
            yield from leaves(field)
    else:
        yield value


def geometry(array: np.ndarray) -> list[int]:
    """Length, bytes of an item, shape and strides, as Numba passes them; the address stands third."""
    return [array.size, array.itemsize, *array.shape, *array.strides]


def fill_table(given: list[Any], place: Callable[[np.ndarray], int]) -> bytes:
    """Numbers of a launch, eight bytes each, in the order `cuda_entry` reads them.

    Parameters
    ----------
    given : list
        Arrays and numbers that all threads share.
    place : callable
        Address of an array on the device.

    Returns
    -------
    bytes
        The table.
    """
    cells: list[bytes] = []
    for value in given:
        if isinstance(value, np.ndarray):
            length, item, *rest = geometry(value)
            cells += [struct.pack("<q", number) for number in (length, item, place(value), *rest)]
        else:
            cells.append(struct.pack("<d" if isinstance(value, float) else "<q", value))
    return b"".join(cells)


def interleave(text: str) -> str:
    """Spread the rows of all arrays `TILE` values apart, in a device's global memory.

    Parameters
    ----------
    text : str
        IR of a kernel of one lane, as `kernel` and `step` write it: each array is addressed by row.

    Returns
    -------
    str
        The same, for a thread that owns one column of a tile. Arrays on the stack stay as they are.

    Examples
    --------
    >>> print(interleave("  %v1 = getelementptr inbounds double, ptr %y, i64 3"))
      %v1 = getelementptr inbounds [32 x double], ptr addrspace(1) %y, i64 3
    """
    lines = []
    near = set(_STACK)
    for line in text.splitlines():
        if line.startswith("define"):
            near = set(_STACK)
        found = re.fullmatch(r"  (%\w+) = getelementptr inbounds (\w+), ptr (%\w+), i64 (\S+)", line)
        if found is None:
            lines.append(_far_pointers(line, near))
        elif found[3] in near:
            near.add(found[1])
            lines.append(line)
        elif found[3] == _OF_PATIENT:
            name, kind, array, row = found.groups()
            lines.append(f"  {name} = getelementptr inbounds {kind}, {_GLOBAL} {array}, i64 {row}")
        else:
            name, kind, array, row = found.groups()
            spread = f"getelementptr inbounds [{TILE} x {kind}], {_GLOBAL} {array}, i64 {row}"
            lines.append(f"  {name} = {spread}")
    return "\n".join(lines)


def _far_pointers(line: str, near: set[str]) -> str:
    return re.sub(r"\bptr (%\w+)", lambda m: m[0] if m[1] in near else f"{_GLOBAL} {m[1]}", line)
