"""What a claim hangs on is found in cards and in patients, once, and only where it matters."""

import numpy as np
import pandas as pd
import pytest
from tests.experiment.test_judge import claim, experiment, values

from twoarm.experiment.claims import Claim
from twoarm.experiment.fragile import CARD, PATIENT, fragility, holds, in_words, margin

DRAWS, EACH = 40, 5
RANDOM = np.random.default_rng(3)


def made(weight_of_card=0.0, weight_of_patient=0.0, **said):
    """A claim about x of group a, which hangs on arm.kd and on the patient's number as told."""
    card = pd.DataFrame({"m arm.kd": RANDOM.uniform(1, 2, DRAWS), "m arm.other": RANDOM.uniform(1, 2, DRAWS)})
    people = pd.DataFrame(
        {
            "draw": np.repeat(np.arange(DRAWS), EACH),
            "patient": np.tile(np.arange(EACH), DRAWS),
            "killing": RANDOM.uniform(1, 2, DRAWS * EACH),
        }
    )
    x = weight_of_card * np.repeat(card["m arm.kd"].to_numpy(), EACH)
    x = x + weight_of_patient * people["killing"].to_numpy() + 0.05 * RANDOM.normal(size=DRAWS * EACH)
    table = values({"a": (1, x.reshape(DRAWS, EACH), np.zeros((DRAWS, EACH)))})
    asked = experiment([claim(**said)], groups=("a",))
    return asked, fragility(asked, table, card, people)


def test_a_claim_that_hangs_on_the_card_says_so():
    _, found = made(weight_of_card=1.0)
    first = found.iloc[0]
    assert (first["field"], first["of"]) == ("arm.kd", CARD)
    assert first["strength"] > 0.9
    assert first["beyond_chance"]
    assert first["holds_above"] > 0.9  # x is about arm.kd, and the claim holds from 1.5 on
    assert first["holds_below"] < 0.1
    assert in_words(found, "t").startswith("low arm.kd (")


def test_a_claim_that_hangs_on_the_patient_says_so_although_medians_of_draws_would_hide_it():
    _, found = made(weight_of_patient=1.0)
    first = found.iloc[0]
    assert (first["field"], first["of"]) == ("killing", PATIENT)
    assert first["strength"] > 0.9


def test_the_sign_is_that_of_the_margin():
    _, found = made(
        weight_of_card=1.0, holds_above=None, holds_below=1.5, refuted_below=None, refuted_above=2
    )
    assert found.iloc[0]["strength"] < -0.9
    assert in_words(found, "t").startswith("high arm.kd (")


def test_nothing_is_told_where_there_is_chance_only():
    told = [in_words(made()[1], "t") for _ in range(20)]
    assert sum(bool(text) for text in told) <= 2


def test_chance_is_judged_by_draws_for_a_card_and_by_patients_for_patients():
    """Five patients of a draw share its card: 200 courses are 40 cards."""
    _, found = made(weight_of_card=0.02)
    close = found.set_index("of")["strength"].abs()
    least = 2.807 / np.sqrt(DRAWS - 1)  # normal quantile of 0.005 over three fields is above this
    assert not found[(found["of"] == CARD) & (close.to_numpy() < least)]["beyond_chance"].any()


def test_a_field_that_only_repeats_another_is_told_once():
    draws = np.arange(40.0)
    table = values({"a": (1, [[x] for x in draws], [[0.0]] * 40)})
    cards = pd.DataFrame({"m arm.kd": draws, "n arm.kd": 2 * draws + 1, "m arm.twin": draws**3})
    asked = experiment([claim()], groups=("a",))
    assert list(fragility(asked, table, cards)["field"]) == ["arm.kd"]


def test_few_draws_tell_nothing():
    table = values({"a": (1, [[1.0], [2.0]], [[0.0]] * 2)})
    asked = experiment([claim()], groups=("a",))
    assert fragility(asked, table, pd.DataFrame({"m f": [1.0, 2.0]})).empty


@pytest.mark.parametrize("number", [np.inf, -np.inf, np.nan])
def test_margins_of_numbers_that_are_none(number):
    made_claim = Claim(**claim())
    assert holds(made_claim, np.array([number])).tolist() == [number == np.inf]
    side = margin(made_claim, np.array([number]))[0]
    assert np.isnan(side) if np.isnan(number) else side == number
