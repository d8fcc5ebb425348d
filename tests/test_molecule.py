"""Molecules: cards are read or refused in words, ensembles drawn by seed, parameters follow."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoarm import catalog
from twoarm.errors import (
    CardEntryError,
    EntryFormError,
    FileTooLargeError,
    LogRangeError,
    MissingFieldError,
    MissingNoteError,
    NoSlotError,
    NotInLibraryError,
    NumberOfDrawsError,
    QuantityRangeError,
    RangeOrderError,
    RateOfBindingError,
    TwoarmError,
    UnitError,
    UnknownFieldError,
    UnknownMethodError,
    UnknownSourceError,
)
from twoarm.molecule import draw_cards, model_parameters, read_molecule, slots

ANTIBODY = """
name = "mine"
kind = "antibody"
description = "An antibody"
mass = { value = "150 kDa", source = "assumed", note = "IgG" }

[pd1_arm]
sites   = { value = 2, source = "assumed", note = "IgG" }
kd      = { value = "2 nM", source = "brown2020", place = "Table 1" }
koff    = { value = "1e-3 1/s", source = "brown2020" }
avidity = { value = 100, source = "qspiotnbc" }
blocks  = { value = 1, source = "brown2020" }

[disposition]
route = "intravenous"
cl    = { value = "0.2 L/day", source = "ahamadi2017" }
vc    = { value = "3 L", source = "ahamadi2017" }
q     = { value = "0.5 L/day", source = "ahamadi2017" }
vp    = { value = "3 L", source = "ahamadi2017" }
"""
KD = 'kd      = { value = "2 nM", source = "brown2020", place = "Table 1" }'


@pytest.fixture
def read(tmp_path):
    def from_text(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return read_molecule(path)

    return from_text


@pytest.fixture(scope="module")
def fusion():
    return read_molecule("ibi363")


# --- reading ---


def test_values_are_in_house_units(read):
    card = read(ANTIBODY).nominal()
    assert card["pd1_arm.kd"] == 2.0
    assert card["pd1_arm.koff"] == pytest.approx(86.4)
    assert card["mass"] == 150.0


def test_an_entry_keeps_its_source_and_place(read):
    kd = read(ANTIBODY).entries()["pd1_arm.kd"]
    assert (kd.source, kd.place, kd.sources) == ("brown2020", "Table 1", ("brown2020",))


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ('kd = { value = "2 nMs", source = "brown2020" }', UnitError),
        ('kd = { value = 2, source = "brown2020" }', UnitError),
        ('kd = { value = "2 day", source = "brown2020" }', UnitError),
        ('kd = { value = "-2 nM", source = "brown2020" }', QuantityRangeError),
        ('kd = { value = "0 nM", source = "brown2020" }', QuantityRangeError),
        ('kd = { value = "1e999 nM", source = "brown2020" }', QuantityRangeError),
        ('kd = { low = "3 nM", high = "2 nM", source = "brown2020" }', RangeOrderError),
        ('kd = { value = "5 nM", low = "1 nM", high = "2 nM", source = "brown2020" }', RangeOrderError),
        ('kd = { value = "2 nM", source = "brwn2020" }', UnknownSourceError),
        ('kd = { value = "2 nM", source = "assumed" }', MissingNoteError),
        ('kd = { value = "2 nM" }', EntryFormError),
        ('kd = { low = "2 nM", source = "brown2020" }', EntryFormError),
        ('kd = { value = "2 nM", choices = ["2 nM"], source = "brown2020" }', EntryFormError),
        ('kd = { value = "2 nM", sorce = "brown2020" }', EntryFormError),
        ('kd = { low = "1 nM", high = "2 nM", scale = "cubic", source = "brown2020" }', EntryFormError),
        ('kd = { choices = [], source = "brown2020" }', EntryFormError),
        ('kd = { source = "brown2020" }', EntryFormError),
        ('kd = "2 nM"', EntryFormError),
    ],
)
def test_a_bad_entry_names_file_field_rule_and_remedy(read, entry, cause):
    with pytest.raises(CardEntryError) as refused:
        read(ANTIBODY.replace(KD, entry))
    assert str(refused.value).startswith("mine.toml: pd1_arm.kd: ")
    assert str(refused.value.__cause__) in str(refused.value)
    assert type(refused.value.__cause__) is cause
    assert isinstance(refused.value, ValueError)


def test_a_logarithmic_range_starts_above_zero(read):
    text = ANTIBODY + 'cv_cl = { low = 0, high = 1, scale = "log", source = "ahamadi2017" }\n'
    with pytest.raises(CardEntryError) as refused:
        read(text)
    assert type(refused.value.__cause__) is LogRangeError


def test_sites_are_whole(read):
    with pytest.raises(CardEntryError, match=r"pd1_arm\.sites.*whole"):
        read(ANTIBODY.replace("sites   = { value = 2", "sites   = { value = 1.5"))


def test_an_unknown_field_says_which_is_close(read):
    with pytest.raises(
        UnknownFieldError, match=r'mine.toml: field "koffs" of pd1_arm is unknown.*Close: koff'
    ):
        read(ANTIBODY.replace("koff    =", "koffs   ="))


def test_an_unknown_section_is_refused(read):
    with pytest.raises(UnknownFieldError, match='"pd2_arm" of the card'):
        read(ANTIBODY.replace("[pd1_arm]", "[pd2_arm]"))


@pytest.mark.parametrize(("line", "place"), [(KD, "pd1_arm"), ('name = "mine"', "the card")])
def test_a_missing_field_is_named(read, line, place):
    with pytest.raises(MissingFieldError, match=f"mine.toml: {place} has no"):
        read(ANTIBODY.replace(line, ""))


def test_a_missing_section_is_named_once_it_is_needed(read):
    """Arms alone are a card; to be dosed a molecule needs its disposition."""
    arms = read(ANTIBODY[: ANTIBODY.index("[disposition]")])
    assert model_parameters(arms, "cell")["drug_kon_pd1"] > 0
    with pytest.raises(MissingFieldError, match='has no "disposition'):
        model_parameters(arms, "drug")


KOFF = 'koff    = { value = "1e-3 1/s", source = "brown2020" }'
KON = 'kon = { value = "1 1/(nM*h)", source = "brown2020" }'


@pytest.mark.parametrize("rates", ["", f"{KOFF}\n{KON}"])
def test_one_rate_goes_with_a_kd(read, rates):
    with pytest.raises(CardEntryError) as refused:
        read(ANTIBODY.replace(KOFF, rates))
    assert type(refused.value.__cause__) is RateOfBindingError


def test_an_exponent_needs_its_reference(read):
    with pytest.raises(TwoarmError, match="reference_weight"):
        read(ANTIBODY + 'weight_exponent_cl = { value = 0.6, source = "ahamadi2017" }\n')


def test_under_the_skin_needs_an_absorption_rate(read):
    with pytest.raises(TwoarmError, match='under the skin has no "ka"'):
        read(ANTIBODY.replace('"intravenous"', '"subcutaneous"'))


def test_a_digest_cannot_be_claimed(read):
    with pytest.raises(UnknownFieldError):
        read('digest = "0"\n' + ANTIBODY)


def test_a_large_card_is_refused(tmp_path):
    path = tmp_path / "huge.toml"
    with path.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(FileTooLargeError):
        read_molecule(path)


def test_an_unknown_molecule_is_refused():
    with pytest.raises(NotInLibraryError):
        read_molecule("unobtainium")


def test_a_card_is_frozen(fusion):
    with pytest.raises(ValueError, match="frozen"):
        fusion.name = "other"
    with pytest.raises(ValueError, match="frozen"):
        fusion.pd1_arm.kd.value = 1.0


# --- ensembles ---


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**40), st.integers(1, 40), st.integers(1, 40), st.sampled_from(["sobol", "random"]))
def test_draws_repeat_by_seed_and_do_not_depend_on_how_many(seed, few, more, method):
    fusion = read_molecule("ibi363")
    one, other = (draw_cards(fusion, n, seed, method) for n in sorted((few, more)))
    assert other.iloc[: len(one)].equals(one)
    assert not draw_cards(fusion, 8, seed, method).equals(draw_cards(fusion, 8, seed + 1, method))


@pytest.mark.parametrize("method", ["sobol", "lhs", "random"])
def test_draws_stay_in_their_ranges(fusion, method):
    cards = draw_cards(fusion, 64, 3, method)
    for field, entry in fusion.entries().items():
        if entry.choices:
            assert set(cards[field]) == set(entry.choices)
        elif entry.is_drawn:
            assert cards[field].between(entry.low, entry.high).all()
            assert cards[field].nunique() == 64
        else:
            assert set(cards[field]) == {entry.nominal()}


def test_few_draws_do_not_tie_two_fields_together(fusion):
    ranks = draw_cards(fusion, 64, 11).rank()
    ties = ranks.loc[:, ranks.nunique() > 2].corr().abs().to_numpy()
    assert ties[~np.eye(len(ties), dtype=bool)].max() < 0.5


def test_a_log_range_is_even_in_its_logarithm(fusion):
    cards = draw_cards(fusion, 1024, 5)
    fold = np.log10(cards["il2_arm.weakening_il2rb"] / 30)  # 30 to 3000: two decades
    assert [((fold > low) & (fold <= low + 0.5)).mean() for low in (0, 0.5, 1, 1.5)] == pytest.approx(
        [0.25] * 4, abs=0.01
    )


def test_the_nominal_value_lies_in_its_range(fusion):
    for name in catalog.names("molecules"):
        for entry in read_molecule(name).entries().values():
            if entry.low is not None:
                assert entry.low <= entry.nominal() <= entry.high
    assert fusion.nominal()["pd1_arm.kd"] == pytest.approx(math.sqrt(0.05 * 5))


def test_taking_an_arm_away_leaves_the_rest_of_each_draw(fusion):
    whole, part = (draw_cards(card, 16, 11) for card in (fusion, fusion.without("pd1_arm")))
    assert "pd1_arm.kd" not in part
    assert whole[part.columns].equals(part)


def test_a_tuned_value_is_not_drawn():
    docetaxel = read_molecule("docetaxel")
    assert docetaxel.entries()["cytotoxic_arm.emax"].tuned
    assert not docetaxel.is_ensemble


def test_a_draw_says_what_it_is_of(fusion):
    cards = draw_cards(fusion, 2, 1)
    assert cards.attrs["units"]["pd1_arm.kd"] == "nM"
    assert cards.attrs["digest"] == catalog.digest(catalog.find("molecules", "ibi363"))
    assert (cards.attrs["seed"], cards.attrs["method"]) == (1, "lhs")


@pytest.mark.parametrize("n", [0, -1, 2.5, True])
def test_draws_are_counted_in_whole_numbers(fusion, n):
    with pytest.raises(NumberOfDrawsError):
        draw_cards(fusion, n, 1)


def test_an_unknown_method_is_refused(fusion):
    with pytest.raises(UnknownMethodError, match="sobol"):
        draw_cards(fusion, 2, 1, method="halton")


# --- swapped cards ---


def test_values_are_set_in_house_units_or_words(fusion):
    set_by = fusion.with_values({"il2_arm.weakening_il2rb": 1.0, "pd1_arm.koff": "1e-3 1/s"})
    assert set_by.nominal()["il2_arm.weakening_il2rb"] == 1.0
    assert set_by.nominal()["pd1_arm.koff"] == pytest.approx(86.4)
    assert fusion.entries()["il2_arm.weakening_il2rb"].is_drawn
    assert not set_by.entries()["il2_arm.weakening_il2rb"].is_drawn


def test_a_row_makes_a_member_of_the_ensemble(fusion):
    row = draw_cards(fusion, 3, 9).iloc[2]
    member = fusion.with_values(row)
    assert not member.is_ensemble
    assert member.nominal() == pytest.approx(row.to_dict())
    assert model_parameters(member, "drug") == pytest.approx(model_parameters(row, "drug"))


def test_an_unknown_part_is_refused(fusion):
    with pytest.raises(UnknownFieldError):
        fusion.with_values({"il2_arm.weakening": 1.0})
    with pytest.raises(UnknownFieldError):
        fusion.without("pdl1_arm")
    with pytest.raises(UnknownFieldError):
        fusion.without("il2_arm.weakening")


def test_a_bad_value_is_refused(fusion):
    with pytest.raises(CardEntryError, match=r"pd1_arm\.kd"):
        fusion.with_values({"pd1_arm.kd": -1.0})


def test_a_required_entry_cannot_be_taken_away(fusion):
    with pytest.raises(MissingFieldError):
        fusion.without("disposition.cl")


# --- what the model is told ---

DISPOSITION = {"cl", "vc", "q", "vp"}
DRUG = {
    *(
        "sites_pd1",
        "kon_pd1",
        "koff_pd1",
        "avidity_pd1",
        "blocks_pd1",
        "kd_pdl1",
        "moieties_il2",
        "kon_il2ra",
    ),
    *("koff_il2ra", "kon_il2rb", "koff_il2rb", "gain_il2rg", "cis_gain", "ka", "ada_cl_fold"),
    *("change_cl", "change_half", "change_hill"),
}
COMPETITOR = {"kon_pd1", "koff_pd1", "avidity_pd1"}
CYTOTOXIC = {"cl", "vc", "q1", "v1", "q2", "v2", "emax", "ec50", "hill", "neutrophil_slope"}
TOLD = {"drug": DRUG | DISPOSITION, "competitor": COMPETITOR | DISPOSITION, "cytotoxic": CYTOTOXIC}


@pytest.mark.parametrize("name", catalog.names("molecules"))
def test_every_molecule_fills_its_slots_with_finite_numbers(name):
    molecule = read_molecule(name)
    cards = [molecule, *(row for _, row in draw_cards(molecule, 4, 2).iterrows())]
    for slot in slots(molecule.nominal()):
        for card in cards:
            parameters = model_parameters(card, slot)
            assert set(parameters) == {f"{slot}_{name}" for name in TOLD[slot]}
            assert all(math.isfinite(value) for value in parameters.values())
            signed = f"{slot}_change_cl"  # clearance may fall with time
            assert all(value >= 0 for key, value in parameters.items() if key != signed)
            assert all(value > 0 for key, value in parameters.items() if "koff" in key)


def test_kd_is_koff_over_kon(fusion):
    card, told = fusion.nominal(), model_parameters(fusion, "drug")
    assert told["drug_koff_pd1"] / told["drug_kon_pd1"] == pytest.approx(card["pd1_arm.kd"])
    assert told["drug_koff_il2ra"] / told["drug_kon_il2ra"] == pytest.approx(card["il2_arm.kd_il2ra"])
    assert told["drug_koff_il2rb"] / told["drug_kon_il2rb"] == pytest.approx(
        card["il2_arm.native_kd_il2rb"] * card["il2_arm.weakening_il2rb"]
    )
    assert told["drug_gain_il2rg"] * card["il2_arm.weakening_il2rg"] == pytest.approx(1)


def test_the_association_rate_of_the_table_is_864():
    assert model_parameters(read_molecule("aldesleukin"), "drug")["drug_kon_il2ra"] == pytest.approx(864.0)


@given(st.floats(1e-3, 1e6))
@settings(max_examples=25, deadline=None)
def test_weakening_acts_on_koff_of_beta_alone(fold):
    card = read_molecule("aldesleukin")
    one = model_parameters(card, "drug")
    other = model_parameters(card.with_values({"il2_arm.weakening_il2rb": fold}), "drug")
    assert other.pop("drug_koff_il2rb") == pytest.approx(fold * one.pop("drug_koff_il2rb"))
    assert one == other


def test_a_given_koff_of_alpha_fixes_its_kon(fusion):
    told = model_parameters(
        fusion.with_values({"il2_arm.koff_il2ra": "0.1 1/s", "il2_arm.kd_il2ra": 10.0}), "drug"
    )
    assert told["drug_koff_il2ra"] == pytest.approx(8640)
    assert told["drug_kon_il2ra"] == pytest.approx(864)


def test_an_absent_arm_never_binds(fusion):
    antibody = model_parameters(fusion.without("il2_arm"), "drug")
    assert antibody["drug_kon_il2ra"] == antibody["drug_kon_il2rb"] == antibody["drug_moieties_il2"] == 0
    assert antibody["drug_cis_gain"] == 0
    cytokine = model_parameters(fusion.without("pd1_arm"), "drug")
    assert cytokine["drug_kon_pd1"] == cytokine["drug_sites_pd1"] == cytokine["drug_blocks_pd1"] == 0
    no_alpha = model_parameters(fusion.without("il2_arm.kd_il2ra"), "drug")
    assert no_alpha["drug_kon_il2ra"] == 0
    assert no_alpha["drug_kon_il2rb"] > 0


def test_a_single_site_has_no_avidity(fusion):
    one, two = (model_parameters(fusion.with_values({"pd1_arm.sites": n}), "drug") for n in (1, 2))
    assert (one["drug_avidity_pd1"], two["drug_avidity_pd1"]) == (0.0, 100.0)


def test_a_molecule_fills_only_slots_it_has_arms_for(fusion):
    with pytest.raises(NoSlotError, match="cytotoxic"):
        model_parameters(fusion, "cytotoxic")
    with pytest.raises(NoSlotError, match='"aldesleukin"'):
        model_parameters(read_molecule("aldesleukin"), "competitor")
    with pytest.raises(NoSlotError):
        model_parameters(read_molecule("docetaxel"), "drug")


def test_a_row_with_a_hole_is_refused(fusion):
    row = draw_cards(fusion, 1, 1).iloc[0].drop("disposition.cl")
    with pytest.raises(MissingFieldError, match=r"disposition\.cl"):
        model_parameters(row, "drug")
