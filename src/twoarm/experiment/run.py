"""Run one experiment into a folder: tables, verdicts, figures and the page."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from twoarm import catalog
from twoarm.experiment import outlived, show
from twoarm.experiment.conduct import Backend, Courses, Progress, conduct, is_ensemble
from twoarm.experiment.fragile import fragility
from twoarm.experiment.judge import judge
from twoarm.experiment.plan import Experiment, read_experiment
from twoarm.model.sbml import read_model
from twoarm.patients.population import read_population
from twoarm.report import Outcome, render_experiment
from twoarm.study.folder import check_writable, write_record, write_table, write_whole

VALUES, VERDICTS, CARDS, CURVES, PEOPLE = (
    "courses.csv",
    "verdicts.csv",
    "cards.csv",
    "curves.csv",
    "patients.csv",
)
FRAGILE, RECORD, FIGURE, PAGE = "fragile.csv", "experiment.json", "figure.svg", "experiment.html"
_PARTS = ".parts-"


def run_experiment(
    name: str | Path,
    folder: str | Path,
    *,
    seed: int = 11,
    patients: int | None = None,
    draws: int | None = None,
    backend: Backend = "auto",
    biology: bool = False,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Conduct an experiment, judge its claims and write its folder.

    Parameters
    ----------
    name : str or Path
        An experiment of the library, or a file.
    folder : str or Path
        Where `experiment.html`, `verdicts.csv` and the rest go. Groups that an interrupted run of the same
        experiment has finished are taken from it.
    seed : int
        Same seed, same numbers.
    patients, draws : int, optional
        Left out, as the experiment says.
    backend : {"auto", "cpu", "reference"}
        As of `simulate`.
    biology : bool
        Whether numbers of the biology that the experiment names are drawn from their ranges too. Shares are
        then of draws of card and biology, and say what a claim hangs on, not what the model claims.
    progress : callable, optional
        Told the step and the share done.

    Returns
    -------
    DataFrame
        The verdicts, as :func:`twoarm.experiment.judge.judge` gives them.

    Raises
    ------
    TwoarmError
        As `read_experiment`, `conduct` and writing files.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> verdicts = run_experiment("bridging", folder, patients=1, draws=2)
    >>> sorted(path.name for path in folder.iterdir())[:4]
    ['cards.csv', 'courses.csv', 'curves.csv', 'experiment.html']
    >>> len(verdicts) == len(read_experiment("bridging").claims)
    True
    """
    experiment = read_experiment(name)
    folder = Path(folder)
    check_writable(folder / PAGE)
    plan = _plan(experiment, seed, patients or experiment.patients, draws or experiment.draws, biology)
    key = hashlib.sha256(json.dumps({**plan, "backend": backend}, sort_keys=True).encode()).hexdigest()
    courses = conduct(
        experiment,
        seed=seed,
        patients=patients,
        draws=draws,
        backend=backend,
        biology=biology,
        keep=folder / f"{_PARTS}{key[:12]}",
        progress=progress,
    )
    fragile = fragility(experiment, courses.values, courses.cards, courses.people)
    verdicts = judge(experiment, courses.values, courses.cards, seed=seed, fragile=fragile)
    tables = {
        VALUES: courses.values,
        VERDICTS: verdicts,
        CURVES: courses.curves,
        CARDS: courses.cards.reset_index(),
        PEOPLE: courses.people,
        FRAGILE: fragile,
    }
    told = _tell(experiment, courses, verdicts, seed)
    for file, table in {**tables, **{f"{title}.csv": table for title, table in told.items()}}.items():
        write_table(table, folder / file, index=False)
    record = {**plan, "courses": len(courses.values)}
    if biology:  # those that the ends of all ranges together lead astray are left out, and counted
        record["courses that failed"] = int(courses.values[[*experiment.readouts]].isna().all(axis=1).sum())
    write_record(record, folder / RECORD)
    drawings = show.draw(experiment, courses, verdicts, told)
    for number, drawing in enumerate(drawings):
        file = FIGURE if not number else f"figure-{number + 1}.svg"
        _write_text(drawing, folder / file)
    page = render_experiment(
        Outcome(
            title=experiment.title,
            question=experiment.question,
            verdicts=verdicts,
            groups=show.summarize(experiment, courses.values),
            svg=drawings[0],
            limits=experiment.limits,
            provenance={key: str(value) for key, value in record.items()},
            animals=drawings[1] if len(drawings) > 1 else "",
            told=told,
        )
    )
    _write_text(page, folder / PAGE)
    for parts in folder.glob(f"{_PARTS}*"):
        shutil.rmtree(parts, ignore_errors=True)
    return verdicts


def _write_text(text: str, path: Path) -> None:
    write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def _tell(
    experiment: Experiment, courses: Courses, verdicts: pd.DataFrame, seed: int
) -> dict[str, pd.DataFrame]:
    """Tables of what animals tell, by file name; empty for other experiments."""
    told: dict[str, pd.DataFrame] = {}
    if experiment.inhibition:
        told["inhibition"] = outlived.inhibition(experiment, courses.values, seed=seed)
    if experiment.endpoint:
        told["survival-curves"], told["survival"] = outlived.survival(experiment, courses.values)
    if experiment.rechallenge:
        told["second-tumors"] = outlived.second_tumors(experiment, courses.values)
    if experiment.published:
        told["published"] = outlived.compared(experiment, verdicts)
    return told


def _plan(experiment: Experiment, seed: int, patients: int, draws: int, biology: bool) -> dict[str, Any]:
    """Say what makes an experiment: its numbers, and a digest of all that it reads."""
    groups = experiment.groups.values()
    molecules = sorted({given.molecule for group in groups for given in group.given})
    molecules += sorted({group.residue.molecule for group in groups if group.residue} - {*molecules})
    populations = sorted({experiment.population, *(g.population for g in groups if g.population)})
    models = sorted({experiment.model, *(group.model for group in groups if group.model)})
    return {
        "experiment": experiment.name,
        "population": experiment.population,
        "patients": patients,
        "draws": draws if is_ensemble(experiment) else 1,
        "seed": seed,
        "biology drawn": ", ".join(experiment.biology) if biology else "none",
        "version": importlib.metadata.version("twoarm"),
        "digest of experiment": experiment.digest,
        **{f"digest of model {name}": read_model(name).digest for name in models},
        **{f"digest of {name}": read_population(name).digest for name in populations},
        **{f"digest of {name}": catalog.digest(catalog.find("molecules", name)) for name in molecules},
    }
