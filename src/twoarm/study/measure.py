"""One trial's results as files: outcomes, scans, curves, measures. The record comes last: it says done."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from twoarm.errors import EventsNotReachedError, PatientsFailedError
from twoarm.study import folder as files
from twoarm.trial.analyses.competing import CAUSES, compare_causes, cumulative_incidence, treatment_ends
from twoarm.trial.analyze import LANDMARKS, analyze, kaplan_meier, medians, subgroups
from twoarm.trial.cutoff import cut, flow, size_changes
from twoarm.trial.ledger import Trial
from twoarm.trial.protocol import Protocol

_MOST_FAILED = 0.05  # share of patients whose integration may fail
_LATER = {**LANDMARKS, "OS": (*LANDMARKS["OS"], 24)}  # further months that published trials report


def write_trial(trial: Trial, protocol: Protocol, place: Path, draw: int, replicate: int) -> None:
    """Cut, analyze and write one trial.

    Parameters
    ----------
    trial : Trial
        From `run_trial`.
    protocol : Protocol
        Says when the data are cut.
    place : Path
        Folder of the trial.
    draw, replicate : int
        Which draw of the cards, which replicate of chance.

    Raises
    ------
    PatientsFailedError
        If more than 1 in 20 patients could not be simulated to the end.
    """
    _refuse_if_failed(trial)
    table, said = cut_as_planned(trial, protocol)
    factors = [name for name in protocol.randomization.factors if name in table]
    measures = analyze(table, landmarks=_LATER).assign(draw=draw, replicate=replicate)
    several, ends = table["arm"].nunique() > 1, treatment_ends(table)
    for name, rows in {
        "measures": measures,
        "survival": kaplan_meier(table),
        "medians": medians(table),
        "changes": size_changes(trial, table),
        "flow": flow(trial, table),
        "subgroups": subgroups(table, factors) if several and factors else pd.DataFrame(),
        "ends": cumulative_incidence(ends, causes=CAUSES),
        "ends_compared": compare_causes(ends, causes=CAUSES) if several else pd.DataFrame(),
        "toxicity": trial.toxicity,
        "doses": trial.exposures,
        "scans": trial.visits,
        "readings": trial.readings,
    }.items():
        if len(rows.columns):
            files.write_table(rows, place / f"{name}.csv", index=False)
    files.write_table(table, place / files.OUTCOMES)
    files.write_curves(trial.courses, place / files.COURSES)
    failed = int((trial.patients["status"] != "complete").sum())
    plain = {
        key: value for key, value in trial.provenance.items() if isinstance(value, str | int | float | bool)
    }
    record = {
        "draw": draw,
        "replicate": replicate,
        "cut": said,
        "failed": failed,
        "cutoff": float(table.attrs["cutoff"]),
        "engine": plain,
    }
    files.write_record(record, place / files.RECORD)


def _refuse_if_failed(trial: Trial) -> None:
    status = trial.patients["status"]
    failed = status[status != "complete"]
    if len(failed) > _MOST_FAILED * len(status):
        reason = str(failed.mode().iloc[0])
        raise PatientsFailedError(failed=len(failed), n=len(status), reason=reason, limit=_MOST_FAILED)


def cut_as_planned(trial: Trial, protocol: Protocol) -> tuple[pd.DataFrame, str]:
    """Cut the data when the protocol says, and say when that was.

    Parameters
    ----------
    trial : Trial
        From `run_trial`.
    protocol : Protocol
        Its events are those of the planned number of patients; for fewer patients, proportionally fewer.

    Returns
    -------
    table : DataFrame
        From `cut`.
    said : str
        When the data were cut, in words.
    """
    plan = protocol.follow_up
    if plan.events is not None:
        planned = protocol.enrollment.patients or len(trial.patients)
        events = math.ceil(plan.events * len(trial.patients) / planned)
        try:
            return cut(trial, events=events, endpoint=plan.endpoint), f"at {events} events of {plan.endpoint}"
        except EventsNotReachedError:
            return cut(
                trial
            ), f"at the end of follow-up, before {events} events of {plan.endpoint} had happened"
    return cut(trial), "at the end of follow-up"
