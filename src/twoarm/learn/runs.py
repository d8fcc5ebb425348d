"""One run of a trial at a point of the unknowns: twins in both arms, the same chance every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from twoarm.learn.lab import Lab, Recipe, lab_of
from twoarm.learn.screen import Reading
from twoarm.learn.unknowns import Setting, setting_at
from twoarm.patients.draw import draw_patients
from twoarm.study import folder as files
from twoarm.study.lean import advance_lean, lean_model
from twoarm.trial.conduct import Trial, run_trial
from twoarm.trial.cutoff import cut
from twoarm.trial.protocol import Protocol
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
    arms = list(protocol.arms)
    conduct = partial(_conduct, lab, protocol, people, setting)
    drug = conduct(arms[0])
    control = None
    if len(arms) > 1:
        key = tuple(point[each.name] for each in lab.unknowns if each.group != "card" and each.name in point)
        if key not in kept_control:
            kept_control.clear()
            kept_control[key] = conduct(arms[-1])
        control = kept_control[key]
    return _answers(drug, control) | _readings(drug, lab.readings)


def _conduct(lab: Lab, protocol: Protocol, people: pd.DataFrame, setting: Setting, arm: str) -> Trial:
    """Give all twins one arm; the biology leaves out what never moves where nothing more is read off it."""
    model, engine = lab.known.model, lab.advance
    if engine is None:
        read_off = bool(lab.readings) and arm == next(iter(protocol.arms))
        if not read_off:
            model = lean_model(model, people, protocol, arm, setting.outcomes, setting.cards)
        engine = advance_lean(RTOL, model)
    return run_trial(
        model,
        protocol,
        people,
        seed=lab.seed,
        outcomes=setting.outcomes,
        assignment=pd.Series(arm, index=people.index),
        draws=setting.cards,
        advance=engine,
    )


def run_all(
    lab: Lab,
    recipe: Recipe,
    points: pd.DataFrame,
    folder: Path,
    stage: str,
    progress: Callable[[str, float], None],
    share: tuple[float, float] = (0.0, 1.0),
    workers: int = 1,
) -> pd.DataFrame:
    """Conduct a run at every point, each kept in the folder as it ends.

    Parameters
    ----------
    lab : Lab
        What is run.
    recipe : Recipe
        What the lab was made of, for other processes.
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
    workers : int
        Processes.

    Returns
    -------
    DataFrame
        A row a run: what `run_at` gives.
    """
    rows = [{str(key): value for key, value in row.items()} for row in points.to_dict("records")]
    places = [folder / "runs" / f"{stage}-{number:04d}.json" for number in range(len(rows))]
    waiting = [number for number, place in enumerate(places) if not place.is_file()]
    done = len(rows) - len(waiting)
    blocks = [waiting[at : at + _BLOCK] for at in range(0, len(waiting), _BLOCK)]
    jobs = [([rows[number] for number in block], [places[number] for number in block]) for block in blocks]
    for finished in _each(lab, recipe, jobs, workers):
        done += finished
        progress(f"{stage}, run {done} of {len(rows)}", share[0] + (share[1] - share[0]) * done / len(rows))
    found = [files.read_record(place) for place in places]
    told = [{key: np.nan if value is None else value for key, value in said.items()} for said in found]
    return pd.DataFrame(told, index=points.index)


_Job = tuple[list[dict[str, float]], list[Path]]
_BLOCK = 8  # runs that follow one another in a process: control arms are used again


def _each(lab: Lab, recipe: Recipe, jobs: Sequence[_Job], workers: int) -> Iterator[int]:
    """Conduct blocks of runs, here or in processes; yields how many ended."""
    if workers < 2 or lab.advance is not None or len(jobs) < 2:
        control: dict[tuple[float, ...], Trial] = {}
        for rows, places in jobs:
            for row, place in zip(rows, places, strict=True):
                _keep(lab, row, place, control)
                yield 1
        return
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_open, initargs=(recipe,)
    ) as crew:
        try:
            for ended in as_completed([crew.submit(_block, job) for job in jobs]):
                yield ended.result()
        finally:
            crew.shutdown(cancel_futures=True)


_OPENED: list[Lab] = []


def _open(recipe: Recipe) -> None:
    _OPENED.append(lab_of(recipe))


def _block(job: _Job) -> int:
    control: dict[tuple[float, ...], Trial] = {}
    for row, place in zip(*job, strict=True):
        _keep(_OPENED[0], row, place, control)
    return len(job[0])


def _keep(lab: Lab, row: dict[str, float], place: Path, control: dict[tuple[float, ...], Trial]) -> None:
    """Conduct one run and write what it gives."""
    said = run_at(lab, row, kept_control=control)
    files.write_record({key: None if np.isnan(value) else value for key, value in said.items()}, place)


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
