"""Exp, ln and pow on vectors as LLVM IR, so that no vector math library is needed; the rest from libm.

Worst relative error seen in `tests/engine/test_elementary.py`: in double precision exp and ln 1e-15, pow
`1e-15 (1 + |y ln x|)`; in single 2e-7 and `2e-7 (1 + |y ln x|)`.
The kernel of the reference back end calls libm for everything, which makes it independent of this file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from twoarm.engine.vector import Vector

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
_OWN = ("exp", "ln", "log10")


@dataclass(frozen=True)
class _Format:
    """A floating-point format, and how far series must go in it.

    Attributes
    ----------
    fraction, bias : int
        Bits of the fraction, and what is added to the exponent.
    magic : float
        Adding it leaves the nearest whole number in the last bits.
    lowest, highest : float
        Where exp certainly is 0 and infinite.
    ln2_high, ln2_low : float
        ln 2 in two parts, the first short enough to be multiplied by any exponent exactly.
    exp_degree, ln_terms : int
        Degree and number of terms of the two series.
    """

    fraction: int
    bias: int
    magic: float
    lowest: float
    highest: float
    ln2_high: float
    ln2_low: float
    exp_degree: int
    ln_terms: int


_DOUBLE = _Format(
    52, 1023, 1.5 * 2.0**52, -746.0, 710.0, 6.93147180369123816490e-01, 1.90821492927058770002e-10, 11, 7
)
_SINGLE = _Format(23, 127, 1.5 * 2.0**23, -105.0, 89.0, 0.693359375, -2.12194440054690583e-4, 6, 4)


def _format(vector: Vector) -> _Format:
    return _DOUBLE if vector.real == "double" else _SINGLE


def _exp_series(degree: int) -> list[float]:
    """Coefficients of `(exp r - 1 - r) / r²` for `|r| <= ln 2 / 2`: Taylor's, economized by Chebyshev.

    A long Taylor polynomial, written in Chebyshev polynomials of the interval and cut there, is within a few
    per cent of the best polynomial of its degree (press2007, section 5.11).
    """
    half = 0.5 * math.log(2.0) * 1.0001
    taylor = [half**i / math.factorial(i + 2) for i in range(24)]
    cut = chebyshev.cheb2poly(chebyshev.poly2cheb(taylor)[: degree - 1])
    return [float(c) for c in cut / half ** np.arange(degree - 1)]


def definitions(vector: Vector, attributes: str, libm: bool) -> str:
    """Functions ``@exp.v8f64``, ``@pow.v8f64``, ``@sin.v8f64``... on vectors; the name ends in the type.

    Parameters
    ----------
    vector : Vector
        Type of arguments and values.
    attributes : str
        Function attributes to append to each.
    libm : bool
        Take exp, ln, log10 and pow from libm too.

    Returns
    -------
    str
        LLVM IR with what it declares, but for `declarations`.
    """
    own = () if libm else _OWN
    text = [_lane_by_lane(vector, op, (name,), 1, attributes) for op, name in LIBM.items() if op not in own]
    if libm:
        text.append(_lane_by_lane(vector, "pow", ("pow",), 2, attributes))
        return "\n".join(text)
    v = vector.type
    for name, count in (("fmuladd", 3), ("floor", 1), ("fabs", 1)):
        text.append(f"declare {v} @llvm.{name}.{vector.suffix}({', '.join([v] * count)})")
    text += [make(vector, attributes) for make in (_exp, _ln, _log10, _pow)]
    return "\n".join(text)


def declarations() -> str:
    """IR that declares libm, once a module."""
    declared = [f"declare double @{name}(double)" for name in sorted(set(LIBM.values()))]
    return "\n".join([*declared, "declare double @pow(double, double)"])


def _lane_by_lane(vector: Vector, op: str, libm: tuple[str], arguments: int, attributes: str) -> str:
    """Call a function of libm for each lane, in double precision whatever the vector's."""
    lines: list[str] = []
    last = "poison"
    for i in range(vector.lanes):
        given = []
        for j in range(arguments):
            value = f"%x{j}"
            if vector.lanes > 1:
                lines.append(f"  %x{j}.{i} = extractelement {vector.type} %x{j}, i32 {i}")
                value = f"%x{j}.{i}"
            if vector.real == "float":
                lines.append(f"  %d{j}.{i} = fpext float {value} to double")
                value = f"%d{j}.{i}"
            given.append(f"double {value}")
        lines.append(f"  %y{i} = call double @{libm[0]}({', '.join(given)})")
        result = f"%y{i}"
        if vector.real == "float":
            lines.append(f"  %f{i} = fptrunc double %y{i} to float")
            result = f"%f{i}"
        if vector.lanes > 1:
            lines.append(f"  %r{i} = insertelement {vector.type} {last}, {vector.real} {result}, i32 {i}")
            result = f"%r{i}"
        last = result
    v, body = vector.type, "\n".join(lines)
    head = ", ".join(f"{v} %x{j}" for j in range(arguments))
    return f"define internal {v} @{op}.{vector.suffix}({head}) {attributes} {{\n{body}\n  ret {v} {last}\n}}"


class _Lines:
    """Lines of one function on vectors, with fresh names."""

    def __init__(self, vector: Vector) -> None:
        self.vector, self.lines = vector, list[str]()

    def let(self, text: str) -> str:
        name = f"%n{len(self.lines)}"
        self.lines.append(f"  {name} = {text}")
        return name

    def const(self, value: float) -> str:
        return self.vector.splat(value)

    def op(self, op: str, a: str, b: str) -> str:
        return self.let(f"{op} {self.vector.type} {a}, {b}")

    def whole(self, op: str, a: str, b: int | str) -> str:
        b = self.vector.splat_whole(b) if isinstance(b, int) else b
        return self.let(f"{op} {self.vector.whole} {a}, {b}")

    def negative(self, a: str) -> str:
        return self.let(f"fneg {self.vector.type} {a}")

    def bits(self, a: str) -> str:
        return self.let(f"bitcast {self.vector.type} {a} to {self.vector.whole}")

    def real(self, a: str) -> str:
        return self.let(f"bitcast {self.vector.whole} {a} to {self.vector.type}")

    def fma(self, a: str, b: str, c: str) -> str:
        v = self.vector.type
        return self.let(f"call {v} @llvm.fmuladd.{self.vector.suffix}({v} {a}, {v} {b}, {v} {c})")

    def call(self, name: str, a: str) -> str:
        v = self.vector
        return self.let(f"call {v.type} @{name}.{v.suffix}({v.type} {a})")

    def compare(self, how: str, a: str, b: str) -> str:
        return self.let(f"fcmp {how} {self.vector.type} {a}, {b}")

    def select(self, condition: str, a: str, b: str) -> str:
        v = self.vector.type
        return self.let(f"select {self.vector.truth} {condition}, {v} {a}, {v} {b}")

    def polynomial(self, coefficients: list[float], x: str) -> str:
        """Sum of powers, in pairs and pairs of pairs: a short chain of operations instead of a long one."""
        terms, power = [self.const(c) for c in coefficients], x
        while len(terms) > 1:
            pairs = [self.fma(terms[i + 1], power, terms[i]) for i in range(0, len(terms) - 1, 2)]
            terms = pairs + terms[len(pairs) * 2 :]
            power = self.op("fmul", power, power) if len(terms) > 1 else power
        return terms[0]

    def define(self, name: str, arguments: str, result: str, attributes: str) -> str:
        v, body = self.vector, "\n".join(self.lines)
        head = f"define internal {v.type} @{name}.{v.suffix}({arguments}) {attributes} {{"
        return f"{head}\n{body}\n  ret {v.type} {result}\n}}"


def _exp(vector: Vector, attributes: str) -> str:
    """`exp x = 2^k exp r`, where k is whole and r is at most ln 2 / 2."""
    w, f = _Lines(vector), _format(vector)
    c = w.const
    x = w.select(w.compare("olt", "%x", c(f.lowest)), c(f.lowest), "%x")
    x = w.select(w.compare("ogt", x, c(f.highest)), c(f.highest), x)
    shifted = w.fma(x, c(1.0 / math.log(2.0)), c(f.magic))
    minus = w.op("fsub", c(f.magic), shifted)
    r = w.fma(minus, c(f.ln2_low), w.fma(minus, c(f.ln2_high), x))
    tail = w.polynomial(_exp_series(f.exp_degree), r)
    p = w.op("fadd", w.fma(w.op("fmul", r, r), tail, r), c(1.0))
    k = w.let(f"sub {vector.whole} {w.bits(shifted)}, {w.bits(c(f.magic))}")
    half = w.whole("ashr", k, 1)
    for part in (half, w.whole("sub", k, half)):  # in two steps: neither overflows before the result does
        p = w.op("fmul", p, w.real(w.whole("shl", w.whole("add", part, f.bias), f.fraction)))
    return w.define("exp", f"{vector.type} %x", p, attributes)


def _ln(vector: Vector, attributes: str) -> str:
    """`ln x = k ln 2 + ln(1 + f)`, where `1 + f` is between 1/√2 and √2."""
    w, f = _Lines(vector), _format(vector)
    x, c = "%x", w.const
    tiny = w.compare("olt", x, c(2.0 ** (1 - f.bias)))
    scaled = w.select(tiny, w.op("fmul", x, c(2.0 ** (f.fraction + 2))), x)
    bits = w.bits(scaled)
    exponent = w.whole("sub", w.whole("ashr", bits, f.fraction), f.bias)
    mantissa = w.whole("and", bits, (1 << f.fraction) - 1)
    m = w.real(w.whole("or", mantissa, f.bias << f.fraction))
    k = w.let(f"sitofp {vector.whole} {exponent} to {vector.type}")
    k = w.select(tiny, w.op("fsub", k, c(f.fraction + 2.0)), k)
    big = w.compare("ogt", m, c(math.sqrt(2.0)))
    m = w.select(big, w.op("fmul", m, c(0.5)), m)
    k = w.select(big, w.op("fadd", k, c(1.0)), k)
    part = w.op("fsub", m, c(1.0))
    s = w.op("fdiv", part, w.op("fadd", part, c(2.0)))
    z = w.op("fmul", s, s)
    series = w.op("fmul", w.polynomial(list(_LN_SERIES[: f.ln_terms]), z), z)
    half_square = w.op("fmul", w.op("fmul", part, part), c(0.5))
    inner = w.fma(s, w.op("fadd", half_square, series), w.op("fmul", k, c(f.ln2_low)))
    tail = w.op("fsub", w.op("fsub", half_square, inner), part)
    result = w.op("fsub", w.op("fmul", k, c(f.ln2_high)), tail)
    result = w.select(w.compare("oeq", x, c(0.0)), c(-math.inf), result)
    result = w.select(w.compare("ult", x, c(0.0)), c(math.nan), result)
    result = w.select(w.compare("oeq", x, c(math.inf)), c(math.inf), result)
    return w.define("ln", f"{vector.type} %x", result, attributes)


def _log10(vector: Vector, attributes: str) -> str:
    w = _Lines(vector)
    result = w.op("fmul", w.call("ln", "%x"), w.const(1.0 / math.log(10.0)))
    return w.define("log10", f"{vector.type} %x", result, attributes)


def _pow(vector: Vector, attributes: str) -> str:
    w = _Lines(vector)
    x, y, c = "%x", "%y", w.const
    size = w.call("llvm.fabs", x)
    plain = w.call("exp", w.op("fmul", y, w.call("ln", size)))
    half = w.op("fmul", y, c(0.5))
    odd = w.compare("une", w.call("llvm.floor", half), half)
    signed = w.select(odd, w.negative(plain), plain)
    fraction = w.compare("une", w.call("llvm.floor", y), y)
    signed = w.select(fraction, c(math.nan), signed)
    result = w.select(w.compare("olt", x, c(0.0)), signed, plain)
    result = w.select(w.compare("oeq", x, c(1.0)), c(1.0), result)
    result = w.select(w.compare("oeq", y, c(0.0)), c(1.0), result)
    return w.define("pow", f"{vector.type} %x, {vector.type} %y", result, attributes)
