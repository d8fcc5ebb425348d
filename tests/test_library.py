"""The data files: they parse, say their units, name their sources, and hold no number without either."""

import csv
import re
import tomllib
from pathlib import Path

import pytest

from twoarm.bibliography import ASSUMED, read_references, sources_in

LIBRARY = Path(__file__).parent.parent / "src" / "twoarm" / "library"
CARDS = sorted(LIBRARY.rglob("*.toml"))
TABLES = sorted((LIBRARY / "evidence").rglob("*.csv"))


def name(path: Path) -> str:
    return path.relative_to(LIBRARY).as_posix()


def leaves(node, place=""):
    """Each table, with where it stands and whether it, or one above it, names a source."""
    stack = [(node, place, False)]
    while stack:
        said, where, covered = stack.pop()
        covered = covered or "source" in said
        yield where, said, covered
        for key, part in said.items():
            parts = part if isinstance(part, list) else [part]
            stack += [(item, f"{where}.{key}", covered) for item in parts if isinstance(item, dict)]


@pytest.mark.parametrize("folder", ["molecules", "populations", "protocols", "outcomes"])
def test_each_room_of_the_library_has_files(folder):
    assert list((LIBRARY / folder).glob("*.toml"))


@pytest.mark.parametrize("path", [*CARDS, *TABLES], ids=name)
def test_every_source_is_in_the_bibliography(path):
    missing = sources_in(path) - {ASSUMED} - set(read_references())
    assert not missing, f"add to docs/references.bib, or correct: {sorted(missing)}"


@pytest.mark.parametrize("path", CARDS, ids=name)
def test_every_entry_names_its_source(path):
    card = tomllib.loads(path.read_text(encoding="utf-8"))
    bare = [
        where
        for where, said, covered in leaves(card)
        if not covered and {"value", "low", "high", "distribution", "formula"} & set(said)
    ]
    assert not bare


@pytest.mark.parametrize("path", CARDS, ids=name)
def test_what_is_assumed_says_why(path):
    card = tomllib.loads(path.read_text(encoding="utf-8"))
    silent = [
        where for where, said, _ in leaves(card) if said.get("source") == ASSUMED and not said.get("note")
    ]
    assert not silent


@pytest.mark.parametrize("path", [path for path in CARDS if path.parent.name == "populations"], ids=name)
def test_every_variable_of_a_population_has_a_unit(path):
    card = tomllib.loads(path.read_text(encoding="utf-8"))
    tables = {**card.get("variables", {}), **card.get("derived", {})}
    assert tables or "extends" in card or "parent" in card or "like" in card
    changed = {key for key, said in tables.items() if "distribution" in said or "formula" in said}
    assert not [key for key in changed if "unit" not in tables[key]]


@pytest.mark.parametrize("path", [path for path in CARDS if path.parent.name == "molecules"], ids=name)
def test_a_range_is_the_right_way_round(path):
    card = tomllib.loads(path.read_text(encoding="utf-8"))

    def number(said):
        return float(re.match(r"\s*([-+0-9.eE]+)", str(said))[1])

    wrong = [
        where
        for where, said, _ in leaves(card)
        if {"low", "high"} <= set(said) and number(said["low"]) >= number(said["high"])
    ]
    assert not wrong


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_a_published_fact_is_fitted_to_or_checked_never_both(path):
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    used = [row for row in rows if row.get("use", "none") != "none"]
    assert {row["use"] for row in used} <= {"calibrate", "validate"}
    assert not [row for row in used if row.get("verified", "true") != "true"]
    assert not [row for row in used if not row["source_url"].startswith(("https://", "http://"))]


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_every_row_of_evidence_names_its_source_or_is_flagged(path):
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert rows
    said = ("source", "source_title", "source_url")
    believed = [row for row in rows if row.get("verified", "true") == "true"]
    silent = [row.get("id") for row in believed if not any(row.get(name, "").strip() for name in said)]
    assert not silent


def test_the_reference_molecule_tunes_nothing():
    """What is predicted is not fitted: no row of the molecule under study may calibrate."""
    rows = [row for path in TABLES for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())]
    own = [row for row in rows if "ibi363" in " ".join(str(value) for value in row.values()).lower()]
    assert own
    assert not [row for row in own if row.get("use") == "calibrate"]


def test_every_equation_has_units_that_agree():
    """Parts take what they need as arguments, so that units are proven on the whole that connects them."""
    from twoarm.model.sbml import check_units

    assert check_units("pd1_il2") == []


def test_a_model_has_the_same_digest_in_every_process():
    """The order of a set changes from process to process; nothing of a model may hang on it."""
    import os
    import subprocess
    import sys

    code = "import twoarm; print(twoarm.read_model('pd1_il2').digest)"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
