"""Time every tool at every tolerance, in turn, and measure its error."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from peers.machine import load
from peers.process import Answer, ToolProcess
from peers.registry import JUDGE, OURS, PEERS, TOOLS
from peers.task import Task
from twoarm.engine.compiled import scalar_kernel

_EXACT = 1e-10


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    tools : tuple of str
        Who takes part.
    patients, peers : int
        How many there are, all for single precision, which re-runs some in double; of each peer.
    steady : int
        Patients times states in double precision, so that what a call costs once does not count.
    rounds : int
        Every tool runs that often; medians count.
    rtols, rtols_single, rtols_peers : tuples of float
        Tolerances: ours fine, to meet each peer's error.
    start, limit : float [s]
        How long a tool may take to be ready (AMICI compiles C++), and for one answer.
    memory : float [GiB]
        Addresses a tool may take.
    """

    tools: tuple[str, ...] = tuple(TOOLS)
    patients: int = 512
    peers: int = 4
    steady: int = 10_000
    rounds: int = 3
    rtols: tuple[float, ...] = tuple(10 ** (-k / 2) for k in range(6, 18))
    rtols_single: tuple[float, ...] = tuple(10 ** (-k / 2) for k in range(4, 11))
    rtols_peers: tuple[float, ...] = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
    start: float = 1800.0
    limit: float = 120.0
    memory: float = 16.0

    @classmethod
    def of(cls, *, short: bool, given: Mapping[str, Any]) -> Plan:
        """Plan of a short or a whole run, with what was asked for."""
        brief: dict[str, Any] = {}
        if short:
            brief = {"patients": 128, "peers": 1, "rounds": 3, "start": 45.0, "limit": 15.0}
            brief["tools"] = ("twoarm", "twoarm single", "AMICI", "libRoadRunner", "CVODE, scikit-sundae")
            brief |= {
                "rtols": cls.rtols[2:10],
                "rtols_single": cls.rtols_single[1:5],
                "rtols_peers": (1e-4, 1e-6),
            }
        own = {field.name for field in fields(cls)}
        return cls(**brief | {name: value for name, value in given.items() if name in own})

    def count(self, states: int) -> int:
        """Patients of the engine in double precision."""
        return min(self.patients, max(32, self.steady // states))


@dataclass(frozen=True)
class Measured:
    """One system: rows by tool and tolerance, seconds until each was ready, who dropped out and why."""

    system: str
    states: int
    table: pd.DataFrame
    ready: dict[str, float]
    failures: dict[str, str]


def measure(task: Task, plan: Plan) -> Measured:
    """Run the plan on one system."""
    scalar_kernel(task.model)  # onto the disk, so that no tool's start waits for the compiler
    tools = {name: ToolProcess(name, task, plan.memory) for name in dict.fromkeys([*plan.tools, JUDGE])}
    until = time.perf_counter() + plan.start  # they all start at once
    ready = {name: tool.answer(max(0.0, until - time.perf_counter())) for name, tool in tools.items()}
    try:
        exact = tools[JUDGE].run(_EXACT, plan.peers, 20 * plan.limit)
        if exact is None:
            raise SystemExit(f"{JUDGE}, the judge, dropped out of {task.name}: {tools[JUDGE].failure}")
        answers, busy = _ask(tools, plan, len(task.model.states))
    finally:
        for tool in tools.values():
            tool.stop()
    rows = [
        _row(task, name, rtol, found, exact.states, busy[name, rtol])
        for (name, rtol), found in answers.items()
    ]
    return Measured(
        task.name,
        len(task.model.states),
        pd.DataFrame(rows),
        {name: seconds for name, seconds in ready.items() if seconds is not None},
        {name: tool.failure for name, tool in tools.items() if tool.failure},
    )


def _ask(
    tools: dict[str, ToolProcess], plan: Plan, states: int
) -> tuple[dict[tuple[str, float], list[Answer]], dict[tuple[str, float], float]]:
    answers: dict[tuple[str, float], list[Answer]] = {}
    busy: dict[tuple[str, float], float] = {}
    for _ in range(plan.rounds):
        for rtol in sorted({*plan.rtols, *plan.rtols_single, *plan.rtols_peers}, reverse=True):
            for name, tool in tools.items():
                single = "single" in name
                wanted = plan.rtols_single if single else plan.rtols if name in OURS else plan.rtols_peers
                if name not in plan.tools or rtol not in wanted:
                    continue
                count = plan.peers if name in PEERS else plan.patients if single else plan.count(states)
                answer = tool.run(rtol, count, plan.limit)
                if answer is not None:
                    answers.setdefault((name, rtol), []).append(answer)
                    busy[name, rtol] = load()
    return answers, busy


def _row(
    task: Task, name: str, rtol: float, found: list[Answer], exact: np.ndarray, busy: float
) -> dict[str, object]:
    each = len(found[0].states)
    return {
        "system": task.name,
        "states": len(task.model.states),
        "tool": name,
        "rtol": rtol,
        "patients": each,
        "ms": 1e3 * statistics.median(answer.cpu for answer in found) / each,
        "ms_least": 1e3 * min(answer.cpu for answer in found) / each,
        "error": task.error(found[-1].states[: len(exact)], exact),
        "wall_by_cpu": statistics.median(answer.wall / max(answer.cpu, 1e-9) for answer in found),
        "memory_gib": max(answer.memory for answer in found),
        "load": busy,
    }
