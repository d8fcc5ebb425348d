"""The vectors a kernel is made of: how many patients side by side, and in which precision."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Vector:
    """Type of one quantity of several patients, as LLVM writes it.

    Attributes
    ----------
    lanes : int
        Patients in a vector; one gives plain scalars.
    real : {"double", "float"}
        Type of each number.

    Examples
    --------
    >>> Vector(8).type, Vector(16, "float").suffix, Vector(1).whole
    ('<8 x double>', 'v16f32', 'i64')
    """

    lanes: int
    real: str = "double"

    def _of(self, element: str) -> str:
        return element if self.lanes == 1 else f"<{self.lanes} x {element}>"

    @property
    def bits(self) -> int:
        """Bits of one number."""
        return 64 if self.real == "double" else 32

    @cached_property
    def type(self) -> str:
        """The vector itself."""
        return self._of(self.real)

    @cached_property
    def truth(self) -> str:
        """What a comparison gives."""
        return self._of("i1")

    @cached_property
    def whole(self) -> str:
        """Integers as wide as the numbers."""
        return self._of(f"i{self.bits}")

    @cached_property
    def suffix(self) -> str:
        """End of the name of an intrinsic on this type."""
        element = f"f{self.bits}"
        return element if self.lanes == 1 else f"v{self.lanes}{element}"

    @cached_property
    def bytes(self) -> int:
        """Room of a vector, and what it is aligned to."""
        return self.lanes * self.bits // 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numbers, as numpy calls them."""
        return np.dtype(f"f{self.bits // 8}")

    def splat(self, value: float) -> str:
        """IR of one number in every lane, without its type, exact to the last bit of this precision."""
        return self._splat(self.real, number(float(self.dtype.type(value))))

    def splat_whole(self, value: int) -> str:
        """IR of one integer in every lane, without its type."""
        return self._splat(f"i{self.bits}", str(value))

    def _splat(self, element: str, text: str) -> str:
        return text if self.lanes == 1 else f"splat ({element} {text})"


def number(value: float) -> str:
    """IR of a number, exact to the last bit; LLVM writes a float as the double it equals."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
