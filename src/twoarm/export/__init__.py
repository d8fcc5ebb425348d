"""A trial as files that statisticians use: ADaM-like data sets, their dictionary, a NONMEM data set."""

from __future__ import annotations

from twoarm.export.write import FORMATS, export_study, export_trial

__all__ = ["FORMATS", "export_study", "export_trial"]
