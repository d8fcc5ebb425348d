"""What one step costs a device in memory, counted from the code itself. Needs no device.

    python benchmarks/gpu_traffic.py                         # accesses, bytes and the depth of the solves
    python benchmarks/gpu_traffic.py --systems pd1_il2 --assemble    # registers too, where ptxas is

A step is bound by memory: it makes a fraction of an operation for each byte. `bytes` counts every access, as
if no cache ever helped; `at least` counts each row once for each call of a function, as if caches held all in
between. Between the two bounds lies what a device will do. `levels` is how many rounds a warp would need, one
after the other, to solve for one patient with its 32 threads.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from gpu import METHOD, RTOL, cohort
from peers.machine import about
from peers.systems import system
from peers.task import Task

from twoarm.engine import cuda, kernel, lanes, ptx, stepper
from twoarm.engine.cohort import Solved
from twoarm.engine.compiled import vector_text
from twoarm.engine.cuda_memory import interleave
from twoarm.engine.sparse import Factorization, factorize
from twoarm.engine.vector import Vector
from twoarm.model import Model

SYSTEMS = ("network_80", "pd1_il2")
PATIENTS = 24
#: Bytes a second between a device and its memory, as its data sheet says.
DEVICES = {"H100 SXM": 3.35e12, "H200": 4.8e12}


@dataclass
class Function:
    """Accesses of one function, those in loops over the states multiplied; what it calls."""

    far: int = 0
    near: int = 0
    operations: int = 0
    rows: set[tuple[str, str]] = field(default_factory=set)
    looped: int = 0
    calls: Counter[str] = field(default_factory=Counter)


def read_functions(text: str, states: int) -> dict[str, Function]:
    """Count what each function of a kernel does."""
    found: dict[str, Function] = defaultdict(Function)
    now, times, place = Function(), 1, dict[str, tuple[str, str]]()
    for line in text.splitlines():
        if head := re.match(r"define .*@([\w.]+)\(", line):
            now, times, place = found[head[1]], 1, {}
        elif re.match(r"head_", line):
            times = states
        elif re.match(r"after_", line):
            times = 1
        elif at := re.match(r"  (%\w+) = getelementptr inbounds \[.*\(1\) (%\w+), i64 (\S+)", line):
            place[at[1]] = (at[2], at[3])
        elif access := re.search(r"(?:= load \w+|  store \w+ \S+), ptr( addrspace\(1\))? (%\w+)", line):
            now.far += times if access[1] else 0
            now.near += 0 if access[1] else times
            if access[1] and times == 1 and access[2] in place:
                now.rows.add(place[access[2]])
            elif access[1]:
                now.looped += times
        elif call := re.search(r"call void @([\w.]+)\(", line):
            now.calls[call[1]] += times
        now.operations += times * (2 * ("fmuladd" in line) + bool(re.search(r" = f(add|sub|mul|div) ", line)))
    return found


def total(functions: dict[str, Function], name: str) -> Function:
    """One call of a function, with all that it calls."""
    own = functions[name]
    whole = Function(own.far, own.near, own.operations, set(own.rows), own.looped)
    for called, times in own.calls.items():
        part = total(functions, called)
        whole.far += times * part.far
        whole.near += times * part.near
        whole.operations += times * part.operations
        if called.startswith(f"{name}_"):  # a part of the same function: its rows are in the same pass
            whole.rows |= part.rows
            whole.looped += part.looped
        else:
            whole.looped += times * (len(part.rows) + part.looped)
    return whole


def levels(plan: Factorization) -> tuple[int, int]:
    """Longest chains of rows that wait for each other in the forward and the backward solve."""
    forward, backward = dict[int, int](), dict[int, int]()
    for i, row in enumerate(plan.lower):
        forward[i] = 1 + max((forward[k] for k in row), default=0)
    for i in reversed(range(len(plan.order))):
        backward[i] = 1 + max((backward[k] for k in plan.upper[i]), default=0)
    return max(forward.values()), max(backward.values())


def plan_of(model: Model) -> Factorization:
    """Factors of a model's Jacobian."""
    equations = kernel.sort_equations(model, hubs=True)
    return factorize(equations.unknowns, [(row, column) for row, column, _ in equations.entries])


def count_step(task: Task, precision: str) -> dict[str, object]:
    """One row of the table: a step of one patient, and what that bounds."""
    model, vector = task.model, Vector(1, "double" if precision == "double" else "float")
    text, sizes = vector_text(model, METHOD[precision], vector)
    functions = read_functions(interleave(text), len(model.states))
    step, accept = total(functions, "step"), total(functions, "accept")
    accesses = step.far + step.near + accept.far
    least = len(step.rows) + step.looped + accept.far
    asked = cohort(task, PATIENTS, precision, RTOL[precision])
    steps = float(stepper.integrate(asked).steps.mean())
    given = lanes.arguments_of(asked, Solved.empty(asked))
    tile = cuda.write(asked, given).tile
    bounds = {
        f"{name} [patients/s]": f"{speed / (accesses * vector.bytes * steps):.0f} to "
        f"{speed / (least * vector.bytes * steps):.0f}"
        for name, speed in DEVICES.items()
    }
    return {
        "system": task.name,
        "states": len(model.states),
        "precision": precision,
        "method": METHOD[precision],
        "factors": sizes["factors"],
        "levels": " + ".join(map(str, levels(plan_of(model)))),
        "KB a thread": f"{tile.bytes / 32e3:.1f}",
        "operations": step.operations + accept.operations,
        "bytes": accesses * vector.bytes,
        "at least": least * vector.bytes,
        "steps a patient": round(steps),
        **bounds,
    }


def assemble(task: Task, precision: str, capability: tuple[int, int]) -> dict[str, object]:
    """Compile to PTX and to machine code; what the assembler says about registers and memory."""
    asked, target = cohort(task, PATIENTS, precision, RTOL[precision]), ptx.machine(capability)
    began = time.process_time()
    code = ptx.to_ptx(cuda.write(asked, lanes.arguments_of(asked, Solved.empty(asked))), target)
    made = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "code.ptx").write_text(code)
        command = ["ptxas", "-v", f"-arch={target.cpu}", "code.ptx", "-o", "code.cubin"]
        before = os.times().children_user
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assembled = os.times().children_user - before
        size = (Path(folder) / "code.cubin").stat().st_size
    said = done.stdout + done.stderr
    spills = [int(n) for n in re.findall(r"(\d+) bytes spill stores", said)]
    return {
        "system": task.name,
        "precision": precision,
        "for": target.cpu,
        "PTX [kB]": len(code) // 1000,
        "made in [CPU s]": f"{made:.1f}",
        "machine code [kB]": size // 1000,
        "ptxas [CPU s]": f"{assembled:.1f}",
        "registers": int(re.findall(r"Used (\d+) registers", said)[0]),
        "stack [bytes]": int(re.findall(r"(\d+) bytes cumulative stack size", said)[0]),
        "spilled, all functions [bytes]": sum(spills),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--systems", nargs="+", default=SYSTEMS, metavar="NAME")
    parser.add_argument("--assemble", action="store_true", help="with ptxas, minutes for a large model")
    options = parser.parse_args()
    print(about())
    tasks = [system(name, PATIENTS) for name in options.systems]
    print(pd.DataFrame([count_step(task, p) for task in tasks for p in METHOD]).T.to_string(header=False))
    if not options.assemble:
        return
    if shutil.which("ptxas") is None:
        print("not assembled: ptxas is not on this machine")
        return
    rows = [assemble(task, p, c) for task in tasks for p in METHOD for c in ptx.CAPABILITIES]
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
