"""Patients drawn when their turn comes are those of the table, whoever asks for them in which order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from twoarm.errors import NumberOfDrawsError, UnknownMethodError
from twoarm.patients import drawn
from twoarm.patients.draw import draw_patients
from twoarm.patients.drawn import DrawnPatients
from twoarm.patients.population import read_population

NAME = "io_resistant_squamous_nsclc"


def test_the_same_bits_in_any_pieces_and_the_patients_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "_BLOCK", 64)
    population = read_population(NAME)
    whole = DrawnPatients(population, 300, seed=7).draw(0, 300)
    table = draw_patients(population, 300, seed=7)
    pd.testing.assert_frame_equal(whole, table, rtol=1e-12, check_like=False)
    assert whole.attrs["covariates"] == table.attrs["covariates"]
    other = DrawnPatients(population, 1000, seed=7)
    for first, last in ((250, 300), (0, 1), (63, 65), (130, 131), (1, 250)):  # back and forth
        piece = other.draw(first, last)
        np.testing.assert_array_equal(piece.to_numpy(), whole.iloc[first:last].to_numpy())
        assert piece.index.to_list() == list(range(first, last))
    assert other.draw(5, 5).empty


def test_who_they_are_is_known_by_population_seed_and_method() -> None:
    population = read_population(NAME)
    names = {
        DrawnPatients(population, 10, seed, how).identity for seed in (1, 2) for how in ("sobol", "random")
    }  # type: ignore[arg-type]
    assert len(names) == 4
    with pytest.raises(NumberOfDrawsError):
        DrawnPatients(population, 0, seed=1)
    with pytest.raises(UnknownMethodError):
        DrawnPatients(population, 5, seed=1, method="dice")  # type: ignore[arg-type]
