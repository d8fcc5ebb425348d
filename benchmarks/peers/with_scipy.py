"""scipy.integrate.solve_ivp over our compiled scalar rates and their analytic Jacobian."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp
from scipy.sparse import coo_array

from peers.task import Run, Task
from twoarm.engine.compiled import scalar_kernel


def prepare(task: Task, method: str) -> Run:
    """Run one of scipy's implicit methods."""
    kernel = scalar_kernel(task.model)
    rows, columns = np.array(kernel.pattern).T
    entries, size = np.empty(len(rows)), len(task.model.states)

    def run(rtol: float, count: int) -> np.ndarray:
        def piece(i: int, y: np.ndarray, times: np.ndarray) -> np.ndarray:
            constants = kernel.constants(task.parameters[i])

            def rates(t: float, y: np.ndarray) -> np.ndarray:
                into = np.zeros(size)
                kernel.add_rates(t, np.ascontiguousarray(y), constants, into)
                return into

            def slope(t: float, y: np.ndarray) -> np.ndarray:
                kernel.jacobian(t, np.ascontiguousarray(y), constants, entries)
                whole = coo_array((entries, (rows, columns)), shape=(size, size))
                return whole.toarray() if method == "LSODA" else whole.tocsc()

            floor = np.maximum(1e-12, 1e-4 * rtol * np.abs(y))  # the engine's, fixed for this piece
            span = (times[0], times[-1])
            found = solve_ivp(
                rates, span, y, method=method, t_eval=times[1:], jac=slope, rtol=rtol, atol=floor
            )
            if not found.success:
                raise ArithmeticError(found.message)
            return found.y.T

        return task.follow(count, piece)

    return run
