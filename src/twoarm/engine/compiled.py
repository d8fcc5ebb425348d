"""The kernels of a model in this process: vectors for the fast back end, scalars for the reference."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from twoarm.engine import kernel, object_code
from twoarm.engine.methods import method as find_method
from twoarm.engine.roots import roots_of
from twoarm.engine.sparse import factorize
from twoarm.engine.step import accept_function, step_function
from twoarm.engine.vector import Vector
from twoarm.model import Model

_VECTOR_NAMES = ("constants", "rates", "jacobian", "factor", "solve", "step", "accept")
_SCALAR_NAMES = ("constants", "rates", "jacobian", "values")


@dataclass(frozen=True)
class VectorKernel:
    """Addresses and sizes that `stepper` needs; one lane a patient.

    Attributes
    ----------
    addresses : dict of str to int
        Where ``constants``, ``rates``, ``step`` and ``accept`` are.
    vector : Vector
        How many patients at a time, in which precision.
    states, unknowns, stored, factors : int
        Rows of states, of states and hubs, of constants and of factors.
    """

    addresses: dict[str, int]
    vector: Vector
    states: int
    unknowns: int
    stored: int
    factors: int
    code: object_code.Loaded


def vector_text(model: Model, method: str, vector: Vector) -> tuple[str, dict[str, Any]]:
    """LLVM IR of a model's kernel, and its sizes; what `kernel.prelude` declares comes before it.

    Parameters
    ----------
    model : Model
        The equations.
    method : str
        Name of a Rosenbrock method.
    vector : Vector
        How many patients at a time, in which precision.

    Returns
    -------
    str
        The module.
    dict
        Number of constants, factors and unknowns: rows of the arrays the functions work on.
    """
    equations = kernel.sort_equations(model, hubs=True)
    pattern = [(row, column) for row, column, _ in equations.entries]
    plan = factorize(equations.unknowns, pattern)
    slots, flags, size = plan.entry_slots(pattern), "contract", len(model.states)
    parts = [
        kernel.constants_function(equations, vector, flags),
        kernel.rates_function(equations, vector, flags),
        kernel.jacobian_function(equations, slots, vector, flags, sign=-1),
        kernel.factor_function(plan, equations, vector),
        kernel.solve_function(plan, equations, vector),
        step_function(find_method(method), size, equations.unknowns, equations.timed, vector),
        accept_function(size, vector),
    ]
    sizes = {"stored": len(equations.stored), "factors": plan.size, "unknowns": equations.unknowns}
    return "\n".join(parts), sizes


@lru_cache(maxsize=32)
def vector_kernel(
    model: Model, method: str, precision: str = "double", lanes: int | None = None
) -> VectorKernel:
    """Kernel of the fast back end, from this process, the disk or the compiler, in that order.

    Parameters
    ----------
    model : Model
        The equations.
    method : str
        Name of a Rosenbrock method.
    precision : {"double", "single"}
        Of the states and of all that is computed from them.
    lanes : int, optional
        Patients at a time; as many as fill a register of this machine by default.

    Returns
    -------
    VectorKernel
        Ready to use.
    """
    machine = object_code.host()
    vector = machine.vector(precision)
    if lanes is not None:
        vector = replace(vector, lanes=lanes)

    def build() -> tuple[str, dict[str, Any]]:
        text, sizes = vector_text(model, method, vector)
        return f"{kernel.prelude(vector, Vector(1))}\n{text}", sizes

    content = f"vector {model.digest} {method} {vector}"
    code = object_code.load(content, _VECTOR_NAMES, build, machine)
    unknowns, stored, factors = (int(code.facts[name]) for name in ("unknowns", "stored", "factors"))
    return VectorKernel(code.addresses, vector, len(model.states), unknowns, stored, factors, code)


class ScalarKernel:
    """One patient's equations as functions of numpy arrays, through ctypes and libm."""

    def __init__(self, model: Model, roots: tuple[int, ...]) -> None:
        def build() -> tuple[str, dict[str, Any]]:
            equations = kernel.sort_equations(model, hubs=False)
            entries = sorted(equations.entries, key=lambda entry: (entry[1], entry[0]))
            by_column = replace(equations, entries=tuple(entries), drifts=())
            one = Vector(1)
            parts = [
                kernel.prelude(one, libm=True),
                kernel.constants_function(equations, one, ""),
                kernel.rates_function(equations, one, ""),
                kernel.jacobian_function(by_column, list(range(len(entries))), one, "", sign=1),
                kernel.values_function(model.nodes, roots, one, ""),
            ]
            pattern = [(row, column) for row, column, _ in entries]
            return "\n".join(parts), {"stored": len(equations.stored), "pattern": pattern}

        content = f"scalar {model.digest} {roots}"
        self._code = object_code.load(content, _SCALAR_NAMES, build, object_code.host())
        self.pattern = [(int(row), int(column)) for row, column in self._code.facts["pattern"]]
        self.roots = roots
        self._stored = int(self._code.facts["stored"])
        self._constants = self._function("constants", 2)
        self._rates = self._function("rates", 4)
        self._jacobian = self._function("jacobian", 5)
        self._values = self._function("values", 4)

    def _function(self, name: str, arguments: int) -> Callable[..., None]:
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)
        return kind(self._code.addresses[name])

    def constants(self, parameters: np.ndarray) -> np.ndarray:
        """Return what depends on parameters alone, for `add_rates` and `jacobian`."""
        stored = np.empty(max(self._stored, 1))
        self._constants(parameters.ctypes.data, stored.ctypes.data)
        return stored

    def add_rates(self, time: float, state: np.ndarray, constants: np.ndarray, into: np.ndarray) -> None:
        """Add d(state)/dt to `into`."""
        clock = ctypes.c_double(time)
        self._rates(ctypes.addressof(clock), state.ctypes.data, constants.ctypes.data, into.ctypes.data)

    def jacobian(self, time: float, state: np.ndarray, constants: np.ndarray, into: np.ndarray) -> None:
        """Write the entries of the Jacobian, by column and then row, into `into`."""
        clock = ctypes.c_double(time)
        self._jacobian(
            ctypes.addressof(clock), state.ctypes.data, constants.ctypes.data, into.ctypes.data, None
        )

    def values(self, time: float, state: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Values of the root nodes."""
        into, clock = np.empty(max(len(self.roots), 1)), ctypes.c_double(time)
        self._values(ctypes.addressof(clock), state.ctypes.data, parameters.ctypes.data, into.ctypes.data)
        return into[: len(self.roots)]


@lru_cache(maxsize=32)
def scalar_kernel(model: Model) -> ScalarKernel:
    """Kernel of the reference back end; its `values` are those of `roots_of`."""
    return ScalarKernel(model, roots_of(model).nodes)
