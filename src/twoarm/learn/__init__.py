"""What a prediction hangs on, what would narrow it, and what reports say of the unknown molecule."""

from __future__ import annotations

from twoarm.learn.matter import Matters, what_matters
from twoarm.learn.told import matter_tables, write_matter

__all__ = ["Matters", "matter_tables", "what_matters", "write_matter"]
