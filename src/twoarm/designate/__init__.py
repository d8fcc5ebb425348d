"""Designations: what an agency asks for, and how probable it is that a drug exceeds available therapy."""

from __future__ import annotations

from twoarm.designate.criteria import read_agency, read_cohort
from twoarm.designate.told import notes_of, tables_of, write_designation
from twoarm.designate.weigh import Weighed, weigh_designation

__all__ = [
    "Weighed",
    "notes_of",
    "read_agency",
    "read_cohort",
    "tables_of",
    "weigh_designation",
    "write_designation",
]
