"""The machine in words, how busy it is, and where results go."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

_PACKAGES = (
    *("numpy", "llvmlite", "numba", "scipy", "scikit-sundae"),
    *("libroadrunner", "amici", "copasi-basico", "python-copasi", "diffrax", "jax"),
)


def results() -> Path:
    """Folder for results, which git ignores."""
    folder = Path(__file__).parents[2] / "results" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def processor() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load() -> float:
    """Processes that wanted a core over the last minute, on average."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def versions() -> dict[str, str]:
    """Versions of all that takes part and is installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def about() -> str:
    """Say it all in two lines."""
    named = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"{processor()}, {os.cpu_count()} cores, load {load():.1f}\n{named}"
