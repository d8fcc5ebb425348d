"""Patients a second on an NVIDIA device, double and single, beside this machine's own cores in the same run.

    python benchmarks/gpu.py                                     # the library's biology and a network
    python benchmarks/gpu.py --systems network_80 --patients 50000

A device is busy only with tens of thousands of patients. The first call makes code and is timed apart. Errors
are of the first patients at the end of their course, against the host at rtol 1e-8, relative to the largest
size of each state.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from peers.machine import about
from peers.systems import system
from peers.task import Task

from twoarm.engine import cuda, stepper
from twoarm.engine.cohort import ADD_TO_STATE, Cohort, Schedule, Solved
from twoarm.engine.cuda_driver import open_device
from twoarm.engine.inputs import read_tolerance
from twoarm.errors import NoCudaDeviceError

SYSTEMS = ("network_80", "pd1_il2")
RTOL = {"double": 1e-5, "single": 1e-4}
METHOD = {"double": "rodas5p", "single": "rodas4"}
DIFFERENT = 256  #: patients that differ; more are copies of them, so that drawing them takes no time
HOST = 256  #: patients of the host


def cohort(task: Task, count: int, precision: str, rtol: float) -> Cohort:
    """As many patients as asked for, with their doses, recorded at the end of their course."""
    rows, target = np.arange(count) % len(task.patients), task.model.states.index(task.target)
    entries = count * task.doses
    return Cohort(
        model=task.model,
        parameters=task.parameters[rows],
        state=task.start[rows],
        reset_state=np.zeros((0, len(task.model.states))),
        begin=np.zeros(count),
        end=np.full(count, task.end),
        fresh=np.ones(count, dtype=bool),
        schedule=Schedule(
            first=task.doses * np.arange(count + 1),
            time=np.tile(np.arange(task.doses) * task.every, count),
            kind=np.full(entries, ADD_TO_STATE),
            state=np.full(entries, target),
            value=np.full(entries, task.amount),
        ),
        visits=np.array([task.end]),
        step=np.zeros(count),
        tolerance=read_tolerance(task.model, rtol, None),
        max_steps=200_000,
        method=METHOD[precision],
        workers=os.cpu_count() or 1,
        precision=precision,
    )


def seconds(run: Callable[[], Solved], rounds: int) -> tuple[float, float, Solved]:
    """Time of the first call, median of the next, and what came out."""
    times = []
    for _ in range(1 + rounds):
        began = time.perf_counter()
        found = run()
        times.append(time.perf_counter() - began)
    return times[0], statistics.median(times[1:]), found


def compare(name: str, patients: int, rounds: int) -> list[dict[str, Any]]:
    """Device and host on one system in both precisions."""
    task = system(name, DIFFERENT)
    exact = stepper.integrate(cohort(task, HOST, "double", 1e-8)).state
    scale = np.maximum(np.abs(exact).max(axis=0), 1e-300)
    rows = []
    for precision, rtol in RTOL.items():
        for backend, integrate, count in (
            ("cuda", cuda.integrate, patients),
            ("cpu", stepper.integrate, HOST),
        ):
            asked = cohort(task, count, precision, rtol)
            first, usual, found = seconds(lambda do=integrate, what=asked: do(what), rounds)
            error = (found.state[:HOST] - exact) / scale
            rows.append(
                {
                    "system": name,
                    "states": len(task.model.states),
                    "backend": backend,
                    "precision": precision,
                    "rtol": rtol,
                    "patients": count,
                    "failed": np.count_nonzero(found.status),
                    "first call [s]": f"{first:.2f}",
                    "patients/s": f"{count / usual:.1f}",
                    "steps": round(float(found.steps.mean())),
                    "RMS error": f"{np.sqrt(np.nanmean(error**2)):.1e}",
                }
            )
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, metavar="NAME")
    parser.add_argument("--patients", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    try:
        device = open_device()
    except NoCudaDeviceError as error:
        print(f"nothing measured: {error}")
        return
    print(f"{device.name}, compute capability {'.'.join(map(str, device.capability))}\n{about()}")
    rows = [row for name in options.systems for row in compare(name, options.patients, options.rounds)]
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
