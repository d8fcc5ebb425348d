"""The fast back end's own loop as device code: one source for step control, compiled once more.

`stepper.run` with one lane is what a thread of a device has to do. Numba compiles it for arrays whose rows
lie apart (one row of a tile holds one value of each thread), and its LLVM IR is taken as text: nothing in it
depends on the machine it was made on.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from twoarm.engine import stepper
from twoarm.engine.cuda_numba import text_of

#: Names the loop calls a model's kernel by, in the order of the addresses `stepper.run` takes.
KERNEL_CALLS = ("constants", "rates", "step", "accept")
#: Name of the loop in the text.
RUN = "run"


def loop_text(arguments: tuple[Any, ...]) -> str:
    """LLVM IR of the loop, from the disk or from Numba.

    Parameters
    ----------
    arguments : tuple
        What the loop is called with; only types count.

    Returns
    -------
    str
        A module that defines ``@run``; see `cuda_numba.text_of`.
    """
    signature = types.int64(*[_type_of(value, inside=1 <= i <= 3) for i, value in enumerate(arguments)])
    return text_of(stepper.run, signature, RUN)


def _type_of(value: Any, inside: bool) -> types.Type:
    """Numba's type of an argument. Arrays `inside` a tile have rows that lie apart."""
    if isinstance(value, np.ndarray):
        return types.Array(numba.typeof(value).dtype, value.ndim, "A" if inside else "C")
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return types.NamedTuple([_type_of(field, inside) for field in value], type(value))
    if isinstance(value, tuple):
        return types.UniTuple(types.int64, len(value))
    return types.float64 if isinstance(value, float) else types.int64
