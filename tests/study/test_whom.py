"""Whose patients a study draws, and which draws of a card: frozen or as the file stands, weighed or not."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.study.test_run import biology, changed, study  # noqa: F401  # fixtures

import twoarm as ta
from twoarm import catalog
from twoarm.errors import NotARunError, NothingFrozenError, OtherCardError
from twoarm.frozen import frozen_files, members_of, read_frozen
from twoarm.molecule import draw_cards, read_molecule
from twoarm.patients.draw import draw_patients
from twoarm.study import folder, read_weights, resample_cards
from twoarm.study.whom import in_words, is_frozen, whom_of
from twoarm.trial.protocol import read_protocol

NAME = "io_resistant_squamous_nsclc"


def table_of(place):
    return folder.read_table(place).set_index("patient")


def weighed_folder(place, weights, molecule):
    """What an update leaves behind, with weights of the test's choice."""
    cards = draw_cards(molecule, len(weights), seed=5)
    table = pd.concat(
        [pd.DataFrame({"draw": range(len(weights)), "weight": weights}), cards.reset_index(drop=True)], axis=1
    )
    folder.write_table(table, place / "weights.csv", index=False)
    folder.write_record({"molecule": molecule.name, "digest": molecule.digest}, place / "weights.json")
    return cards


def test_each_draw_has_its_member_and_all_say_whose_patients_they_are(study, tmp_path):  # noqa: F811
    findings = study(tmp_path, draws=2, patients=24)
    frozen = read_frozen(NAME)
    members = members_of(frozen, 2, seed=11)
    assert members[0].label != members[1].label
    for draw, member in enumerate(members):
        place = tmp_path / f"draws/draw-{draw:03d}"
        told = draw_patients(member.population, n=24, seed=11)
        wrote = table_of(place / "population.csv")
        np.testing.assert_allclose(wrote["pdl1_tumor"], told["pdl1_tumor"], rtol=1e-12)
        assert set(table_of(place / "patients.csv")["arm"]) == {"experimental", "docetaxel"}
        assert folder.read_record(place / "result.json")["engine"]["member"] == member.label
    assert f"frozen on {frozen.record['date']}" in findings.setting["Population"]
    for stale in frozen.stale:
        assert stale in findings.setting["Population"]
    assert findings.provenance["digest of ensemble"] == frozen.record["files"]["ensemble.csv"][:16]
    with xr.open_dataset(tmp_path / "draws/draw-000/courses.nc", engine="h5netcdf") as courses:
        assert courses.attrs["population population"] == frozen.record["files"]["population.toml"]
    assert set(findings.shares["part"]) == {"card and population", "patients and chance"}
    fitted = findings.tuned["name"] == "outcomes: survival.intercept"
    link = catalog.read_toml(frozen_files(NAME)["outcomes"])
    assert findings.tuned.loc[fitted, "value"].iloc[0].startswith(str(link["survival"]["intercept"]["value"]))


def test_the_file_as_it_stands_and_the_card_as_weighed(study, tmp_path):  # noqa: F811
    cards = weighed_folder(tmp_path / "update", [0.0, 1.0, 0.0], read_molecule("ibi363"))
    findings = study(tmp_path / "run", patients=24, populations="prior", weights=tmp_path / "update")
    assert "not fitted" in findings.setting["Population"]
    assert not (tmp_path / "run/draws/draw-000/population.csv").exists()
    assert set(findings.shares["part"]) == {"card", "patients and chance"}
    wrote = folder.read_table(tmp_path / "run/cards/ibi363.csv")
    assert len(wrote) == 2
    np.testing.assert_allclose(wrote["il2_arm.cis_gain"], cards["il2_arm.cis_gain"].iloc[1], rtol=1e-12)
    assert "reports have weighed (1 in effect)" in findings.setting["Card of ibi363"]
    assert "as reports weigh them" in findings.covers
    with pytest.raises(ta.TwoarmError, match="populations, weights"):
        study(tmp_path / "run", patients=24)


def test_a_population_of_ones_own_was_never_frozen(tmp_path):
    protocol = read_protocol("marslight_11")
    assert is_frozen(protocol)
    copy = tmp_path / f"{NAME}.toml"
    copy.write_text(catalog.find("populations", NAME).read_text(encoding="utf-8"), encoding="utf-8")
    own = protocol.model_copy(update={"population": str(copy)})
    assert not is_frozen(own)
    assert whom_of(own, None, draws=2, seed=1).said["which"] == "prior"
    assert not is_frozen(protocol.model_copy(update={"outcomes": "colorectal"}))
    mouse = protocol.model_copy(update={"population": "mouse_cold"})
    with pytest.raises(NothingFrozenError, match="mouse_cold"):
        whom_of(mouse, "frozen", draws=2, seed=1)


def test_a_changed_protocol_keeps_the_frozen_population(tmp_path):
    mine = changed(tmp_path, '"3 mg/kg"', '"2 mg/kg"')
    assert is_frozen(read_protocol(mine))


def test_words_name_what_changed_since():
    said = {"which": "frozen", "name": "a", "date": "2026-01-01", "status": "fitted", "of": 9}
    assert "changed" not in in_words(said | {"stale": []})
    assert "biology lesion changed" in in_words(said | {"stale": ["biology lesion"]})


@pytest.mark.parametrize("n", [3, 8, 200])
def test_weights_give_any_number_of_draws(tmp_path, n):
    molecule = read_molecule("ibi363")
    weights = np.array([4.0, 0.0, 1.0, 3.0])
    cards = weighed_folder(tmp_path, weights / 8, molecule)
    found = resample_cards(read_weights(tmp_path), molecule, n, seed=2)
    field = "il2_arm.cis_gain"
    counts = [int(np.isclose(found[field], value, rtol=1e-12).sum()) for value in cards[field]]
    assert sum(counts) == len(found) == n
    assert counts == pytest.approx(n * weights / 8, abs=1)
    assert list(found.columns) == list(cards.columns)


def test_weights_of_another_card_are_refused(study, tmp_path):  # noqa: F811
    with pytest.raises(NotARunError, match="weights"):
        study(tmp_path / "run", weights=tmp_path)
    molecule = read_molecule("ibi363")
    weighed_folder(tmp_path / "update", [1.0], molecule)
    other = read_weights(tmp_path / "update")
    with pytest.raises(OtherCardError, match="given ibi363, but docetaxel"):
        resample_cards(other, read_molecule("docetaxel"), 2, seed=1)
    with pytest.raises(OtherCardError, match="changed since"):
        resample_cards(other._replace(digest="0"), molecule, 2, seed=1)
    assert not (tmp_path / "run").exists()
