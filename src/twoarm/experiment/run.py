"""Run one experiment into a folder: tables, verdicts, one figure and the page."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import pandas as pd

from twoarm import catalog
from twoarm.experiment.conduct import Backend, Courses, Progress, conduct, parts_of
from twoarm.experiment.judge import judge
from twoarm.experiment.plan import Experiment, read_experiment
from twoarm.model.sbml import read_model
from twoarm.report import Outcome, render_experiment
from twoarm.study.folder import check_writable, write_record, write_table, write_whole

VALUES, VERDICTS, CARDS, CURVES = "courses.csv", "verdicts.csv", "cards.csv", "curves.csv"
RECORD, FIGURE, PAGE = "experiment.json", "figure.svg", "experiment.html"


def run_experiment(
    name: str | Path,
    folder: str | Path,
    *,
    seed: int = 11,
    patients: int | None = None,
    draws: int | None = None,
    backend: Backend = "auto",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Conduct an experiment, judge its claims and write its folder.

    Parameters
    ----------
    name : str or Path
        An experiment of the library, or a file.
    folder : str or Path
        Where `experiment.html`, `verdicts.csv` and the rest go.
    seed : int
        Same seed, same numbers.
    patients, draws : int, optional
        Left out, as the experiment says.
    backend : {"auto", "cpu", "reference"}
        As of `simulate`.
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
    courses = conduct(
        experiment, seed=seed, patients=patients, draws=draws, backend=backend, progress=progress
    )
    verdicts = judge(experiment, courses.values, courses.cards, seed=seed)
    for table, file in (
        (courses.values, VALUES),
        (verdicts, VERDICTS),
        (courses.curves, CURVES),
        (courses.cards.reset_index(), CARDS),
    ):
        write_table(table, folder / file, index=False)
    record = _record(experiment, name, courses, seed)
    write_record(record, folder / RECORD)
    drawing = _draw(experiment, courses, verdicts)
    write_whole(folder / FIGURE, lambda place: place.write_text(drawing, encoding="utf-8"))
    page = render_experiment(
        Outcome(
            title=experiment.title,
            question=experiment.question,
            verdicts=verdicts,
            groups=summarize(experiment, courses.values),
            svg=drawing,
            limits=experiment.limits,
            provenance={key: str(value) for key, value in record.items()},
        )
    )
    write_whole(folder / PAGE, lambda place: place.write_text(page, encoding="utf-8"))
    return verdicts


def verdict_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Say the verdicts in a small table of text.

    Parameters
    ----------
    verdicts : DataFrame
        From `run_experiment`.

    Returns
    -------
    DataFrame of str
        Claim, number with 90 % of the draws, share in which it holds, verdict, rule, what it goes with.
    """
    return pd.DataFrame(
        {
            "claim": verdicts["claim"],
            "number": [
                f"{row.middle:.3g} ({row.low:.3g} to {row.high:.3g})" for row in verdicts.itertuples()
            ],
            "holds in": [f"{100 * share:.0f} %" for share in verdicts["holds"]],
            "verdict": verdicts["verdict"],
            "stated in advance": verdicts["rule"],
            "goes with": verdicts["drivers"],
        }
    )


def summarize(experiment: Experiment, values: pd.DataFrame) -> pd.DataFrame:
    """Put every readout of every group into one row: median, 5 and 95 % of patients and draws.

    Parameters
    ----------
    experiment : Experiment
        What was read.
    values : DataFrame
        As `Courses.values`.

    Returns
    -------
    DataFrame
        `group` (its title, with the dose of a ladder), `readout`, `unit`, `amount` (mean, nmol), `part`,
        `low`, `middle`, `high`.
    """
    parts = dict(tuple(values.groupby("part")))
    rows = []
    for part in parts_of(experiment):
        group = experiment.groups[part.group]
        title = f"{group.title}: {part.dose}" if group.doses else group.title
        table = parts[part.name]
        for name, readout in experiment.readouts.items():
            low, middle, high = table[name].quantile([0.05, 0.5, 0.95])
            rows.append(
                (title, readout.label, readout.unit, table["amount"].mean(), part.name, low, middle, high)
            )
    columns = ["group", "readout", "unit", "amount", "part", "low", "middle", "high"]
    return pd.DataFrame(rows, columns=columns)


def _draw(experiment: Experiment, courses: Courses, verdicts: pd.DataFrame) -> str:
    from twoarm import figures

    figure = figures.experiment(verdicts, _curves(experiment, courses), _ladders(experiment, courses))
    return figures.svg(figure, name=experiment.name, alt=f"{experiment.title}: claims, curves and doses")


def _curves(experiment: Experiment, courses: Courses) -> pd.DataFrame:
    """Curves of the figure by title; of a ladder, the dose of the group's own first."""
    units = read_model(experiment.model).units
    shown = {}
    for part in parts_of(experiment):
        group = experiment.groups[part.group]
        if not group.doses or (group.given and part.dose == group.given[0].dose):
            shown[part.name] = group.title
    table = courses.curves[courses.curves["part"].isin(shown)]
    if experiment.figure.end is not None:
        table = table[table["day"] <= experiment.figure.end]
    return table.assign(
        group=table["part"].map(shown),
        unit=table["output"].map(lambda name: units.get(name, "")),
        output=table["output"].map(experiment.figure.curves),
    )


def _ladders(experiment: Experiment, courses: Courses) -> pd.DataFrame:
    """Readouts along the doses; a group with one dose is one point beside them."""
    table = summarize(experiment, courses.values)
    groups = {part.name: part.group for part in parts_of(experiment) if experiment.groups[part.group].given}
    labels = {experiment.readouts[name].label for name in experiment.figure.ladders}
    table = table[table["part"].isin(groups) & table["readout"].isin(labels)]
    return table.assign(group=table["part"].map(lambda part: experiment.groups[groups[part]].title))


def _record(experiment: Experiment, name: str | Path, courses: Courses, seed: int) -> dict[str, Any]:
    molecules = sorted({given.molecule for group in experiment.groups.values() for given in group.given})
    files = {"experiment": catalog.find("experiments", name)} | {
        molecule: catalog.find("molecules", molecule) for molecule in molecules
    }
    return {
        "experiment": experiment.name,
        "model": read_model(experiment.model).digest,
        "population": experiment.population,
        "patients": int(courses.values["patient"].nunique()),
        "draws": int(courses.values["draw"].nunique()),
        "courses": len(courses.values),
        "seed": seed,
        "version": importlib.metadata.version("twoarm"),
        **{f"digest of {key}": catalog.digest(path) for key, path in files.items()},
    }
