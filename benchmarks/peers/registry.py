"""All tools by name: ourselves first, then the peers. What a peer needs is imported only where it runs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from peers.task import Run, Task


def _tool(module: str, **options: Any) -> Callable[[Task], Run]:
    def prepare(task: Task) -> Run:
        return import_module(f"peers.{module}").prepare(task, **options)

    return prepare


OURS = {
    "twoarm": _tool("with_engine", backend="cpu"),
    "twoarm rodas4": _tool("with_engine", backend="cpu", method="rodas4"),
    "twoarm single": _tool("with_engine", backend="cpu", precision="single"),
}
PEERS = {
    "AMICI": _tool("with_amici"),
    "libRoadRunner": _tool("with_roadrunner"),
    "CVODE, scikit-sundae": _tool("with_engine", backend="reference"),
    "scipy LSODA": _tool("with_scipy", method="LSODA"),
    "scipy BDF": _tool("with_scipy", method="BDF"),
    "COPASI LSODA": _tool("with_copasi"),
    "diffrax Kvaerno5": _tool("with_diffrax"),
}
TOOLS: dict[str, Callable[[Task], Run]] = {**OURS, **PEERS}
JUDGE = "scipy LSODA"  #: whose answer at a very tight tolerance counts as exact: none of ours
PACKAGES = {  #: what to install for a peer that is absent
    "AMICI": "amici",
    "libRoadRunner": "libroadrunner",
    "COPASI LSODA": "copasi-basico",
    "diffrax Kvaerno5": "diffrax",
}
