"""Blinded independent review: two readers of a finished trial, a third where they differ.

The scans are those that were held: nobody is scanned after the investigator has called progression, so what a
reviewer would have called later is never seen, as in life.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from twoarm.chance import uniforms
from twoarm.errors import NoReviewError
from twoarm.trial import imaging, recist
from twoarm.trial.ledger import Trial
from twoarm.trial.outcomes import Outcomes
from twoarm.trial.protocol import Protocol, Review

_LESIONS = range(1, 6)
_READERS = ("first", "second", "third")


def review_readings(
    trial: Trial, protocol: Protocol, outcomes: Outcomes, *, seed: int, version: int = 0
) -> pd.DataFrame:
    """Read the scans of a trial again, by readers who know neither arm nor each other.

    Parameters
    ----------
    trial : Trial
        From `run_trial`.
    protocol, outcomes : Protocol, Outcomes
        The files of the trial; readers measure as the outcomes file says, and choose lesions and miss new
        ones as the protocol's `imaging.review` says.
    seed : int
        Keyed by (seed, patient, reader, version).
    version : int
        Number of the set of readers.

    Returns
    -------
    DataFrame, index patient
        `first second third`, the day of progression by each reader, and `progression_day`, that of the
        review; NaN for none. `differ` says whether the first two disagree.

    Raises
    ------
    NoReviewError
        If the protocol has no independent review.

    Notes
    -----
    Where the first two disagree, whether or when there was progression, the third takes the side of the one
    whose day is nearer to the third's own; no progression counts as the day after the last scan. True sizes
    between the weeks of the curves are interpolated. Readers differ by what they measure, by the lesions that
    they follow, by the new lesions that they see on a scan, and by the growth that they call unequivocal.

    References
    ----------
    ford2009.
    """
    rule = protocol.imaging.review
    if rule is None:
        raise NoReviewError(protocol=protocol.name)
    days, held = _calendar(trial)
    sizes = np.stack([_sizes_on(trial, f"diameter_{j}", days) for j in _LESIONS], axis=2)
    baseline = np.column_stack([trial.patients[f"diameter_baseline_{j}"] for j in _LESIONS]).astype(float)
    sizes = np.where(baseline[:, None] > 0, sizes, 0.0)
    growth = imaging.growth_before_treatment(trial.patients, len(_LESIONS))
    sizes[:, 0] = imaging.diameters_at_baseline(baseline, growth, days[:, 0])
    found = {
        name: _read(trial, outcomes, rule, days, held, sizes, seed=seed, by=f", review {version} {name}")
        for name in _READERS
    }
    last = np.where(held, days, 0.0).max(axis=1) + 1.0
    one, two, three = (np.where(np.isnan(found[name]), last, found[name]) for name in _READERS)
    chosen = np.where(np.abs(two - three) < np.abs(one - three), found["second"], found["first"])
    table = pd.DataFrame(found, index=trial.patients.index)
    return table.assign(progression_day=chosen, differ=one != two)


def _calendar(trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Day of each scan and whether it was held; (patient, visit)."""
    index = trial.patients.index
    days = trial.visits.pivot(index="patient", columns="visit", values="day").reindex(index).to_numpy(float)
    held = trial.visits.pivot(index="patient", columns="visit", values="held").reindex(index)
    return np.nan_to_num(days, nan=0.0), held.eq(True).to_numpy(bool)


def _sizes_on(trial: Trial, name: str, days: np.ndarray) -> np.ndarray:
    """Find the true size on the day of each scan, between the weeks of the curve."""
    weeks, course = trial.courses["day"].to_numpy(), trial.courses[name].to_numpy()
    step = weeks[1] - weeks[0]
    before = np.clip((days // step).astype(int), 0, weeks.size - 1)
    after = np.minimum(before + 1, weeks.size - 1)
    row = np.arange(len(days))[:, None]
    early, late = course[row, before], course[row, after]
    late = np.where(np.isnan(late), early, late)  # the patient's course ends before the next week
    return np.asarray(early + (late - early) * (days - weeks[before]) / step)


def _read(
    trial: Trial,
    outcomes: Outcomes,
    rule: Review,
    days: np.ndarray,
    held: np.ndarray,
    sizes: np.ndarray,
    *,
    seed: int,
    by: str,
) -> np.ndarray:
    """Day of progression as one reader sees it; NaN for none."""
    labels = trial.patients.index.to_numpy()
    people, visits, lesions = sizes.shape
    error = imaging.draw_reader_error(outcomes.reader, labels, visits, lesions, seed=seed, by=by)
    flat = (people * visits, lesions)
    picked = uniforms(seed, f"reader, targets{by}", labels, lesions) < rule.picks
    picked |= sizes[:, 0] >= sizes[:, 0].max(axis=1, keepdims=True)  # nobody leaves out the largest
    targets = np.where(picked[:, None], np.nan_to_num(sizes), 0.0)
    read, small = imaging.read_diameters(
        targets.reshape(flat),
        error.proportional.reshape(-1),
        error.additive.reshape(flat),
        outcomes.reader,
    )
    mm, too_small = read.reshape(sizes.shape), small.reshape(sizes.shape)
    mm[:, 0] = np.where(targets[:, 0] > 0, np.maximum(mm[:, 0], outcomes.reader.measurable_from), 0.0)
    mm = np.where(held[..., None], recist.small_lesion_rule(mm, too_small), np.nan)
    mm[:, 0] = np.nan_to_num(mm[:, 0])
    nodal = np.column_stack(
        [np.asarray(trial.patients.get(f"nodal_{j}", np.zeros(people)), bool) for j in _LESIONS]
    )
    target = np.where(held, recist.target_course(mm, nodal).response, "")
    target[:, 0] = ""
    present, limit = imaging.non_target_limits(outcomes.non_target, labels, seed=seed, by=by)
    # who has such disease is the patient's, how soon growth is called is the reader's
    present = imaging.non_target_limits(outcomes.non_target, labels, seed=seed)[0]
    total = np.where(held, np.nansum(sizes, axis=2), np.inf)
    lowest = np.minimum.accumulate(total, axis=1)
    called = outcomes.non_target
    non_target = np.column_stack(
        [imaging.read_non_target(total[:, v], lowest[:, v], present, limit, called) for v in range(visits)]
    )
    appeared = trial.patients["new_lesion_day"].to_numpy(float)
    there = days >= np.nan_to_num(appeared, nan=np.inf)[:, None]
    sees = uniforms(seed, f"reader, new lesion{by}", labels, visits) >= rule.misses_new
    new = np.logical_or.accumulate(there & sees & held, axis=1)
    overall = recist.overall_response(target, np.where(held, non_target, "NE"), new & held)
    worse = (overall == "PD") & held
    first = np.where(worse, days, np.inf).min(axis=1)
    return np.where(np.isinf(first), np.nan, first)
