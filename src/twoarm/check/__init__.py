"""Cohorts predicted and laid beside everything published of them: intervals, misses first, and coverage."""

from __future__ import annotations

from twoarm.check.cohort import Part, plan_cohort, predict_asked, predict_cohort
from twoarm.check.ensemble import Ensemble, ensemble_of, read_prior
from twoarm.check.mapping import map_rows
from twoarm.check.pictures import draw_check
from twoarm.check.pool import Subset
from twoarm.check.rules import read_rules
from twoarm.check.run import EVIDENCE, Checked, Cost, check_evidence
from twoarm.check.widths import split_width

__all__ = [
    "EVIDENCE",
    "Checked",
    "Cost",
    "Ensemble",
    "Part",
    "Subset",
    "check_evidence",
    "draw_check",
    "ensemble_of",
    "map_rows",
    "plan_cohort",
    "predict_asked",
    "predict_cohort",
    "read_prior",
    "read_rules",
    "split_width",
]
