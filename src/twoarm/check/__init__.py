"""Cohorts predicted and laid beside everything published of them: intervals, misses first, and coverage."""

from __future__ import annotations

from twoarm.check.cohort import Part, predict_cohort
from twoarm.check.pool import Subset

__all__ = ["Part", "Subset", "predict_cohort"]
