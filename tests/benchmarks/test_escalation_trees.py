"""Escalation as every outcome of every cohort has it, by code that shares nothing with the package."""

import importlib
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("escalation_trees")


def test_drawn_trials_choose_as_their_trees_say(script):
    table = script.compare(4, 8000, 3)
    assert set(table["design"]) == {"BOIN", "3+3"}
    assert len(table) == 2 * len(script.SCENARIOS) * 6
    sums = table.groupby(["design", "scenario"])["exact"].sum()
    np.testing.assert_allclose(sums, 1.0, atol=1e-12)
    assert table["errors"].abs().max() < 5
    own = table[table["patients exact"].notna()]
    np.testing.assert_allclose(own["patients drawn"], own["patients exact"], atol=0.15)


def test_a_design_that_keeps_what_it_gave_up_is_found_out(script, monkeypatch):
    monkeypatch.setattr(script, "CERTAINTY", 0.9999)
    script.given_up.cache_clear()
    tree, _ = script.tree(script.SCENARIOS["all toxic"], 4)
    monkeypatch.undo()
    script.given_up.cache_clear()
    assert script.tree(script.SCENARIOS["all toxic"], 4)[0][-1] > tree[-1] + 0.1
