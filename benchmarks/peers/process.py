"""A tool in a process of its own: what hangs or takes all memory is stopped and reported, not waited for."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from peers.tools import TOOLS, Task


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

    def run(self, rtol: float, count: int, seconds: float) -> tuple[float, np.ndarray] | None:
        """CPU seconds and states (patient, visit, state), or None with the reason in `failure`."""
        if not self.failure:
            self._pipe.send((rtol, count))
        return self.answer(seconds)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, name: str, task: Task, memory: float) -> None:
    try:
        _limit(memory)
        run = TOOLS[name](task)
        run(1e-3, 1)  # compile and warm up
        pipe.send(True)
        while True:
            rtol, count = pipe.recv()
            began = time.process_time()
            found = run(rtol, count)
            pipe.send((time.process_time() - began, found))
    except EOFError:
        return
    except Exception as reason:  # whatever stops a tool is a line of the report
        pipe.send(f"{type(reason).__name__}: {' '.join(str(reason).split())}"[:200])


def _limit(memory: float) -> None:
    try:
        import resource
    except ImportError:
        return
    most = int(memory * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
