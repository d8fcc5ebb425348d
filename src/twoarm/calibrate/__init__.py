"""Fits of the library's numbers to measurements, each with its diagnostics and what it leaves open."""

from __future__ import annotations

from twoarm.calibrate.measured import Measured, read_measured
from twoarm.calibrate.receptors import ReceptorFit, fit_receptors, leave_one_out, profile
from twoarm.calibrate.told import write_receptor_fit

__all__ = [
    "Measured",
    "ReceptorFit",
    "fit_receptors",
    "leave_one_out",
    "profile",
    "read_measured",
    "write_receptor_fit",
]
