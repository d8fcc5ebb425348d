"""Exp, ln and pow on vectors as LLVM IR, so that no vector math library is needed; the rest from libm.

Worst relative error seen in `tests/engine/test_elementary.py`: exp and ln 1e-15; pow `1e-15 (1 + |y ln x|)`.
A kernel of one lane calls libm for everything, which makes the reference back end independent of this file.
"""

from __future__ import annotations

import math
import struct

#: Coefficients of ln(1+f) in s = f/(2+f), from fdlibm's e_log.c (Sun Microsystems 1993).
_LN_SERIES = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_EXP_TERMS = 14  # (ln 2 / 2)^14 / 14! = 4e-18

#: Functions of one argument taken from libm, by operation of the graph.
LIBM = {
    "exp": "exp",
    "ln": "log",
    "log10": "log10",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "asin",
    "acos": "acos",
    "atan": "atan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh": "asinh",
    "acosh": "acosh",
    "atanh": "atanh",
    "gamma": "tgamma",
}


def number(value: float) -> str:
    """IR of a double, exact to the last bit."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def splat(value: float, lanes: int) -> str:
    """IR of a constant vector (or scalar, for one lane), without its type."""
    return number(value) if lanes == 1 else f"splat (double {number(value)})"


def _whole(value: int) -> str:
    return f"splat (i64 {value})"


def definitions(lanes: int, attributes: str) -> str:
    """Functions ``@v_exp``, ``@v_ln``, ``@v_pow``, ``@v_sin``... on vectors of doubles.

    Parameters
    ----------
    lanes : int
        Doubles in a vector.
    attributes : str
        Function attributes to append to each.

    Returns
    -------
    str
        LLVM IR with what it declares.
    """
    declared = "\n".join(f"declare double @{name}(double)" for name in sorted(set(LIBM.values())))
    text = [declared, "declare double @pow(double, double)"]
    vectored = {"exp", "ln", "log10"} if lanes > 1 else set()
    for op, name in LIBM.items():
        if op not in vectored:
            text.append(_lane_by_lane(f"v_{op}", name, lanes, attributes))
    if lanes == 1:
        text.append(
            f"define internal double @v_pow(double %x, double %y) {attributes} {{\n"
            "  %r = call double @pow(double %x, double %y)\n  ret double %r\n}"
        )
        return "\n".join(text)
    vector = f"<{lanes} x double>"
    for name, count in (("fmuladd", 3), ("rint", 1), ("floor", 1), ("fabs", 1)):
        arguments = ", ".join([vector] * count)
        text.append(f"declare {vector} @llvm.{name}.v{lanes}f64({arguments})")
    text += [
        _exp(lanes, attributes),
        _ln(lanes, attributes),
        _log10(lanes, attributes),
        _pow(lanes, attributes),
    ]
    return "\n".join(text)


def _lane_by_lane(name: str, libm: str, lanes: int, attributes: str) -> str:
    if lanes == 1:
        body = f"  %r = call double @{libm}(double %x)\n  ret double %r\n"
        return f"define internal double @{name}(double %x) {attributes} {{\n{body}}}"
    vector = f"<{lanes} x double>"
    lines = []
    last = "poison"
    for i in range(lanes):
        lines += [
            f"  %x{i} = extractelement {vector} %x, i32 {i}",
            f"  %y{i} = call double @{libm}(double %x{i})",
            f"  %r{i} = insertelement {vector} {last}, double %y{i}, i32 {i}",
        ]
        last = f"%r{i}"
    body = "\n".join(lines)
    return f"define internal {vector} @{name}({vector} %x) {attributes} {{\n{body}\n  ret {vector} {last}\n}}"


class _Lines:
    """Lines of one function on vectors, with fresh names."""

    def __init__(self, lanes: int) -> None:
        self.lanes, self.lines = lanes, list[str]()
        self.vector, self.whole, self.truth = f"<{lanes} x double>", f"<{lanes} x i64>", f"<{lanes} x i1>"

    def let(self, text: str) -> str:
        name = f"%n{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def const(self, value: float) -> str:
        return splat(value, self.lanes)

    def op(self, op: str, a: str, b: str) -> str:
        return self.let(f"{op} {self.vector} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        v = self.vector
        return self.let(f"call {v} @llvm.fmuladd.v{self.lanes}f64({v} {a}, {v} {b}, {v} {c})")

    def call(self, name: str, a: str) -> str:
        return self.let(f"call {self.vector} {name}({self.vector} {a})")

    def intrinsic(self, name: str, a: str) -> str:
        return self.call(f"@llvm.{name}.v{self.lanes}f64", a)

    def compare(self, how: str, a: str, b: str) -> str:
        return self.let(f"fcmp {how} {self.vector} {a}, {b}")

    def select(self, condition: str, a: str, b: str) -> str:
        v = self.vector
        return self.let(f"select {self.truth} {condition}, {v} {a}, {v} {b}")

    def define(self, name: str, arguments: str, result: str, attributes: str) -> str:
        body = "\n".join(self.lines)
        head = f"define internal {self.vector} @{name}({arguments}) {attributes} {{"
        return f"{head}\n{body}\n  ret {self.vector} {result}\n}}"


def _exp(lanes: int, attributes: str) -> str:
    w = _Lines(lanes)
    x, c = "%x", w.const
    low = w.compare("olt", x, c(-745.2))
    high = w.compare("ogt", x, c(709.782712893384))
    inside = w.select(low, c(0.0), x)
    inside = w.select(high, c(0.0), inside)
    k = w.intrinsic("rint", w.op("fmul", inside, c(1.4426950408889634)))
    minus = w.let(f"fneg {w.vector} {k}")
    r = w.fma(minus, c(_LN2_LOW), w.fma(minus, c(_LN2_HIGH), inside))
    p = c(1.0 / math.factorial(_EXP_TERMS - 1))
    for i in reversed(range(_EXP_TERMS - 1)):
        p = w.fma(p, r, c(1.0 / math.factorial(i)))
    nan = w.compare("uno", x, x)
    whole = w.let(f"fptosi {w.vector} {w.select(nan, c(0.0), k)} to {w.whole}")
    half = w.let(f"ashr {w.whole} {whole}, {_whole(1)}")
    rest = w.let(f"sub {w.whole} {whole}, {half}")
    for part in (half, rest):  # in two steps, so that neither overflows before the result does
        biased = w.let(f"add {w.whole} {part}, {_whole(1023)}")
        shifted = w.let(f"shl {w.whole} {biased}, {_whole(52)}")
        p = w.op("fmul", p, w.let(f"bitcast {w.whole} {shifted} to {w.vector}"))
    p = w.select(low, c(0.0), p)
    return w.define("v_exp", f"{w.vector} %x", w.select(high, c(math.inf), p), attributes)


def _ln(lanes: int, attributes: str) -> str:
    w = _Lines(lanes)
    x, c = "%x", w.const
    tiny = w.compare("olt", x, c(2.2250738585072014e-308))
    scaled = w.select(tiny, w.op("fmul", x, c(2.0**54)), x)
    bits = w.let(f"bitcast {w.vector} {scaled} to {w.whole}")
    exponent = w.let(f"ashr {w.whole} {bits}, {_whole(52)}")
    exponent = w.let(f"sub {w.whole} {exponent}, {_whole(1023)}")
    mantissa = w.let(f"and {w.whole} {bits}, {_whole((1 << 52) - 1)}")
    mantissa = w.let(f"or {w.whole} {mantissa}, {_whole(1023 << 52)}")
    m = w.let(f"bitcast {w.whole} {mantissa} to {w.vector}")
    k = w.let(f"sitofp {w.whole} {exponent} to {w.vector}")
    k = w.select(tiny, w.op("fsub", k, c(54.0)), k)
    big = w.compare("ogt", m, c(math.sqrt(2.0)))
    m = w.select(big, w.op("fmul", m, c(0.5)), m)
    k = w.select(big, w.op("fadd", k, c(1.0)), k)
    f = w.op("fsub", m, c(1.0))
    s = w.op("fdiv", f, w.op("fadd", f, c(2.0)))
    z = w.op("fmul", s, s)
    series = c(_LN_SERIES[-1])
    for coefficient in reversed(_LN_SERIES[:-1]):
        series = w.fma(series, z, c(coefficient))
    series = w.op("fmul", series, z)
    half_square = w.op("fmul", w.op("fmul", f, f), c(0.5))
    inner = w.fma(s, w.op("fadd", half_square, series), w.op("fmul", k, c(_LN2_LOW)))
    tail = w.op("fsub", w.op("fsub", half_square, inner), f)
    result = w.op("fsub", w.op("fmul", k, c(_LN2_HIGH)), tail)
    result = w.select(w.compare("oeq", x, c(0.0)), c(-math.inf), result)
    result = w.select(w.compare("ult", x, c(0.0)), c(math.nan), result)
    result = w.select(w.compare("oeq", x, c(math.inf)), c(math.inf), result)
    return w.define("v_ln", f"{w.vector} %x", result, attributes)


def _log10(lanes: int, attributes: str) -> str:
    w = _Lines(lanes)
    result = w.op("fmul", w.call("@v_ln", "%x"), w.const(1.0 / math.log(10.0)))
    return w.define("v_log10", f"{w.vector} %x", result, attributes)


def _pow(lanes: int, attributes: str) -> str:
    w = _Lines(lanes)
    x, y, c = "%x", "%y", w.const
    size = w.intrinsic("fabs", x)
    plain = w.call("@v_exp", w.op("fmul", y, w.call("@v_ln", size)))
    half = w.op("fmul", y, c(0.5))
    odd = w.compare("une", w.intrinsic("floor", half), half)
    signed = w.select(odd, w.let(f"fneg {w.vector} {plain}"), plain)
    fraction = w.compare("une", w.intrinsic("floor", y), y)
    signed = w.select(fraction, c(math.nan), signed)
    result = w.select(w.compare("olt", x, c(0.0)), signed, plain)
    result = w.select(w.compare("oeq", x, c(1.0)), c(1.0), result)
    result = w.select(w.compare("oeq", y, c(0.0)), c(1.0), result)
    return w.define("v_pow", f"{w.vector} %x, {w.vector} %y", result, attributes)
