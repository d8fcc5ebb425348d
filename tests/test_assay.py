"""Readings of a sensor on a card, and cards of arms alone."""

from __future__ import annotations

import pytest

from twoarm.cells import potency, response
from twoarm.errors import CardEntryError, MissingFieldError
from twoarm.molecule import draw_cards, read_molecule
from twoarm.regimen import Regimen

CARD = """
name = "mine"
kind = "cytokine"
description = "an Fc-IL-2 of my own"
[il2_arm]
assay = "interferometry"
moieties = {{ value = {moieties}, source = "assumed", note = "as built" }}
sensor_kd_il2ra = {{ value = "{a} nM", source = "assumed", note = "as read" }}
sensor_kd_il2rbg = {{ value = "{b} nM", source = "assumed", note = "as read" }}
"""


def card(tmp_path, *, moieties=1, a=0.5, b=5.0):
    path = tmp_path / f"mine_{moieties}_{a}_{b}.toml"
    path.write_text(CARD.format(moieties=moieties, a=a, b=b), encoding="utf-8")
    return read_molecule(path)


def test_affinities_and_valency_are_enough_to_be_put_to_cells(tmp_path):
    ec50 = potency(response(card(tmp_path), cells=["treg", "helper", "nk", "cd8"])).ec50.values.ravel()
    assert ec50[0] < ec50[1] < max(ec50[2:])  # Treg first, as every Fc-IL-2 that was measured


def test_but_not_to_be_dosed(tmp_path):
    with pytest.raises(MissingFieldError, match="mass"):
        Regimen(card(tmp_path), dose="1 mg/kg", every="3 weeks")


def test_the_reference_reading_gives_the_value_of_the_line(tmp_path):
    at = card(tmp_path, a=0.19, b=5.296).nominal()
    assert at["il2_arm.kd_il2ra"] == pytest.approx(2.68)
    assert at["il2_arm.weakening_il2rb"] == pytest.approx(15.1)


def test_a_weaker_reading_is_a_weaker_bond_and_its_range_is_what_the_line_leaves_open(tmp_path):
    weak, strong = card(tmp_path, b=22.0), card(tmp_path, b=5.0)
    assert weak.nominal()["il2_arm.weakening_il2rb"] > strong.nominal()["il2_arm.weakening_il2rb"]
    entry = weak.entries()["il2_arm.weakening_il2rb"]
    assert entry.low < entry.value < entry.high
    assert draw_cards(weak, 4, seed=1)["il2_arm.kd_il2ra"].nunique() == 4


def test_a_second_il2_helps_where_there_is_cd25(tmp_path):
    one, two = (
        potency(response(card(tmp_path, moieties=n), cells=["treg", "nk"])).ec50.values.ravel()
        for n in (1, 2)
    )
    assert one[0] / two[0] > 5
    assert one[1] / two[1] < 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('assay = "interferometry"', 'assay = "tea_leaves"'),
        ('assay = "interferometry"', "assay = 3"),
        ("sensor_kd_il2rbg", "sensor_kd_il15ra"),
        ("0.5 nM", "0.5 mm"),
        ("[il2_arm]", '[il2_arm]\nkd_il2ra = { value = "1 nM", source = "assumed", note = "twice" }'),
    ],
)
def test_what_cannot_be_is_refused_in_words(tmp_path, old, new):
    path = tmp_path / "mine.toml"
    path.write_text(CARD.format(moieties=1, a=0.5, b=5.0).replace(old, new), encoding="utf-8")
    with pytest.raises(CardEntryError, match="il2_arm"):
        read_molecule(path)


SOLUTION = """
name = "mine"
kind = "cytokine"
description = "an IL-2 whose chains were measured in solution"
[il2_arm]
assay = "solution"
moieties = { value = 1, source = "assumed", note = "as built" }
kd_il2ra = { value = "10 nM", source = "assumed", note = "as read" }
kd_il2rb = { value = "144 nM", source = "assumed", note = "as read" }
"""


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return read_molecule(path)


def test_affinities_in_solution_are_taken_as_they_stand(tmp_path):
    mine, native = written(tmp_path, SOLUTION).nominal(), read_molecule("aldesleukin").nominal()
    for field in ("kd_il2ra", "weakening_il2rb", "native_kd_il2rb", "weakening_il2rg"):
        assert mine[f"il2_arm.{field}"] == pytest.approx(native[f"il2_arm.{field}"]), field
    same = SOLUTION.replace(
        "[il2_arm]", '[il2_arm]\nkon = { value = "1e7 1/M/s", source = "assumed", note = "native" }'
    )
    ours, theirs = (
        potency(response(card, cells=["treg", "nk"])).ec50.values
        for card in (written(tmp_path, same), "aldesleukin")
    )
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_a_range_in_solution_stays_one(tmp_path):
    span = SOLUTION.replace('value = "144 nM"', 'low = "144 nM", high = "1440 nM", scale = "log"')
    entry = written(tmp_path, span).entries()["il2_arm.weakening_il2rb"]
    assert (entry.low, entry.high, entry.scale, entry.unit) == (1.0, pytest.approx(10.0), "log", "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('assay = "solution"\n', "", "kd_il2rb"),  # which of the two it was is not guessed
        ("kd_il2rb", "sensor_kd_il2rbg", "kd_il2rb"),
        ("moieties", 'weakening_il2rb = { value = 3, source = "assumed", note = "?" }\nmoieties', "both"),
    ],
)
def test_affinities_that_do_not_say_how_they_were_read_are_refused(tmp_path, old, new, said):
    with pytest.raises(CardEntryError, match=said):
        written(tmp_path, SOLUTION.replace(old, new))


def test_a_card_without_an_assay_or_a_rate_is_led_to_one(tmp_path):
    bare = SOLUTION.replace('assay = "solution"\n', "").replace("kd_il2rb", "native_kd_il2rb")
    with pytest.raises(CardEntryError, match='assay = "solution"'):
        written(tmp_path, bare)
