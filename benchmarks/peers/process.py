"""A tool in a process of its own: what hangs or takes all memory is stopped and reported, not waited for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from peers.registry import PACKAGES, TOOLS
from peers.task import Task


@dataclass(frozen=True)
class Answer:
    """States (patient, visit, state), and what they took: CPU and wall seconds, and GiB resident at most."""

    states: np.ndarray
    cpu: float
    wall: float
    memory: float


class ToolProcess:
    """One tool, one task, one process; nothing is asked of it once it has failed.

    Parameters
    ----------
    name : str
        A key of `TOOLS`.
    task : Task
        What it integrates.
    memory : float
        GiB of addresses it may use (where the system can limit that).
    """

    def __init__(self, name: str, task: Task, memory: float) -> None:
        context = multiprocessing.get_context("spawn")
        self.name, self.failure = name, ""
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, name, task, memory), daemon=True)
        self._process.start()
        there.close()

    def answer(self, seconds: float) -> Any:
        """Return the next answer, or None with the reason in `failure`."""
        if self.failure:
            return None
        try:
            answer = self._pipe.recv() if self._pipe.poll(seconds) else f"no answer in {seconds:.0f} s"
        except EOFError:
            self._process.join(5)
            answer = f"ended by itself, exit code {self._process.exitcode}"
        if isinstance(answer, str):
            self.failure = answer
            self.stop()
            return None
        return answer

    def run(self, rtol: float, count: int, seconds: float) -> Answer | None:
        """Integrate so many patients; None with the reason in `failure`."""
        if not self.failure:
            self._pipe.send((rtol, count))
        return self.answer(seconds)

    def stop(self) -> None:
        """End the process and those it started."""
        if self._process.is_alive():
            try:
                os.killpg(self._process.pid or 0, signal.SIGKILL)
            except (AttributeError, OSError):  # no such thing here, or not yet a group of its own
                self._process.kill()
        self._process.join()


def _serve(pipe: Connection, name: str, task: Task, memory: float) -> None:
    try:
        if hasattr(os, "setsid"):
            os.setsid()  # so that a compiler it started can be stopped with it
        _limit(memory)
        began = time.perf_counter()
        run = TOOLS[name](task)
        run(1e-3, 1)  # compile and warm up
        pipe.send(time.perf_counter() - began)
        while True:
            rtol, count = pipe.recv()
            wall, cpu = time.perf_counter(), time.process_time()
            found = run(rtol, count)
            pipe.send(Answer(found, time.process_time() - cpu, time.perf_counter() - wall, _resident()))
    except EOFError:
        return
    except ImportError as reason:
        pipe.send(f"absent, pip install {PACKAGES.get(name, name)} ({reason})")
    except Exception as reason:  # whatever stops a tool is a line of the report
        pipe.send(f"{type(reason).__name__}: {' '.join(str(reason).split())}"[:200])


def _limit(memory: float) -> None:
    try:
        import resource
    except ImportError:
        return
    most = int(memory * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _resident() -> float:
    """GiB resident at most; not of getrusage, which a new program inherits from the one that started it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("nan")
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20
