"""Fits of populations to comparators: from a calibration file to a posterior, diagnosed and frozen."""

from __future__ import annotations

from twoarm.fit.card import Calibration, read_calibration
from twoarm.fit.freezing import freeze, freeze_carried, freeze_into_library, freeze_prior
from twoarm.fit.inference import as_inference_data, diagnose_fit
from twoarm.fit.prevalence import Prevalence, weigh_patients
from twoarm.fit.run import Fitted, fit_population
from twoarm.fit.told import (
    conflicts,
    contraction,
    convergence,
    demands,
    in_sample,
    mixtures,
    write_told,
)
from twoarm.fit.trust import coverage, rank_check

__all__ = [
    "Calibration",
    "Fitted",
    "Prevalence",
    "as_inference_data",
    "diagnose_fit",
    "fit_population",
    "conflicts",
    "contraction",
    "convergence",
    "coverage",
    "demands",
    "freeze",
    "freeze_carried",
    "freeze_into_library",
    "freeze_prior",
    "in_sample",
    "mixtures",
    "rank_check",
    "read_calibration",
    "weigh_patients",
    "write_told",
]
