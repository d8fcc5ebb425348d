"""Vector exp, ln and pow against libm, over their whole range and at their edges."""

from __future__ import annotations

import ctypes
import os

import numpy as np
import pytest

from twoarm.engine import kernel, object_code
from twoarm.engine.expressions import Body
from twoarm.engine.vector import Vector
from twoarm.model import Graph, evaluate

EPS = np.finfo(float).eps


def compute(op: str, *columns: np.ndarray, vector: Vector | None = None, libm: bool = False) -> np.ndarray:
    """One operation of the graph on vectors, through a kernel."""
    machine = object_code.host()
    vector = vector or machine.vector("double")
    g = Graph()
    root = g(op, *(g.parameter(i) for i in range(len(columns))))

    def build() -> tuple[str, dict[str, object]]:
        text = kernel.values_function(tuple(g.nodes), [root], vector, "contract")
        return kernel.prelude(vector, libm=libm) + "\n" + text, {}

    code = object_code.load(f"test of {op} {len(columns)} {vector} {libm}", ["values"], build, machine)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(code.addresses["values"])
    count, lanes = len(columns[0]), vector.lanes
    padded = -(-count // lanes) * lanes
    room = np.zeros((len(columns) + 2) * lanes, dtype=vector.dtype)
    skip = (-room.ctypes.data % vector.bytes) // room.itemsize
    found = np.empty(padded, dtype=vector.dtype)
    given = [np.concatenate([column, np.ones(padded - count)]) for column in columns]
    for start in range(0, padded, lanes):
        block = room[skip : skip + (len(columns) + 1) * lanes].reshape(-1, lanes)
        for row, column in enumerate(given):
            block[row] = column[start : start + lanes]
        into = block[len(columns) :]
        call(None, None, block.ctypes.data, into.ctypes.data)
        found[start : start + lanes] = into[0]
    return found[:count]


def relative(found: np.ndarray, exact: np.ndarray) -> float:
    return float(np.max(np.abs(found - exact) / np.abs(exact)))


def test_exp() -> None:
    x = np.concatenate([np.linspace(-708, 709, 4001), np.random.default_rng(0).normal(size=1000)])
    assert relative(compute("exp", x), np.exp(x)) < 1e-15
    edges = np.array([0.0, -0.0, 710.0, -750.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(compute("exp", edges), [1, 1, np.inf, 0, np.inf, 0, np.nan])
    tiny = np.linspace(-744, -709, 36)
    np.testing.assert_allclose(compute("exp", tiny), np.exp(tiny), atol=1e-323, rtol=1e-15)


def test_ln() -> None:
    x = 10 ** np.linspace(-307, 308, 5000)
    near = 1 + np.concatenate([-(10.0 ** np.arange(-15, -1)), 10.0 ** np.arange(-15, -1)])
    for value in (x, near):
        np.testing.assert_allclose(compute("ln", value), np.log(value), rtol=1e-15)
    edges = np.array([0.0, -1.0, np.inf, np.nan, 1.0, 5e-324])
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(compute("ln", edges), np.log(edges), rtol=1e-15)


def test_pow() -> None:
    rng = np.random.default_rng(1)
    x, y = 10 ** rng.uniform(-12, 12, 4000), rng.uniform(-5, 5, 4000)
    error = np.abs(compute("pow", x, y) / x**y - 1)
    assert np.all(error < 1e-15 * (1 + np.abs(y * np.log(x))))


def test_pow_at_its_edges() -> None:
    x = np.array([0.0, 0.0, 0.0, -2.0, -2.0, -2.0, 1.0, np.nan, 3.0, 0.5])
    y = np.array([2.0, 0.0, -1.0, 3.0, 2.0, 0.5, 1e300, 0.0, np.nan, 1e9])
    with np.errstate(all="ignore"):
        exact = np.power(x, y)
    np.testing.assert_allclose(compute("pow", x, y), exact, rtol=1e-14)


OTHERS = [
    "log10",
    "sqrt",
    "abs",
    "floor",
    "ceil",
    "sin",
    "cos",
    "tan",
    "atan",
    "sinh",
    "tanh",
    "asinh",
    "neg",
    "not",
]


@pytest.mark.parametrize("op", OTHERS)
@pytest.mark.parametrize("vector", [Vector(1), Vector(2), None, Vector(1, "float"), Vector(16, "float")])
def test_functions_of_one_argument(op: str, vector: Vector | None) -> None:
    x = np.linspace(0.05, 3.0, 21) * (1.0 if op in ("log10", "sqrt") else -1.3)
    x = x.astype(vector.dtype).astype(float) if vector else x
    exact = evaluate([*_parameters(1), _node(op, 0)], [], x[None, :])[-1]
    rtol = 1e-6 if vector and vector.real == "float" else 1e-14
    np.testing.assert_allclose(compute(op, x, vector=vector), exact, rtol=rtol)
    if vector and vector.lanes == 1:
        np.testing.assert_allclose(compute(op, x, vector=vector, libm=True), exact, rtol=rtol)


@pytest.mark.parametrize(
    "op", ["add", "sub", "mul", "div", "min", "max", "lt", "le", "gt", "ge", "eq", "ne", "and", "or"]
)
def test_functions_of_two_arguments(op: str) -> None:
    a = np.array([1.0, 2.0, 0.0, -1.5, 3.0, np.nan, 1.0])
    b = np.array([2.0, 2.0, 0.0, 1.0, -3.0, 1.0, np.nan])
    exact = evaluate([*_parameters(2), _node(op, 0, 1)], [], np.stack([a, b]))[-1]
    np.testing.assert_array_equal(compute(op, a, b), exact)


def test_choice() -> None:
    condition, yes, no = np.array([1.0, 0.0, -2.0]), np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, np.nan])
    np.testing.assert_array_equal(compute("if", condition, yes, no), [1.0, 5.0, 3.0])


def test_whole_powers_become_products() -> None:
    assert Body(Vector(4)).vector.type == "<4 x double>"
    x = np.array([2.0, -3.0, 0.5])
    np.testing.assert_allclose(compute("pow", x, np.full(3, 3.0)), x**3, rtol=1e-14)


FLOATS = pytest.mark.parametrize("vector", [Vector(1, "float"), Vector(16, "float")])


@FLOATS
def test_exp_in_single_precision(vector: Vector) -> None:
    x = np.linspace(-87, 88.5, 4001).astype(np.float32)
    assert relative(compute("exp", x, vector=vector), np.exp(x.astype(float))) < 2e-7
    edges = np.array([0.0, 89.0, 1e5, -110.0, -1e9, np.inf, -np.inf, np.nan])
    expected = [1, np.inf, np.inf, 0, 0, np.inf, 0, np.nan]
    np.testing.assert_array_equal(compute("exp", edges, vector=vector), expected)


@FLOATS
def test_ln_in_single_precision(vector: Vector) -> None:
    x = np.geomspace(1e-37, 1e38, 4001).astype(np.float32)
    x = x[np.abs(x - 1) > 1e-3]
    assert relative(compute("ln", x, vector=vector), np.log(x.astype(float))) < 2e-7
    edges = np.array([0.0, 1.0, -1.0, np.inf, np.nan])
    found = compute("ln", edges, vector=vector)
    np.testing.assert_array_equal(found, [-np.inf, 0, np.nan, np.inf, np.nan])
    tiny = np.array([1e-42, 3e-45], dtype=np.float32)
    np.testing.assert_allclose(compute("ln", tiny, vector=vector), np.log(tiny.astype(float)), rtol=1e-6)


@FLOATS
def test_pow_in_single_precision(vector: Vector) -> None:
    rng = np.random.default_rng(2)
    x, y = (10 ** rng.uniform(-6, 6, 2000)).astype(np.float32), rng.uniform(-4, 4, 2000).astype(np.float32)
    exact = x.astype(float) ** y.astype(float)
    bound = 2e-7 * (1 + np.abs(y * np.log(x)))
    assert np.all(np.abs(compute("pow", x, y, vector=vector) / exact - 1) < bound)


def _parameters(count: int) -> list:  # type: ignore[type-arg]
    from twoarm.model import Node

    return [Node("parameter", (), float(i)) for i in range(count)]


def _node(op: str, *arguments: int):  # type: ignore[no-untyped-def]
    from twoarm.model import Node

    return Node(op, arguments)


def test_cache_goes_where_it_is_told(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("TWOARM_CACHE_DIR", str(tmp_path))
    x = np.array([1.0, 2.0])
    first = compute("exp", x)
    (file,) = (tmp_path / "kernels").iterdir()
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(damaged)
        np.testing.assert_array_equal(compute("exp", x), first)
        assert file.read_bytes() == whole  # written again
    if os.name == "posix" and os.geteuid() != 0:
        file.parent.chmod(0o500)
        np.testing.assert_array_equal(compute("ln", x), np.log(x))
        file.parent.chmod(0o700)
