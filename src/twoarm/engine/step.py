"""One Rosenbrock step, and the acceptance of its result, as LLVM IR with loops over the states.

The model's own functions (`kernel`) are called by name; here stand only the sums over stages.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twoarm.engine.expressions import Body
from twoarm.engine.kernel import attributes_of
from twoarm.engine.methods import Method
from twoarm.engine.vector import Vector

_ARGUMENTS = (
    "ptr %t",
    "ptr %h",
    "ptr %y",
    "ptr %q",
    "ptr %u",
    "ptr %floor",
    "ptr %k",
    "ptr %w",
    "ptr %g",
    "ptr %s",
    "ptr %scalars",
    "ptr %err",
    "double %rtol",
)


class Steps(Body):
    """A `Body` that can also loop over the states."""

    def __init__(self, vector: Vector, states: int) -> None:
        super().__init__(vector)
        self.states = states
        self._block = "entry"

    def loop(self, label: str) -> str:
        """Begin a loop over the states and return the name of its index."""
        index = f"%i_{label}"
        self.lines += [
            f"  br label %head_{label}",
            f"head_{label}:",
            f"  {index} = phi i64 [ 0, %{self._block} ], [ {index}_next, %head_{label} ]",
        ]
        self._open = label
        return index

    def carry(self, name: str, start: str) -> None:
        """Declare a vector that the loop carries; its next value must be named `name` + ``_next``."""
        pair = f"[ {start}, %{self._block} ], [ {name}_next, %head_{self._open} ]"
        self.lines.append(f"  {name} = phi {self.vector.type} {pair}")

    def end(self) -> None:
        """Close the loop."""
        label = self._open
        index = f"%i_{label}"
        self.lines += [
            f"  {index}_next = add i64 {index}, 1",
            f"  {index}_more = icmp ult i64 {index}_next, {self.states}",
            f"  br i1 {index}_more, label %head_{label}, label %after_{label}",
            f"after_{label}:",
        ]
        self._block = f"after_{label}"

    def weighted(self, values: Sequence[str], weights: np.ndarray, start: str | None) -> str | None:
        """`start` plus a weighted sum; zero weights cost nothing."""
        total = start
        for value, weight in zip(values, weights, strict=True):
            if weight == 0.0:
                continue
            if total is None:
                total = self.binary("fmul", value, self.const(weight))
            elif weight == 1.0:
                total = self.binary("fadd", total, value)
            else:
                total = self.fma(value, self.const(weight), total)
        return total

    def spread(self, name: str) -> str:
        """Vector of a number the function is given as a double."""
        v = self.vector
        if v.real == "float":
            name = self.let(f"fptrunc double {name} to float")
        if v.lanes == 1:
            return name
        one = self.let(f"insertelement {v.type} poison, {v.real} {name}, i32 0")
        return self.let(f"shufflevector {v.type} {one}, {v.type} poison, <{v.lanes} x i32> zeroinitializer")

    def larger(self, a: str, b: str) -> str:
        """Take the larger of two vectors that are not NaN."""
        v = self.vector
        first = self.let(f"fcmp ogt {v.type} {a}, {b}")
        return self.let(f"select {v.truth} {first}, {v.type} {a}, {v.type} {b}")


def step_function(method: Method, states: int, unknowns: int, timed: bool, vector: Vector) -> str:
    """``step(t, h, y, q, u, floor, k, w, g, s, scalars, err, rtol)``: try one step in every lane.

    Reads time `t`, length `h`, state `y`, constants `q`, infusions `u` and error floors; writes stages `k`,
    the state `s` of the last of them and `err`, the root mean square of error over tolerance. The state after
    the step is `s` plus the last stage, which is the error itself. `w`, `g` and `scalars` are scratch.
    """
    b = Steps(vector, states)
    b.lines.append(f"  %z = alloca [{max(unknowns - states, 1)} x {vector.type}], align {vector.bytes}")
    h = b.load("%h")
    inverse = b.binary("fdiv", b.const(1.0), h)
    b.store(b.binary("fmul", inverse, b.const(1.0 / method.gamma)), "%scalars", 0)
    b.lines.append("  call void @jacobian(ptr %t, ptr %y, ptr %q, ptr %w, ptr %g)")
    shift = b.address("%scalars", 0)
    b.lines.append(f"  call void @factor(ptr {shift}, ptr %w)")
    clock = b.address("%scalars", 1)
    stages = [b.address("%k", i * states) for i in range(method.stages)]
    for i in range(method.stages):
        _stage(b, method, i, stages, h, inverse, clock, timed, unknowns - states)
    _finish(b, method, stages)
    return b.define("step", _ARGUMENTS, attributes_of(vector))


def _stage(
    b: Steps,
    method: Method,
    i: int,
    stages: list[str],
    h: str,
    inverse: str,
    clock: str,
    timed: bool,
    hubs: int,
) -> None:
    drift = b.binary("fmul", h, b.const(method.slopes[i])) if timed and method.slopes[i] else None
    index = b.loop(f"stage{i}")
    earlier = [b.load(stage, index) for stage in stages[:i]]
    state = _stage_state(b, method, i, earlier, index)
    right = b.load("%u", index)
    history = b.weighted(earlier, method.c[i, :i], None)
    if history is not None:
        right = b.fma(history, inverse, right)
    if drift is not None:
        right = b.fma(b.load("%g", index), drift, right)
    b.store(right, stages[i], index)
    if i:
        b.store(state, "%s", index)
    b.end()
    at = "%t"
    if timed and i:
        b.store(b.fma(h, b.const(method.nodes[i]), b.load("%t")), clock, 0)
        at = clock
    b.lines.append(f"  call void @rates(ptr {at}, ptr {'%s' if i else '%y'}, ptr %q, ptr {stages[i]})")
    if timed:
        for j in range(hubs):
            start = b.binary("fmul", b.load("%g", b.states + j), drift) if drift else b.const(0.0)
            b.store(start, "%z", j)
    b.lines.append(f"  call void @solve(ptr %w, ptr {stages[i]}, ptr %z)")


def _stage_state(b: Steps, method: Method, i: int, earlier: list[str], index: str) -> str:
    if i == 0:
        return ""
    difference = method.a[i] - method.a[i - 1]
    difference[i - 1] -= 1.0
    if i > 1 and not difference.any():  # this stage starts where the last one ended
        return b.binary("fadd", b.load("%s", index), earlier[-1])
    total = b.weighted(earlier, method.a[i, :i], b.load("%y", index))
    assert total is not None
    return total


def _finish(b: Steps, method: Method, stages: list[str]) -> None:
    v = b.vector
    tolerance = b.spread("%rtol")
    index = b.loop("finish")
    b.carry("%sum", b.const(0.0))
    error = b.load(stages[-1], index)
    new = b.binary("fadd", b.load("%s", index), error)
    size = b.larger(*[b.call("llvm.fabs", a) for a in (b.load("%y", index), new)])
    share = b.binary("fdiv", error, b.fma(size, tolerance, b.load("%floor", index)))
    fma = f"call {v.type} @llvm.fmuladd.{v.suffix}"
    b.lines.append(f"  %sum_next = {fma}({v.type} {share}, {v.type} {share}, {v.type} %sum)")
    b.end()
    mean = b.binary("fmul", "%sum_next", b.const(1.0 / b.states))
    b.store(b.call("llvm.sqrt", mean), "%err")


def accept_function(states: int, vector: Vector) -> str:
    """``accept(mask, y, s, error, floor, share)``: move where `mask` is not 0.

    Error floors rise with the state: one never is below `share` of the largest size its state has had.
    """
    b = Steps(vector, states)
    v = b.vector
    share = b.spread("%share")
    taken = b.let(f"fcmp une {v.type} {b.load('%mask')}, {b.const(0.0)}")
    index = b.loop("accept")
    new = b.binary("fadd", b.load("%s", index), b.load("%error", index))
    new = b.let(f"select {v.truth} {taken}, {v.type} {new}, {v.type} {b.load('%y', index)}")
    b.store(new, "%y", index)
    candidate = b.binary("fmul", b.call("llvm.fabs", new), share)
    b.store(b.larger(candidate, b.load("%floor", index)), "%floor", index)
    b.end()
    arguments = ("ptr %mask", "ptr %y", "ptr %s", "ptr %error", "ptr %floor", "double %share")
    return b.define("accept", arguments, attributes_of(vector))
