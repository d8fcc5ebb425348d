"""Distributions: a quantile function is one."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from twoarm.patients.distributions import Conditional, Distribution

READ = TypeAdapter(Distribution)
MIDDLE = (np.arange(20_000) + 0.5) / 20_000

SHAPES = {
    "uniform": ({"low": 2, "high": 5}, stats.uniform(2, 3)),
    "loguniform": ({"low": 0.01, "high": 1}, stats.loguniform(0.01, 1)),
    "normal": ({"mean": 3, "sd": 2, "low": 1, "high": 6}, stats.truncnorm(-1, 1.5, 3, 2)),
    "lognormal": ({"median": 4, "sd": 0.5}, stats.lognorm(0.5, scale=4)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_quantiles_are_those_of_the_distribution(name: str) -> None:
    words, expected = SHAPES[name]
    shape = READ.validate_python({"distribution": name} | words)
    assert np.allclose(shape.quantile(MIDDLE), expected.ppf(MIDDLE), rtol=1e-9)


def test_a_share_stays_between_its_bounds() -> None:
    words = {"distribution": "logitnormal", "median": 0.2, "sd": 1.0, "low": 0.05, "high": 0.8}
    share = READ.validate_python(words).quantile(MIDDLE)
    assert 0.05 <= share.min() < 0.2 < share.max() <= 0.8
    loose = READ.validate_python({"distribution": "logitnormal", "median": 0.2, "sd": 1.0}).quantile(MIDDLE)
    assert np.median(loose) == pytest.approx(0.2, rel=1e-3)


def test_yes_has_its_probability() -> None:
    yes = READ.validate_python({"distribution": "bernoulli", "probability": 0.3}).quantile(MIDDLE)
    assert yes.mean() == pytest.approx(0.3, abs=1e-4)
    assert yes[0] == 0
    assert yes[-1] == 1


def test_categories_have_their_shares() -> None:
    words = {"distribution": "categorical", "probabilities": {"a": 0.5, "b": 0.2, "c": 0.3}}
    chosen = READ.validate_python(words).quantile(MIDDLE)
    assert [np.mean(chosen == name) for name in "abc"] == pytest.approx([0.5, 0.2, 0.3], abs=1e-4)


def test_numbered_categories_are_numbers() -> None:
    words = {"distribution": "categorical", "probabilities": {"1": 0.5, "2": 0.5}}
    assert READ.validate_python(words).quantile(np.array([0.1, 0.9])).tolist() == [1, 2]


def test_a_mixture_is_its_parts() -> None:
    low = {"share": 0.7, "of": {"distribution": "loguniform", "low": 1e-6, "high": 1e-4}}
    high = {"share": 0.3, "of": {"distribution": "uniform", "low": 0.05, "high": 0.5}}
    mixed = READ.validate_python({"distribution": "mixture", "components": [low, high]}).quantile(MIDDLE)
    assert np.mean(mixed > 0.01) == pytest.approx(0.3, abs=1e-4)
    assert np.mean(mixed[mixed > 0.01]) == pytest.approx(0.275, rel=1e-3)
    assert np.all(np.diff(mixed) >= 0)


def test_a_condition_picks_the_case() -> None:
    cases = {
        "low": {"distribution": "uniform", "low": 0, "high": 1},
        "high": {"distribution": "uniform", "low": 10, "high": 11},
    }
    shape = READ.validate_python({"distribution": "conditional", "on": "group", "cases": cases})
    assert isinstance(shape, Conditional)
    found = shape.quantile_given(np.array([0.5, 0.5]), np.array(["high", "low"], dtype=object))
    assert found.tolist() == [10.5, 0.5]


@pytest.mark.parametrize(
    "words",
    [
        {"distribution": "gamma", "mean": 1},
        {"distribution": "uniform", "low": 2, "high": 1},
        {"distribution": "uniform", "low": 2},
        {"distribution": "loguniform", "low": 0, "high": 1},
        {"distribution": "normal", "mean": 1, "sd": 0},
        {"distribution": "normal", "mean": float("inf"), "sd": 1},
        {"distribution": "lognormal", "median": -1, "sd": 1},
        {"distribution": "lognormal", "median": 1, "sd": 1, "cv": 3},
        {"distribution": "bernoulli", "probability": 1.1},
        {"distribution": "categorical", "probabilities": {"a": 0.5}},
        {"distribution": "mixture", "components": []},
        {
            "distribution": "mixture",
            "components": [{"share": 0.5, "of": {"distribution": "constant", "value": 1}}],
        },
    ],
)
def test_what_is_no_distribution_is_refused(words: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(words)
