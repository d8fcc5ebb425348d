"""diffrax: an implicit Runge-Kutta method over code that XLA makes of the equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from peers.task import Run, Task
from twoarm.model import Model
from twoarm.model.graph import OPERATIONS

_COMPARE = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}


def prepare(task: Task) -> Run:
    """Compile one interval; each interval is one call."""
    import diffrax
    import jax

    jax.config.update("jax_enable_x64", True)
    term, solver = diffrax.ODETerm(_rates(task.model)), diffrax.Kvaerno5()

    @jax.jit
    def course(y: Any, parameters: Any, times: Any, rtol: Any) -> Any:
        control = diffrax.PIDController(rtol=rtol, atol=1e-4 * rtol)
        return diffrax.diffeqsolve(
            term,
            solver,
            times[0],
            times[-1],
            None,
            y,
            args=parameters,
            saveat=diffrax.SaveAt(ts=times[1:]),
            stepsize_controller=control,
            max_steps=100_000,
        ).ys

    def run(rtol: float, count: int) -> np.ndarray:
        return task.follow(count, lambda i, y, times: np.asarray(course(y, task.parameters[i], times, rtol)))

    return run


def _rates(model: Model) -> Callable[[Any, Any, Any], Any]:
    """Say the right-hand side in the words of JAX."""
    from jax import numpy as jnp

    def operate(op: str, given: list[Any]) -> Any:
        if op in _COMPARE:
            return jnp.where(getattr(jnp, _COMPARE[op])(*given), 1.0, 0.0)
        if op == "if":
            return jnp.where(given[0] != 0, given[1], given[2])
        if op in ("and", "or"):
            return jnp.where(getattr(jnp, f"logical_{op}")(*(value != 0 for value in given)), 1.0, 0.0)
        return getattr(jnp, OPERATIONS[op].__name__)(*given)

    def rates(t: Any, y: Any, parameters: Any) -> Any:
        values: list[Any] = []
        for op, args, value in model.nodes:
            leaf = {"const": lambda v: v, "time": lambda _: t, "state": lambda v: y[int(v)]}
            leaf["parameter"] = lambda v: parameters[int(v)]
            values.append(leaf[op](value) if op in leaf else operate(op, [values[a] for a in args]))
        return jnp.stack([jnp.asarray(values[node], dtype=float) for node in model.rates])

    return rates
