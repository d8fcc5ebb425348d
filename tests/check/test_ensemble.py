"""Members of a population: from its prior, and from what was frozen."""

from __future__ import annotations

import numpy as np
import pytest

from twoarm import catalog
from twoarm.check.ensemble import ensemble_of, read_prior
from twoarm.errors import NotInLibraryError
from twoarm.patients.population import read_population


def test_every_population_of_a_prior_gives_members() -> None:
    for name in catalog.names("priors"):
        prior = read_prior(name)
        for population, outcomes in prior.populations.items():
            found = ensemble_of(population, members=3, seed=2, which="prior")
            assert found.source == f"prior {name}"
            assert len({member.population.model_dump_json() for member in found.members}) == 3
            assert {member.outcomes.name for member in found.members} == {outcomes}


def test_members_spread_as_the_prior_says() -> None:
    members = ensemble_of("io_naive_cutaneous_melanoma", members=60, seed=4, which="prior").members
    parameter = read_prior("melanoma").parameters["doubling_time"]
    typical = read_population("io_naive_cutaneous_melanoma").variables["doubling_time"].shape.median
    logs = np.log([member.population.variables["doubling_time"].shape.median / typical for member in members])
    assert np.median(logs) == pytest.approx(0, abs=0.05)
    claimed = np.log(parameter.high / parameter.low) / (2 * 1.96)
    assert logs.std() == pytest.approx(claimed, rel=0.15)
    hazards = {member.outcomes.new_lesions.hazard for member in members}
    assert len(hazards) == 60


def test_the_same_seed_gives_the_same_members() -> None:
    first, second = (ensemble_of("third_line_mss_colorectal", members=4, seed=9, which="prior") for _ in "ab")
    assert [m.population for m in first.members] == [m.population for m in second.members]
    other = ensemble_of("third_line_mss_colorectal", members=4, seed=10, which="prior")
    assert other.members[0].population != first.members[0].population


def test_a_population_that_a_calibration_fits_has_the_prior_of_that() -> None:
    found = ensemble_of("io_naive_squamous_nsclc", members=2, seed=1, which="prior")
    assert found.source == "prior oak_squamous"


def test_a_population_without_prior_says_so() -> None:
    found = ensemble_of("mouse_cold", members=2, seed=1, which="prior")
    assert found.source == "no spread stated"
    assert found.members[0].population.variables == found.members[1].population.variables
    with pytest.raises(NotInLibraryError):
        ensemble_of("nobody", members=2, seed=1)
