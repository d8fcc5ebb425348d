"""Spread between trials: found again where it is known, and never from rows that validate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from twoarm import catalog
from twoarm.check.between import effects_of, estimate_spreads, read_between, spreads_table
from twoarm.check.endpoints import KNOWN, read_endpoint
from twoarm.check.rules import read_rules

RULES, BETWEEN = read_rules(), read_between()
COMPARATORS = pd.read_csv(catalog.find("evidence", "comparators"), dtype=str, keep_default_na=False)
ALIKE = {
    "tumor": "RCC",
    "n": "400",
    "endpoint": "mOS",
    "unit": "months",
    "ci_low": "",
    "ci_high": "",
    "source_title": "made up",
    "source_url": "https://a.org/a",
    "note": "",
    "verified": "true",
}


def estimated(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    path = folder / "rows.csv"
    table.to_csv(path, index=False)
    own = BETWEEN.model_copy(update={"evidence": (str(path),)})
    return spreads_table(estimate_spreads(own, RULES)).set_index("family")


def trials(tau: float, groups: int, each: int, seed: int, use: str = "none") -> pd.DataFrame:
    """Median survival of arms of 400 patients, in many groups of trials alike."""
    chance = np.random.default_rng(seed)
    rows = []
    for group in range(groups):
        level = chance.normal(2.3, 0.5)
        for trial in range(each):
            value = np.exp(level + chance.normal(0, tau) + chance.normal(0, 1 / (np.log(2) * 20)))
            name = f"{group}-{trial}"
            own = {
                "id": name,
                "drug": f"agent {group}",
                "value": f"{value:.4f}",
                "trial_name": name,
                "use": use,
            }
            rows.append(ALIKE | own)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("tau", [0.0, 0.15, 0.3])
def test_a_known_spread_is_found_again(tau: float, tmp_path: Path) -> None:
    found = estimated(trials(tau, groups=40, each=4, seed=5), tmp_path).loc["death"]
    assert found["low"] - 0.01 <= tau <= found["high"] + 0.01
    assert found["spread"] == pytest.approx(tau, abs=0.05)
    assert (found["groups"], found["trials"]) == (40, 160)


def test_rows_that_validate_are_not_looked_at(tmp_path: Path) -> None:
    rows = pd.concat([COMPARATORS, trials(1.0, groups=20, each=4, seed=5, use="validate")])
    found = estimated(rows.fillna(""), tmp_path)
    other = COMPARATORS.copy()
    validating = other["use"] == "validate"
    other.loc[validating, ["value", "ci_low", "ci_high"]] = ["1.5", "", ""]
    pd.testing.assert_frame_equal(found, estimated(other, tmp_path))
    pd.testing.assert_frame_equal(found, spreads_table(estimate_spreads(BETWEEN, RULES)).set_index("family"))


def test_without_trials_alike_what_is_believed_stays(tmp_path: Path) -> None:
    found = estimated(trials(0.3, groups=5, each=1, seed=1), tmp_path)
    assert (found["trials"] == 0).all()
    assert found.loc["death", "spread"] == pytest.approx(0.674 * BETWEEN.families["death"].believed, rel=0.02)


def test_every_endpoint_has_one_family() -> None:
    for name in KNOWN:
        assert sum(bool(family.match.search(name)) for family in BETWEEN.families.values()) == 1, name
        read_endpoint(name)


def test_effects_have_the_spread_that_is_claimed() -> None:
    spreads = estimate_spreads(BETWEEN, RULES)
    drawn = effects_of(spreads, 40_000, seed=3)
    for one in spreads.values():
        claimed = np.sqrt(np.sum(one.share * one.grid**2))
        assert drawn[one.match].std() == pytest.approx(claimed, rel=0.05)
        assert drawn[one.match].mean() == pytest.approx(0.0, abs=0.02)
    assert (effects_of(spreads, 5, seed=3)[one.match] != effects_of(spreads, 5, seed=4)[one.match]).all()
