"""Cohorts of one member, by the trial's own rules, on a model without what never moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from twoarm.engine.simulate import simulate
from twoarm.fit.card import Calibration, Cohort
from twoarm.fit.knobs import moved, read_texts
from twoarm.fit.targets import Reading, Seen, simulated
from twoarm.frozen.fields import Member, Texts, member_of
from twoarm.model import Model
from twoarm.model.sbml import read_model
from twoarm.patients.draw import draw_candidates
from twoarm.patients.plausible import plausible_columns, plausible_outputs
from twoarm.study.lean import advance_lean, lean_model, lean_untreated, needed_of
from twoarm.trial.conduct import run_trial
from twoarm.trial.cutoff import cut
from twoarm.trial.protocol import Protocol, read_protocol

_SAMPLE = 64  # patients in whom a balance must hold before a state is left out
_AFTER = 42.0  # days that a cohort is followed beyond its last target
_MONTH = 365.25 / 12
_RTOL = 1e-4  # of a step; sums of diameters are then right to 0.01 mm


@dataclass(frozen=True)
class Scene:
    """All that a member's cohorts need and that is the same for every member.

    Attributes
    ----------
    calibration : Calibration
        What is fitted.
    texts : Texts
        The files it moves.
    protocols : dict of str to Protocol
        Of each cohort: its one arm, followed as long as its targets need.
    models : dict of str to Model
        Of each cohort: without what never moves in it.
    untreated : Model
        Without what never moves in patients who are given nothing.
    """

    calibration: Calibration
    texts: Texts
    protocols: dict[str, Protocol]
    models: dict[str, Model]
    untreated: Model


def set_scene(calibration: Calibration) -> Scene:
    """Read what is needed and make a smaller model for each cohort.

    Parameters
    ----------
    calibration : Calibration
        What is fitted.

    Returns
    -------
    Scene
        For `conduct`.
    """
    texts = read_texts(calibration)
    member = member_of(moved(calibration, texts, np.zeros(len(calibration.parameters))))
    model = read_model(calibration.model)
    people = draw_candidates(member.population, 0, _SAMPLE, 1, "sobol")
    protocols = {name: _one_arm(calibration, name, cohort) for name, cohort in calibration.cohorts.items()}
    models = {
        name: lean_model(model, people, protocol, next(iter(protocol.arms)), member.outcomes)
        for name, protocol in protocols.items()
    }
    asked = {rule.output for rule in member.population.plausibility.values() if rule.output}
    bare = lean_untreated(model, people, asked)
    return Scene(calibration, texts, protocols, models, bare)


def conduct(
    scene: Scene,
    z: np.ndarray,
    readings: Mapping[str, list[Reading]],
    *,
    patients: int,
    seed: int,
    replicate: int = 0,
) -> dict[str, np.ndarray]:
    """Simulate every cohort of one member, and read off it what was published.

    Parameters
    ----------
    scene : Scene
        From `set_scene`.
    z : (parameter,) float array
        The member, in standard deviations of the prior.
    readings : mapping of str to list of Reading
        Targets of each cohort.
    patients : int
        Virtual patients of each cohort. The same seed gives every member the same chance, so that members
        differ by their parameters alone.
    seed, replicate : int
        Keys of all draws.

    Returns
    -------
    dict of str to (reading,) float array
        By cohort, in the order of its readings.
    """
    member = member_of(moved(scene.calibration, scene.texts, z))
    return conduct_member(scene, member, readings, patients=patients, seed=seed, replicate=replicate)


def conduct_member(
    scene: Scene,
    member: Member,
    readings: Mapping[str, list[Reading]],
    *,
    patients: int,
    seed: int,
    replicate: int = 0,
) -> dict[str, np.ndarray]:
    """`conduct` for a member that is already a population and an outcomes file."""
    people = draw_people(scene, member, patients, seed)
    found = {}
    for name, cohort in scene.calibration.cohorts.items():
        protocol, model = scene.protocols[name], scene.models[name]
        trial = run_trial(
            model,
            protocol,
            people,
            seed=seed,
            replicate=replicate,
            outcomes=member.outcomes,
            advance=advance_lean(_RTOL, model),
        )
        seen = Seen(trial, cut(trial), protocol, member.outcomes, cohort, seed, replicate)
        found[name] = simulated(readings[name], seen)
    return found


def draw_people(scene: Scene, member: Member, n: int, seed: int) -> pd.DataFrame:
    """Plausible patients under their number in the sequence, whoever else was refused.

    Parameters
    ----------
    scene, member : Scene, Member
        For the rules about untreated courses, and for the population.
    n, seed : int
        How many, and which.

    Returns
    -------
    DataFrame
        As `draw_patients` gives, labeled by candidate: a patient who is refused in one member shifts nobody's
        chance in another.
    """
    rules, kept, drawn = member.population.plausibility, [pd.DataFrame()], 0
    while (missing := n - sum(len(part) for part in kept)) > 0:
        table = draw_candidates(member.population, drawn, missing + 4, seed, "sobol")
        drawn += len(table)
        table = table[plausible_columns(table, rules).all(axis=1)]
        grown = plausible_outputs(table, rules, partial(_leave_alone, scene.untreated))
        kept.append(table[grown.all(axis=1)])
    people = pd.concat(kept[1:]).iloc[:n].rename_axis("patient")
    attributes = table.attrs
    people.attrs = {name: attributes[name] for name in ("covariates", "prior_antibody")}
    return people


def _leave_alone(model: Model, patients: pd.DataFrame, days: Any, outputs: Any) -> xr.Dataset:
    """Follow patients who are given nothing."""
    own = patients[[name for name in patients if name in needed_of(model)]]
    own.attrs = {}
    return simulate(
        model, own, days=max(days), visits=sorted(days), outputs=outputs, workers=1, failed="mask"
    )


def _one_arm(calibration: Calibration, name: str, cohort: Cohort) -> Protocol:
    """Protocol of a cohort: one arm, and no longer than the targets."""
    protocol = read_protocol(cohort.protocol)
    months = [m for target in calibration.targets.values() if target.cohort == name for m in target.months]
    horizon = min(protocol.follow_up.horizon, max(months, default=18.0) * _MONTH + _AFTER)
    follow_up = protocol.follow_up.model_copy(update={"horizon": horizon, "events": None})
    return protocol.model_copy(
        update={"arms": {cohort.arm: protocol.arms[cohort.arm]}, "follow_up": follow_up}
    )
