"""The pool: virtual patients, each followed in each arm, from which trials are drawn.

Nobody of the pool is lost to follow-up: that is drawn anew for each trial, as enrollment and randomization
are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.design.card import Limiting
from twoarm.engine.simulate import simulate
from twoarm.errors import EmptyStratumError, PatientsFailedError, PoolSizeError
from twoarm.model import Model
from twoarm.study import folder as files
from twoarm.trial.conduct import Advance, run_trial
from twoarm.trial.cutoff import cut
from twoarm.trial.ledger import Trial
from twoarm.trial.outcomes import Outcomes
from twoarm.trial.protocol import Protocol
from twoarm.trial.review import review_readings

LEAST = 20  # patients; fewer are no population
_BLOCK = 500  # patients simulated at a time: what an interruption costs
_MOST_FAILED = 0.05  # share of patients whose integration may fail
_CONFIRMED_AFTER = 28.0  # day; as in RECIST
_SCAN, _REVIEW = "scan_{}", "review_{}"


class Course(NamedTuple):
    """What happened to the patients of a pool in one arm; arrays over patients, days since randomization.

    Attributes
    ----------
    death : (patient,) float array
        Infinite where alive at the end.
    progression : (patient,) float array
        As the investigator recorded it; infinite for none.
    until : (patient,) float array
        Followed until then: death or the horizon.
    response : (patient,) float array
        Day on which the best response is confirmed; infinite for none.
    limiting : (patient,) float array
        Day of the first dose-limiting event; infinite for none.
    scans : (patient, visit) float array
        Evaluable scans without progression; infinite where there is none.
    reviews : (patient, version) float array
        Progression by independent review, several versions of its readers' errors; no column without review.
    """

    death: np.ndarray
    progression: np.ndarray
    until: np.ndarray
    response: np.ndarray
    limiting: np.ndarray
    scans: np.ndarray
    reviews: np.ndarray


class Pool(NamedTuple):
    """Patients and what happened to each of them in each arm.

    Attributes
    ----------
    patients : DataFrame, index patient
        As drawn.
    arms : mapping of str to Course
        The same patients in each.
    draw : int
        Which draw of the cards, and which member of the populations.
    """

    patients: pd.DataFrame
    arms: Mapping[str, Course]
    draw: int = 0

    @property
    def size(self) -> int:
        """How many patients."""
        return len(self.patients)


def follow(
    model: Model,
    protocol: Protocol,
    arm: str,
    patients: pd.DataFrame,
    outcomes: Outcomes,
    place: Path | None = None,
    *,
    seed: int,
    draws: Mapping[str, Mapping[str, float]] | None = None,
    limiting: Limiting | None = None,
    progress: Callable[[float], None] | None = None,
    advance: Advance | Callable[..., object] = simulate,
) -> Course:
    """Follow every patient of a pool in one arm, or read what was kept of it.

    Parameters
    ----------
    model, protocol, arm : Model, Protocol, str
        As `run_trial`.
    patients : DataFrame, index patient
        From `draw_patients`.
    outcomes : Outcomes
        The clinical link; its dropout is left out.
    place : Path, optional
        Folder in which finished blocks of patients are kept.
    seed : int
        Everything drawn is keyed by (seed, patient, purpose).
    draws : mapping, optional
        Row of each molecule's card.
    limiting : Limiting, optional
        What counts as a dose-limiting event.
    progress : callable, optional
        Told the share done.
    advance : callable
        The simulator.

    Returns
    -------
    Course
        Arrays over patients.

    Raises
    ------
    PatientsFailedError
        If more than 1 in 20 patients could not be simulated to the end.
    PoolSizeError
        If there are too few patients.
    """
    if len(patients) < LEAST:
        raise PoolSizeError(found=len(patients), least=LEAST)
    one = protocol.model_copy(update={"arms": {arm: protocol.arms[arm]}})
    nobody_lost = outcomes.survival.model_copy(update={"dropout": 0.0})
    link = outcomes.model_copy(update={"survival": nobody_lost})
    tables = []
    for begin in range(0, len(patients), _BLOCK):
        part = patients.iloc[begin : begin + _BLOCK]
        part.attrs = patients.attrs
        path = place / f"{begin // _BLOCK:03d}.csv" if place else None
        if path is not None and path.is_file():
            tables.append(files.read_table(path))
            continue

        def tell(share: float, begin: int = begin, size: int = len(part)) -> None:
            if progress is not None:
                progress((begin + share * size) / len(patients))

        trial = run_trial(
            model,
            one,
            part,
            seed=seed,
            outcomes=link,
            assignment=pd.Series(arm, index=part.index),
            draws=draws,
            progress=tell,
            advance=advance,  # type: ignore[arg-type]
        )
        _refuse_if_failed(trial)
        table = record(trial, limiting=limiting)
        if one.imaging.review is not None:
            table = pd.concat([table, _reviews(trial, one, link, seed)], axis=1)
        if path is not None:
            files.write_table(table, path, index=False)
        tables.append(table)
    return course_of(pd.concat(tables, ignore_index=True))


def record(trial: Trial, *, limiting: Limiting | None = None) -> pd.DataFrame:
    """Keep of a trial what other trials are drawn from: one row a patient.

    Parameters
    ----------
    trial : Trial
        From `run_trial`, without dropout.
    limiting : Limiting, optional
        What counts as a dose-limiting event.

    Returns
    -------
    DataFrame
        `patient death progression until response limiting`, and `scan_1`, `scan_2`, ... [day]; empty where
        nothing happened.
    """
    people = trial.patients
    table = pd.DataFrame(
        {
            "patient": people.index,
            "death": people["death_day"].to_numpy(float),
            "progression": people["progression_day"].to_numpy(float),
            "until": people["followed_until"].to_numpy(float),
            "response": _responses(trial),
            "limiting": _limiting(trial, limiting),
        }
    )
    seen = trial.visits[trial.visits["overall"].isin(["CR", "PR", "SD"])]
    wide = seen.pivot(index="patient", columns="visit", values="day").reindex(people.index)
    scans = {_SCAN.format(visit): wide[visit].to_numpy(float) for visit in wide.columns}
    return pd.concat([table, pd.DataFrame(scans, index=table.index)], axis=1)


def course_of(table: pd.DataFrame) -> Course:
    """Turn the rows of `record` into arrays.

    Parameters
    ----------
    table : DataFrame
        One row a patient.

    Returns
    -------
    Course
        Infinite where nothing happened.

    Examples
    --------
    >>> row = {"patient": [0], "death": [90.0], "until": [90.0], "scan_1": [42.0]}
    >>> course_of(pd.DataFrame(row).assign(progression=np.nan, response=np.nan, limiting=np.nan)).death
    array([90.])
    """

    def column(name: str) -> np.ndarray:
        return table[name].to_numpy(float, na_value=np.nan, copy=True)

    def wide(form: str) -> np.ndarray:
        names = sorted(
            (str(name) for name in table if str(name).startswith(form.format(""))),
            key=lambda name: int(name.rpartition("_")[2]),
        )
        found = table[names].to_numpy(float) if names else np.zeros((len(table), 0))
        return np.where(np.isnan(found), np.inf, found)

    def day(name: str) -> np.ndarray:
        return np.nan_to_num(column(name), nan=np.inf, posinf=np.inf)

    return Course(
        death=day("death"),
        progression=day("progression"),
        until=column("until"),
        response=day("response"),
        limiting=day("limiting"),
        scans=wide(_SCAN),
        reviews=wide(_REVIEW),
    )


def levels_of(patients: pd.DataFrame, factor: str, wanted: tuple[str, ...]) -> np.ndarray:
    """Say which level of a factor each patient has; every wanted level has somebody.

    Parameters
    ----------
    patients : DataFrame
        With the column.
    factor : str
        Column.
    wanted : tuple of str
        Levels that must be there.

    Returns
    -------
    (patient,) str array
        Levels.

    Raises
    ------
    EmptyStratumError
        If nobody has a level, or the factor itself is no column.

    Examples
    --------
    >>> levels_of(pd.DataFrame({"region": ["asia", "europe"]}), "region", ("asia",)).tolist()
    ['asia', 'europe']
    """
    if factor not in patients:
        raise EmptyStratumError(factor=factor, level="any", present=map(str, patients.columns[:8]))
    levels = patients[factor].astype(str).to_numpy()
    for level in wanted:
        if level not in levels:
            raise EmptyStratumError(factor=factor, level=level, present=set(levels))
    return levels


def _refuse_if_failed(trial: Trial) -> None:
    status = trial.patients["status"]
    failed = status[status != "complete"]
    if len(failed) > _MOST_FAILED * len(status):
        reason = str(failed.mode().iloc[0])
        raise PatientsFailedError(failed=len(failed), n=len(status), reason=reason, limit=_MOST_FAILED)


def _responses(trial: Trial) -> np.ndarray:
    """Day from which each patient's best response counts: its confirmation, where that is asked for."""
    table = cut(trial).reindex(trial.patients.index)
    responded = table["bor"].isin(["CR", "PR"]).to_numpy()
    first = table["response_day"].to_numpy(float)
    if not trial.provenance["confirm"]:
        return np.where(responded, first, np.nan)
    seen = trial.visits[trial.visits["overall"].isin(["CR", "PR"])]
    wait = seen["patient"].map(pd.Series(first, trial.patients.index)) + _CONFIRMED_AFTER
    later = seen[seen["day"] >= wait].groupby("patient")["day"].min().reindex(trial.patients.index)
    return np.where(responded, later.to_numpy(float), np.nan)


def _limiting(trial: Trial, rule: Limiting | None) -> np.ndarray:
    """Day of the first dose-limiting event within its window."""
    events = trial.toxicity
    if rule is None or not len(events):
        return np.full(len(trial.patients), np.nan)
    least = events["toxicity"].map(rule.kinds).fillna(rule.grade)
    counts = events[(events["grade"] >= least) & (events["day"] <= rule.window)]
    return counts.groupby("patient")["day"].min().reindex(trial.patients.index).to_numpy(float)


def _reviews(trial: Trial, protocol: Protocol, outcomes: Outcomes, seed: int) -> pd.DataFrame:
    """Progression by independent review, in as many versions as the protocol asks for."""
    assert protocol.imaging.review is not None
    versions = {
        _REVIEW.format(version): review_readings(trial, protocol, outcomes, seed=seed, version=version)[
            "progression_day"
        ].to_numpy(float)
        for version in range(protocol.imaging.review.versions)
    }
    return pd.DataFrame(versions)
