"""What a prediction hangs on, what would narrow it, and what reports say of the unknown molecule."""

from __future__ import annotations

from twoarm.learn.matter import Matters, what_matters
from twoarm.learn.reports import Update, read_update
from twoarm.learn.told import matter_tables, write_matter
from twoarm.learn.update import Learned, update_card
from twoarm.learn.weighed import notes_of, update_tables, write_update

__all__ = [
    "Learned",
    "Matters",
    "Update",
    "matter_tables",
    "notes_of",
    "read_update",
    "update_card",
    "update_tables",
    "what_matters",
    "write_matter",
    "write_update",
]
