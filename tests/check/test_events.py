"""Severe events: members differ in what is not known, and a background has its rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm import catalog
from twoarm.check.events import draw_events, first_severe, read_events
from twoarm.frozen import Member
from twoarm.patients.population import read_population
from twoarm.trial.outcomes import grade_limits, read_outcomes

EVENTS = read_events()
OUTCOMES = read_outcomes("squamous_nsclc")
MEMBERS = [Member(read_population("io_naive_squamous_nsclc"), OUTCOMES, f"m{k}") for k in range(80)]


def test_what_the_file_names_is_in_every_clinical_link() -> None:
    for name in catalog.names("outcomes"):
        events = read_outcomes(name).toxicity
        kinds = {kind.name: kind for kind in events.kinds}
        for parameter in EVENTS.parameters.values():
            for field in parameter.fields:
                kind, _, entry = field.partition(".")
                assert hasattr(kinds[kind], entry) if entry else hasattr(events, kind), (name, field)


def test_members_draw_what_is_not_known_and_nothing_else() -> None:
    drawn = [member.outcomes for member in draw_events(MEMBERS, seed=3)]
    kinds = [{kind.name: kind for kind in one.toxicity.kinds} for one in drawn]
    given = {kind.name: kind for kind in OUTCOMES.toxicity.kinds}
    shift = (
        np.array([kind["immune_related"].limits["3"] for kind in kinds]) - given["immune_related"].limits["3"]
    )
    claimed = EVENTS.parameters["immune_limits"]
    assert np.median(shift) == pytest.approx(claimed.value, abs=0.05)
    assert np.quantile(shift, [0.025, 0.975]) == pytest.approx([claimed.low, claimed.high], abs=0.15)
    assert len({kind["neutropenia"].seen for kind in kinds}) == len(MEMBERS)
    assert all(0 < kind["neutropenia"].seen < 1 for kind in kinds)
    for one in kinds:
        for kind in one.values():
            assert (np.diff(grade_limits(kind)[1]) > 0).all()
    assert {one.model_copy(update={"toxicity": OUTCOMES.toxicity}) == OUTCOMES for one in drawn} == {True}
    again = draw_events(MEMBERS, seed=3)
    assert [member.outcomes for member in again] == drawn


def people(n: int, treated: float) -> pd.DataFrame:
    return pd.DataFrame({"severe_day": np.nan, "treated_until": treated, "OS_day": 900.0}, index=range(n))


def test_a_background_has_its_rate_while_events_count() -> None:
    member = MEMBERS[0]
    day = first_severe(people(20_000, 60.0), member, seed=2)
    counted = 60.0 + OUTCOMES.toxicity.counts_for
    assert np.nanmax(day) <= counted
    hazard = -np.log(np.isnan(day).mean()) / counted * 30.4375
    rate = EVENTS.background["lung"]
    assert rate.low / 1.5 < hazard < rate.high * 1.5
    longer = first_severe(people(20_000, 150.0), member, seed=2)
    expected = (np.isnan(day).mean()) ** ((150 + OUTCOMES.toxicity.counts_for) / counted)
    assert np.isnan(longer).mean() == pytest.approx(expected, abs=0.01)


def test_a_related_event_counts_as_one_of_any_cause_and_the_dead_have_none() -> None:
    table = people(400, 60.0).assign(severe_day=[10.0, np.nan] * 200, OS_day=[900.0, 1.0] * 200)
    day = first_severe(table, MEMBERS[1], seed=4)
    assert (day[::2] <= 10.0).all()
    assert np.isnan(day[1::2]).mean() > 0.98


def test_a_population_without_background_has_related_events_only() -> None:
    mouse = Member(read_population("mouse_cold"), OUTCOMES, "mouse")
    table = people(50, 60.0).assign(severe_day=7.0)
    assert (first_severe(table, mouse, seed=1) == 7.0).all()
