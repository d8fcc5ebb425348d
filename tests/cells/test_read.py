"""Sets of cells: numbers of the biology by name, a set over another, and what is refused."""

from __future__ import annotations

import pytest

from twoarm.cells import read_cells
from twoarm.entries import read_values
from twoarm.errors import CardEntryError, MissingFieldError, UnknownFieldError

LIBRARY = read_cells()


def test_cells_of_a_dish_are_those_of_a_patient():
    from twoarm import catalog

    numbers = read_values(catalog.find("biology", "pd1_il2"))
    assert LIBRARY.cells["effector"].pd1 == numbers["pd1_effector"]
    assert LIBRARY.cells["nk"].half_signal == numbers["half_signal_nk"]
    assert LIBRARY.constants["gain_il2r"] == numbers["gain_il2r"]


def test_the_second_set_differs_in_copies_of_the_measured_cells_only():
    second = read_cells("human_second")
    changed = {name for name, cell in second.cells.items() if cell != LIBRARY.cells[name]}
    assert changed == set(LIBRARY.measured)
    assert second.cells["helper"].il2rb > 10 * LIBRARY.cells["helper"].il2rb
    assert second.cells["treg"].label == LIBRARY.cells["treg"].label


def test_a_constant_of_ones_own_reaches_the_cells_that_name_it():
    tried = read_cells("human", {"half_signal_nk": 7.0})
    assert tried.cells["nk"].half_signal == 7.0
    assert tried.cells["treg"].half_signal == LIBRARY.cells["treg"].half_signal


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('extends = "human"\nflavor = 1', UnknownFieldError),
        ('extends = "human"\n[cells.nk]\npd2 = "pd1_nk"', UnknownFieldError),
        ('extends = "human"\n[cells.nk]\npd1 = "no_such_number"', UnknownFieldError),
        ('extends = "human"\n[cells.nk]\npd1 = { value = -1, source = "farhat2021" }', CardEntryError),
        ('extends = "human"\nspared = ["liver"]', UnknownFieldError),
        ('name = "mine"', MissingFieldError),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, text, error):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error):
        read_cells(path)


def test_a_set_of_ones_own_over_the_library(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'extends = "human"\nname = "mine"\n[cells.effector]\n'
        'il2ra = { value = 20, source = "assumed", note = "without CD25" }',
        encoding="utf-8",
    )
    mine = read_cells(path)
    assert mine.cells["effector"].il2ra == 20
    assert mine.cells["effector"].il2rb == LIBRARY.cells["effector"].il2rb
