"""One run of a trial at a point of the unknowns: twins in both arms, the same chance every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.engine.simulate import simulate
from twoarm.learn.screen import Reading, Screen
from twoarm.learn.unknowns import Known, Unknown, setting_at
from twoarm.patients.draw import draw_patients
from twoarm.study import folder as files
from twoarm.trial.conduct import Advance, Trial, run_trial
from twoarm.trial.cutoff import cut
from twoarm.trial.ranks import hazard_ratios, risk_sets

RTOL = 1e-4  # of the engine: a tenth of a percent of a diameter, below a reader's step of 1 mm
ENDPOINTS: Mapping[str, str] = {
    "log_hr_os": "Hazard ratio of OS (log)",
    "log_hr_pfs": "Hazard ratio of PFS (log)",
    "orr": "Response rate, %",
    "severe": "Grade 3 events or worse, %",
    "depth": "Best change of size, %",
}
"""What a run answers, and its name for a reader."""

_LARGEST = 100.0  # percent; a tumor that only grows counts as so much
_MOST_FAILED = 0.2  # share of twins whose integration may fail before a run is left out


class Lab(NamedTuple):
    """Everything a run needs but the point."""

    known: Known
    unknowns: Sequence[Unknown]
    screen: Screen
    readings: tuple[Reading, ...]
    seed: int
    advance: Advance | None = None


def run_at(
    lab: Lab, point: Mapping[str, float], *, kept_control: dict[tuple[float, ...], Trial]
) -> dict[str, float]:
    """Conduct both arms at a point.

    Parameters
    ----------
    lab : Lab
        What is run.
    point : mapping of name to float
        Unknowns between 0 and 1.
    kept_control : dict
        Where the last control arm is kept: what only the drug's card moves leaves it as it was.

    Returns
    -------
    dict of str to float
        `ENDPOINTS` of the drug's arm, hazard ratios against the control arm where there is one; and each
        reading as "course@week", a mean over patients. NaN where too many twins failed.
    """
    setting = setting_at(lab.known, lab.unknowns, point)
    rules = {name: rule for name, rule in setting.population.plausibility.items() if rule.output is None}
    population = setting.population.model_copy(update={"plausibility": rules})
    people = draw_patients(population, n=lab.screen.patients, seed=lab.seed)
    covariates = people.attrs["covariates"]
    people.attrs = {}  # pandas copies notes with every column
    people = pd.concat([people, pd.DataFrame(setting.parameters, index=people.index)], axis=1)
    people.attrs = {"covariates": covariates}
    plan = lab.known.protocol.follow_up.model_copy(update={"horizon": lab.screen.horizon, "events": None})
    protocol = lab.known.protocol.model_copy(update={"follow_up": plan})
    conduct = partial(
        run_trial,
        lab.known.model,
        protocol,
        people,
        seed=lab.seed,
        outcomes=setting.outcomes,
        draws=setting.cards,
        advance=lab.advance or partial(simulate, rtol=RTOL, workers=1),
    )
    arms = list(protocol.arms)
    drug = conduct(assignment=pd.Series(arms[0], index=people.index))
    control = None
    if len(arms) > 1:
        key = tuple(point[each.name] for each in lab.unknowns if each.group != "card" and each.name in point)
        if key not in kept_control:
            kept_control.clear()
            kept_control[key] = conduct(assignment=pd.Series(arms[-1], index=people.index))
        control = kept_control[key]
    return _answers(drug, control) | _readings(drug, lab.readings)


def run_all(
    lab: Lab,
    points: pd.DataFrame,
    folder: Path,
    stage: str,
    progress: Callable[[str, float], None],
    share: tuple[float, float] = (0.0, 1.0),
) -> pd.DataFrame:
    """Conduct a run at every point, each kept in the folder as it ends.

    Parameters
    ----------
    lab : Lab
        What is run.
    points : DataFrame
        A row a run, a column an unknown, between 0 and 1.
    folder : Path
        Where runs are kept.
    stage : str
        Name of the stage, for files and progress.
    progress : callable
        Told the step and the share done.
    share : tuple of float
        From where to where this stage goes.

    Returns
    -------
    DataFrame
        A row a run: what `run_at` gives.
    """
    found: list[dict[str, float]] = []
    control: dict[tuple[float, ...], Trial] = {}
    for number, row in enumerate(points.to_dict("records")):
        place = folder / "runs" / f"{stage}-{number:04d}.json"
        if place.is_file():
            said = {
                key: np.nan if value is None else value for key, value in files.read_record(place).items()
            }
        else:
            said = run_at(lab, {str(key): value for key, value in row.items()}, kept_control=control)
            plain = {key: None if np.isnan(value) else value for key, value in said.items()}
            files.write_record(plain, place)
        found.append(said)
        done = share[0] + (share[1] - share[0]) * (number + 1) / len(points)
        progress(f"{stage}, run {number + 1} of {len(points)}", done)
    return pd.DataFrame(found, index=points.index)


def _answers(drug: Trial, control: Trial | None) -> dict[str, float]:
    """Endpoints, from twins who came to an end in every arm."""
    sound = drug.patients["status"] == "complete"
    if control is not None:
        sound &= control.patients["status"] == "complete"
    if sound.mean() < 1 - _MOST_FAILED:
        return dict.fromkeys(ENDPOINTS, np.nan)
    own = cut(drug).loc[sound]
    best = np.minimum(own["best_change"].fillna(_LARGEST), _LARGEST) if "best_change" in own else np.nan
    found = {
        "log_hr_os": np.nan,
        "log_hr_pfs": np.nan,
        "orr": 100.0 * float(own["bor"].isin(["CR", "PR"]).mean()),
        "severe": 100.0 * float((own["grade"] >= 3).mean()),
        "depth": float(np.mean(best)),
    }
    if control is not None:
        other = cut(control).loc[sound]
        found |= {f"log_hr_{name.lower()}": _log_ratio(own, other, name) for name in ("OS", "PFS")}
    return found


def _log_ratio(own: pd.DataFrame, other: pd.DataFrame, endpoint: str) -> float:
    """Log hazard ratio of the drug's arm, held where one arm has no event at all."""
    days = np.concatenate([table[f"{endpoint}_day"].to_numpy(float) for table in (own, other)])
    events = np.concatenate([table[f"{endpoint}_event"].to_numpy(bool) for table in (own, other)])
    treated = np.arange(len(days)) < len(own)
    if not (events & treated).any() or not (events & ~treated).any():
        return float("nan")
    return float(hazard_ratios(risk_sets(days[None], events[None], treated[None])).log_ratio[0])


def _readings(trial: Trial, readings: tuple[Reading, ...]) -> dict[str, float]:
    """Means over patients of courses in one week."""
    found = {}
    for reading in readings:
        name = f"{reading.course}@{reading.week}"
        if reading.course not in trial.courses:
            found[name] = np.nan
            continue
        course = trial.courses[reading.course].to_numpy()[
            :, min(reading.week, trial.courses.sizes["day"] - 1)
        ]
        found[name] = float(np.nanmean(course)) if np.isfinite(course).any() else np.nan
    return found
