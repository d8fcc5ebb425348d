"""The cohort engine against its peers: side by side in one run, interleaved, at stated errors.

Every tool integrates the same patients, one core each, restarted at every dose. Per tool: the median time
a patient over the rounds, the root mean square error of all states at all visits against a tight reference,
and how many times as long as the engine it took. What a tool has to do once per model
(reading, compiling) is not in it.

    python benchmarks/engine_vs_peers.py --short          # a few patients, under three minutes
    python benchmarks/engine_vs_peers.py --model pd1_il2   # any name or file read_model() takes
    python benchmarks/engine_vs_peers.py --network 82      # a random reaction network of 82 states

Times depend on the machine and on what else it does; only ratios of one run mean anything.
"""

from __future__ import annotations

import argparse
import importlib.util
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp
from scipy.sparse import coo_array

from twoarm.engine import simulate
from twoarm.engine.compiled import scalar_kernel, vector_kernel
from twoarm.model import Model, start

RTOLS = (1e-4, 1e-5, 1e-6)
EVERY, DOSES, DAYS = 21.0, 18, 378.0
VISITS = np.arange(0.0, DAYS + 1.0, 7.0)


@dataclass(frozen=True)
class Task:
    """Who is integrated: the same for every tool."""

    model: Model
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


def spread_patients(model: Model, count: int, spread: float) -> pd.DataFrame:
    """Draw every parameter log-normal around its default."""
    rng = np.random.default_rng(1)
    free = [name for name in model.parameters if name not in model.derived]
    default = dict(zip(model.parameters, model.values, strict=True))
    return pd.DataFrame({n: default[n] * np.exp(spread * rng.standard_normal(count)) for n in free})


def library_patients(model: Model, population: str, molecule: str, count: int) -> pd.DataFrame:
    """Patients of the library's population, with the parameters of a molecule."""
    from twoarm.molecule import read_molecule
    from twoarm.patients.draw import draw_patients
    from twoarm.patients.population import read_population
    from twoarm.regimen import Regimen

    patients = draw_patients(read_population(population), count, seed=1)
    regimen = Regimen(read_molecule(molecule), dose="3 mg/kg", every="3 weeks")
    own = patients[[name for name in patients if name in {*model.parameters, *model.states}]]
    drug = regimen.parameters(patients)
    return pd.concat([own, drug[[name for name in drug if name not in own]]], axis=1)


def make_task(model: Model, target: str, amount: float, patients: pd.DataFrame) -> Task:
    """Work out where every patient starts."""
    count = len(patients)
    parameters, states = start(model, {name: patients[name].to_numpy() for name in patients}, count)
    return Task(model, patients, target, amount, states.T.copy(), parameters.T.copy())


Run = Callable[[Task, float, int], np.ndarray]  # task, rtol, patients -> (patient, visit, state)


def by_engine(backend: str, method: str | None = None) -> Run:
    """Our own, one thread."""

    def run(task: Task, rtol: float, count: int) -> np.ndarray:
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


def by_scipy(method: str) -> Run:
    """scipy.integrate.solve_ivp over the compiled scalar rates and the sparse analytic Jacobian."""

    def run(task: Task, rtol: float, count: int) -> np.ndarray:
        kernel = scalar_kernel(task.model)
        rows, columns = np.array(kernel.pattern).T
        entries, size = np.empty(len(rows)), len(task.model.states)
        target = task.model.states.index(task.target)
        found = np.empty((count, len(VISITS), size))
        for i in range(count):
            constants = kernel.constants(task.parameters[i])

            def rates(t: float, y: np.ndarray, constants: np.ndarray = constants) -> np.ndarray:
                into = np.zeros(size)
                kernel.add_rates(t, np.ascontiguousarray(y), constants, into)
                return into

            def slope(t: float, y: np.ndarray, constants: np.ndarray = constants) -> np.ndarray:
                kernel.jacobian(t, np.ascontiguousarray(y), constants, entries)
                whole = coo_array((entries, (rows, columns)), shape=(size, size))
                return whole.toarray() if method == "LSODA" else whole.tocsc()

            y = task.start[i].copy()
            found[i, 0] = y
            for dose in range(DOSES):
                y[target] += task.amount
                inside = (VISITS > dose * EVERY) & (VISITS <= (dose + 1) * EVERY)
                # the engine's default floors, fixed at the start of each piece
                floor = np.maximum(1e-12, 1e-4 * rtol * np.abs(y))
                piece = solve_ivp(
                    rates,
                    (dose * EVERY, (dose + 1) * EVERY),
                    y,
                    method=method,
                    t_eval=VISITS[inside],
                    jac=slope,
                    rtol=rtol,
                    atol=floor,
                )
                found[i, inside] = piece.y.T
                y = piece.y[:, -1].copy()
        return found

    return run


def by_roadrunner(source: str) -> Run | None:
    """libRoadRunner (CVODE over LLVM code of its own), if it is installed and there is SBML to give it."""
    if not source or importlib.util.find_spec("roadrunner") is None:
        return None
    import roadrunner

    from twoarm.model.sbml import write_sbml

    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.xml"
            write_sbml(source, path)
            runner = roadrunner.RoadRunner(str(path))
    except Exception as reason:  # a peer that cannot take part is reported, not fatal
        print(f"libRoadRunner cannot take part: {str(reason).splitlines()[0]}", file=sys.stderr)
        return None

    def run(task: Task, rtol: float, count: int) -> np.ndarray:
        size = len(task.model.states)
        found = np.empty((count, len(VISITS), size))
        integrator = runner.getIntegrator()
        integrator.setValue("stiff", True)
        integrator.setValue("relative_tolerance", rtol)
        integrator.setValue("absolute_tolerance", 1e-4 * rtol)
        integrator.setValue("maximum_num_steps", 1_000_000)
        per_piece = round(EVERY / (VISITS[1] - VISITS[0]))
        for i in range(count):
            runner.reset(roadrunner.SelectionRecord.ALL)
            for name, value in zip(task.model.parameters, task.parameters[i], strict=True):
                runner[name] = value
            for name, value in zip(task.model.states, task.start[i], strict=True):
                runner[name] = value
            runner.timeCourseSelections = list(task.model.states)
            found[i, 0] = task.start[i]
            for dose in range(DOSES):
                runner[task.target] = runner[task.target] + task.amount
                piece = np.asarray(runner.simulate(dose * EVERY, (dose + 1) * EVERY, per_piece + 1))
                found[i, 1 + dose * per_piece : 1 + (dose + 1) * per_piece] = piece[1:]
        return found

    return run


def error(found: np.ndarray, exact: np.ndarray) -> float:
    """Root mean square of the errors, each relative to the largest size of its state in its patient."""
    scale = np.abs(exact).max(axis=1, keepdims=True)
    return float(np.sqrt(np.mean(((found - exact) / np.where(scale > 0, scale, 1.0)) ** 2)))


def compare(task: Task, tools: dict[str, tuple[Run, int]], rounds: int) -> pd.DataFrame:
    """Time every tool at every tolerance, `rounds` times in turn."""
    most = max(count for _, count in tools.values())
    exact = by_engine("cpu")(task, 1e-9, most)
    times: dict[tuple[str, float], list[float]] = {}
    errors: dict[tuple[str, float], float] = {}
    for _ in range(rounds):
        for rtol in RTOLS:
            for name, (run, count) in tools.items():
                began = time.perf_counter()
                found = run(task, rtol, count)
                times.setdefault((name, rtol), []).append((time.perf_counter() - began) / count)
                errors[name, rtol] = error(found, exact[:count])
    rows = []
    for (name, rtol), seconds in times.items():
        median = statistics.median(seconds)
        equal = [
            statistics.median(times[other, r])
            for (other, r), e in errors.items()
            if other == "twoarm cpu" and e <= errors[name, rtol]
        ]
        rows.append(
            {
                "tool": name,
                "rtol": rtol,
                "ms a patient": 1e3 * median,
                "rms error": errors[name, rtol],
                "times as long, equal rtol": median / statistics.median(times["twoarm cpu", rtol]),
                "times as long, equal or smaller error": median / min(equal) if equal else np.nan,
            }
        )
    return pd.DataFrame(rows).sort_values(["rtol", "ms a patient"])


def read_task(options: argparse.Namespace) -> Task:
    """The model and its patients."""
    if options.network:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from tests.engine.small_models import network

        size = options.network
        model = network(size, round(2.3 * size), seed=7)
        return make_task(model, "x0", 5.0, spread_patients(model, options.patients, 0.4))
    from twoarm.model.sbml import read_model

    model = read_model(options.model)
    if options.population:
        patients = library_patients(model, options.population, options.molecule, options.patients)
    else:
        patients = spread_patients(model, options.patients, 0.1)
    return make_task(model, options.target, options.amount, patients)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="pd1_il2")
    parser.add_argument(
        "--population", default="io_resistant_squamous_nsclc", help="of the library; empty: spread parameters"
    )
    parser.add_argument("--molecule", default="ibi363", help="of the library")
    parser.add_argument("--target", default="drug_central", help="state that receives the doses")
    parser.add_argument("--amount", type=float, default=1000.0, help="of each dose")
    parser.add_argument(
        "--network", type=int, default=0, help="states of a random network, instead of --model"
    )
    parser.add_argument("--patients", type=int, default=64, help="for the engine; peers take fewer")
    parser.add_argument("--peers", type=int, default=4, help="patients of each peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--roadrunner",
        action="store_true",
        help="libRoadRunner too; of a large model with many assignments it may take all memory",
    )
    parser.add_argument("--short", action="store_true", help="16 patients, one of each peer, one round")
    options = parser.parse_args()
    if options.short:
        options.patients, options.peers, options.rounds = 16, 1, 1
    task = read_task(options)
    began = time.perf_counter()
    kernel = vector_kernel(task.model, "rodas5p")
    compiled = time.perf_counter() - began
    by_engine("cpu")(task, 1e-3, 1)  # Numba's own compilation or cache is not the model's
    few = min(options.peers, options.patients)
    tools: dict[str, tuple[Run, int]] = {
        "twoarm cpu": (by_engine("cpu"), options.patients),
        "twoarm cpu rodas4": (by_engine("cpu", "rodas4"), options.patients),
        "twoarm reference (scikit-sundae CVODE)": (by_engine("reference"), few),
        "scipy LSODA": (by_scipy("LSODA"), few),
    }
    if not options.short:  # it may take minutes a patient
        tools["scipy BDF"] = (by_scipy("BDF"), few)
    roadrunner = by_roadrunner(options.model) if options.roadrunner and not options.network else None
    if roadrunner is not None:
        tools["libRoadRunner"] = (roadrunner, few)
    for run, _ in tools.values():
        run(task, 1e-3, 1)  # compile and warm up
    table = compare(task, tools, options.rounds)
    print(
        f"{task.model.name}: {len(task.model.states)} states, {kernel.unknowns - kernel.states} hubs, ",
        end="",
    )
    print(f"{kernel.factors} factors, {kernel.lanes} lanes; kernel ready in {compiled:.2f} s")
    print(
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one core a tool"
    )
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))


if __name__ == "__main__":
    main()
