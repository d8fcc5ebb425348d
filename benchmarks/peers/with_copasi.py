"""COPASI: LSODA over an interpreted model, through basico."""

from __future__ import annotations

import numpy as np

from peers.task import Run, Task


def prepare(task: Task) -> Run:
    """Read the SBML; each interval is one call from initial values."""
    import basico
    from basico import COPASI

    whole = basico.load_model_from_string(task.sbml)
    model = whole.getModel()
    entities = [*model.getMetabolites(), *model.getModelValues(), *model.getCompartments()]
    known = {entity.getSBMLId(): entity for entity in entities}
    states = [known[name] for name in task.model.states]
    constants = [(i, known[name]) for i, name in enumerate(task.model.parameters) if name in known]
    course = whole.getTask("Time-Course")
    course.setMethodType(COPASI.CTaskEnum.Method_deterministic)
    problem, method = course.getProblem(), course.getMethod()
    problem.setTimeSeriesRequested(True)
    method.getParameter("Max Internal Steps").setIntValue(10_000_000)

    def run(rtol: float, count: int) -> np.ndarray:
        method.getParameter("Relative Tolerance").setDblValue(rtol)
        method.getParameter("Absolute Tolerance").setDblValue(1e-4 * rtol)

        def piece(i: int, y: np.ndarray, times: np.ndarray) -> np.ndarray:
            if times[0] == 0.0:
                for j, entity in constants:
                    _set(entity, task.parameters[i, j])
            for entity, value in zip(states, y, strict=True):
                _set(entity, value)
            model.setInitialTime(times[0])
            model.updateInitialValues(COPASI.CCore.Framework_Concentration)
            problem.setOutputStartTime(times[0])
            problem.setDuration(times[-1] - times[0])
            problem.setStepNumber(len(times) - 1)
            if not course.initializeRaw(COPASI.CCopasiTask.ONLY_TIME_SERIES) or not course.processRaw(True):
                raise ArithmeticError(course.getProcessError())
            series = course.getTimeSeries()
            titles = {series.getSBMLId(k, whole): k for k in range(series.getNumVariables())}
            columns = [titles[name] for name in task.model.states]
            rows = range(series.getRecordedSteps() - len(times) + 1, series.getRecordedSteps())
            return np.array([[series.getConcentrationData(row, k) for k in columns] for row in rows])

        return task.follow(count, piece)

    return run


def _set(entity: object, value: float) -> None:
    """Write an initial value: of a species its concentration."""
    if hasattr(entity, "setInitialConcentration"):
        entity.setInitialConcentration(float(value))
    else:
        entity.setInitialValue(float(value))  # type: ignore[attr-defined]
