"""Functions that Numba compiles as LLVM IR for any machine: the text, without what belongs to the host."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
from numba.core.compiler_lock import global_compiler_lock

from twoarm.engine import object_code

#: Options of functions that only other compiled functions call.
PLAIN: dict[str, Any] = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_ANY_MACHINE = object_code.Machine("any", "any", "")


def text_of(function: Any, signature: Any, name: str) -> str:
    """LLVM IR of a function, from the disk or from Numba.

    Parameters
    ----------
    function : Numba dispatcher
        What to compile. It may not allocate, and its module is all it is made of.
    signature : Numba signature
        For which arguments.
    name : str
        What to call it.

    Returns
    -------
    str
        A module that defines `name` the way Numba calls: ``i32 (result*, error*, arguments...)``. It calls
        nothing of Numba's runtime, and `exp`, `log` and `pow` by these names.
    """
    module = inspect.getmodule(function.py_func)
    assert module is not None
    source = hashlib.sha256((inspect.getsource(module) + inspect.getsource(_tidy)).encode()).hexdigest()
    content = f"numba {numba.__version__} {source} {name} {signature}"

    def make() -> tuple[dict[str, Any], bytes]:
        return {}, _tidy(_compile(function, signature), name).encode()

    _, text = object_code.kept(content, _ANY_MACHINE, make)
    return text.decode()


def _compile(function: Any, signature: Any) -> str:
    with global_compiler_lock, _without_vectors():
        fresh: Any = numba.njit(**PLAIN)(function.py_func)
        fresh.compile(signature)
        text: str = fresh.inspect_llvm(fresh.signatures[0])
    return text


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


def _tidy(text: str, name: str) -> str:
    """Drop what belongs to the host: its name, Numba's counting of references, and calls of libm."""
    (mangled,) = re.findall(r"^define (?!linkonce_odr)[^@]*@([\w.$]+)\(", text, flags=re.M)
    text = text.replace(f"@{mangled}(", f"@{name}(")
    host = r"target |@_ZN08NumbaEnv|declare .*@(NRT_MemInfo_call_dtor|llvm\.x86|sqrtf?\()"
    text = re.sub(rf"^({host}).*\n", "", text, flags=re.M)
    for counted in ("NRT_incref", "NRT_decref"):
        text = re.sub(rf"^define linkonce_odr void @{counted}\(.*?^}}\n", "", text, flags=re.M | re.S)
        if f"@{counted}(" in text:
            text += f"\ndefine void @{counted}(ptr %one) alwaysinline {{\n  ret void\n}}\n"
    text = re.sub(r"^define (linkonce_odr )?", "define internal ", text, flags=re.M)
    for bits, suffix in ((64, ""), (32, "f")):
        text = re.sub(rf"@llvm\.(exp|log|pow)\.f{bits}", rf"@\1{suffix}", text)
        text = text.replace(f"@sqrt{suffix}(", f"@llvm.sqrt.f{bits}(")
    return text
