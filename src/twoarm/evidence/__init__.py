"""Published facts: read, chosen, and compared with predictions."""

from __future__ import annotations

from twoarm.evidence.compare import compare, exact_interval, select_evidence
from twoarm.evidence.read import read_curves, read_evidence, read_program, read_trials

__all__ = [
    "read_evidence",
    "read_curves",
    "read_program",
    "read_trials",
    "select_evidence",
    "compare",
    "exact_interval",
]
