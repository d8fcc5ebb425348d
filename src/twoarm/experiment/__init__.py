"""In-silico experiments: a claim, its controls and knock-outs, and the number that would refute it."""

from __future__ import annotations

from twoarm.experiment.conduct import Courses, conduct
from twoarm.experiment.judge import judge
from twoarm.experiment.plan import Claim, Experiment, read_experiment
from twoarm.experiment.run import run_experiment
from twoarm.experiment.show import told_in, verdict_table

__all__ = [
    "Claim",
    "Courses",
    "Experiment",
    "conduct",
    "judge",
    "read_experiment",
    "run_experiment",
    "told_in",
    "verdict_table",
]
