"""What an experiment shows: verdicts and readouts as small tables, and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from twoarm.experiment.conduct import Courses, parts_of
from twoarm.experiment.outlived import titles
from twoarm.experiment.plan import Experiment
from twoarm.model.sbml import read_model
from twoarm.report.experiment import animal_tables
from twoarm.report.tables import number
from twoarm.study.folder import read_table


def verdict_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Say the verdicts in a small table of text.

    Parameters
    ----------
    verdicts : DataFrame
        From `judge`.

    Returns
    -------
    DataFrame of str
        Claim, number with 90 % of the draws, share in which it holds, verdict, rule, where it is weakest.
    """
    return pd.DataFrame(
        {
            "claim": verdicts["claim"],
            "number": [
                f"{row.middle:.3g} ({row.low:.3g} to {row.high:.3g})" for row in verdicts.itertuples()
            ],
            "holds in": [number(100 * share, "%") for share in verdicts["holds"]],
            "verdict": verdicts["verdict"],
            "stated in advance": verdicts["rule"],
            "weakest where": verdicts["weakest"],
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


def told_in(folder: str | Path) -> dict[str, pd.DataFrame]:
    """Say what animals told, as small tables of text.

    Parameters
    ----------
    folder : str or Path
        That `run_experiment` has written.

    Returns
    -------
    dict of str to DataFrame of str
        By caption; empty where there were no animals.
    """
    names = ("inhibition", "survival", "second-tumors")
    found = {name: Path(folder) / f"{name}.csv" for name in names}
    tables = animal_tables({name: read_table(path) for name, path in found.items() if path.is_file()})
    return {table.caption: pd.DataFrame([*table.rows], columns=[*table.head]) for table in tables}


def draw(
    experiment: Experiment, courses: Courses, verdicts: pd.DataFrame, told: Mapping[str, pd.DataFrame]
) -> list[str]:
    """Draw an experiment: claims and curves, and growth and survival where there are animals.

    Parameters
    ----------
    experiment : Experiment
        What was asked.
    courses : Courses
        What came out.
    verdicts : DataFrame
        From `judge`.
    told : mapping of str to DataFrame
        Tables of what animals told.

    Returns
    -------
    list of str
        Each an SVG element.
    """
    from twoarm import figures

    claims = figures.experiment(verdicts, _curves(experiment, courses), _ladders(experiment, courses))
    drawn = [figures.svg(claims, name=experiment.name, alt=f"{experiment.title}: claims, curves and doses")]
    if experiment.endpoint and experiment.inhibition:
        readout = experiment.readouts[experiment.endpoint.readout]
        shown = [titles(experiment)[part] for part in _shown_parts(experiment)]
        growth = courses.curves[courses.curves["output"].isin(readout.outputs)]
        units = read_model(experiment.model).units
        growth = growth.assign(
            group=growth["part"].map(titles(experiment)), unit=units.get(readout.outputs[0], "")
        )
        second = told.get("second-tumors")
        figure = figures.animals(
            growth,
            told["inhibition"][told["inhibition"]["group"].isin(shown)],
            told["survival-curves"][told["survival-curves"]["group"].isin(shown)],
            None if second is None else second[second["group"].isin(shown)],
            untreated=titles(experiment)[experiment.inhibition.against],
            limit=readout.level,
        )
        alt = f"{experiment.title}: growth, survival, growth inhibition and second tumors"
        drawn.append(figures.svg(figure, name=f"{experiment.name}-animals", alt=alt))
    return drawn


def _shown_parts(experiment: Experiment) -> list[str]:
    """Parts whose groups the figure shows."""
    chosen = experiment.figure.groups or tuple(experiment.groups)
    return [part.name for part in parts_of(experiment) if part.group in chosen]


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
