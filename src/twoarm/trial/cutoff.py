"""The data cut: what an analyst sees of a trial on one calendar day. One row a patient."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from twoarm.errors import EventsNotReachedError
from twoarm.trial import recist
from twoarm.trial.ledger import Trial
from twoarm.units import quantity


def cut(
    trial: Trial,
    *,
    cutoff: float | str | None = None,
    events: int | None = None,
    endpoint: Literal["OS", "PFS"] = "OS",
) -> pd.DataFrame:
    """Cut the data of a trial.

    Parameters
    ----------
    trial : Trial
        From `twoarm.trial.conduct.run_trial`.
    cutoff : float [day] or str, optional
        Calendar day since the trial opened, as ``"30 months"``. Left out, with no `events`: the end of
        follow-up.
    events : int, optional
        Cut on the day this many events of `endpoint` have happened.
    endpoint : {"OS", "PFS"}
        Which events are counted.

    Returns
    -------
    DataFrame, index patient
        `arm stratum` and the columns that stratify; `enrolled_on follow_up` [day]; `OS_day OS_event`;
        `PFS_day PFS_event`, as recorded at scans, and `PFS_after`, the last scan without progression, so that
        the event lies in (PFS_after, PFS_day]; `true_PFS_day true_PFS_event`, by the true sizes; `bor
        response_day` (confirmed, if the protocol asks for it); `DOR_day DOR_event` of responders;
        `best_change` [%]; `grade` (worst related); `treatment_end` [day] and `off_reason`, "" while treated;
        `last_day progression_day death_day lost_day` [day]; `death_cause`; `doses status`. ``attrs`` carry
        `cutoff` and what the analysis has to know.

    Raises
    ------
    EventsNotReachedError
        If there are fewer events in the whole follow-up.

    Notes
    -----
    PFS is the first of recorded progression and death; without either it is censored at the last scan that
    could be judged (day 1 without one). OS is censored at the last contact. Patients enrolled on the day of
    the cut or later are not in the table; those whose integration failed are, censored then.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["new", "old"], "stratum": "all", "enrolled_on": [0.0, 30.0]})
    >>> people = people.assign(
    ...     doses=4, status="complete", off_day=[84.0, np.nan], followed_until=[200.0, 300]
    ... )
    >>> people = people.assign(death_day=[200.0, np.nan], progression_day=[84.0, np.nan])
    >>> people = people.assign(true_progression_day=[70.0, np.nan]).rename_axis("patient")
    >>> visits = pd.DataFrame({"patient": [0, 0, 1, 1], "visit": [0, 1, 0, 1], "day": [0.0, 84, 0, 84]})
    >>> visits = visits.assign(overall=["", "PD", "", "SD"], total=[50.0, 70, 50, 45])
    >>> none = pd.DataFrame({"patient": [], "day": [], "grade": []}, dtype=float)
    >>> facts = {"factors": (), "stable_from": 35.0, "confirm": True, "arms": {"new": "", "old": ""}}
    >>> trial = Trial(people, visits, none, none, none, None, facts)
    >>> cut(trial, cutoff="6 months")[["bor", "PFS_day", "PFS_event", "OS_day", "OS_event"]]
            bor  PFS_day  PFS_event   OS_day  OS_event
    patient
    0        PD     84.0       True  182.625     False
    1        SD     84.0      False  152.625     False
    """
    people = trial.patients
    day = _calendar_day(trial, cutoff, events, endpoint)
    follow_up = (day - people["enrolled_on"]).clip(upper=people["followed_until"])
    limit = follow_up.to_numpy(float)
    entered = (people["enrolled_on"] < day).to_numpy()
    visits = trial.visits.merge(pd.DataFrame({"patient": people.index, "limit": limit}), on="patient")
    visits = visits[(visits["day"] <= visits["limit"]) & (visits["limit"] >= 0)]
    judged = _responses(trial, visits, people.index)
    table = people[["arm", "stratum", *trial.provenance["factors"], "enrolled_on", "doses", "status"]].copy()
    table["follow_up"] = follow_up
    _survival(table, people, limit, judged)
    table["bor"], table["response_day"] = judged["best"], judged["response_day"]
    responded = table["response_day"].notna() & table["bor"].isin(["CR", "PR"])
    table["DOR_day"] = (table["PFS_day"] - table["response_day"]).where(responded)
    table["DOR_event"] = table["PFS_event"] & responded
    table["best_change"] = _best_change(visits, people.index)
    table["grade"] = _worst_grade(trial, limit)
    table["treatment_end"] = np.fmin(people["off_day"], limit)
    table["last_day"] = limit
    for name in ("progression_day", "death_day", "lost_day"):
        if name in people:
            table[name] = people[name].where(people[name] <= limit)
    for name, day_of in (("off_reason", "off_day"), ("death_cause", "death_day")):
        if name in people:
            table[name] = people[name].where(people[day_of] <= limit, "")
    table = table[entered]
    table.attrs.update(trial.provenance)
    table.attrs.update(cutoff=float(day), compare=list(trial.provenance["arms"]))
    return table


def size_changes(trial: Trial, table: pd.DataFrame) -> pd.DataFrame:
    """Sum of diameters against baseline, scan by scan.

    Parameters
    ----------
    trial : Trial
        The trial.
    table : DataFrame
        From `cut`.

    Returns
    -------
    DataFrame
        `patient arm day change bor`; change in % of baseline.
    """
    visits = trial.visits[trial.visits["total"].notna()]
    visits = visits.merge(table[["arm", "bor", "last_day"]].reset_index(), on="patient")
    visits = visits[visits["day"] <= visits["last_day"]]
    baseline = visits[visits["visit"] == 0].set_index("patient")["total"]
    change = 100 * (visits["total"] / visits["patient"].map(baseline) - 1)
    return visits.assign(change=change)[["patient", "arm", "day", "change", "bor"]].reset_index(drop=True)


def flow(trial: Trial, table: pd.DataFrame) -> pd.DataFrame:
    """Count patients for a CONSORT diagram.

    Parameters
    ----------
    trial : Trial
        The trial.
    table : DataFrame
        From `cut`.

    Returns
    -------
    DataFrame
        `step arm count detail`; arm "" before randomization.
    """
    rows = [("enrolled by the cut", "", len(table), f"of {len(trial.patients)} drawn")]
    people = trial.patients.loc[table.index]
    ended = people["off_day"] <= table["last_day"]
    for arm in trial.provenance["arms"]:
        own = (table["arm"] == arm).to_numpy()
        reasons = people.loc[own & ended.to_numpy(), "off_reason"].value_counts()
        rows += [
            ("randomized", arm, int(own.sum()), ""),
            ("treated", arm, int((table.loc[own, "doses"] > 0).sum()), ""),
            (
                "treatment ended",
                arm,
                int(reasons.sum()),
                ", ".join(f"{why} {n}" for why, n in reasons.items()),
            ),
            ("died", arm, int(table.loc[own, "OS_event"].sum()), ""),
            ("simulation failed", arm, int((table.loc[own, "status"] != "complete").sum()), ""),
            ("analyzed", arm, int(own.sum()), ""),
        ]
    return pd.DataFrame(rows, columns=["step", "arm", "count", "detail"])


def _calendar_day(
    trial: Trial, cutoff: float | str | None, events: int | None, endpoint: Literal["OS", "PFS"]
) -> float:
    """Day of the cut since the trial opened."""
    people = trial.patients
    if events is not None:
        day = people["death_day"]
        if endpoint == "PFS":
            day = people["progression_day"].fillna(day)
        when = np.sort((people["enrolled_on"] + day).dropna().to_numpy())
        if events > when.size:
            raise EventsNotReachedError(endpoint=endpoint, asked=events, found=when.size)
        return float(when[events - 1])
    if cutoff is None:
        return float((people["enrolled_on"] + people["followed_until"]).max()) + 1.0  # everybody is in
    return quantity(cutoff, "day", what="cutoff") if isinstance(cutoff, str) else float(cutoff)


def _responses(trial: Trial, visits: pd.DataFrame, patients: pd.Index) -> pd.DataFrame:
    """Best response of each patient from the visits before the cut."""
    every = np.sort(trial.visits["visit"].unique())  # before the first scan there is none to see
    seen, day = (
        visits.pivot(index="patient", columns="visit", values=name).reindex(index=patients, columns=every)
        for name in ("overall", "day")
    )
    how = {name: trial.provenance[name] for name in ("stable_from", "confirm")}
    found = recist.best_response(seen.fillna("").to_numpy(str), day.to_numpy(float), **how)
    return pd.DataFrame(found._asdict(), index=patients)


def _survival(table: pd.DataFrame, people: pd.DataFrame, limit: np.ndarray, judged: pd.DataFrame) -> None:
    """Columns of OS and of both kinds of PFS."""
    death = people["death_day"].to_numpy(float)
    died = death <= limit
    table["OS_day"], table["OS_event"] = np.maximum(np.where(died, death, limit), 1.0), died
    progression, last = (
        judged["progression_day"].to_numpy(float),
        judged["last_evaluable_day"].to_numpy(float),
    )
    progressed = ~np.isnan(progression)
    event = progressed | died
    table["PFS_day"] = np.maximum(np.select([progressed, died], [progression, death], default=last), 1.0)
    table["PFS_event"], table["PFS_after"] = event, last
    true = people["true_progression_day"].to_numpy(float)
    truly = true <= limit
    table["true_PFS_day"] = np.maximum(np.select([truly, died], [true, death], default=limit), 1.0)
    table["true_PFS_event"] = truly | died


def _best_change(visits: pd.DataFrame, patients: pd.Index) -> pd.Series:
    """Deepest change of the sum of diameters after baseline [%]; NaN without a complete later scan."""
    baseline = visits[visits["visit"] == 0].set_index("patient")["total"]
    lowest = visits[visits["visit"] > 0].groupby("patient")["total"].min()
    return (100 * (lowest / baseline - 1)).reindex(patients)


def _worst_grade(trial: Trial, limit: np.ndarray) -> pd.Series:
    """Worst related grade before the cut; 0 for none."""
    events = trial.toxicity
    until = events["patient"].map(pd.Series(limit, trial.patients.index))
    worst = events[events["day"] <= until].groupby("patient")["grade"].max()
    return worst.reindex(trial.patients.index, fill_value=0).astype(int)
