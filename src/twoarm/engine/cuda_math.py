"""Functions of one number that a device has no library for, as LLVM IR under the names libm has them."""

from __future__ import annotations

from twoarm.engine import kernel
from twoarm.engine.vector import Vector


def prelude() -> str:
    """Write what a kernel of one lane begins with, and ``@pow`` for the loop."""
    text = kernel.prelude(Vector(1)).replace("declare double @pow(double, double)\n", "")
    own = "define double @pow(double %x, double %y) nounwind {\n"
    own += "  %r = call double @pow.f64(double %x, double %y)\n  ret double %r\n}"
    return f"{text}\n{own}"
