"""What tells the fast back end that a trigger may turn: truths of all conditions, for lanes of patients."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from twoarm.engine import kernel, object_code
from twoarm.engine.lanes import aligned
from twoarm.engine.roots import roots_of
from twoarm.engine.vector import Vector
from twoarm.model import Graph, Model
from twoarm.model.graph import reachable

__all__ = ["Watch", "watch_kernel"]

_ONE_SIDED = frozenset({"lt", "le", "gt", "ge"})
_NAMES = ("watch", "values")
_FLAGS = ""  # no contraction: both functions give the same bits, so that a turn is seen by both or by none


@dataclass(frozen=True)
class Watch:
    """Functions of a model's events.

    Attributes
    ----------
    address : int
        Of ``watch(t, y, p, v)``: first `truths` rows of 0 or 1, then `gaps` rows of the differences whose
        sign decides them.
    truths, gaps : int
        Rows.
    needs : (n,) int array
        States that ``watch`` reads.
    vector : Vector
        How many patients at a time.
    code : Loaded
        Keeps the functions alive.
    """

    address: int
    truths: int
    gaps: int
    needs: np.ndarray
    vector: Vector
    code: object_code.Loaded

    def values(self, states: int, parameters: int) -> Callable[[float, np.ndarray, np.ndarray], np.ndarray]:
        """Build ``values(day, state, parameters)``: the values of `roots_of`, from the vectors' own code."""
        rows = int(self.code.facts["rows"])
        call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(self.code.addresses["values"])
        own = threading.local()

        def evaluate(day: float, state: np.ndarray, given: np.ndarray) -> np.ndarray:
            if not hasattr(own, "room"):
                own.room = [aligned(max(n, 1), self.vector) for n in (1, states, parameters, rows)]
                own.at = [array.ctypes.data for array in own.room]
            t, y, p, v = own.room
            t[0, 0], y[:states, 0], p[:parameters, 0] = day, state, given
            call(*own.at)
            return np.array(v[:rows, 0])

        return evaluate


@lru_cache(maxsize=32)
def watch_kernel(model: Model, vector: Vector) -> Watch:
    """Functions of a model's events, from this process, the disk or the compiler.

    Parameters
    ----------
    model : Model
        With events.
    vector : Vector
        How many patients at a time, in double precision.

    Returns
    -------
    Watch
        Ready to use.
    """
    graph, truths, gaps = _conditions(model)

    def build() -> tuple[str, dict[str, Any]]:
        nodes, roots = tuple(graph.nodes), roots_of(model).nodes
        parts = [
            kernel.prelude(vector),
            kernel.values_function(nodes, [*truths, *gaps], vector, _FLAGS, name="watch"),
            kernel.values_function(nodes, roots, vector, _FLAGS),
        ]
        return "\n".join(parts), {"rows": len(roots)}

    code = object_code.load(f"watch {model.digest} {vector}", _NAMES, build, object_code.host())
    reads = sorted(graph.nodes[i] for i in reachable(graph.nodes, [*truths, *gaps]))
    needs = np.array([int(node.value) for node in reads if node.op == "state"], dtype=np.int64)
    return Watch(code.addresses["watch"], len(truths), len(gaps), needs, vector, code)


def _conditions(model: Model) -> tuple[Graph, list[int], list[int]]:
    """Nodes that are 0 or 1 and turn wherever a trigger may, and the differences that decide them.

    All comparisons are among them, because a trigger that is true only for a moment would be stepped over.
    """
    graph = Graph(model.nodes)
    truths = [graph.truth(event.trigger) for event in model.events]
    gaps = []
    for node in reachable(model.nodes, [event.trigger for event in model.events]):
        op, args, _ = model.nodes[node]
        if op in _ONE_SIDED:
            truths.append(node)
        elif op in ("eq", "ne"):
            truths += [graph("lt", *args), graph("gt", *args)]
        else:
            continue
        gaps.append(graph.sub(*args))
    return graph, list(dict.fromkeys(truths)), list(dict.fromkeys(gaps))
