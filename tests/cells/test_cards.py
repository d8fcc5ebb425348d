"""Every molecule of the library that carries IL-2, in a dish: what its class says comes out of its card."""

from __future__ import annotations

import pytest

from twoarm.catalog import names
from twoarm.cells import potency, response
from twoarm.molecule import read_molecule

CARDS = {name: card for name in names("molecules") if (card := read_molecule(name)).il2_arm is not None}
KEEPS_CD25 = {name for name, card in CARDS.items() if card.il2_arm.kd_il2ra is not None}
TARGETED = {name for name, card in CARDS.items() if card.pd1_arm is not None}
CELLS = ["effector", "treg", "cd8", "nk"]


def ec50(card) -> dict[str, float]:
    told = potency(response(card, cells=CELLS, doses="1e-5 nM:1e5 nM")).ec50.values.ravel()
    return dict(zip(CELLS, told, strict=True))


def complexes(card, cell: str, dose: float) -> float:
    return float(response(card, cells=[cell], doses=[dose]).signal.values.ravel()[0])


def test_both_classes_and_both_designs_are_in_the_library():
    assert {"ibi363", "eciskafusp_alfa"} <= TARGETED
    not_alpha = {"eciskafusp_alfa", "simlukafusp_alfa", "nemvaleukin_alfa", "mdna11"}
    assert not_alpha == set(CARDS) - KEEPS_CD25
    assert {"aldesleukin", "nktr_358", "bempegaldesleukin"} <= KEEPS_CD25 - TARGETED


@pytest.mark.parametrize("name", sorted(KEEPS_CD25 - {"bempegaldesleukin"}))
def test_cd25_brings_il2_to_treg_and_hardly_to_cells_without_it(name):
    card = CARDS[name].without("pd1_arm") if name in TARGETED else CARDS[name]
    lost = card.without("il2_arm.kd_il2ra")
    gain = {cell: complexes(card, cell, 1.0) / complexes(lost, cell, 1.0) for cell in CELLS}
    assert gain["treg"] > 5
    assert 1 <= gain["cd8"] < gain["treg"] / 3
    assert 1 <= gain["nk"] < gain["treg"] / 3


def test_peg_at_the_site_for_cd25_takes_most_of_what_cd25_brings():
    gain = {}
    for name in ("aldesleukin", "bempegaldesleukin"):
        lost = CARDS[name].without("il2_arm.kd_il2ra")
        gain[name] = complexes(CARDS[name], "treg", 0.1) / complexes(lost, "treg", 0.1)
    assert 1 < gain["bempegaldesleukin"] < gain["aldesleukin"] / 2


@pytest.mark.parametrize("name", sorted(set(CARDS) - KEEPS_CD25))
def test_a_not_alpha_molecule_has_no_use_for_cd25(name):
    card = CARDS[name].without("pd1_arm") if name in TARGETED else CARDS[name]
    native = ec50(read_molecule("aldesleukin"))
    own = ec50(card)
    assert own["treg"] / own["nk"] > 20 * native["treg"] / native["nk"]


@pytest.mark.parametrize("name", sorted(TARGETED))
def test_pd1_brings_il2_to_cells_that_carry_it_and_to_no_others(name):
    card = CARDS[name]
    untargeted = card.without("pd1_arm")
    dose = 0.1
    gain = {
        cell: complexes(card, cell, dose) / complexes(untargeted, cell, dose) for cell in ("effector", "nk")
    }
    assert gain["effector"] > 1.2
    assert gain["nk"] < gain["effector"]


def test_not_alpha_on_pd1_reaches_effectors_before_treg_of_the_blood():
    """The claim of its design: PD-1 takes the place of CD25."""
    own = ec50(CARDS["eciskafusp_alfa"])
    assert own["effector"] < own["treg"]
    assert own["effector"] < own["nk"]
    assert ec50(CARDS["aldesleukin"])["treg"] < ec50(CARDS["aldesleukin"])["effector"] * 2
