"""What a device's code calls by names of libm, for a machine that has no libm: only what it does call."""

from __future__ import annotations

import re

from twoarm.engine import cuda_math, elementary, kernel
from twoarm.engine.vector import Vector

#: Functions that `elementary` writes, by name in libm: their name there, and their arguments.
_ELEMENTARY = {"exp": ("exp", "x"), "log": ("ln", "x"), "pow": ("pow", "xy")}


def library(kernel_text: str) -> tuple[str, ...]:
    """Modules that define the functions a kernel and the loop call.

    Parameters
    ----------
    kernel_text : str
        IR of a kernel of one lane.

    Returns
    -------
    tuple of str
        IR, each to be optimized and linked. `exp`, `log` and `pow` always are among it.
    """
    called = re.findall(r"@(\w+)\.f(?:32|64)\(", kernel_text)
    wanted = {elementary.LIBM[op] for op in called if op in elementary.LIBM} & cuda_math.FUNCTIONS.keys()
    return (_elementary(), *(cuda_math.function_text(name) for name in sorted(wanted)))


def _elementary() -> str:
    text = kernel.prelude(Vector(1))
    for name in _ELEMENTARY:
        text = re.sub(rf"^declare double @{name}\(.*\n", "", text, flags=re.M)
    return "\n".join([text, *(_under_libm_name(name, *of) for name, of in _ELEMENTARY.items())])


def _under_libm_name(name: str, own: str, arguments: str) -> str:
    passed = ", ".join(f"double %{a}" for a in arguments)
    call = f"  %value = call double @{own}.f64({passed})\n  ret double %value"
    return f"define double @{name}({passed}) {{\n{call}\n}}"
