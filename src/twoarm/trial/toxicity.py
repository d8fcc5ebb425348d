"""Adverse events: from what drives them to grades, and from grades to holding, reducing and stopping.

No grade depends on a dose, only on what the biology's outputs were. A patient's frailty and scatter are drawn
once, so that a grade rises and falls with its driver, the same in both arms and however the time was cut into
windows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logit

from twoarm.chance import normals, uniforms
from twoarm.trial.outcomes import Toxicity, ToxicitySet, grade_limits


class Disposition(NamedTuple):
    """What each patient brings to adverse events."""

    frailty: np.ndarray
    scatter: np.ndarray
    seen: np.ndarray


class Orders(NamedTuple):
    """What the grades ask of the next dose; each a (patient,) bool array."""

    hold: np.ndarray
    reduce: np.ndarray
    stop: np.ndarray


def draw_disposition(
    rules: ToxicitySet, patients: np.ndarray, *, seed: int, replicate: int = 0
) -> Disposition:
    """Draw a shared frailty, and for each kind of event a logistic and whether it is noticed between visits.

    Parameters
    ----------
    rules : ToxicitySet
        Kinds of events and the spread of the frailty.
    patients : (n,) int array
        Patient labels.
    seed : int
        Seed of the trial.
    replicate : int
        Number of the repeated trial.

    Returns
    -------
    Disposition
        `frailty` (n,), normal; `scatter` (n, kind), standard logistic; `seen` (n, kind) bool.
    """
    frailty = rules.frailty * normals(seed, "toxicity frailty", patients, replicate=replicate)[:, 0]
    names = [kind.name for kind in rules.kinds]
    draws = [uniforms(seed, f"toxicity {name}", patients, 2, replicate=replicate) for name in names]
    scatter, looked = (np.column_stack([draw[:, column] for draw in draws]) for column in (0, 1))
    return Disposition(frailty, logit(scatter), looked < np.array([kind.seen for kind in rules.kinds]))


def grade(kind: Toxicity, driver: np.ndarray, frailty: np.ndarray, scatter: np.ndarray) -> np.ndarray:
    """Grade of one kind of event at each look.

    Parameters
    ----------
    kind : Toxicity
        Its rule.
    driver : (patient, look) float array
        The driver, in the rule's unit; NaN (not looked at) and 0 or below mean no event.
    frailty, scatter : (patient,) float array
        From `draw_disposition`.

    Returns
    -------
    (patient, look) int array
        0 for no event.

    Notes
    -----
    severity = slope ln(driver/reference) + loading * frailty + scatter_k * logistic; the grade is the highest
    one whose limit is reached.

    References
    ----------
    ctcae5 for the limits of blood counts.
    """
    grades, limits = grade_limits(kind)
    valid = driver > 0
    severity = kind.slope * np.log(np.where(valid, driver, kind.reference) / kind.reference)
    severity = severity + (kind.loading * frailty + kind.scatter * scatter)[:, None]
    steps = np.searchsorted(limits, severity, side="right")
    return np.where(valid, np.concatenate([[0], grades])[steps], 0)


def orders(rules: ToxicitySet, current: np.ndarray, since_dose: np.ndarray) -> Orders:
    """Whether the next dose is held, reduced or never given.

    Parameters
    ----------
    rules : ToxicitySet
        From which grade each kind holds, reduces, stops.
    current : (patient, kind) int array
        Grades on the day of the decision.
    since_dose : (patient, kind) int array
        Worst grades since the last dose; of a kind that never recovers only what is new since then.

    Returns
    -------
    Orders
        `hold` by what is there today; `reduce` and `stop` by the worst since the last dose.
    """
    hold, reduce, stop = (
        np.array([getattr(kind, name) for kind in rules.kinds])
        for name in ("hold_at", "reduce_at", "stop_at")
    )
    asked = (current >= hold, since_dose >= reduce, since_dose >= stop)
    return Orders(*(np.asarray(part.any(axis=1)) for part in asked))
