"""The answer for escalations: which dose each rule picks, simulated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from twoarm.chance import generator
from twoarm.design import escalation
from twoarm.design.card import Escalation, Planned
from twoarm.plan.batches import kept, place_of
from twoarm.plan.pool import Pool
from twoarm.plan.trials import TOGETHER


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


def check_escalation(planned: Planned) -> None:
    """Refuse an escalation whose numbers no rule can work with.

    Parameters
    ----------
    planned : Planned
        Of kind escalation.

    Raises
    ------
    DesignNumberError
        If a rule has no boundaries or no curve of toxicity for its target.
    """
    card = planned.design.escalation
    assert card is not None  # read_design made sure
    for rule in card.rules:
        escalate(rule, card, np.zeros((1, len(card.arms), max(card.most, 6)), bool))


def plan_escalation(
    planned: Planned,
    pools: Sequence[Pool],
    *,
    replicates: int,
    seed: int,
    label: str = "",
    keep: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
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
    label : str
        Of what is varied; "" for the design as it stands.
    keep : Path, optional
        Folder in which finished batches of trials are kept, to go on from.
    progress : callable, optional
        Told the share done.

    Returns
    -------
    DataFrame
        `setting` (label), `scenario` (rule), `draw`, `dose` (arm, "" for none), `toxicity` (of the pool),
        `picked` (share of the trials), `patients`, `limited` (mean numbers).

    Notes
    -----
    A patient who dies or is withdrawn within the window without a dose-limiting event counts as one without:
    patients are not replaced.
    """
    card = planned.design.escalation
    assert card is not None  # read_design made sure
    rows = []
    parts = [(pool, rule) for pool in pools for rule in card.rules]
    for number, (pool, rule) in enumerate(parts):
        limited = np.array([np.isfinite(pool.arms[arm].limiting) for arm in card.arms])
        place = place_of(keep, "escalation", rule, card, limited, pool.draw, seed)
        found = []
        for chunk in range(-(-replicates // TOGETHER)):
            trials = min(TOGETHER, replicates - chunk * TOGETHER)
            make = partial(_conduct, rule, card, limited, pool.draw, seed, chunk, trials)
            found.append(kept(place, f"{chunk:04d}-{trials}", make))
            if progress is not None:
                done = (chunk + 1) * TOGETHER / max(replicates, (chunk + 1) * TOGETHER)
                progress((number + done) / len(parts))
        trials_of = pd.concat(found, ignore_index=True)
        for dose, arm in enumerate((*card.arms, "")):
            known = bool(arm)
            rows.append(
                (
                    label,
                    rule,
                    pool.draw,
                    arm,
                    float(limited[dose].mean()) if known else np.nan,
                    float((trials_of["selected"] == (dose if known else -1)).mean()),
                    float(trials_of[f"patients_{dose}"].mean()) if known else np.nan,
                    float(trials_of[f"limited_{dose}"].mean()) if known else np.nan,
                )
            )
    names = ["setting", "scenario", "draw", "dose", "toxicity", "picked", "patients", "limited"]
    return pd.DataFrame(rows, columns=names)


def _conduct(
    rule: str, card: Escalation, limited: np.ndarray, draw: int, seed: int, chunk: int, trials: int
) -> pd.DataFrame:
    """Conduct one batch of escalations: the dose of each, with patients and events of every dose."""
    chance = generator(seed, f"plan, escalation, draw {draw}", replicate=chunk)
    doses, size = limited.shape
    who = chance.integers(size, size=(TOGETHER, doses, max(card.most, 6)))
    events = limited[np.arange(doses)[None, :, None], who][:trials]
    found = escalate(rule, card, events)
    table = {"selected": found.selected}
    for dose in range(doses):
        table |= {f"patients_{dose}": found.patients[:, dose], f"limited_{dose}": found.events[:, dose]}
    return pd.DataFrame(table)
