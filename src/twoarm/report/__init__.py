"""One self-contained HTML page that says what was simulated, what came out, and how far to believe it."""

from __future__ import annotations

from .experiment import Outcome, render_experiment
from .findings import Findings
from .page import write_report

__all__ = ["Findings", "Outcome", "render_experiment", "write_report"]
