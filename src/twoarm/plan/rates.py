"""The answer for response rates, exact, and for escalation, simulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binom

from twoarm.chance import generator
from twoarm.design import escalation
from twoarm.design.card import Escalation, Planned, Rates
from twoarm.design.two_stage import operate, two_stage
from twoarm.plan.pool import Course, Pool
from twoarm.plan.trials import TOGETHER


def response_rate(course: Course, dropout: float) -> float:
    """Chance of a patient of the pool to have a response before being lost.

    Parameters
    ----------
    course : Course
        Of the pool.
    dropout : float [1/day]
        Hazard of being lost.

    Returns
    -------
    float
        0 to 1.
    """
    return float(np.exp(-dropout * course.response).mean())


def plan_rates(
    planned: Planned, pools: Sequence[Pool], arm: str, dropout: float, *, label: str = ""
) -> pd.DataFrame:
    """Operating characteristics of a design on response, draw by draw.

    Parameters
    ----------
    planned : Planned
        Of kind single_arm, two_stage or basket.
    pools : sequence of Pool
        One a draw.
    arm : str
        Which arm.
    dropout : float [1/day]
        Hazard of being lost.
    label : str
        Of the basket.

    Returns
    -------
    DataFrame
        `scenario draw quantity value`: `rate`, `power` (accepts at this rate), `type_one`, `patients`
        (expected), `early` (stops after the first stage), and the design's numbers.

    Notes
    -----
    Patients of a pool are drawn alike, so that the number of responses is binomial with the pool's rate:
    nothing need be simulated.

    Raises
    ------
    NoTwoStageDesignError
        If no two-stage design keeps both errors.
    """
    rates = planned.design.rates
    assert rates is not None  # read_design made sure
    rows = []
    for pool in pools:
        rate = response_rate(pool.arms[arm], dropout)
        said = (
            _one_stage(rates, planned.patients, rate)
            if planned.design.kind == "single_arm"
            else _two(rates, rate)
        )
        rows += [
            (label or "as planned", pool.draw, name, value) for name, value in {"rate": rate, **said}.items()
        ]
    return pd.DataFrame(rows, columns=["scenario", "draw", "quantity", "value"])


def escalate(rule: str, card: Escalation, draws: np.ndarray) -> escalation.Escalated:
    """Conduct escalations by a rule.

    Parameters
    ----------
    rule : {"three_plus_three", "boin", "crm"}
        Which.
    card : Escalation
        Its numbers.
    draws : (trial, dose, patient) bool array
        Whether the next patient of a dose has a dose-limiting event.

    Returns
    -------
    Escalated
        What became of each trial.
    """
    if rule == "three_plus_three":
        return escalation.three_plus_three(draws)
    size = {"target": card.target, "cohort": card.cohort, "most": card.most, "certainty": card.certainty}
    if rule == "boin":
        return escalation.boin(draws, **size)  # type: ignore[arg-type]
    skeleton = escalation.skeleton_of(
        len(card.arms), card.target, half_width=card.half_width, guess=card.guess - 1
    )
    return escalation.crm(draws, skeleton=list(skeleton), spread=card.spread, **size)  # type: ignore[arg-type]


def plan_escalation(planned: Planned, pools: Sequence[Pool], *, replicates: int, seed: int) -> pd.DataFrame:
    """Probability that each rule picks each dose, draw by draw.

    Parameters
    ----------
    planned : Planned
        Of kind escalation.
    pools : sequence of Pool
        With every dose as an arm.
    replicates : int
        Trials of each rule and draw.
    seed : int
        Of the trials.

    Returns
    -------
    DataFrame
        `scenario` (rule), `draw`, `dose` (arm, "" for none), `toxicity` (of the pool), `picked` (share of the
        trials), `patients`, `limited` (mean numbers).

    Notes
    -----
    A patient who dies or is withdrawn within the window without a dose-limiting event counts as one without:
    patients are not replaced.
    """
    card = planned.design.escalation
    assert card is not None  # read_design made sure
    rows = []
    for pool in pools:
        limited = np.array([np.isfinite(pool.arms[arm].limiting) for arm in card.arms])
        for rule in card.rules:
            parts = []
            for chunk in range(-(-replicates // TOGETHER)):
                draw = generator(seed, f"plan, escalation, draw {pool.draw}", replicate=chunk)
                who = draw.integers(pool.size, size=(TOGETHER, len(card.arms), max(card.most, 6)))
                draws = limited[np.arange(len(card.arms))[None, :, None], who]
                parts.append(escalate(rule, card, draws[: replicates - chunk * TOGETHER]))
            selected = np.concatenate([part.selected for part in parts])
            patients = np.concatenate([part.patients for part in parts])
            events = np.concatenate([part.events for part in parts])
            for dose, arm in enumerate((*card.arms, "")):
                known = bool(arm)
                rows.append(
                    (
                        rule,
                        pool.draw,
                        arm,
                        float(limited[dose].mean()) if known else np.nan,
                        float((selected == (dose if known else -1)).mean()),
                        float(patients[:, dose].mean()) if known else np.nan,
                        float(events[:, dose].mean()) if known else np.nan,
                    )
                )
    names = ["scenario", "draw", "dose", "toxicity", "picked", "patients", "limited"]
    return pd.DataFrame(rows, columns=names)


def _one_stage(rates: Rates, n: int, rate: float) -> dict[str, float]:
    """Exact one-sided binomial test."""
    limit = float(binom.isf(rates.alpha, n, rates.null))  # more responses than this reject
    return {
        "power": float(binom.sf(limit, n, rate)),
        "type_one": float(binom.sf(limit, n, rates.null)),
        "power_at_target": float(binom.sf(limit, n, rates.target)),
        "patients": float(n),
        "early": 0.0,
        "n": float(n),
        "r": limit,
    }


def _two(rates: Rates, rate: float) -> dict[str, float]:
    found = two_stage(
        rates.null, rates.target, alpha=rates.alpha, power=rates.power, how=rates.how, most=rates.most
    )
    accept, early = operate(found.first, found.stop_at, found.patients, found.fail_at, rate)
    return {
        "power": accept,
        "type_one": found.alpha,
        "power_at_target": found.power,
        "patients": found.first + (1 - early) * (found.patients - found.first),
        "early": early,
        "n1": float(found.first),
        "r1": float(found.stop_at),
        "n": float(found.patients),
        "r": float(found.fail_at),
    }
