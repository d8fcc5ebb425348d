"""Cohorts predicted and laid beside everything published of them: intervals, misses first, and coverage."""

from __future__ import annotations

from twoarm.check.between import Spread, estimate_spreads, read_between
from twoarm.check.cohort import Part, plan_cohort, predict_asked, predict_cohort
from twoarm.check.ensemble import Ensemble, ensemble_of, read_prior
from twoarm.check.mapping import map_rows
from twoarm.check.pictures import draw_check
from twoarm.check.pool import Subset
from twoarm.check.rules import read_rules
from twoarm.check.run import EVIDENCE, Checked, Cost, check_evidence
from twoarm.check.told import misses_by, rows_told, tables_told, write_page
from twoarm.check.widths import split_width

__all__ = [
    "EVIDENCE",
    "Checked",
    "Cost",
    "Ensemble",
    "Part",
    "Spread",
    "Subset",
    "check_evidence",
    "draw_check",
    "ensemble_of",
    "estimate_spreads",
    "map_rows",
    "misses_by",
    "plan_cohort",
    "predict_asked",
    "predict_cohort",
    "read_between",
    "read_prior",
    "read_rules",
    "rows_told",
    "split_width",
    "tables_told",
    "write_page",
]
