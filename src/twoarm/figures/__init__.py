"""Data in, figure out: every picture of a trial as a matplotlib figure and as inline SVG.

Functions take tables (pandas) or curves (xarray) and return a ``matplotlib.figure.Figure``; nothing is
computed here that a table does not already hold, except quantiles over patients. matplotlib is
imported on the first call, not with the package.
"""

from __future__ import annotations

from .animals import animals
from .coverage import coverage, predictions
from .curves import bands, biomarkers, exposure, selectivity
from .designation import designation
from .experiment import experiment
from .fit import contraction, fitted_curves
from .flow import consort
from .forest import hazard_ratios, predicted_published, subgroups, uncertainty
from .incidence import cumulative_incidence
from .learned import learned
from .matter import tornado, worth
from .plan import (
    boundaries,
    moved_inputs,
    picked_doses,
    pool_survival,
    power_curve,
    ratio_over_time,
)
from .response import spider, waterfall
from .style import arm_colors, svg
from .survival import kaplan_meier, survival_range
from .swimmer import swimmer

__all__ = [
    "animals",
    "arm_colors",
    "bands",
    "biomarkers",
    "boundaries",
    "consort",
    "contraction",
    "coverage",
    "cumulative_incidence",
    "designation",
    "experiment",
    "exposure",
    "fitted_curves",
    "hazard_ratios",
    "kaplan_meier",
    "moved_inputs",
    "picked_doses",
    "pool_survival",
    "power_curve",
    "learned",
    "predicted_published",
    "predictions",
    "ratio_over_time",
    "selectivity",
    "spider",
    "subgroups",
    "survival_range",
    "svg",
    "swimmer",
    "tornado",
    "uncertainty",
    "waterfall",
    "worth",
]
