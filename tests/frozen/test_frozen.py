"""A frozen population: what was written is read, what was changed is refused."""

import shutil

import numpy as np
import pytest

from twoarm import catalog
from twoarm.errors import FrozenEvidenceError, FrozenFileError, NothingFrozenError
from twoarm.fit import run
from twoarm.fit.card import read_calibration
from twoarm.fit.freezing import freeze, freeze_carried, freeze_prior
from twoarm.fit.targets import read_targets
from twoarm.frozen import frozen_names, members_of, read_frozen
from twoarm.frozen.toml_text import toml_text
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import read_population


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    readings = [r for each in read_targets(read_calibration("oak_squamous")).values() for r in each]
    published = np.array([r.value for r in readings])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_open", lambda name: None)
        patch.setattr(run, "_one", lambda m, z, n, s: (m, published + 0.01 * z[0], ""))
        return run.fit_population(
            "oak_squamous", tmp_path_factory.mktemp("fit"), members=20, iterations=1, rounds=1, patients=300
        )


@pytest.fixture
def library(fitted, tmp_path):
    freeze(fitted, "mine", tmp_path)
    return tmp_path


def test_what_was_frozen_is_read(fitted, library):
    frozen = read_frozen("mine", folder=library)
    assert frozen_names(library) == ["mine"]
    assert frozen.ensemble["weight"].sum() == pytest.approx(1.0)
    members = members_of(frozen)
    assert len(members) == 20
    killing = fitted.calibration.parameters["killing"]
    place = list(fitted.calibration.parameters).index("killing")
    expected = killing.natural(fitted.z[-1][0, place])
    assert members[0].population.variables["killing"].shape.median == pytest.approx(expected, rel=1e-5)
    assert members[0].outcomes.survival.intercept == frozen.ensemble["outcomes:survival.intercept"].iloc[0]
    assert len(draw_patients(frozen.central.population, n=10, seed=1)) == 10
    assert frozen.stale == ()


def test_members_are_drawn_by_weight(library):
    frozen = read_frozen("mine", folder=library)
    few = members_of(frozen, 5, seed=3)
    assert [m.weight for m in few] == [0.2] * 5
    assert [m.label for m in few] == [m.label for m in members_of(frozen, 5, seed=3)]
    heavy = frozen.ensemble.assign(weight=[1.0] + [0.0] * 19)
    only = type(frozen)(**{**frozen.__dict__, "ensemble": heavy})
    assert {m.label for m in members_of(only, 4, seed=1)} == {"mine 0"}


def test_it_is_a_population_file_like_any_other(library):
    population = read_population(library / "mine" / "population.toml")
    assert population.name == "mine"
    assert population.extends is None


def test_a_changed_row_of_evidence_is_named(library, tmp_path, monkeypatch):
    real = catalog.find("evidence", "oak_squamous")
    copy = tmp_path / "oak_squamous.csv"
    shutil.copy(real, copy)
    text = copy.read_text()
    assert ",9,ORR,8.2," in text
    copy.write_text(text.replace(",9,ORR,8.2,", ",10,ORR,9.1,"))
    found = catalog.find
    monkeypatch.setattr(
        catalog,
        "find",
        lambda kind, name: copy if name == "oak_squamous" and kind == "evidence" else found(kind, name),
    )
    with pytest.raises(FrozenEvidenceError, match="OAK-SQ-01 of oak_squamous"):
        read_frozen("mine", folder=library)


def test_a_row_that_is_gone_is_named(library, tmp_path, monkeypatch):
    copy = tmp_path / "oak_squamous.csv"
    lines = catalog.find("evidence", "oak_squamous").read_text().splitlines(keepends=True)
    copy.write_text("".join(line for line in lines if not line.startswith("OAK-SQ-05")))
    found = catalog.find
    monkeypatch.setattr(
        catalog,
        "find",
        lambda kind, name: copy if name == "oak_squamous" and kind == "evidence" else found(kind, name),
    )
    with pytest.raises(FrozenEvidenceError, match="gone: OAK-SQ-05"):
        read_frozen("mine", folder=library)


@pytest.mark.parametrize("file", ["population.toml", "outcomes.toml", "ensemble.csv"])
def test_a_touched_file_is_refused(library, file):
    path = library / "mine" / file
    path.write_text(path.read_text() + "\n")
    with pytest.raises(FrozenFileError, match=file):
        read_frozen("mine", folder=library)


def test_what_is_not_there_is_said(library):
    with pytest.raises(NothingFrozenError, match="Frozen: mine"):
        read_frozen("yours", folder=library)


def test_what_is_carried_over_moves_by_what_the_fit_moved(fitted, tmp_path):
    said = fitted.calibration.carried["io_resistant_squamous_nsclc"]
    alike = said.model_copy(update={"kept_apart": ("exhausted_share",), "differs": {}})
    freeze_carried(fitted, "after", alike, tmp_path)
    frozen = read_frozen("after", folder=tmp_path)
    prior = read_population("io_resistant_squamous_nsclc")
    middle = fitted.weights @ fitted.z[-1]
    place = list(fitted.calibration.parameters).index("antigen_loss")
    parameter = fitted.calibration.parameters["antigen_loss"]
    odds = lambda p: p / (1 - p)  # noqa: E731
    factor = odds(float(parameter.natural(middle[place]))) / odds(0.10)
    new = frozen.central.population.variables["antigen_loss_clone"].shape.probability
    old = prior.variables["antigen_loss_clone"].shape.probability
    assert odds(new) / odds(old) == pytest.approx(factor, rel=1e-3)
    cases = frozen.central.population.variables["exhausted_share"].shape.cases
    assert cases == prior.variables["exhausted_share"].shape.cases
    assert frozen.record["status"].startswith("carried over")
    freeze_carried(fitted, "unsure", said, tmp_path)
    unsure = read_frozen("unsure", folder=tmp_path).ensemble
    field = "antigen_loss_clone.probability"
    apart = np.log(odds(unsure[field]) / odds(frozen.ensemble[field]))
    assert apart.std() > 0.2  # 50 to 160 % of the probability, central 95 %


def test_a_prior_can_be_frozen_as_it_is(tmp_path):
    freeze_prior("io_naive_squamous_nsclc", tmp_path, outcomes="squamous_nsclc", model="pd1_il2")
    frozen = read_frozen("io_naive_squamous_nsclc", folder=tmp_path)
    (member,) = members_of(frozen)
    prior = read_population("io_naive_squamous_nsclc")
    assert member.population.variables == prior.variables
    assert frozen.record["status"].startswith("prior only")


@pytest.mark.parametrize(
    "kind, name",
    [
        ("populations", "io_resistant_squamous_nsclc"),
        ("outcomes", "squamous_nsclc"),
        ("protocols", "marslight_11"),
    ],
)
def test_what_is_written_as_text_is_read_as_it_was(kind, name):
    import tomllib

    tables = catalog.read_toml(catalog.find(kind, name))
    assert tomllib.loads(toml_text(tables, head="one\ntwo")) == tables


@pytest.mark.parametrize("name", frozen_names())
def test_what_the_library_has_frozen_is_whole(name):
    frozen = read_frozen(name)
    assert frozen.ensemble["weight"].sum() == pytest.approx(1.0, abs=1e-4)
    assert frozen.record["status"].split(":")[0] in ("fitted", "carried over", "prior only")
    for member in members_of(frozen, 3, seed=2):
        assert len(draw_patients(member.population, n=4, seed=1)) == 4
