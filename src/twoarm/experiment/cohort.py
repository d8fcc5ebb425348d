"""Everybody of one part of an experiment: their parameters, their doses, their draw of the cards."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from twoarm.experiment.groups import Given, Group
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.molecule import Molecule, draw_cards, model_parameters, read_molecule
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import read_population
from twoarm.regimen import Regimen, combine
from twoarm.units import quantity


class Treated(NamedTuple):
    """Everybody of one part; `draw` and `patient` say who they are, `amount` [nmol] what a full dose is."""

    table: pd.DataFrame
    doses: pd.DataFrame | None
    draw: np.ndarray
    patient: np.ndarray
    amount: np.ndarray


def treat(model: Model, people: pd.DataFrame, group: Group, dose: str, *, draws: int, seed: int) -> Treated:
    """Give everybody what their group gets, each from the cards of their draw.

    Parameters
    ----------
    model : Model
        The equations.
    people : DataFrame
        A row a patient; the same number for each draw, one draw after another.
    group : Group
        Who gets what.
    dose : str
        Dose of the group's first molecule.
    draws : int
        How many draws of the cards.
    seed : int
        Of those draws.

    Returns
    -------
    Treated
        Rows as `people` has them.
    """
    cards = [card_of(given) for given in group.given]
    drawn = [draw_cards(card, draws, seed) for card in cards]
    each = len(people) // draws
    tables, rows, amounts = [], [], []
    for draw in range(draws):
        table = people.iloc[draw * each : (draw + 1) * each]
        regimens = combine(
            *(
                _regimen(given, card, entries.loc[draw].to_dict(), dose if first == 0 else given.dose)
                for first, (given, card, entries) in enumerate(zip(group.given, cards, drawn, strict=True))
            )
        )
        own = [regimen.parameters(table) for regimen in regimens]
        added = pd.concat(own, axis=1) if own else pd.DataFrame(index=table.index)
        tables.append(
            pd.concat([table, added.drop(columns=table.columns.intersection(added.columns))], axis=1)
        )
        rows += [regimen.dose_rows(table) for regimen in regimens]
        amounts.append(regimens[0].amounts_of(dose, table) if regimens else np.zeros(len(table)))
    whole = pd.concat(tables)
    for name, value in _set_by_hand(group).items():
        whole[name] = value
    known = {*model.parameters, *model.states}
    whole.attrs = {"covariates": [name for name in whole if name not in known]}
    return Treated(
        whole,
        pd.concat(rows, ignore_index=True) if rows else None,
        np.repeat(np.arange(draws), each),
        np.tile(np.arange(each), draws),
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


def card_of(given: Given) -> Molecule:
    """Read the card of what is given, with what is taken off it and what is set."""
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
def model_of(name: str) -> Model:
    """Read a model once."""
    return read_model(name)


@cache
def people_of(population: str, n: int, seed: int) -> pd.DataFrame:
    """Draw the patients of a population once; the first stay the same when `n` grows."""
    return draw_patients(read_population(population), n, seed)
