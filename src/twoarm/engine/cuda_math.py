"""Functions of one number that a device has no library for, as LLVM IR under the names libm has them."""

from __future__ import annotations

import re

from twoarm.engine import elementary, kernel


def prelude() -> str:
    """Write what `kernel.prelude` writes for one lane, with own functions in place of libm's."""
    pairs = elementary.definitions(2, "nounwind")
    pairs = re.sub(r"^declare double.*\n", "", pairs, flags=re.M)
    pairs = re.sub(
        r"^define internal <2 x double> @v_(\w+)\(<2 x double> %x\) nounwind \{\n  %x0.*?^\}\n?",
        "",
        pairs,
        flags=re.M | re.S,
    )
    pairs = pairs.replace("@v_", "@pair_")
    text = kernel.prelude(1)
    own = []
    for libm, pair, count in (("exp", "exp", 1), ("log", "ln", 1), ("log10", "log10", 1), ("pow", "pow", 2)):
        args = ", ".join(f"double %{a}" for a in "xy"[:count])
        lines = []
        for a in "xy"[:count]:
            lines.append(f"  %{a}2 = insertelement <2 x double> poison, double %{a}, i32 0")
        pa = ", ".join(f"<2 x double> %{a}2" for a in "xy"[:count])
        own.append(
            f"define double @{libm}({args}) nounwind {{\n"
            + "\n".join(lines)
            + f"\n  %r2 = call <2 x double> @pair_{pair}({pa})\n  %r = extractelement <2 x double> %r2, i32 0\n  ret double %r\n}}"
        )
        text = re.sub(rf"^declare double @{libm}\(.*\n?", "", text, flags=re.M)
    return "\n".join([pairs, *own, text])
