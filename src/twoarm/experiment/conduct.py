"""Conduct an experiment: every group, dose, draw of the card and patient, one course each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.engine.simulate import simulate
from twoarm.experiment.plan import Experiment, Given, Group, rung
from twoarm.experiment.readouts import read_off
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.molecule import Molecule, draw_cards, model_parameters, read_molecule
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import read_population
from twoarm.regimen import Regimen, combine
from twoarm.units import quantity

Backend = Literal["auto", "cpu", "reference"]
Progress = Callable[[str, float], None]


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
    """

    values: pd.DataFrame
    curves: pd.DataFrame
    cards: pd.DataFrame


def conduct(
    experiment: Experiment,
    *,
    seed: int,
    patients: int | None = None,
    draws: int | None = None,
    backend: Backend = "auto",
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
        How many; left out, as the experiment says. Where no card is an ensemble there is one draw.
    backend : {"auto", "cpu", "reference"}
        As of `simulate`.
    progress : callable, optional
        Told the step and the share done.

    Returns
    -------
    Courses
        Readouts, curves and cards.

    Raises
    ------
    TwoarmError
        As `read_model`, `draw_patients`, `read_molecule` and `simulate`.

    Notes
    -----
    Groups are paired: patient 3 of draw 5 is the same patient, and the same quantile of every entry of the
    cards, in each group. What differs between groups is what the file says.
    """
    count = (draws or experiment.draws) if is_ensemble(experiment) else 1
    people = cache(partial(_people, n=patients or experiment.patients, seed=seed))
    visits = _visits(experiment)
    parts = list(parts_of(experiment))
    tables, curves = [], []
    for number, part in enumerate(parts):
        if progress:
            progress(part.name, number / len(parts))
        group = experiment.groups[part.group]
        model = _model(group.model or experiment.model)
        treated = _cohort(model, people(group.population or experiment.population), group, part, count, seed)
        run = simulate(
            model,
            treated.table,
            treated.doses,
            days=float(visits[-1]),
            visits=visits,
            outputs=[name for name in _outputs(experiment) if name in model.outputs],
            backend=backend,
        )
        tables.append(_read(experiment, part, treated, run, visits))
        curves += _bands(experiment, part, run)
    if progress:
        progress("done", 1.0)
    return Courses(
        pd.concat(tables, ignore_index=True),
        pd.DataFrame(curves, columns=["part", "group", "output", "day", "low", "middle", "high"]),
        _cards(experiment, count, seed),
    )


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
    return any(_card(given).is_ensemble for group in experiment.groups.values() for given in group.given)


class _Treated(NamedTuple):
    """Everybody of one part: their parameters, their doses, and which draw and patient they are."""

    table: pd.DataFrame
    doses: pd.DataFrame | None
    draw: np.ndarray
    patient: np.ndarray
    amount: np.ndarray


def _cohort(model: Model, people: pd.DataFrame, group: Group, part: Part, draws: int, seed: int) -> _Treated:
    cards = [_card(given) for given in group.given]
    drawn = [draw_cards(card, draws, seed) for card in cards]
    tables, rows, amounts = [], [], []
    for draw in range(draws):
        table = people.set_index(pd.RangeIndex(draw * len(people), (draw + 1) * len(people), name="patient"))
        regimens = combine(
            *(
                _regimen(given, card, entries.loc[draw].to_dict(), part.dose if first == 0 else given.dose)
                for first, (given, card, entries) in enumerate(zip(group.given, cards, drawn, strict=True))
            )
        )
        own = [regimen.parameters(table) for regimen in regimens]
        added = pd.concat(own, axis=1) if own else pd.DataFrame(index=table.index)
        tables.append(
            pd.concat([table, added.drop(columns=table.columns.intersection(added.columns))], axis=1)
        )
        rows += [regimen.dose_rows(table) for regimen in regimens]
        amounts.append(regimens[0].amounts_of(part.dose, table) if regimens else np.zeros(len(table)))
    whole = pd.concat(tables)
    for name, value in _set_by_hand(group).items():
        whole[name] = value
    known = {*model.parameters, *model.states}
    whole.attrs = {"covariates": [name for name in whole if name not in known]}
    return _Treated(
        whole,
        pd.concat(rows, ignore_index=True) if rows else None,
        np.repeat(np.arange(draws), len(people)),
        np.tile(people.index.to_numpy(), draws),
        np.concatenate(amounts),
    )


def _regimen(given: Given, card: Molecule, draw: dict[object, float], dose: str) -> Regimen:
    return Regimen(
        card,
        dose,
        given.every,
        start_day=given.start_day,
        priming=given.priming,
        loading=given.loading,
        infusion=given.infusion,
        max_doses=given.max_doses,
        max_duration=given.max_duration,
        route=given.route,
        slot=given.slot,
        draw=draw,
    )


def _card(given: Given) -> Molecule:
    card = read_molecule(given.molecule).without(*given.without)
    return card.with_values(given.with_values) if given.with_values else card


def _set_by_hand(group: Group) -> dict[str, float]:
    chosen = {name: number.value for name, number in group.parameters.items()}
    if group.residue is None:
        return chosen
    prior = read_molecule(group.residue.molecule)
    level = quantity(group.residue.level, "nM", what="level", whose=prior.name, at_least=0)
    return {**model_parameters(prior, "competitor"), "competitor_central_0": level, **chosen}


@cache
def _model(name: str) -> Model:
    return read_model(name)


def _people(population: str, n: int, seed: int) -> pd.DataFrame:
    return draw_patients(read_population(population), n, seed)


def _visits(experiment: Experiment) -> np.ndarray:
    pieces = [np.arange(begin, end + step / 2, step) for begin, end, step in experiment.days]
    return np.unique(np.round(np.concatenate([[0.0], *pieces]), 9))


def _outputs(experiment: Experiment) -> list[str]:
    names = [name for readout in experiment.readouts.values() for name in readout.outputs]
    return list(dict.fromkeys([*names, *experiment.figure.curves]))


def _read(
    experiment: Experiment, part: Part, treated: _Treated, run: xr.Dataset, visits: np.ndarray
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
