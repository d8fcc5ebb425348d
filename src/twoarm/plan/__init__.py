"""Plan a trial: virtual patients simulated once, resampled into thousands of trials of a design."""

from __future__ import annotations

from twoarm.plan.tell import plan_table
from twoarm.plan.write import plan_trial, summary_of

__all__ = ["plan_table", "plan_trial", "summary_of"]
