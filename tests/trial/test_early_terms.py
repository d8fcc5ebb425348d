"""New lesions hidden at baseline and deaths that tumor size does not foretell, against closed forms."""

import numpy as np
import pytest

from twoarm.trial import imaging, survival
from twoarm.trial.outcomes import read_outcomes

LINK = read_outcomes("squamous_nsclc")
PEOPLE = np.arange(20_000)
WEEKS = np.arange(0.0, 400.0, 7.0)


def test_without_the_early_terms_nothing_has_changed():
    assert LINK.new_lesions.early == 0
    assert LINK.survival.early_deaths == 0
    plain = survival.exponential_days(3, "background death", PEOPLE, LINK.survival.background)
    np.testing.assert_array_equal(survival.other_death_days(3, PEOPLE, LINK.survival), plain)


def test_early_deaths_follow_their_share_and_their_fading():
    link = LINK.survival.model_copy(update={"early_deaths": 0.2, "early_fades": 50.0, "background": 1e-4})
    day = survival.other_death_days(3, PEOPLE, link)
    for t in (20.0, 50.0, 200.0, 1000.0):
        alive = np.exp(-1e-4 * t + np.log(0.8) * (1 - np.exp(-t / 50.0)))
        assert np.mean(day > t) == pytest.approx(alive, abs=0.01)


def test_without_background_the_others_never_die_of_it():
    link = LINK.survival.model_copy(update={"early_deaths": 0.3, "background": 0.0})
    day = survival.other_death_days(5, PEOPLE, link)
    assert np.isinf(day).mean() == pytest.approx(0.7, abs=0.01)


def test_hidden_lesions_appear_at_the_first_scans():
    rule = LINK.new_lesions.model_copy(
        update={"hazard": 1e-3, "early": 9.0, "early_fades": 42.0, "growth_effect": 0.0, "burden_power": 0.0}
    )
    sld = np.full((4000, WEEKS.size), rule.sld_reference)
    day = imaging.new_lesion_days(sld, WEEKS, np.arange(4000), rule, seed=2)
    for t in (42.0, 126.0, 350.0):
        step = WEEKS[WEEKS < t]
        free = np.exp(-7e-3 * (1 + 9.0 * np.exp(-step / 42.0)).sum())
        assert np.mean(np.nan_to_num(day, nan=np.inf) > t) == pytest.approx(free, abs=0.025)
