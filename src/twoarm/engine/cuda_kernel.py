"""All code of a device for one model: the loop, the model's kernel, and the entry that finds their memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from twoarm.engine import cuda_loop, kernel, lanes, object_code
from twoarm.engine.compiled import VectorKernel, vector_text
from twoarm.engine.cuda_library import library
from twoarm.engine.cuda_memory import TILE, Tile, geometry, interleave, lay_tile, leaves
from twoarm.engine.methods import method as find_method
from twoarm.engine.vector import Vector
from twoarm.model import Model

#: Name of the function the device starts, and of what one thread of it does.
KERNEL, THREAD = "integrate", "thread"
_BASE, _COUNTER, _FIRST_GIVEN = 0, 1, 2  # cells of the table

#: Arguments of the functions the loop calls: pointers, and then numbers.
_CALLS = {"constants": (2, 0), "rates": (4, 0), "step": (12, 1), "accept": (5, 1)}


@dataclass(frozen=True)
class DeviceText:
    """IR for a device or for a stand-in of one.

    Attributes
    ----------
    loop : str
        The loop and its entry ``thread(table, index)``.
    kernel : str
        The model's functions.
    library : tuple of str
        Functions that the other two call, a module each.
    tile : Tile
        Where the rows of a tile of threads lie.
    """

    loop: str
    kernel: str
    library: tuple[str, ...]
    tile: Tile


def device_text(model: Model, method: str, precision: str, given: tuple[Any, ...]) -> DeviceText:
    """Write the code of a model.

    Parameters
    ----------
    model : Model
        The equations.
    method : str
        Name of a Rosenbrock method.
    precision : {"double", "single"}
        Of the states and of all that is computed from them.
    given : tuple
        Result of `lanes.arguments_of` for any cohort of this model.

    Returns
    -------
    DeviceText
        Ready for `ptx.to_ptx`.
    """
    vector = Vector(1, "double" if precision == "double" else "float")
    text, facts = vector_text(model, method, vector)
    sizes = (len(model.states), facts["unknowns"], facts["stored"], facts["factors"])
    one = VectorKernel({}, vector, *sizes, code=object_code.Loaded({}, {}, None))
    own = lanes.allocate(one, find_method(method).stages)
    tile = lay_tile(list(leaves(own)))
    run = cuda_loop.loop_text(((0,) * len(_CALLS), 0, *own, *given))
    functions = "\n".join([kernel.prelude(vector, Vector(1)), interleave(text), *map(_adapter, _CALLS)])
    loop = "\n".join([run, *map(_declare, _CALLS), _entry(own, given, tile)])
    return DeviceText(loop, functions, library(text), tile)


def _signature(name: str) -> str:
    pointers, doubles = _CALLS[name]
    arguments = [f"ptr %a{i}" for i in range(pointers)] + [f"double %x{i}" for i in range(doubles)]
    return f"void @near_{name}({', '.join(arguments)})"


def _declare(name: str) -> str:
    return f"declare {_signature(name)}"


def _adapter(name: str) -> str:
    """Take the loop's pointers, which may point anywhere, to the kernel's, which are to global memory."""
    pointers, doubles = _CALLS[name]
    lines = [f"  %g{i} = addrspacecast ptr %a{i} to ptr addrspace(1)" for i in range(pointers)]
    passed = [f"ptr addrspace(1) %g{i}" for i in range(pointers)] + [f"double %x{i}" for i in range(doubles)]
    lines.append(f"  call void @{name}({', '.join(passed)})")
    return f"define {_signature(name)} {{\n" + "\n".join(lines) + "\n  ret void\n}"


class _Entry:
    """Lines that read a table of numbers and pass them on as Numba's arguments."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.passed: list[str] = []
        self._cell = _FIRST_GIVEN

    def cell(self, kind: str, number: int) -> str:
        """Read a number of the table, by its place."""
        name = f"%cell{number}"
        self.lines += [
            f"  {name}_at = getelementptr inbounds i64, ptr addrspace(1) %table, i64 {number}",
            f"  {name} = load {kind}, ptr addrspace(1) {name}_at, align 8",
        ]
        return name

    def next(self, kind: str) -> str:
        """Read the table's next number."""
        self._cell += 1
        return self.cell(kind, self._cell - 1)

    def pointer(self, address: str) -> str:
        """Pointer to global memory, as one to anywhere."""
        name = f"%to{len(self.lines)}"
        self.lines += [
            f"  {name}_global = inttoptr i64 {address} to ptr addrspace(1)",
            f"  {name} = addrspacecast ptr addrspace(1) {name}_global to ptr",
        ]
        return name

    def own(self, array: np.ndarray, offset: int, column: str) -> str:
        """Pass a thread's column of an array, whose rows lie apart; return its address."""
        item, name = array.itemsize, f"%own{len(self.lines)}"
        self.lines += [
            f"  {name}_column = mul i64 {column}, {item}",
            f"  {name}_row = add i64 %tile, {offset}",
            f"  {name} = add i64 {name}_row, {name}_column",
        ]
        strides = [item * TILE] if array.ndim == 1 else [item * TILE, item]
        numbers = [*array.shape, *strides]
        at = self.pointer(name)
        self.passed += ["ptr null", "ptr null", f"i64 {array.size}", f"i64 {item}", f"ptr {at}"]
        self.passed += [f"i64 {number}" for number in numbers]
        return at

    def shared(self, value: Any) -> None:
        """Pass an array or number that all threads share."""
        if not isinstance(value, np.ndarray):
            kind = "double" if isinstance(value, float) else "i64"
            self.passed.append(f"{kind} {self.next(kind)}")
            return
        length, item = self.next("i64"), self.next("i64")
        at = self.pointer(self.next("i64"))
        self.passed += ["ptr null", "ptr null", f"i64 {length}", f"i64 {item}", f"ptr {at}"]
        self.passed += [f"i64 {self.next('i64')}" for _ in geometry(value)[2:]]


def _entry(own: tuple[Any, ...], given: tuple[Any, ...], tile: Tile) -> str:
    """``thread(table, index)``: find this thread's rows, say that nobody is there yet, and run."""
    entry = _Entry()
    base, counter = entry.cell("i64", _BASE), entry.cell("i64", _COUNTER)
    entry.lines += [
        f"  %number = udiv i64 %index, {TILE}",
        f"  %lane = urem i64 %index, {TILE}",
        f"  %before = mul i64 %number, {tile.bytes}",
        f"  %tile = add i64 {base}, %before",
    ]
    entry.passed += [f"i64 ptrtoint (ptr @near_{name} to i64)" for name in cuda_loop.KERNEL_CALLS]
    entry.passed.append(f"i64 {counter}")
    patient = own[1].patient
    for array, offset in zip(leaves(own), tile.offsets, strict=True):
        at = entry.own(array, offset, "%lane")
        if array is patient:
            entry.lines.append(f"  store i64 -1, ptr {at}, align 8")
    for value in leaves(given):
        entry.shared(value)
    lines = [
        f"define void @{THREAD}(ptr addrspace(1) %table, i64 %index) {{",
        "  %nothing = alloca ptr, align 8",
        "  %error = alloca ptr, align 8",
        *entry.lines,
        f"  %code = call i32 @{cuda_loop.RUN}(ptr %nothing, ptr %error, {', '.join(entry.passed)})",
        "  ret void",
        "}",
    ]
    return "\n".join(lines)
