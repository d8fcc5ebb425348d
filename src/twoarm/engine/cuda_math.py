"""Functions of one number that devices have no library for, from exp, ln and arithmetic.

Numba makes LLVM IR of those a model uses; on the host they are tested as they are. Worst relative error seen
in `tests/engine/test_cuda_math.py`: 5e-16, and of gamma 3e-13. A sine of an argument beyond a million is NaN
instead of a number without meaning.
"""

from __future__ import annotations

import math
from typing import Any, Final

from numba import float64, njit

from twoarm.engine.cuda_numba import PLAIN, text_of

_inlined: Any = njit(**PLAIN)

#: π/2 in three parts of 33 bits, so that whole multiples are exact; from fdlibm's e_rem_pio2.c (Sun 1993).
_HALF_PI = (1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21)
_FARTHEST = 1e6
_SIN = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)  # fdlibm's k_sin.c
_COS = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)  # fdlibm's k_cos.c
_ATAN = (
    3.33333333333329318027e-01,
    -1.99999999998764832476e-01,
    1.42857142725034663711e-01,
    -1.11111104054623557880e-01,
    9.09088713343650656196e-02,
    -7.69187620504482999495e-02,
    6.66107313738753120669e-02,
    -5.83357013379057348645e-02,
    4.97687799461593236017e-02,
    -3.65315727442169155270e-02,
    1.62858201153657823623e-02,
)  # fdlibm's s_atan.c
#: Lanczos' series with g = 7 and nine terms (P. Godfrey 2001).
_LANCZOS = (
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)


@_inlined
def _series(z, terms):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(len(terms) - 1, -1, -1):
        total = terms[i] + z * total
    return total


@_inlined
def _less_one(x):  # type: ignore[no-untyped-def]
    """exp(x) - 1, exact near 0: the errors of u and of ln u cancel (Kahan)."""
    u = math.exp(x)
    if u == 1.0:
        return x
    return u - 1.0 if abs(x) > 1.0 else (u - 1.0) * x / math.log(u)


@_inlined
def _of_one_more(x):  # type: ignore[no-untyped-def]
    """ln(1 + x), exact near 0."""
    u = 1.0 + x
    if u == 1.0:
        return x
    return math.log(u) if x > 1.0 else math.log(u) * x / (u - 1.0)


@_inlined
def _reduce(x):  # type: ignore[no-untyped-def]
    """Quarter turns and what is left of an angle: head and tail."""
    k = math.floor(x / (0.5 * math.pi) + 0.5)
    head = x - k * _HALF_PI[0]
    correction = k * _HALF_PI[1]
    rest = head - correction
    tail = (head - rest) - correction - k * _HALF_PI[2]
    return int(k) & 3, rest, tail


@_inlined
def _small_sine(r, tail):  # type: ignore[no-untyped-def]
    z = r * r
    high = z * _series(z, _SIN[1:])
    return r + (r * z * (_SIN[0] + high) + tail * (1.0 - 0.5 * z))


@_inlined
def _small_cosine(r, tail):  # type: ignore[no-untyped-def]
    z = r * r
    half = 0.5 * z
    first = 1.0 - half
    return first + (((1.0 - first) - half) + (z * z * _series(z, _COS) - r * tail))


@_inlined
def sin(x):  # type: ignore[no-untyped-def]
    """Sine."""
    if not abs(x) < _FARTHEST:
        return math.nan
    turns, r, tail = _reduce(x)
    value = _small_cosine(r, tail) if turns & 1 else _small_sine(r, tail)
    return -value if turns & 2 else value


@_inlined
def cos(x):  # type: ignore[no-untyped-def]
    """Cosine."""
    if not abs(x) < _FARTHEST:
        return math.nan
    turns, r, tail = _reduce(x)
    value = _small_sine(r, tail) if turns & 1 else _small_cosine(r, tail)
    return -value if turns in (1, 2) else value


@_inlined
def tan(x):  # type: ignore[no-untyped-def]
    """Tangent."""
    if not abs(x) < _FARTHEST:
        return math.nan
    turns, r, tail = _reduce(x)
    sine, cosine = _small_sine(r, tail), _small_cosine(r, tail)
    return -cosine / sine if turns & 1 else sine / cosine


@_inlined
def atan(x):  # type: ignore[no-untyped-def]
    """Inverse tangent: moved below tan(π/8), twice if need be."""
    a = abs(x)
    if a > 2.414213562373095:
        start, low, t = 0.5 * math.pi, 6.123233995736766e-17, -1.0 / a
    elif a > 0.4142135623730950:
        start, low, t = 0.25 * math.pi, 3.061616997868383e-17, (a - 1.0) / (a + 1.0)
    else:
        start, low, t = 0.0, 0.0, a
    z = t * t
    value = start + (low + (t - t * z * _series(z, _ATAN)))
    return -value if x < 0.0 else value


@_inlined
def asin(x):  # type: ignore[no-untyped-def]
    """Inverse sine."""
    if abs(x) > 1.0:
        return math.nan
    return atan(x / math.sqrt((1.0 - x) * (1.0 + x)))


@_inlined
def acos(x):  # type: ignore[no-untyped-def]
    """Inverse cosine."""
    if abs(x) > 1.0:
        return math.nan
    return 2.0 * atan(math.sqrt((1.0 - x) / (1.0 + x)))


@_inlined
def sinh(x):  # type: ignore[no-untyped-def]
    """Hyperbolic sine."""
    a = abs(x)
    if a < 22.0:
        t = _less_one(a)
        value = 0.5 * (t + t / (t + 1.0))
    else:
        half = math.exp(0.5 * a)
        value = 0.5 * half * half
    return -value if x < 0.0 else value


@_inlined
def cosh(x):  # type: ignore[no-untyped-def]
    """Hyperbolic cosine."""
    half = math.exp(0.5 * abs(x))
    return 0.5 * half * half + 0.5 / half / half


@_inlined
def tanh(x):  # type: ignore[no-untyped-def]
    """Hyperbolic tangent."""
    a = abs(x)
    t = _less_one(2.0 * min(a, 22.0))
    value = a if math.isnan(a) else t / (t + 2.0)
    return -value if x < 0.0 else value


@_inlined
def asinh(x):  # type: ignore[no-untyped-def]
    """Inverse hyperbolic sine."""
    a = abs(x)
    if a > 1e8:
        value = math.log(a) + math.log(2.0)
    else:
        value = _of_one_more(a + a * a / (1.0 + math.sqrt(a * a + 1.0)))
    return -value if x < 0.0 else value


@_inlined
def acosh(x):  # type: ignore[no-untyped-def]
    """Inverse hyperbolic cosine."""
    if x > 1e8:
        return math.log(x) + math.log(2.0)
    t = x - 1.0
    return _of_one_more(t + math.sqrt(t * (x + 1.0))) if t >= 0.0 else math.nan


@_inlined
def atanh(x):  # type: ignore[no-untyped-def]
    """Inverse hyperbolic tangent."""
    a = abs(x)
    value = 0.5 * _of_one_more(2.0 * a / (1.0 - a)) if a <= 1.0 else math.nan
    return -value if x < 0.0 else value


@_inlined
def tgamma(x):  # type: ignore[no-untyped-def]
    """Gamma; below one half by reflection."""
    if x > 172.0:
        return math.inf
    at = 1.0 - x if x < 0.5 else x
    z = at - 1.0
    total = _LANCZOS[0]
    for i in range(1, len(_LANCZOS)):
        total += _LANCZOS[i] / (z + i)
    t = z + 7.5
    half = t ** (0.5 * (z + 0.5))  # in two steps, so that neither overflows before the result does
    value = math.sqrt(2.0 * math.pi) * total * half * math.exp(-t) * half
    if x >= 0.5:
        return value
    if x == math.floor(x):
        return math.nan if x < 0.0 else math.inf
    return math.pi / (sin(math.pi * (x - 2.0 * math.floor(0.5 * x))) * value)


#: By name in libm, which is the name kernels call.
FUNCTIONS: Final[dict[str, Any]] = {
    one.py_func.__name__: one
    for one in (sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh, tgamma)
}


def function_text(name: str) -> str:
    """LLVM IR of one of `FUNCTIONS`, under its name in libm.

    Parameters
    ----------
    name : str
        Key of `FUNCTIONS`.

    Returns
    -------
    str
        A module that defines ``double @name(double)`` and may call `exp`, `log` and `pow`.
    """
    inner = f"numba_{name}"
    lines = [
        f"define double @{name}(double %x) {{",
        "  %result = alloca double, align 8",
        "  %error = alloca ptr, align 8",
        f"  %code = call i32 @{inner}(ptr %result, ptr %error, double %x)",
        "  %value = load double, ptr %result, align 8",
        "  ret double %value",
        "}",
    ]
    return "\n".join([text_of(FUNCTIONS[name], float64(float64), inner), *lines])
