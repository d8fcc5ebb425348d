"""What a report is made from: tables, curves and words, nearly all optional."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    import xarray as xr

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Findings(NamedTuple):
    """Everything `write_report` may show. A part left out leaves its section out.

    All columns below are required in a table that is given, unless marked optional; further columns
    are ignored. Days are days since randomization.

    Attributes
    ----------
    title : str
        Heading of the page.
    arms : mapping of str to str
        Every arm and what to call it, as ``{"experimental": "fusion 3 mg/kg every 3 weeks", ...}``.
        The first is compared with the last.
    patients : pandas.DataFrame
        One row a patient: ``patient``, ``arm``; optional ``best_change`` [%], ``bor`` (CR PR SD PD NE),
        ``treatment_end``, ``last_day``, ``response_day``, ``progression_day``, ``death_day`` [day].
    measures : pandas.DataFrame
        The main table in long form: ``quantity`` ("ORR"), ``arm`` ("" for a comparison of arms, as a hazard
        ratio), ``value``, ``low``, ``high`` (95 % interval or NaN), ``unit`` ("%", "month", "").
    question : str
        What was asked, in one sentence.
    primary : str
        The ``quantity`` of the row of `measures` that answers it.
    covers : str
        What the interval of the answer covers, as "chance in one trial; not the molecule card".
    setting : mapping of str to str
        What was simulated, a line each: regimen, population, protocol, biology with digest, engine, seed.
    molecules : mapping of str to pandas.DataFrame
        A card by name: ``entry``, ``value`` (number or range with unit, as text), ``source``; optional
        ``note``.
    flow : pandas.DataFrame, optional
        CONSORT counts: ``step``, ``arm`` ("" before randomization), ``count``; optional ``detail``.
    baseline : pandas.DataFrame, optional
        ``characteristic``, and a column of text for each arm.
    toxicity : pandas.DataFrame, optional
        Patients with an event: ``kind``, ``arm``, ``grade`` (that or worse), ``value``, ``low``, ``high`` [%;
        median, least and greatest over draws of the card].
    survival : pandas.DataFrame, optional
        Kaplan-Meier: ``endpoint`` (PFS, OS), ``arm``, ``day``, ``survival``, ``low``, ``high``, ``at_risk``,
        ``censored``.
    survival_draws : pandas.DataFrame, optional
        Survival over draws of the card: ``endpoint``, ``arm``, ``day``, ``survival`` (median), ``low``,
        ``high`` (least and greatest), ``draws`` (how many).
    medians : pandas.DataFrame, optional
        ``endpoint``, ``arm``, ``median``, ``low``, ``high`` [day]; infinite means not reached.
    published_survival : pandas.DataFrame, optional
        Dashed overlays: ``endpoint``, ``arm``, ``label``, ``day``, ``survival``.
    changes : pandas.DataFrame, optional
        ``patient``, ``arm``, ``day``, ``change`` [% of baseline]; optional ``bor``.
    courses : xarray.Dataset, optional
        Curves, dims ``patient`` and ``day``, with ``label`` and ``units``.
    subgroups : pandas.DataFrame, optional
        ``stratum``, ``level``, ``quantity``, ``n``, ``value``, ``low``, ``high``; optional ``unit``,
        ``events``. Level "" is a stratum's own row, as of "Interaction p of OS", or all patients.
    ends : pandas.DataFrame, optional
        Why treatment ended: ``cause``, ``arm``, ``day``, ``share``, ``low``, ``high`` (0 to 1), ``at_risk``.
    ends_compared : pandas.DataFrame, optional
        Cause-specific hazard ratios: ``cause``, ``value``, ``low``, ``high``, ``p``, ``events``.
    comparison : pandas.DataFrame, optional
        Predicted against published: ``label``, ``endpoint``, ``unit``, ``published``, ``published_low``,
        ``published_high``, ``predicted``, ``predicted_low``, ``predicted_high``, ``use`` (calibrate,
        validate, none); optional ``arm``, ``n``, ``source``, ``differences`` (between the populations,
        in words), ``verdict`` (outside, inside, no interval), ``z``.
    draws : pandas.DataFrame, optional
        One row a draw of the molecule card: ``draw``, ``hazard_ratio_os``; optional ``hazard_ratio_pfs``.
    shares : pandas.DataFrame, optional
        ``quantity``, ``part`` (card, patients, biology, chance), ``share`` (0 to 1).
    tuned : pandas.DataFrame, optional
        Numbers that were fitted: ``name``, ``value``, ``unit``, ``fitted_to``; optional ``source``.
    limits : sequence of str
        What the result does not cover.
    sources : sequence of str
        Further keys of the bibliography; those of cards and comparison are collected.
    provenance : mapping of str to str
        What ran: backend, method, tolerances, versions, digests, seed.
    """

    title: str
    arms: Mapping[str, str]
    patients: pd.DataFrame
    measures: pd.DataFrame
    question: str = ""
    primary: str = "Hazard ratio of OS"
    covers: str = ""
    setting: Mapping[str, str] = _NOTHING
    molecules: Mapping[str, pd.DataFrame] = MappingProxyType({})
    flow: pd.DataFrame | None = None
    baseline: pd.DataFrame | None = None
    toxicity: pd.DataFrame | None = None
    survival: pd.DataFrame | None = None
    survival_draws: pd.DataFrame | None = None
    medians: pd.DataFrame | None = None
    published_survival: pd.DataFrame | None = None
    changes: pd.DataFrame | None = None
    courses: xr.Dataset | None = None
    subgroups: pd.DataFrame | None = None
    ends: pd.DataFrame | None = None
    ends_compared: pd.DataFrame | None = None
    comparison: pd.DataFrame | None = None
    draws: pd.DataFrame | None = None
    shares: pd.DataFrame | None = None
    tuned: pd.DataFrame | None = None
    limits: Sequence[str] = ()
    sources: Sequence[str] = ()
    provenance: Mapping[str, str] = _NOTHING
