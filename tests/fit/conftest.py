"""A fit that takes a second: the biology is replaced by a smooth function of the parameters."""

from functools import cache

import numpy as np
import pytest

from twoarm.fit import run
from twoarm.fit.card import read_calibration
from twoarm.fit.targets import read_targets


@cache
def published():
    readings = [r for each in read_targets(read_calibration("oak_squamous")).values() for r in each]
    return np.array([r.value for r in readings])


def stand_in(member, z, patients, seed):
    """Readings that a straight line of the parameters and some chance would give."""
    n = len(published())
    slopes = np.random.default_rng(1).normal(size=(n, len(z))) / 50
    slopes[:, 5:] = 0.0  # nothing is learned of these
    truth = np.r_[1.0, -1.0, 0.5, 0.0, 0.3, np.zeros(len(z) - 5)]
    chance = np.random.default_rng(seed).normal(size=n) * 0.4 / np.sqrt(patients)
    return member, published() + slopes @ (z - truth) + chance, ""


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(run, "_open", lambda name: None)
    monkeypatch.setattr(run, "_one", stand_in)
    return stand_in


@pytest.fixture
def fitted(quick, tmp_path):
    return run.fit_population(
        "oak_squamous", tmp_path / "fit", members=100, iterations=2, patients=300, seed=4
    )
