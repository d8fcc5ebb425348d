"""Accelerated life against its closed form; causality; independence of windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from twoarm.trial import survival
from twoarm.trial.outcomes import read_outcomes

LINK = read_outcomes("squamous_nsclc").survival
WEEKS = np.arange(0.0, 1500.0, 7.0)


def test_steady_growth_gives_the_published_log_normal() -> None:
    """With eta constant, median survival is exp(mu + eta), whatever the spread."""
    labels = np.arange(20_000)
    limit = survival.lifetimes(1, labels, LINK)
    eta = np.full((1, WEEKS.size), -0.9).repeat(labels.size, axis=0)
    days = survival.cancer_death_days(eta, WEEKS, limit)
    alive = np.isnan(days)
    expected = norm.cdf((LINK.intercept - 0.9 - np.log(WEEKS[-1])) / LINK.spread)
    assert alive.mean() == pytest.approx(expected, abs=0.01)
    assert np.median(np.where(alive, np.inf, days)) == pytest.approx(np.exp(LINK.intercept - 0.9), rel=0.03)


def test_eta_by_hand() -> None:
    """Growth of 0.02 per week from the start: nadir on day 0, every term read off the coefficients."""
    sld = 90.0 * np.exp(0.02 * WEEKS[None] / 7)
    eta = survival.log_time(sld, WEEKS, np.array([36.0]), np.array([np.nan]), LINK)[0]
    fixed = -0.00366 * (90 - 100) + 0.0452 * (36 - 39.4) + 0.0124 * (0 - 39.9)
    assert eta[0] == pytest.approx(fixed)
    assert eta[20] == pytest.approx(fixed - 6.91 * 0.02 / (0.02 + 0.109))


def test_shrinking_tumor_has_no_growth_term_and_a_growing_time_to_growth() -> None:
    sld = 90.0 * np.exp(-0.02 * WEEKS[None] / 7)
    eta = survival.log_time(sld, WEEKS, np.array([39.4]), np.array([np.nan]), LINK)[0]
    assert eta[30] - eta[10] == pytest.approx(0.0124 * 20)


def test_next_therapy_acts_from_its_day() -> None:
    sld = np.full((1, WEEKS.size), 80.0)
    with_it, without = (
        survival.log_time(sld, WEEKS, np.array([39.4]), np.array([day]), LINK)[0] for day in (70.0, np.nan)
    )
    np.testing.assert_allclose((with_it - without)[:10], 0, atol=1e-12)
    np.testing.assert_allclose((with_it - without)[10:], LINK.next_therapy)


def test_what_follows_blockade_gains_more_the_longer_it_lasted() -> None:
    """Half of the extra gain at `blocked_half`, all of it after earlier immunotherapy, none without."""
    link = LINK.model_copy(update={"next_therapy_after_block": 0.6, "blocked_half": 42.0})
    sld, albumin = np.full((3, WEEKS.size), 80.0), np.full(3, 39.4)
    day, blocked = np.array([70.0, 70.0, 70.0]), np.array([0.0, 42.0, np.inf])
    eta = survival.log_time(sld, WEEKS, albumin, day, link, blocked)
    without = survival.log_time(sld, WEEKS, albumin, np.full(3, np.nan), link, blocked)
    np.testing.assert_allclose((eta - without)[:, :10], 0, atol=1e-12)
    np.testing.assert_allclose((eta - without)[:, -1] - LINK.next_therapy, [0.0, 0.3, 0.6], atol=1e-9)


@given(st.integers(0, 10_000), st.integers(5, 60))
def test_the_future_does_not_matter(seed: int, known: int) -> None:
    draw = np.random.default_rng(seed)
    sld = 60 * np.exp(np.cumsum(draw.normal(0, 0.03, (3, 80)), axis=1))
    other = sld.copy()
    other[:, known:] = np.nan
    albumin, none = np.full(3, 38.0), np.full(3, np.nan)
    whole = survival.log_time(sld, WEEKS[:80], albumin, none, LINK)
    part = survival.log_time(other, WEEKS[:80], albumin, none, LINK)
    np.testing.assert_allclose(part[:, :known], whole[:, :known], rtol=1e-12)
    assert np.isnan(part[:, known:]).all()


@given(st.floats(0.01, 3.0), st.floats(1.0, 400.0))
def test_crossing_of_a_constant_rate_is_exact(rate: float, limit: float) -> None:
    day = survival.first_crossing(np.full((1, WEEKS.size), rate), WEEKS, np.array([limit]))[0]
    if limit / rate > WEEKS[-1]:
        assert np.isnan(day)
    else:
        assert day == pytest.approx(limit / rate)


def test_faster_growth_never_lives_longer() -> None:
    limit = survival.lifetimes(3, np.arange(50), LINK)
    previous = np.full(50, np.inf)
    for growth in (0.0, 0.01, 0.03, 0.1):
        sld = 80 * np.exp(growth * WEEKS / 7)[None].repeat(50, axis=0)
        eta = survival.log_time(sld, WEEKS, np.full(50, 38.0), np.full(50, np.nan), LINK)
        days = np.nan_to_num(survival.cancer_death_days(eta, WEEKS, limit), nan=np.inf)
        assert (days <= previous).all()
        previous = days


def test_background_has_its_rate() -> None:
    days = survival.exponential_days(1, "background death", np.arange(50_000), 0.01)
    assert days.mean() == pytest.approx(100, rel=0.02)
