"""AMICI: CVODES and KLU over C++ code it writes for the model; compiled once and kept."""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from peers.task import Run, Task

_KEPT = Path(__file__).parents[2] / "results" / "benchmarks" / "amici"


def prepare(task: Task) -> Run:
    """Compile without sensitivities; each interval is one call, which AMICI does no slower than events."""
    import amici
    import amici.sim.sundials as sim

    place = _build(task.sbml, amici.__version__)
    model = amici.import_model_module("model", place).get_model()
    solver = model.create_solver()
    solver.set_max_steps(1_000_000)
    states = list(model.get_state_ids())
    ours = [states.index(name) for name in task.model.states]
    theirs = np.argsort(ours)
    known = {name: i for i, name in enumerate(task.model.parameters)}
    given = [known[name] for name in model.get_free_parameter_ids()]

    def run(rtol: float, count: int) -> np.ndarray:
        solver.set_relative_tolerance(rtol)
        solver.set_absolute_tolerance(1e-4 * rtol)

        def piece(i: int, y: np.ndarray, times: np.ndarray) -> np.ndarray:
            if times[0] == 0.0:
                model.set_free_parameters(task.parameters[i, given].tolist())
            model.set_t0(times[0])
            model.set_timepoints(times[1:])
            model.set_initial_state(y[theirs].tolist())
            found = sim.run_simulation(model, solver)
            if found.status != sim.AMICI_SUCCESS:
                raise ArithmeticError(f"{sim.simulation_status_to_str(found.status)} after time {times[0]:g}")
            return found.x[:, ours]

        return task.follow(count, piece)

    return run


def _build(sbml: str, version: str) -> Path:
    """Folder of the compiled model."""
    from amici.importers.sbml import SbmlImporter

    place = _KEPT / hashlib.sha256(f"{version} {sbml}".encode()).hexdigest()[:16]
    if not (place / "complete").exists():
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # its own SWIG
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            SbmlImporter(sbml, from_file=False).sbml2amici(
                "model", place, generate_sensitivity_code=False, compute_conservation_laws=False
            )
        (place / "complete").touch()
    return place
