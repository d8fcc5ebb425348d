"""What is compared: each tool takes a task and a tolerance and returns every state at every visit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp
from scipy.sparse import coo_array

from twoarm.engine import simulate
from twoarm.engine.compiled import scalar_kernel
from twoarm.model import Model

EVERY, DOSES, DAYS = 21.0, 18, 378.0
VISITS = np.arange(0.0, DAYS + 1.0, 7.0)

Run = Callable[[float, int], np.ndarray]  # rtol, patients -> (patient, visit, state)


@dataclass(frozen=True)
class Task:
    """Who is integrated: the same for every tool, peers take the first of them."""

    model: Model
    sbml: str
    patients: pd.DataFrame
    target: str
    amount: float
    start: np.ndarray  # (patient, state)
    parameters: np.ndarray  # (patient, parameter)

    @property
    def doses(self) -> pd.DataFrame:
        """Dose table of everybody."""
        count = len(self.patients)
        return pd.DataFrame(
            {
                "id": np.repeat(self.patients.index.to_numpy(), DOSES),
                "time": np.tile(np.arange(DOSES) * EVERY, count),
                "amt": self.amount,
                "cmt": self.target,
            }
        )


def by_engine(backend: str, method: str | None = None) -> Callable[[Task], Run]:
    """Our own, one thread."""

    def prepare(task: Task) -> Run:
        def run(rtol: float, count: int) -> np.ndarray:
            found = simulate(
                task.model,
                task.patients.iloc[:count],
                task.doses,
                days=DAYS,
                visits=VISITS,
                outputs=list(task.model.states),
                backend=backend,  # type: ignore[arg-type]
                method=method,
                rtol=rtol,
                workers=1,
            )
            return np.stack([found[name].to_numpy() for name in task.model.states], axis=2)

        return run

    return prepare


def by_scipy(method: str) -> Callable[[Task], Run]:
    """scipy.integrate.solve_ivp over the compiled scalar rates and the analytic Jacobian."""

    def prepare(task: Task) -> Run:
        kernel = scalar_kernel(task.model)
        rows, columns = np.array(kernel.pattern).T
        entries, size = np.empty(len(rows)), len(task.model.states)
        target = task.model.states.index(task.target)

        def one(i: int, rtol: float) -> np.ndarray:
            constants = kernel.constants(task.parameters[i])

            def rates(t: float, y: np.ndarray) -> np.ndarray:
                into = np.zeros(size)
                kernel.add_rates(t, np.ascontiguousarray(y), constants, into)
                return into

            def slope(t: float, y: np.ndarray) -> np.ndarray:
                kernel.jacobian(t, np.ascontiguousarray(y), constants, entries)
                whole = coo_array((entries, (rows, columns)), shape=(size, size))
                return whole.toarray() if method == "LSODA" else whole.tocsc()

            found, y = np.full((len(VISITS), size), np.nan), task.start[i].copy()
            found[0] = y
            for dose in range(DOSES):
                y[target] += task.amount
                span = (dose * EVERY, (dose + 1) * EVERY)
                inside = (span[0] < VISITS) & (span[1] >= VISITS)
                # the engine's default floors, fixed at the start of each piece
                floor = np.maximum(1e-12, 1e-4 * rtol * np.abs(y))
                piece = solve_ivp(
                    rates, span, y, method=method, t_eval=VISITS[inside], jac=slope, rtol=rtol, atol=floor
                )
                if not piece.success:
                    raise ArithmeticError(piece.message)
                found[inside] = piece.y.T
                y = piece.y[:, -1].copy()
            return found

        return lambda rtol, count: np.stack([one(i, rtol) for i in range(count)])

    return prepare


def by_roadrunner(task: Task) -> Run:
    """libRoadRunner: CVODE over LLVM code of its own."""
    import roadrunner

    runner = roadrunner.RoadRunner(task.sbml)
    size, per_piece = len(task.model.states), round(EVERY / (VISITS[1] - VISITS[0]))
    integrator = runner.getIntegrator()
    integrator.setValue("stiff", True)
    integrator.setValue("maximum_num_steps", 1_000_000)
    runner.timeCourseSelections = list(task.model.states)

    def run(rtol: float, count: int) -> np.ndarray:
        integrator.setValue("relative_tolerance", rtol)
        integrator.setValue("absolute_tolerance", 1e-4 * rtol)
        found = np.empty((count, len(VISITS), size))
        for i in range(count):
            runner.reset(roadrunner.SelectionRecord.ALL)
            for name, value in zip(task.model.parameters, task.parameters[i], strict=True):
                runner[name] = value
            for name, value in zip(task.model.states, task.start[i], strict=True):
                runner[name] = value
            found[i, 0] = task.start[i]
            for dose in range(DOSES):
                runner[task.target] = runner[task.target] + task.amount
                piece = np.asarray(runner.simulate(dose * EVERY, (dose + 1) * EVERY, per_piece + 1))
                found[i, 1 + dose * per_piece : 1 + (dose + 1) * per_piece] = piece[1:]
        return found

    return run


ENGINE = "twoarm cpu"
TOOLS: dict[str, Callable[[Task], Run]] = {
    ENGINE: by_engine("cpu"),
    "twoarm cpu rodas4": by_engine("cpu", "rodas4"),
    "twoarm reference (CVODE)": by_engine("reference"),
    "scipy LSODA": by_scipy("LSODA"),
    "scipy BDF": by_scipy("BDF"),
    "libRoadRunner": by_roadrunner,
}
JUDGE = "scipy LSODA"  #: whose answer at a very tight tolerance counts as exact: not one of ours
