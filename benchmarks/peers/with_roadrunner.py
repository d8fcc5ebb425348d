"""libRoadRunner: CVODE over LLVM code of its own."""

from __future__ import annotations

import numpy as np

from peers.task import Run, Task


def prepare(task: Task) -> Run:
    """Read the SBML; each interval is one call."""
    import roadrunner

    runner = roadrunner.RoadRunner(task.sbml)
    integrator = runner.getIntegrator()
    integrator.setValue("stiff", True)
    integrator.setValue("maximum_num_steps", 1_000_000)
    runner.timeCourseSelections = list(task.model.states)
    own = [name for name in task.model.parameters if name not in task.model.derived]

    def run(rtol: float, count: int) -> np.ndarray:
        integrator.setValue("relative_tolerance", rtol)
        integrator.setValue("absolute_tolerance", 1e-4 * rtol)

        def piece(i: int, y: np.ndarray, times: np.ndarray) -> np.ndarray:
            if times[0] == 0.0:
                runner.reset(roadrunner.SelectionRecord.ALL)
                values = dict(zip(task.model.parameters, task.parameters[i], strict=True))
                for name in own:
                    runner[name] = values[name]
                for name, value in zip(task.model.states, y, strict=True):
                    runner[name] = value
            else:
                runner[task.target] = y[task.model.states.index(task.target)]
            return np.asarray(runner.simulate(times[0], times[-1], len(times)))[1:]

        return task.follow(count, piece)

    return run
