"""Run every case of a folder on both back ends and print a table: ``make conformance DIR=folder``.

Each case runs in a process that is told to stop after a time limit, so that a crash or a hang of one case
is a failure of that case and of no other.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import signal
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from twoarm import errors

if __package__:
    from . import semantic
else:  # as a script, and in the processes it starts
    sys.path.insert(0, str(Path(__file__).parent))
    import semantic

LIMIT = 900.0  # seconds a case


class Outcome(NamedTuple):
    """How one case ended on one back end."""

    case: str
    backend: str
    result: str  # passed, refused, failed
    why: str = ""
    seconds: float = 0.0


def refusal(error: Exception) -> str | None:
    """What was refused by name, None where the error is no refusal."""
    if isinstance(error, errors.UnsupportedModelError):
        return error.construct
    if isinstance(error, errors.EventsNeedReferenceError):
        return "events, by this back end"
    if isinstance(error, errors.DelaysNeedReferenceError):
        return "delay(), by this back end"
    return None


def run_case(folder: Path, backends: Sequence[str]) -> list[Outcome]:
    """Outcomes of one case."""
    found = []
    for backend in backends:
        begin = time.perf_counter()
        try:
            case = semantic.read_case(folder)
            got = semantic.solve(semantic.read_wanted(case), case, backend)
            good = semantic.agrees(got, case)
            result, why = ("passed", "") if good else ("failed", semantic.difference(got, case))
        except Exception as error:
            reason = refusal(error)
            result = "failed" if reason is None else "refused"
            why = reason or f"{type(error).__name__}: {error}"
        found.append(Outcome(folder.name, backend, result, why, time.perf_counter() - begin))
    return found


def _serve(pipe: Connection, backends: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("error", RuntimeWarning)
    while (folder := pipe.recv()) is not None:
        pipe.send(run_case(folder, backends))


class _Worker:
    """A process, and the case it is at."""

    def __init__(self, backends: Sequence[str]) -> None:
        self.backends = backends
        self.pipe, theirs = mp.Pipe()
        self.process = mp.get_context("spawn").Process(target=_serve, args=(theirs, backends), daemon=True)
        self.process.start()
        theirs.close()
        self.folder: Path | None = None
        self.since = 0.0

    def take(self, folder: Path) -> None:
        self.folder, self.since = folder, time.monotonic()
        self.pipe.send(folder)

    def end(self, why: str) -> list[Outcome]:
        """Stop a process that hangs or is gone already; its case has failed."""
        self.process.kill()
        self.process.join()
        assert self.folder is not None
        return [Outcome(self.folder.name, backend, "failed", why) for backend in self.backends]


def run_all(places: Sequence[Path], backends: Sequence[str], processes: int) -> Iterator[list[Outcome]]:
    """Outcomes of all cases, each as it ends."""
    pending = list(reversed(places))
    workers = [_Worker(backends) for _ in range(min(processes, max(len(pending), 1)))]
    for worker in workers:
        if pending:
            worker.take(pending.pop())
    while any(worker.folder for worker in workers):
        busy = {worker.pipe: worker for worker in workers if worker.folder}
        ready = set(wait(busy, timeout=1.0))
        for pipe, at_work in busy.items():
            worker = at_work
            late = time.monotonic() - worker.since > LIMIT
            if pipe not in ready and not late:
                continue
            try:
                found = worker.pipe.recv() if pipe in ready else worker.end(f"no answer in {LIMIT:g} s")
            except (EOFError, ConnectionResetError):
                found, late = worker.end("the process crashed"), True
            if pipe not in ready or late:
                worker = _Worker(backends)
                workers[workers.index(at_work)] = worker
            worker.folder = None
            if pending:
                worker.take(pending.pop())
            yield found
    for worker in workers:
        worker.pipe.send(None)


def table(outcomes: Sequence[Outcome]) -> Table:
    """Counts, one row a back end."""
    grid = Table(title="SBML semantic test suite, time courses")
    for name in ("back end", "cases", "passed", "refused", "failed", "median s", "longest s"):
        grid.add_column(name, justify="left" if name == "back end" else "right")
    for backend in dict.fromkeys(o.backend for o in outcomes):
        own = [o for o in outcomes if o.backend == backend]
        count = Counter(o.result for o in own)
        seconds = sorted(o.seconds for o in own)
        numbers = [len(own), *(count[word] for word in ("passed", "refused", "failed"))]
        times = [f"{seconds[len(seconds) // 2]:.2f}", f"{seconds[-1]:.2f}"]
        grid.add_row(backend, *map(str, numbers), *times)
    return grid


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a case failed, 2 if there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=semantic.SUITE, type=Path, help="where the cases are")
    parser.add_argument("--backend", action="append", choices=semantic.BACKENDS, help="only this one")
    parser.add_argument("--case", action="append", default=[], help="only these numbers")
    parser.add_argument("--processes", default=2, type=int)
    asked = parser.parse_args(arguments)
    console = Console()
    places = [p for p in semantic.folders(asked.folder) if not asked.case or p.name in asked.case]
    if not places:
        console.print(f"no case with settings.txt, model.xml and results.csv below {asked.folder}")
        return 2
    outcomes: list[Outcome] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("cases", total=len(places))
        for found in run_all(places, asked.backend or semantic.BACKENDS, asked.processes):
            outcomes += found
            progress.advance(task)
    outcomes.sort()
    console.print(table(outcomes))
    refused: dict[tuple[str, str], list[str]] = defaultdict(list)
    for o in outcomes:
        if o.result == "refused":
            refused[o.backend, o.why].append(o.case)
    for (backend, why), cases in sorted(refused.items()):
        few = ", ".join(cases[:6]) + (", ..." if len(cases) > 6 else "")
        console.print(f"refused by {backend}: {why}: {len(cases)} ({few})", highlight=False)
    failed = [o for o in outcomes if o.result == "failed"]
    for o in failed:
        console.print(f"failed on {o.backend}: {o.case}: {o.why}", highlight=False, markup=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
