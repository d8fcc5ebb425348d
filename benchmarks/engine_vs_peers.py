"""The cohort engine against its peers: side by side in one run, interleaved, at stated errors.

Every tool integrates the same kind of patients, one core each, restarted at every dose. See README.md here.

    python benchmarks/engine_vs_peers.py --short           # both models below, under three minutes
    python benchmarks/engine_vs_peers.py --model pd1_il2   # any name or file read_model() takes
    python benchmarks/engine_vs_peers.py --network 82      # a random reaction network of 82 states

Times depend on the machine and on what else it does; only ratios of one run mean anything.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from peers.process import ToolProcess
from peers.tools import DOSES, ENGINE, EVERY, JUDGE, TOOLS, VISITS, Task

from twoarm.engine import simulate
from twoarm.engine.compiled import scalar_kernel
from twoarm.model import Model, Node, start
from twoarm.model.sbml import read_model, write_sbml

RTOLS = (1e-4, 1e-6)
RTOLS_ENGINE = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)  # finer steps, to meet each peer's error
EXACT = 1e-10


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


def make_task(model: Model, source: str, target: str, amount: float, patients: pd.DataFrame) -> Task:
    """Work out where every patient starts; the patients of middling effort come first, for the peers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        write_sbml(source, path)
        sbml = path.read_text(encoding="utf-8")

    def task_of(patients: pd.DataFrame) -> Task:
        columns = {name: patients[name].to_numpy() for name in patients}
        parameters, states = start(model, columns, len(patients))
        return Task(model, sbml, patients, target, amount, states.T.copy(), parameters.T.copy())

    effort = simulate(
        model, patients, task_of(patients).doses, days=EVERY, outputs=[target], rtol=1e-4, workers=1
    ).steps.to_numpy()
    order = np.argsort(np.abs(effort - np.median(effort)), kind="stable")
    return task_of(patients.iloc[order].reset_index(drop=True))


def antimony_of(model: Model) -> str:
    """Text of a model made in code; what is used more than once becomes an assignment."""
    uses = np.zeros(len(model.nodes), dtype=int)
    for node in model.nodes:
        for a in node.args:
            uses[a] += 1
    signs = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
    words: list[str] = []
    lines = [f"model {model.name.replace(' ', '_')}()"]

    def word(node: Node) -> str:
        args = [words[a] for a in node.args]
        if node.op in signs:
            return f"({args[0]} {signs[node.op]} {args[1]})"
        if node.op == "max":
            return f"piecewise({args[0]}, {args[0]} > {args[1]}, {args[1]})"
        if node.op == "neg":
            return f"(-{args[0]})"
        if not args:
            names = {"state": model.states, "parameter": model.parameters}.get(node.op)
            return repr(node.value) if names is None else names[int(node.value)]
        return f"{node.op}({', '.join(args)})"

    for i, node in enumerate(model.nodes):
        words.append(word(node))
        if node.args and uses[i] > 1:
            lines.append(f"shared{i} := {words[i]};")
            words[i] = f"shared{i}"
    defaults = zip(model.parameters, model.values, strict=True)
    lines += [f"{name} = {value!r};" for name, value in defaults]
    for name, rate, initial in zip(model.states, model.rates, model.initial, strict=True):
        lines.append(f"{name}' = {words[rate]}; {name} = {words[initial]};")
    return "\n".join([*lines, "end"])


def error(found: np.ndarray, exact: np.ndarray) -> float:
    """Root mean square of the errors, each relative to the largest size of its state in its patient."""
    scale = np.abs(exact).max(axis=1, keepdims=True)
    return float(np.sqrt(np.mean(((found - exact) / np.where(scale > 0, scale, 1.0)) ** 2)))


def compare(task: Task, options: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, str]]:
    """Time every tool at every tolerance, in turn; also why those that dropped out did."""
    many, few = len(task.patients), min(options.peers, len(task.patients))
    scalar_kernel(task.model)  # onto the disk, so that no tool's start waits for the compiler
    tools = {name: ToolProcess(name, task, options.memory) for name in options.tools}
    for tool in tools.values():
        tool.answer(options.limit)
    exact = tools[JUDGE].run(EXACT, few, 10 * options.limit)
    if exact is None:
        raise SystemExit(f"{JUDGE}, the judge, dropped out: {tools[JUDGE].failure}")
    times: dict[tuple[str, float], list[float]] = {}
    errors: dict[tuple[str, float], float] = {}
    for _ in range(options.rounds):
        for rtol in options.rtols:
            for name, tool in tools.items():
                ours = name.startswith(ENGINE)
                if not ours and rtol not in RTOLS:
                    continue
                count = many if ours else few
                answer = tool.run(rtol, count, options.limit)
                if answer is not None:
                    times.setdefault((name, rtol), []).append(answer[0] / count)
                    errors[name, rtol] = error(answer[1][:few], exact[1])
    for tool in tools.values():
        tool.stop()
    failures = {name: tool.failure for name, tool in tools.items() if tool.failure}
    return _table({key: statistics.median(found) for key, found in times.items()}, errors), failures


def _table(times: dict[tuple[str, float], float], errors: dict[tuple[str, float], float]) -> pd.DataFrame:
    rows = []
    for (name, rtol), seconds in times.items():
        ours = name.startswith(ENGINE)
        good = [
            times[key] for key in times if key[0].startswith(ENGINE) and errors[key] <= errors[name, rtol]
        ]
        ratio = f"{seconds / min(good):.1f}" if good else "none as small"
        rows.append(
            {
                "tool": name,
                "rtol": f"{rtol:.0e}",
                "ms a patient": f"{1e3 * seconds:.3g}",
                "rms error": f"{errors[name, rtol]:.1e}",
                "engine faster, equal rtol": "" if ours else f"{seconds / times[ENGINE, rtol]:.1f}",
                "engine faster, error equal or smaller": "" if ours else ratio,
            }
        )
    order = list(TOOLS)
    rows.sort(key=lambda row: (order.index(row["tool"]), -float(row["rtol"])))
    return pd.DataFrame(rows)


def network_task(size: int, patients: int) -> Task:
    """A random reaction network, from the tests."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.engine.small_models import network

    made = network(size, round(2.3 * size), seed=7)
    text = antimony_of(made)
    model = read_model(text)
    return make_task(model, text, "x0", 5.0, spread_patients(model, patients, 0.4))


def library_task(options: argparse.Namespace) -> Task:
    """A model of the library, or of a file, and its patients."""
    model = read_model(options.model)
    if options.population:
        patients = library_patients(model, options.population, options.molecule, options.patients)
    else:
        patients = spread_patients(model, options.patients, 0.1)
    return make_task(model, options.model, options.target, options.amount, patients)


def report(task: Task, options: argparse.Namespace) -> None:
    """Compare and print."""
    began = time.perf_counter()
    table, failures = compare(task, options)
    print(
        f"\n{task.model.name}: {len(task.model.states)} states, {DOSES} doses, {VISITS[-1]:.0f} days; "
        f"{len(task.patients)} patients (peers {options.peers}), median of {options.rounds} rounds, "
        f"CPU time of one thread; exact: {JUDGE} at {EXACT:.0e}; {time.perf_counter() - began:.0f} s"
    )
    print(table.to_string(index=False))
    for name, reason in failures.items():
        print(f"{name} dropped out: {reason}")


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
    parser.add_argument("--network", type=int, default=0, help="states of a random network, not --model")
    parser.add_argument("--patients", type=int, default=64, help="for the engine; peers take fewer")
    parser.add_argument("--peers", type=int, default=4, help="patients of each peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a tool may take for one answer")
    parser.add_argument("--memory", type=float, default=8.0, help="GiB of addresses a tool may take")
    parser.add_argument(
        "--short", action="store_true", help="a network of 82 states, then --model; 3 minutes"
    )
    parser.set_defaults(rtols=RTOLS_ENGINE, tools=list(TOOLS))
    options = parser.parse_args()
    for library in ("OPENBLAS", "OMP", "MKL"):  # before the tools' processes start: one thread each
        os.environ[f"{library}_NUM_THREADS"] = "1"
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    if options.short:
        options.patients, options.peers, options.limit = 16, 1, 25.0
        options.rtols = RTOLS_ENGINE[:-1]
        options.tools = [name for name in TOOLS if "rodas4" not in name]
    if options.short or options.network:
        report(network_task(options.network or 82, options.patients), options)
    if options.short or not options.network:
        report(library_task(options), options)


if __name__ == "__main__":
    main()
