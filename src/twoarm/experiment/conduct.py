"""Conduct an experiment: every group, dose, draw of the card and patient, one course each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.engine.simulate import simulate
from twoarm.experiment.cohort import Treated, card_of, model_of, people_of, treat
from twoarm.experiment.plan import Experiment, rung
from twoarm.experiment.readouts import read_off
from twoarm.experiment.rechallenge import outputs_for, rechallenged
from twoarm.experiment.unsure import biology_of, laid_over
from twoarm.molecule import draw_cards, read_molecule
from twoarm.study.folder import read_table, write_table

Backend = Literal["auto", "cpu", "reference"]
Progress = Callable[[str, float], None]
_BANDS = ["part", "group", "output", "day", "low", "middle", "high"]
_WORDS = ["part", "group", "dose"]


class Part(NamedTuple):
    """A group, or one dose of its ladder."""

    name: str
    group: str
    dose: str


@dataclass(frozen=True)
class Courses:
    """What an experiment leaves behind, before anything is judged.

    Attributes
    ----------
    values : DataFrame
        A row a part, draw and patient: `part`, `group`, `dose`, `draw`, `patient`, `amount` (nmol of a full
        dose of the first molecule), and a column a readout.
    curves : DataFrame
        What the figure shows: `part`, `group`, `output`, `day`, and `low`, `middle`, `high` over courses (5,
        50 and 95 %).
    cards : DataFrame
        A row a draw: entries that differ between draws, as "molecule section.field".
    people : DataFrame
        A row a draw and patient: `draw`, `patient`, and the numbers that differ between patients.
    """

    values: pd.DataFrame
    curves: pd.DataFrame
    cards: pd.DataFrame
    people: pd.DataFrame


def conduct(
    experiment: Experiment,
    *,
    seed: int,
    patients: int | None = None,
    draws: int | None = None,
    backend: Backend = "auto",
    biology: bool = False,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Courses:
    """Simulate every group of an experiment in the same patients and the same draws of the cards.

    Parameters
    ----------
    experiment : Experiment
        What is asked.
    seed : int
        Seed of patients and cards.
    patients, draws : int, optional
        How many patients a draw, and how many draws; left out, as the experiment says. Where no card is an
        ensemble there is one draw.
    backend : {"auto", "cpu", "reference"}
        As of `simulate`.
    biology : bool
        Whether the numbers of the biology that the experiment names are drawn from their ranges, anew in each
        patient and the same in every group.
    keep : Path, optional
        A folder in which each part is kept as it is done, and from which it is taken if it is there.
    progress : callable, optional
        Told the step and the share done.

    Returns
    -------
    Courses
        Readouts, curves, cards and patients.

    Raises
    ------
    TwoarmError
        As `read_model`, `draw_patients`, `read_molecule` and `simulate`.

    Notes
    -----
    Groups are paired: patient 3 of draw 5 is the same patient, and the same quantile of every entry of the
    cards, in each group. What differs between groups is what the file says. Each draw has patients of its
    own, so that a share of the draws speaks for patients too, and it can be told what it hangs on in them.
    """
    count = (draws or experiment.draws) if is_ensemble(experiment) else 1
    each = patients or experiment.patients
    parts = list(parts_of(experiment))
    tables, curves = [], []
    for number, part in enumerate(parts):

        def tell(done: int, of: int, number: int = number, name: str = part.name) -> None:
            if progress:
                progress(name, (number + done / of) / len(parts))

        tell(0, 1)
        found = None if keep is None else _kept(keep, number)
        if found is None:
            found = _conduct(experiment, part, each, count, seed, backend, biology, tell)
            if keep is not None:
                for name, table in zip(_names(number), found, strict=True):
                    write_table(table, keep / name, index=False)
                found = _kept(keep, number) or found  # what is read back is what a resumed run would have
        tables.append(found[0])
        curves.append(found[1])
    if progress:
        progress("done", 1.0)
    return Courses(
        pd.concat(tables, ignore_index=True),
        pd.concat([table for table in curves if len(table)] or curves[:1], ignore_index=True),
        _cards(experiment, count, seed),
        _differing(_people(experiment, None, each * count, seed, biology), each),
    )


def _conduct(
    experiment: Experiment,
    part: Part,
    each: int,
    draws: int,
    seed: int,
    backend: Backend,
    biology: bool,
    tell: Callable[[int, int], None],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Readouts and bands of one part."""
    group = experiment.groups[part.group]
    model = model_of(group.model or experiment.model)
    people = _people(experiment, group.population, each * draws, seed, biology)
    treated = treat(model, people, group, part.dose, draws=draws, seed=seed)
    visits = _visits(experiment)
    run = simulate(
        model,
        treated.table,
        treated.doses,
        days=float(visits[-1]),
        visits=visits,
        outputs=[name for name in _outputs(experiment) if name in model.outputs],
        backend=backend,
        failed="mask" if biology else "raise",  # the ends of all ranges together are beyond some patients
        progress=tell,
    )
    values = _read(experiment, part, treated, run, visits)
    if experiment.rechallenge:
        out = np.zeros(len(values), dtype=bool)
        if experiment.endpoint:
            read = experiment.readouts[experiment.endpoint.readout]
            out = values[experiment.endpoint.readout].to_numpy(float) < read.end
        second = rechallenged(
            experiment.rechallenge, model, treated, run, out, backend=backend, lenient=biology
        )
        values = pd.concat([values, second], axis=1)
    return values, pd.DataFrame(_bands(experiment, part, run), columns=_BANDS)


def _people(experiment: Experiment, population: str | None, n: int, seed: int, biology: bool) -> pd.DataFrame:
    """Patients of a group, with drawn numbers of the biology where that is asked."""
    people = people_of(population or experiment.population, n, seed)
    if not (biology and experiment.biology):
        return people
    return laid_over(people, biology_of(experiment.model, experiment.biology, n, seed))


def _names(number: int) -> tuple[str, str]:
    return f"part-{number:02d}.csv", f"part-{number:02d}-curves.csv"


def _kept(folder: Path, number: int) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    values, curves = (folder / name for name in _names(number))
    if not (values.is_file() and curves.is_file()):
        return None
    tables = read_table(values), read_table(curves)
    for table in tables:
        for name in {*_WORDS} & {*table}:
            table[name] = table[name].fillna("").astype(str)
    return tables


def parts_of(experiment: Experiment) -> Iterator[Part]:
    """List the groups, each dose of a ladder by itself.

    Parameters
    ----------
    experiment : Experiment
        What is asked.

    Yields
    ------
    Part
        In the order of the file.
    """
    for name, group in experiment.groups.items():
        if not group.doses:
            yield Part(name, name, group.given[0].dose if group.given else "")
        for dose in group.doses:
            yield Part(rung(name, dose), name, dose)


def is_ensemble(experiment: Experiment) -> bool:
    """Whether any molecule of an experiment is known as a range only."""
    return any(card_of(given).is_ensemble for group in experiment.groups.values() for given in group.given)


def _visits(experiment: Experiment) -> np.ndarray:
    pieces = [np.arange(begin, end + step / 2, step) for begin, end, step in experiment.days]
    return np.unique(np.round(np.concatenate([[0.0], *pieces]), 9))


def _outputs(experiment: Experiment) -> list[str]:
    names = [name for readout in experiment.readouts.values() for name in readout.outputs]
    if experiment.rechallenge:
        names += outputs_for(experiment.rechallenge)
    return list(dict.fromkeys([*names, *experiment.figure.curves]))


def _read(
    experiment: Experiment, part: Part, treated: Treated, run: xr.Dataset, visits: np.ndarray
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "part": part.name,
            "group": part.group,
            "dose": part.dose,
            "draw": treated.draw,
            "patient": treated.patient,
            "amount": treated.amount,
        }
    )
    for name, readout in experiment.readouts.items():
        shown = [run[output].to_numpy() for output in readout.outputs if output in run]
        whole = len(shown) == len(readout.outputs)
        table[name] = read_off(visits, np.sum(shown, axis=0), readout) if whole else np.nan
    return table


def _bands(experiment: Experiment, part: Part, run: xr.Dataset) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    shown = not experiment.figure.groups or part.group in experiment.figure.groups
    for output in experiment.figure.curves if shown else ():
        if output in run:
            low, middle, high = np.nanquantile(run[output].to_numpy(), [0.05, 0.5, 0.95], axis=0)
            found += [
                (part.name, part.group, output, float(day), *map(float, triple))
                for day, *triple in zip(run["day"].to_numpy(), low, middle, high, strict=True)
            ]
    return found


def _cards(experiment: Experiment, draws: int, seed: int) -> pd.DataFrame:
    """List the entries that are drawn, of every molecule as its card stands."""
    names = dict.fromkeys(given.molecule for group in experiment.groups.values() for given in group.given)
    columns: dict[str, pd.Series] = {}
    for name in names:
        card = read_molecule(name)
        table = draw_cards(card, draws, seed)
        drawn = [field for field, entry in card.entries().items() if entry.is_drawn]
        columns |= {f"{card.name} {field}": table[field] for field in drawn}
    return pd.DataFrame(columns, index=pd.RangeIndex(draws, name="draw"))


def _differing(people: pd.DataFrame, each: int) -> pd.DataFrame:
    """Keep the numbers that are not the same in every patient."""
    numbers = people.select_dtypes("number")
    kept = numbers.loc[:, numbers.nunique() > 1].reset_index(drop=True)
    place = np.arange(len(kept))
    return pd.concat([pd.DataFrame({"draw": place // each, "patient": place % each}), kept], axis=1)
