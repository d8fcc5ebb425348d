"""Fits of the library's numbers to measurements, each with its diagnostics and what it leaves open."""

from __future__ import annotations

from twoarm.calibrate.measured import Measured, read_measured
from twoarm.calibrate.receptors import ReceptorFit, fit_receptors, leave_one_out, profile
from twoarm.calibrate.resolvable import between_days, measured_ec50, resolve, score_order
from twoarm.calibrate.told import write_receptor_fit

__all__ = [
    "Measured",
    "ReceptorFit",
    "between_days",
    "fit_receptors",
    "leave_one_out",
    "measured_ec50",
    "profile",
    "read_measured",
    "resolve",
    "score_order",
    "write_receptor_fit",
]
