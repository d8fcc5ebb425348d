"""The cohort engine: any model, any patients, any doses. Knows no drug, no cell and no trial."""

from __future__ import annotations

from twoarm.engine.simulate import SupportsDoses, simulate

__all__ = ["SupportsDoses", "simulate"]
