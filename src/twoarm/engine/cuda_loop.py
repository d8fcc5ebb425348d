"""The fast back end's own loop as device code: one source for step control, compiled once more.

`stepper._run` with one lane is what a thread of a device has to do. Numba compiles it for arrays whose rows
lie apart (one row of a tile holds one value of each thread), and its LLVM IR is taken as text: nothing in it
depends on the machine it was made on.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.compiler_lock import global_compiler_lock

from twoarm.engine import object_code, stepper

#: Names the loop calls a model's kernel by, in the order of the addresses `stepper._run` takes.
KERNEL_CALLS = ("constants", "rates", "step", "accept")
#: Name of the loop in the text.
RUN = "run"
_ANY_MACHINE = object_code.Machine("any", "any", "")


def loop_text(arguments: tuple[Any, ...]) -> str:
    """LLVM IR of the loop, from the disk or from Numba.

    Parameters
    ----------
    arguments : tuple
        What the loop is called with (`cuda_memory.Arguments.values`); only types count.

    Returns
    -------
    str
        A module that defines ``@run`` and calls no function of Numba's runtime. Powers are taken by ``@pow``.
    """
    signature = types.int64(*[_type_of(value, inside=1 <= i <= 3) for i, value in enumerate(arguments)])
    source = hashlib.sha256(inspect.getsource(stepper).encode()).hexdigest()
    content = f"loop {numba.__version__} {source} {signature}"

    def make() -> tuple[dict[str, Any], bytes]:
        return {}, _tidy(_compile(signature)).encode()

    _, text = object_code.kept(content, _ANY_MACHINE, make)
    return text.decode()


def _type_of(value: Any, inside: bool) -> types.Type:
    """Numba's type of an argument. Arrays `inside` a tile have rows that lie apart."""
    if isinstance(value, np.ndarray):
        return types.Array(numba.typeof(value).dtype, value.ndim, "A" if inside else "C")
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return types.NamedTuple([_type_of(field, inside) for field in value], type(value))
    if isinstance(value, tuple):
        return types.UniTuple(types.int64, len(value))
    return types.float64 if isinstance(value, float) else types.int64


@contextmanager
def _without_vectors() -> Iterator[None]:
    """Keep Numba from making vectors as wide as this machine's."""
    settings: Any = numba.config
    before = settings.LOOP_VECTORIZE, settings.SLP_VECTORIZE
    settings.LOOP_VECTORIZE = settings.SLP_VECTORIZE = 0
    try:
        yield
    finally:
        settings.LOOP_VECTORIZE, settings.SLP_VECTORIZE = before


def _compile(signature: Any) -> str:
    with global_compiler_lock, _without_vectors():
        loop: Any = stepper._compiled(stepper._run.py_func)
        loop.compile(signature)
        text: str = loop.inspect_llvm(loop.signatures[0])
    return text


def _tidy(text: str) -> str:
    """Drop what belongs to the host: its name, Numba's counting of references, and calls of libm."""
    (name,) = re.findall(r"^define (?!linkonce_odr)[^@]*@([\w.$]+)\(", text, flags=re.M)
    text = text.replace(f"@{name}(", f"@{RUN}(")
    for counted in ("NRT_incref", "NRT_decref"):
        text = re.sub(rf"^define linkonce_odr void @{counted}\(.*?^}}\n", "", text, flags=re.M | re.S)
        text += f"\ndefine void @{counted}(ptr %one) alwaysinline {{\n  ret void\n}}\n"
    host = r"target |@_ZN08NumbaEnv|declare .*@(NRT_MemInfo_call_dtor|llvm\.x86|sqrtf?\()"
    text = re.sub(rf"^({host}).*\n", "", text, flags=re.M)
    text = re.sub(r"^define (linkonce_odr )?", "define internal ", text, flags=re.M)
    for bits, suffix in ((64, ""), (32, "f")):
        text = text.replace(f"@llvm.pow.f{bits}", f"@pow{suffix}").replace(
            f"@sqrt{suffix}(", f"@llvm.sqrt.f{bits}("
        )
    return text
