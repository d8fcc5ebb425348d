"""The cards of the library say what is known of each molecule, and their derived numbers come out."""

import math

import numpy as np
import pytest

from twoarm import catalog
from twoarm.molecule import model_parameters, read_molecule

CARDS = {name: read_molecule(name) for name in catalog.names("molecules")}


def test_the_molecules_of_the_programme_are_there():
    assert {
        "ibi363",
        "pembrolizumab",
        "nivolumab",
        "atezolizumab",
        "aldesleukin",
        "eciskafusp_alfa",
        "untargeted_alpha_bias",
        "docetaxel",
    } <= set(CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_named_as_its_file(name):
    assert CARDS[name].name == name


@pytest.mark.parametrize(
    "field",
    [
        "mass",
        "pd1_arm.sites",
        "pd1_arm.kd",
        "pd1_arm.koff",
        "il2_arm.moieties",
        "il2_arm.kd_il2ra",
        "il2_arm.weakening_il2rb",
        "il2_arm.weakening_il2rg",
        "il2_arm.cis_gain",
        "disposition.cl",
        "immunogenicity.ada_incidence",
    ],
)
def test_what_is_not_public_of_the_reference_molecule_is_a_range(field):
    assert CARDS["ibi363"].entries()[field].is_drawn


def test_scans_of_the_reference_molecule_are_those_of_the_blueprint():
    entries = CARDS["ibi363"].entries()
    spans = {
        "pd1_arm.kd": (0.05, 5),
        "pd1_arm.koff": (5e-5 * 86400, 5e-3 * 86400),
        "pd1_arm.avidity": (10, 1000),
        "il2_arm.kd_il2ra": (1, 30),
        "il2_arm.weakening_il2rb": (30, 3000),
        "il2_arm.weakening_il2rg": (1, 10),
        "il2_arm.cis_gain": (0.0036, 1),
        "disposition.cl": (0.2, 1.2),
        "immunogenicity.ada_incidence": (0.02, 0.6),
        "mass": (165, 181),
    }
    for field, span in spans.items():
        assert (entries[field].low, entries[field].high) == pytest.approx(span), field
    assert set(entries["pd1_arm.sites"].choices) == set(entries["il2_arm.moieties"].choices) == {1, 2}


def test_the_untargeted_control_is_the_reference_molecule_without_its_arm():
    targeted = CARDS["ibi363"].without("pd1_arm", "il2_arm.cis_gain").entries()
    control = CARDS["untargeted_alpha_bias"].entries()
    for field in targeted:
        if field.split(".")[0] in ("il2_arm", "immunogenicity") or field == "disposition.cl":
            pair = (targeted[field], control[field])
            assert [(e.value, e.low, e.high, e.choices) for e in pair[:1]] == [
                (e.value, e.low, e.high, e.choices) for e in pair[1:]
            ], field


def test_the_not_alpha_fusion_binds_beta_as_native_il2_and_alpha_not_at_all():
    fusion, native = (model_parameters(CARDS[name], "drug") for name in ("eciskafusp_alfa", "aldesleukin"))
    assert fusion["drug_kon_il2ra"] == 0
    assert fusion["drug_koff_il2rb"] == native["drug_koff_il2rb"]


@pytest.mark.parametrize(
    ("name", "days"), [("pembrolizumab", (20, 30)), ("nivolumab", (15, 30)), ("atezolizumab", (20, 30))]
)
def test_antibodies_have_the_half_lives_they_are_known_for(name, days):
    assert days[0] < slowest_half_life(model_parameters(CARDS[name], "drug"), "drug") < days[1]


def test_the_half_lives_of_aldesleukin_come_out_of_its_volumes():
    told = model_parameters(CARDS["aldesleukin"], "drug")
    minutes = sorted(1440 * half for half in half_lives(told, "drug"))
    assert minutes == pytest.approx([12.9, 85], rel=0.01)


@pytest.mark.parametrize(
    ("name", "hours"),
    [("nemvaleukin_alfa", (3, 17)), ("bempegaldesleukin", (11, 33)), ("mdna11", (25, 79))],
)
def test_variants_of_il2_stay_as_long_as_their_cards_say(name, hours):
    card = CARDS[name]
    cl = card.entries()["disposition.cl"]
    found = [
        24 * slowest_half_life(model_parameters({**card.nominal(), "disposition.cl": value}, "drug"), "drug")
        for value in (cl.high, cl.low)
    ]
    assert found == pytest.approx(hours, rel=0.1)


def test_variants_of_il2_are_ordered_on_beta_as_they_are_described():
    """The superkine binds CD122 more tightly than native IL-2, the one under PEG less; it keeps CD25."""
    told = {
        name: model_parameters(CARDS[name], "drug")
        for name in ("mdna11", "aldesleukin", "nemvaleukin_alfa", "bempegaldesleukin")
    }
    off = {name: parameters["drug_koff_il2rb"] for name, parameters in told.items()}
    assert off["mdna11"] < off["aldesleukin"] == off["nemvaleukin_alfa"] < off["bempegaldesleukin"]
    assert told["mdna11"]["drug_kon_il2ra"] == told["nemvaleukin_alfa"]["drug_kon_il2ra"] == 0
    weaker = [told[name]["drug_koff_il2ra"] for name in ("aldesleukin", "bempegaldesleukin")]
    assert weaker[1] / weaker[0] > off["bempegaldesleukin"] / off["aldesleukin"]


def test_the_rate_constants_of_docetaxel_come_out_of_its_volumes():
    told = {
        key.removeprefix("cytotoxic_"): value
        for key, value in model_parameters(CARDS["docetaxel"], "cytotoxic").items()
    }
    per_hour = [
        told["q1"] / told["vc"],
        told["q1"] / told["v1"],
        told["q2"] / told["vc"],
        told["q2"] / told["v2"],
    ]
    assert [rate / 24 for rate in per_hour] == pytest.approx([1.07, 1.74, 1.28, 0.0787], rel=1e-3)
    assert told["neutrophil_slope"] == pytest.approx(0.01557)


def test_three_milligrams_per_kilogram_reach_about_350_nanomolar():
    card = CARDS["ibi363"].nominal()
    assert 3 * 70 / card["mass"] * 1000 / card["disposition.vc"] == pytest.approx(354, rel=0.1)


def test_no_number_of_the_reference_molecule_is_tuned():
    assert not [field for field, entry in CARDS["ibi363"].entries().items() if entry.tuned]


def half_lives(told, slot):
    cl, vc, q, vp = (told[f"{slot}_{name}"] for name in ("cl", "vc", "q", "vp"))
    rates = np.linalg.eigvals(np.array([[-(cl + q) / vc, q / vp], [q / vc, -q / vp]]))
    return [math.log(2) / -rate for rate in rates.real]


def slowest_half_life(told, slot):
    return max(half_lives(told, slot))
