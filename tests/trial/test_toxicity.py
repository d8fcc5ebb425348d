"""Grades from drivers: blood counts by CTCAE, ordinal events by their logistic, orders by grade."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from twoarm.trial import toxicity
from twoarm.trial.outcomes import read_outcomes

RULES = read_outcomes("squamous_nsclc").toxicity
KINDS = {kind.name: kind for kind in RULES.kinds}


def test_neutrophils_by_ctcae() -> None:
    counts = np.array([4.0, 1.9, 1.4, 0.9, 0.4])
    zero = np.zeros(5)
    assert toxicity.grade(KINDS["neutropenia"], counts[None], zero[:1], zero[:1])[0].tolist() == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_ordinal_share_is_the_logistic() -> None:
    kind = KINDS["immune_related"]
    brought = toxicity.draw_disposition(RULES, np.arange(40_000), seed=1)
    place = [k.name for k in RULES.kinds].index("immune_related")
    found = toxicity.grade(kind, np.full((40_000, 1), 100.0), np.zeros(40_000), brought.scatter[:, place])
    assert (found >= 3).mean() == pytest.approx(expit(-kind.limits["3"]), abs=0.005)


def test_frailty_makes_events_go_together() -> None:
    brought = toxicity.draw_disposition(RULES, np.arange(20_000), seed=1)
    names = [kind.name for kind in RULES.kinds]
    both = []
    for frailty in (brought.frailty, np.zeros(20_000)):
        grades = [
            toxicity.grade(
                KINDS[n],
                np.full((20_000, 1), KINDS[n].reference),
                frailty,
                brought.scatter[:, names.index(n)],
            )[:, 0]
            for n in ("hypotension", "cytokine_release")
        ]
        both.append(np.corrcoef(grades[0] >= 2, grades[1] >= 1)[0, 1])
    assert both[0] > 0.05
    assert abs(both[1]) < 0.03


@pytest.mark.parametrize("name", list(KINDS))
def test_grade_is_monotone_in_its_driver(name: str) -> None:
    kind = KINDS[name]
    driver = np.geomspace(0.01, 100, 60) * kind.reference
    grades = toxicity.grade(kind, driver[None], np.zeros(1), np.zeros(1))[0]
    assert (np.sign(kind.slope) * np.diff(grades) >= 0).all()
    assert grades.max() > 0


def test_no_driver_no_event() -> None:
    for kind in RULES.kinds:
        found = toxicity.grade(kind, np.array([[np.nan, 0.0]]), np.full(1, 9.0), np.full(1, 9.0))
        assert found.tolist() == [[0, 0]]


def test_orders_follow_the_rules() -> None:
    names = [kind.name for kind in RULES.kinds]
    zero = np.zeros((3, len(names)), int)
    current, since = zero.copy(), zero.copy()
    current[0, names.index("neutropenia")] = 2
    since[1, names.index("febrile_neutropenia")] = 3
    since[2, names.index("immune_related")] = 3
    found = toxicity.orders(RULES, current, since)
    assert found.hold.tolist() == [True, False, False]
    assert found.reduce.tolist() == [False, True, False]
    assert found.stop.tolist() == [False, False, True]


def test_counts_between_visits_are_taken_in_some() -> None:
    brought = toxicity.draw_disposition(RULES, np.arange(20_000), seed=1)
    share = dict(zip((kind.name for kind in RULES.kinds), brought.seen.mean(axis=0), strict=True))
    assert share["neutropenia"] == pytest.approx(KINDS["neutropenia"].seen, abs=0.01)
    assert share["hypotension"] == 1
