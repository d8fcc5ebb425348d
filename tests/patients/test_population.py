"""Populations: what a file may say, and what it may not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from twoarm import catalog
from twoarm.errors import FileTextError, FileTooLargeError, NotInLibraryError, PopulationError
from twoarm.patients.draw import draw_patients
from twoarm.patients.population import Population, latent_correlation, read_population

ROOT = Path(__file__).parents[2]

WANTED = """
weight albumin cytotoxic_resistant_fraction cytotoxic_sensitivity il2ra_effector il2rb_effector pd1_effector
il2_tumor killing clones exhaustion treg_ratio half_signal pdl1_tumor competitor_central_0 exhausted_share
neutrophils_0 neutrophil_transit tolerance_duration leak_half_signal ada_susceptibility ada_onset age
female region
resistance sequence ecog body_surface lesions clearance_factor volume_factor cytotoxic_clearance_factor
"""
EACH = ["diameter_baseline", "growth", "infiltration", "antigen_loss"]

GOOD = """
name = "small"
description = "for tests"
[variables.sex]
distribution = "categorical"
probabilities = { man = 0.5, woman = 0.5 }
unit = "-"
role = "covariate"
source = "assumed"
note = "test"
[variables.weight]
distribution = "conditional"
on = "sex"
cases.man = { distribution = "normal", mean = 80, sd = 10 }
cases.woman = { distribution = "normal", mean = 65, sd = 9 }
unit = "kg"
source = "assumed"
note = "test"
[variables.growth]
distribution = "lognormal"
median = 0.01
sd = 1.0
low = 0.0001
high = 1.0
level = "lesion"
within_patient = 0.25
unit = "1/day"
source = "mosteller1987"
[derived.fast]
formula = "product"
arguments = { first = "growth", second = "weight" }
unit = "kg/day"
source = "mosteller1987"
[[correlations]]
between = ["weight", "growth"]
value = 0.3
source = "mosteller1987"
[plausibility.heavy]
column = "weight"
low = 40
unit = "kg"
source = "mosteller1987"
"""


def written(folder: Path, text: str, name: str = "small") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", catalog.names("populations"))
def test_every_number_has_a_source_that_is_in_the_references(name: str) -> None:
    known = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "docs" / "references.bib").read_text(), re.MULTILINE))
    population = read_population(name)
    entries = [
        *population.variables.values(),
        *population.derived.values(),
        *population.correlations,
        *population.plausibility.values(),
    ]
    assert {entry.source for entry in entries} <= known | {"assumed"}


def test_the_library_names_what_the_biology_takes() -> None:
    patients = draw_patients(read_population("io_resistant_squamous_nsclc"), 8, 1)
    wanted = set(WANTED.split()) | {f"{name}_{lesion}" for name in EACH for lesion in range(1, 6)}
    assert wanted <= set(patients.columns)
    assert wanted <= set(patients.attrs["units"])
    numbers = patients.drop(columns=patients.attrs["covariates"])
    assert np.isfinite(numbers.to_numpy(dtype=float)).all()


def test_a_child_has_its_parents_entries_and_its_own() -> None:
    parent = read_population("io_resistant_squamous_nsclc")
    child = read_population("io_naive_squamous_nsclc")
    assert child.variables["albumin"] == parent.variables["albumin"]
    assert "competitor_central_0" in parent.derived
    assert "competitor_central_0" in child.variables
    assert not {"resistance", "sequence", "days_since_anti_pd1"} & child.variables.keys()
    assert child.digest != parent.digest
    assert (draw_patients(child, 16, 1)["competitor_central_0"] == 0).all()


def test_a_child_replaces_by_name_and_pair(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    child = written(
        tmp_path,
        """
name = "child"
description = "of small"
extends = "small"
without = ["fast", "heavy"]
[variables.growth]
distribution = "constant"
value = 0.02
unit = "1/day"
source = "assumed"
note = "test"
[[correlations]]
between = ["growth", "weight"]
value = -0.5
source = "assumed"
note = "test"
""",
        "child",
    )
    population = read_population(child)
    assert [entry.value for entry in population.correlations] == [-0.5]
    assert not population.derived
    assert not population.plausibility
    assert list(population.variables) == ["sex", "weight", "growth"]
    assert population.variables["growth"].level == "patient"


def test_a_grandchild_has_what_its_parent_changed_and_the_rest_of_the_line(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    sourced = 'unit = "1/day"\nsource = "assumed"\nnote = "test"\ndistribution = "constant"\n'
    parent = f'name = "b"\ndescription = "b"\nextends = "small"\n[variables.growth]\nvalue = 0.5\n{sourced}'
    written(tmp_path, parent, "b")
    child = 'name = "c"\ndescription = "c"\nextends = "b"\nwithout = ["fast"]\n'
    population = read_population(written(tmp_path, child, "c"))
    assert population.variables["growth"].shape.value == 0.5
    assert "fast" not in population.derived
    assert "weight" in population.variables


def test_a_line_that_runs_in_a_circle_is_refused(tmp_path: Path) -> None:
    for one, other in (("b", "c"), ("c", "b")):
        written(tmp_path, f'name = "{one}"\ndescription = "{one}"\nextends = "{other}"\n', one)
    with pytest.raises(PopulationError, match="extend one another; 5 files at most"):
        read_population(tmp_path / "b.toml")


@pytest.mark.parametrize("parent", ["../small", "/etc/passwd", "Small", "a b"])
def test_a_parent_is_a_name_and_not_a_path(tmp_path: Path, parent: str) -> None:
    with pytest.raises(PopulationError, match="extends"):
        read_population(written(tmp_path, f'name = "c"\ndescription = "c"\nextends = "{parent}"\n'))


def test_a_parent_must_exist(tmp_path: Path) -> None:
    with pytest.raises(NotInLibraryError):
        read_population(written(tmp_path, 'name = "c"\ndescription = "c"\nextends = "nobody"\n'))


def test_a_name_that_is_not_there_says_which_are_close() -> None:
    with pytest.raises(NotInLibraryError, match="io_naive_squamous_nsclc"):
        read_population("io_naive_squamous_nscl")


BROKEN = [
    ("no unit", 'unit = "kg"\n', "", "variables.weight.unit"),
    ("no source", 'source = "mosteller1987"\n[derived', "[derived", "variables.growth.source"),
    ("assumed, no reason", 'source = "mosteller1987"\n[derived', 'source = "assumed"\n[derived', "note"),
    ("no range and no note", "low = 0.0001\nhigh = 1.0\n", "", "range"),
    ("unknown word", "sd = 1.0", "sd = 1.0\ncv = 2", "variables.growth"),
    ("unknown distribution", '"lognormal"', '"gamma"', "variables.growth"),
    ("unknown formula", '"product"', '"quotient"', "quotient"),
    ("unknown argument", "second =", "other =", "first, second"),
    ("argument that does not exist", 'second = "weight"', 'second = "height"', "height"),
    ("derived from itself", 'second = "weight"', 'second = "fast"', "itself"),
    ("condition that does not exist", 'on = "sex"', 'on = "gender"', "gender"),
    ("case that is missing", "cases.woman", "cases.child", "man, woman"),
    ("correlation above 1", "value = 0.3", "value = 1.3", "correlations.0.value"),
    ("correlation that lesions forbid", "value = 0.3", "value = 0.6", "within_patient"),
    ("correlation with itself", '["weight", "growth"]', '["weight", "weight"]', "itself"),
    ("correlation with nobody", '["weight", "growth"]', '["weight", "height"]', "height"),
    ("rule on nothing", 'column = "weight"', 'column = "height"', "height"),
    ("rule without bounds", "low = 40\n", "", "low, high or both"),
    ("rule with two subjects", 'column = "weight"', 'column = "weight"\noutput = "sld"', "either"),
    ("lesion without correlation", "within_patient = 0.25\n", "", "within_patient"),
    ("capitals in a name", "[variables.growth]", "[variables.Growth]", "Growth"),
    ("unknown table", "[plausibility.heavy]", "[plausible.heavy]", "plausible"),
]


@pytest.mark.parametrize(("old", "new", "said"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_entry_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) >= 1
    read_population(written(tmp_path, GOOD))
    with pytest.raises(PopulationError, match=re.escape(said)) as caught:
        read_population(written(tmp_path, GOOD.replace(old, new, 1)))
    assert "small.toml" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["variables = 3\n", "correlations = 3\n", '[[correlations]]\nbetween = [["a"]]\n', "without = 3\n"],
)
def test_tables_of_a_child_are_tables(tmp_path: Path, text: str) -> None:
    written(tmp_path, GOOD)
    with pytest.raises(PopulationError):
        read_population(written(tmp_path, f'name = "c"\ndescription = "c"\nextends = "small"\n{text}', "c"))


def test_correlations_must_fit_together(tmp_path: Path) -> None:
    three = (
        GOOD
        + """
[variables.height]
distribution = "normal"
mean = 170
sd = 8
unit = "cm"
source = "assumed"
note = "test"
[variables.age]
distribution = "normal"
mean = 60
sd = 8
unit = "year"
source = "assumed"
note = "test"
"""
    )
    for pair, value in (("weight height", 0.9), ("height age", 0.9), ("weight age", -0.9)):
        one, other = pair.split()
        three += (
            f'[[correlations]]\nbetween = ["{one}", "{other}"]\nvalue = {value}\nsource = "mosteller1987"\n'
        )
    with pytest.raises(PopulationError, match="contradict"):
        read_population(written(tmp_path, three))


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as file:
        file.truncate(11_000_000)
    with pytest.raises(FileTooLargeError):
        read_population(path)


def test_what_is_not_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileTextError):
        read_population(written(tmp_path, "name = ["))


def test_a_population_is_frozen() -> None:
    population = read_population("io_naive_squamous_nsclc")
    with pytest.raises(ValueError, match="frozen"):
        population.name = "other"  # type: ignore[misc]
    assert isinstance(population, Population)


def test_a_lesion_correlation_is_scaled_up(tmp_path: Path) -> None:
    population = read_population(written(tmp_path, GOOD))
    names = list(population.variables)
    found = latent_correlation(population)[names.index("weight"), names.index("growth")]
    assert found == pytest.approx(0.3 / np.sqrt(0.25))
