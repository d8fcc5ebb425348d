"""The cohort engine alone: building and reloading kernels, cores, lanes, memory, failures.

    python benchmarks/engine_alone.py --short    # under two minutes
    python benchmarks/engine_alone.py            # about ten minutes; needs a machine with nothing else to do

Ratios and counts are compared with other runs; times only with those of the same run.
"""

from __future__ import annotations

import argparse
import heapq
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from peers.machine import about, load, results
from peers.systems import network, system
from peers.task import Task

from twoarm.engine import simulate
from twoarm.engine.compiled import vector_kernel
from twoarm.engine.status import Status
from twoarm.engine.stream import stream
from twoarm.model import Model

PRECISIONS = {"double": 1e-6, "single": 1e-4}  # and the tolerance each is for


def build_and_reload(model: Model, again: int = 5) -> tuple[float, float]:
    """CPU seconds to compile a kernel, and to load it from disk in a process that knows the model."""
    kept = os.environ.get("TWOARM_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TWOARM_CACHE_DIR"] = folder
        times = []
        for _ in range(1 + again):
            vector_kernel.cache_clear()
            began = time.process_time()
            vector_kernel(model, "rodas5p")
            times.append(time.process_time() - began)
    os.environ.pop("TWOARM_CACHE_DIR")
    if kept is not None:
        os.environ["TWOARM_CACHE_DIR"] = kept
    vector_kernel.cache_clear()
    return times[0], statistics.median(times[1:])


def course(task: Task, precision: str, **options: Any) -> Any:
    """All patients of a task."""
    return simulate(
        task.model,
        task.patients,
        task.dose_table,
        days=task.end,
        visits=[task.end],
        outputs=[task.target],
        rtol=PRECISIONS[precision],
        precision=precision,  # type: ignore[arg-type]
        backend="cpu",
        **options,
    )


def useful_share(steps: np.ndarray, lanes: int) -> float:
    """Share of lane slots in which a patient's step is tried, accepted or not.

    A lane that finishes takes the next patient, so on one thread the steps of each patient say when every
    lane is free, and how many steps of the whole vector there are.
    """
    free = [0] * lanes
    for count in steps.tolist():
        heapq.heapreplace(free, free[0] + count)
    return float(steps.sum() / (max(free) * lanes))


def of_cores(task: Task, rounds: int) -> Iterator[dict[str, object]]:
    """Throughput on one core and on all, in turn; useful lanes; memory of a patient in flight."""
    cores = os.cpu_count() or 1
    for precision in PRECISIONS:
        course(task, precision, workers=cores)  # compile and warm up
        wall: dict[int, list[float]] = {1: [], cores: []}
        for _ in range(rounds):
            for workers, times in wall.items():
                began = time.perf_counter()
                found = course(task, precision, workers=workers)
                times.append(time.perf_counter() - began)
        one, many = (len(task.patients) / statistics.median(wall[workers]) for workers in (1, cores))
        lanes = vector_kernel(task.model, found.attrs["method"], precision).vector.lanes
        yield {
            "what": "throughput",
            "system": task.name,
            "states": len(task.model.states),
            "precision": precision,
            "patients a second, one core": one,
            f"patients a second, {cores} cores": many,
            "ratio": many / one,
            "lanes": lanes,
            "useful lane slots": useful_share(found.steps.to_numpy(), lanes),
            "KB in flight a patient": in_flight(task, precision) / 1e3,
            "load": load(),
        }


def in_flight(task: Task, precision: str) -> int:
    """Bytes of a patient who is being integrated, as `stream` announces them."""
    said: list[Any] = []
    few = replace(task, patients=task.patients.iloc[:32])
    stream(
        task.model,
        few.patients,
        few.dose_table,
        days=task.end,
        visits=[task.end],
        outputs=[task.target],
        rtol=PRECISIONS[precision],
        precision=precision,  # type: ignore[arg-type]
        announce=said.append,
    )
    return int(said[0].in_flight)


def failures(task: Task, words: str) -> dict[str, object]:
    """How many patients do not reach the end."""
    found: dict[str, object] = {
        "what": f"failures, {words}",
        "system": task.name,
        "patients": len(task.patients),
    }
    for precision in PRECISIONS:
        status = course(task, precision, failed="mask").status.to_numpy()
        found[precision] = int((status != Status.FINISHED).sum())
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="fewer patients and rounds")
    short = parser.parse_args().short
    print(about())
    rows: list[dict[str, object]] = []

    def tell(row: dict[str, object]) -> None:
        rows.append(row)
        print(
            ", ".join(f"{k}: {v:.4g}" if isinstance(v, float) else f"{k}: {v}" for k, v in row.items()),
            flush=True,
        )

    tasks = [system(name, 128 if short else 2000) for name in ("lesion", "pd1_il2")]
    for task in tasks:
        build, reload = build_and_reload(task.model)
        tell(
            {
                "what": "kernel",
                "system": task.name,
                "states": len(task.model.states),
                "build s": build,
                "reload ms": 1e3 * reload,
                "load": load(),
            }
        )
    for task in tasks:
        for row in of_cores(task, 1 if short else 3):
            tell(row)
    tell(failures(network(82, 200 if short else 2000, spread=0.6), "all parameters CV 60 %"))
    tell(failures(tasks[1], "the library's population"))
    table = pd.DataFrame(rows)
    table.to_csv(results() / "engine_alone.csv", index=False)
    table.to_json(results() / "engine_alone.json", orient="records", indent=1)
    print(f"{results()}/engine_alone.csv and .json")


if __name__ == "__main__":
    main()
