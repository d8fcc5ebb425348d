"""Conduct a trial: the only place where patients, protocol and engine meet.

Every patient goes from one decision to the next (a dose, a scan, a call) in windows that all patients take
together. What is decided depends on the past only; after treatment ends the biology runs on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from typing import Protocol as Shape

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.engine.simulate import simulate
from twoarm.engine.status import sentence
from twoarm.errors import MissingColumnError, MissingOutputError
from twoarm.model import Model
from twoarm.trial import clinic, ledger
from twoarm.trial.imaging import growth_before_treatment
from twoarm.trial.ledger import Trial
from twoarm.trial.outcomes import Outcomes, read_outcomes
from twoarm.trial.prescribe import dose_table, patient_table, prescribe, still_running
from twoarm.trial.protocol import Protocol
from twoarm.trial.randomize import (
    enrollment_by_region,
    enrollment_days,
    minimize_one,
    randomize,
    strata_of,
)

__all__ = ["Advance", "Trial", "run_trial"]

LESIONS = range(1, 6)
BEFORE = "days_since_anti_pd1"  # what a population after immunotherapy says of it
CARRIED = ("final_state", "final_day", "status", "steps", "last_step")


class Advance(Shape):
    """What conducts the biology: `twoarm.engine.simulate.simulate`, one with options bound, or a stand-in."""

    def __call__(  # noqa: D102
        self,
        model: Any,
        patients: pd.DataFrame,
        doses: pd.DataFrame | None,
        *,
        days: np.ndarray,
        visits: np.ndarray,
        outputs: list[str],
        initial: xr.Dataset | None,
        failed: str,
    ) -> xr.Dataset: ...


def run_trial(
    model: Model,
    protocol: Protocol,
    patients: pd.DataFrame,
    *,
    seed: int,
    replicate: int = 0,
    outcomes: Outcomes | str | Path | None = None,
    assignment: pd.Series | None = None,
    draws: Mapping[str, Mapping[str, float]] | None = None,
    progress: Callable[[float], None] | None = None,
    advance: Advance | Callable[..., xr.Dataset] = simulate,
) -> Trial:
    """Conduct one trial.

    Parameters
    ----------
    model : Model
        With outputs `sld` and `diameter_1` to `diameter_5` [mm], and the drivers of the outcomes file.
    protocol : Protocol
        Arms, doses, scans, follow-up.
    patients : DataFrame, index patient
        From `twoarm.patients.draw_patients`: parameters of the model, `albumin` [g/L], `diameter_baseline_1`
        to `_5` [mm], sizes that doses are counted by, the factors that stratify; optional `nodal_1` to `_5`
        and `growth_1` to `_5` [1/day].
    seed : int
        Everything drawn is keyed by (seed, patient, purpose).
    replicate : int
        Number of the repeated trial with the same patients.
    outcomes : Outcomes, str or Path, optional
        The clinical link; left out, the one the protocol names.
    assignment : Series of str, index patient, optional
        Arm of each patient, instead of randomization (twins in both arms, an outside list).
    draws : mapping of molecule name to card draw, optional
        Which member of an ensemble is given; left out, nominal values.
    progress : callable, optional
        Called after each window with the share of follow-up done, 0 to 1.
    advance : callable
        The simulator; `functools.partial(simulate, backend=...)` binds options.

    Returns
    -------
    Trial
        Tables; see its attributes.

    Raises
    ------
    MissingOutputError
        If the model lacks an output.
    MissingColumnError
        If the patients lack a column.

    Notes
    -----
    A patient whose integration fails keeps what was seen until then, with the reason in `status`; nobody is
    dropped.

    Examples
    --------
    >>> from functools import partial
    >>> from twoarm.model.sbml import read_model
    >>> from twoarm.patients.draw import draw_patients
    >>> from twoarm.patients.population import read_population
    >>> from twoarm.trial.protocol import read_protocol
    >>> protocol = read_protocol("marslight_11")
    >>> soon = protocol.follow_up.model_copy(update={"horizon": 30.0})
    >>> protocol = protocol.model_copy(update={"follow_up": soon})
    >>> patients = draw_patients(read_population(protocol.population), n=2, seed=7)
    >>> slow = partial(simulate, backend="reference")  # for two patients nothing need be compiled
    >>> trial = run_trial(read_model("pd1_il2"), protocol, patients, seed=11, advance=slow)
    >>> trial.patients["status"].tolist()
    ['complete', 'complete']
    """
    link = _outcomes(protocol, outcomes)
    wanted = _outputs(model, link)
    enrolled = _enroll(protocol, patients, seed, replicate, assignment)
    arm_of = enrolled["arm"].to_numpy(str)
    prescriptions = prescribe(protocol, draws)
    table = patient_table(patients, arm_of, prescriptions)
    setup = clinic.set_up(
        patients.index.to_numpy(),
        arm_of,
        _column(patients, "albumin", "for the risk of death").to_numpy(float),
        np.column_stack([_column(patients, f"diameter_baseline_{j}", "for the scans") for j in LESIONS]),
        growth_before_treatment(patients, len(LESIONS)),
        np.column_stack([patients.get(f"nodal_{j}", np.zeros(len(patients))) for j in LESIONS]).astype(bool),
        protocol=protocol,
        outcomes=link,
        seed=seed,
        replicate=replicate,
        blocked_before=_blocked_before(patients),
    )
    state = clinic.admit(setup)
    courses = {name: np.full((len(patients), setup.weeks.size), np.nan) for name in wanted}
    carry, running, attributes, windows = None, None, {}, 0
    while (going := state.active & (state.now < setup.end)).any():
        given = clinic.give_doses(setup, state)
        who = np.flatnonzero(going)
        end = clinic.next_stop(setup, state)[who]
        later = clinic.go_on(setup, state, who, end)
        looks = clinic.look_days(setup, state, who, end)
        days = _days_to_see(setup, state.now[who], end, looks)
        doses = dose_table(table, arm_of, given.then(later), protocol, prescriptions)
        doses = doses if running is None else pd.concat([running, doses], ignore_index=True)
        part = table.iloc[who]
        part.attrs = table.attrs
        run = advance(model, part, doses, days=end, visits=days, outputs=wanted, initial=carry, failed="keep")
        weekly = _remember(setup, courses, who, days, run)
        clinic.live_through(setup, state, _window(setup, state, who, end, looks, days, run), weekly)
        clinic.write_down(setup, state, later)
        running = still_running(doses, pd.Series(end, setup.labels[who]))
        carry = _carried(carry, who, run, len(patients), setup.labels)
        attributes, windows = dict(run.attrs), windows + 1
        if progress is not None:
            progress(float(np.mean(np.where(state.active, state.now / setup.end, 1.0))))
    ran = {"seed": seed, "replicate": replicate, "windows": windows}
    facts = {**attributes, **_judged_by(protocol, link), **ran}
    ended = ["complete" if code == 0 else sentence(int(code)) for code in state.status]
    curves = _curves(model, setup, courses)
    return ledger.close(setup, state, enrolled, patients, curves, ended, facts)


def _judged_by(protocol: Protocol, outcomes: Outcomes) -> dict[str, Any]:
    """Keep what the analysis has to know of the protocol."""
    return {
        "protocol": protocol.name,
        "outcomes": outcomes.name,
        "arms": {name: arm.label for name, arm in protocol.arms.items()},
        "factors": protocol.randomization.factors,
        "stable_from": protocol.imaging.stable_from,
        "confirm": protocol.imaging.confirm,
        "endpoint": protocol.follow_up.endpoint,
        "events": protocol.follow_up.events,
    }


def _outcomes(protocol: Protocol, outcomes: Outcomes | str | Path | None) -> Outcomes:
    """Find the clinical link that was asked for, or the protocol's own."""
    chosen = protocol.outcomes if outcomes is None else outcomes
    return chosen if isinstance(chosen, Outcomes) else read_outcomes(chosen)


def _outputs(model: Model, outcomes: Outcomes) -> list[str]:
    """Name what is recorded: all that a trial needs, and what curves show."""
    needed = ["sld", *(f"diameter_{j}" for j in LESIONS), *outcomes.drivers]
    missing = [name for name in needed if name not in model.outputs]
    if missing:
        raise MissingOutputError(model=model.name, missing=missing, purpose="by scans and adverse events")
    return list(dict.fromkeys([*needed, *(name for name in ledger.CURVES if name in model.outputs)]))


def _enroll(
    protocol: Protocol, patients: pd.DataFrame, seed: int, replicate: int, assignment: pd.Series | None
) -> pd.DataFrame:
    """Arm, stratum, block and calendar day of each patient."""
    labels, speed = patients.index.to_numpy(), protocol.enrollment
    if speed.regions:
        region = _column(patients, "region", "for enrollment by region").to_numpy(str)
        day = enrollment_by_region(seed, labels, region, speed, replicate=replicate)
    else:
        day = enrollment_days(seed, labels, rate=speed.rate, ramp=speed.ramp, replicate=replicate)
    plan = protocol.randomization
    strata = strata_of(patients, plan.factors)
    if assignment is not None:
        enrolled = pd.DataFrame({"stratum": strata, "enrolled_on": np.asarray(day, float)}, patients.index)
        arms = assignment.reindex(patients.index)
        return enrolled.assign(arm=arms, block=-1)[["arm", "stratum", "block", "enrolled_on"]]
    key = {"seed": seed, "replicate": replicate}
    if plan.minimize is not None:
        levels = patients[list(plan.factors)].astype(str)
        chosen = minimize_one(levels, day, shares=protocol.shares, probability=plan.minimize, **key)
        enrolled = pd.DataFrame({"stratum": strata, "enrolled_on": np.asarray(day, float)}, patients.index)
        return enrolled.assign(arm=chosen, block=-1)[["arm", "stratum", "block", "enrolled_on"]]
    return randomize(strata, day, shares=protocol.shares, block_sizes=plan.block_sizes, **key)


def _blocked_before(patients: pd.DataFrame) -> np.ndarray | None:
    """Who had immunotherapy before this trial, where the population says when."""
    return patients[BEFORE].notna().to_numpy() if BEFORE in patients else None


def _column(patients: pd.DataFrame, name: str, purpose: str) -> pd.Series:
    """One column of the patients, or an honest error."""
    if name not in patients:
        raise MissingColumnError(column=name, table="patients", purpose=purpose)
    return patients[name]


def _days_to_see(setup: clinic.Setup, begin: np.ndarray, end: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """Days on which outputs are wanted by anybody: weeks, decisions, looks at drivers."""
    weeks = setup.weeks[(setup.weeks >= begin.min()) & (setup.weeks <= end.max())]
    return np.unique(np.concatenate([weeks, end, looks[~np.isnan(looks)]]))


def _remember(
    setup: clinic.Setup, courses: dict[str, np.ndarray], who: np.ndarray, days: np.ndarray, run: xr.Dataset
) -> np.ndarray:
    """Write weekly outputs into the courses; returns those of the sum of diameters."""
    week = np.flatnonzero(np.isin(setup.weeks, days))
    place = np.searchsorted(days, setup.weeks[week])
    grid = np.ix_(who, week)
    for name, course in courses.items():
        found = run[name].to_numpy()[:, place]
        course[grid] = np.where(np.isnan(found), course[grid], found)
    return courses["sld"][who]


def _window(
    setup: clinic.Setup,
    state: clinic.State,
    who: np.ndarray,
    end: np.ndarray,
    looks: np.ndarray,
    days: np.ndarray,
    run: xr.Dataset,
) -> clinic.Window:
    """Pick what the clinic needs to know of this window."""
    row = np.arange(who.size)
    last = np.searchsorted(days, end)
    place = np.searchsorted(days, np.nan_to_num(looks, nan=days[0]))
    mm = np.column_stack([run[f"diameter_{j}"].to_numpy()[row, last] for j in LESIONS])
    drivers = {
        name: np.where(np.isnan(looks), np.nan, run[name].to_numpy()[row[:, None], place])
        for name in setup.outcomes.drivers
    }
    return clinic.Window(
        who=who,
        begin=state.now[who],
        end=np.where(run["status"].to_numpy() == 0, end, run["final_day"].to_numpy()),
        diameters=np.where(setup.baseline[who] > 0, mm, 0.0),
        sld=run["sld"].to_numpy()[row, last],
        looks=looks,
        drivers=drivers,
        status=run["status"].to_numpy(),
    )


def _carried(
    carry: xr.Dataset | None, who: np.ndarray, run: xr.Dataset, n: int, labels: np.ndarray
) -> xr.Dataset:
    """Where every patient stands, those of this window brought up to date."""
    kept = [name for name in CARRIED if name in run]
    if carry is None or who.size == n:
        return run[kept]
    for name in kept:
        carry[name].values[who] = run[name].to_numpy()
    return carry


def _curves(model: Model, setup: clinic.Setup, courses: dict[str, np.ndarray]) -> xr.Dataset:
    """Weekly courses with units and labels."""
    variables = {
        name: (
            ("patient", "day"),
            values,
            {"units": model.units.get(name, ""), "long_name": model.labels.get(name, name)},
        )
        for name, values in courses.items()
    }
    note = {"units": "day", "long_name": "days since randomization"}
    return xr.Dataset(variables, coords={"patient": setup.labels, "day": ("day", setup.weeks, note)})
