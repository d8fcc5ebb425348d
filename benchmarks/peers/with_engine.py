"""Our own engine, one thread, and SUNDIALS' CVODE through scikit-sundae on our equations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from peers.task import Run, Task
from twoarm.engine import simulate
from twoarm.errors import SinglePrecisionWarning


def prepare(task: Task, **options: Any) -> Run:
    """Run `simulate` with these options."""

    warnings.simplefilter("ignore", SinglePrecisionWarning)  # its error is in the table

    def run(rtol: float, count: int) -> np.ndarray:
        found = simulate(
            task.model,
            task.patients.iloc[:count],
            task.dose_table[lambda table: table["id"] < count],
            days=task.end,
            visits=task.visits,
            outputs=list(task.model.states),
            rtol=rtol,
            workers=1,
            **options,
        )
        return np.stack([found[name].to_numpy() for name in task.model.states], axis=2)

    return run
