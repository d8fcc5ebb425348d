"""Protocols and outcomes: what the library says, what a hostile or careless file gets to hear."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twoarm import catalog
from twoarm.errors import (
    CardEntryError,
    FileTextError,
    FileTooLargeError,
    MissingFieldError,
    NotInLibraryError,
    TwoarmError,
    UnknownFieldError,
)
from twoarm.molecule import read_molecule
from twoarm.regimen import Regimen
from twoarm.trial.outcomes import read_outcomes
from twoarm.trial.protocol import Protocol, read_protocol

TEXT = catalog.read_text(catalog.find("protocols", "marslight_11"))


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path = folder / "changed.toml"
    path.write_text(TEXT.replace(old, new, 1))
    return path


def test_registry_of_the_phase_three() -> None:
    protocol = read_protocol("marslight_11")
    fusion = protocol.arms["experimental"].treatments[0]
    assert (fusion.dose, fusion.every, fusion.reductions) == ("3 mg/kg", 21, ("1.5 mg/kg", "1 mg/kg"))
    assert (fusion.priming.dose, fusion.priming.lead) == ("0.1 mg/kg", 7)
    assert (fusion.re_priming.after_priming, fusion.re_priming.after_last_dose) == (10, 35)
    assert fusion.max_duration == 730.5
    assert protocol.randomization.factors == ("resistance", "sequence", "region")
    assert protocol.enrollment.patients == 600
    assert protocol.shares == {"experimental": 1, "docetaxel": 1}


@pytest.mark.parametrize("name", catalog.names("protocols"))
def test_every_protocol_reads_and_finds_its_outcomes(name: str) -> None:
    protocol = read_protocol(name)
    assert read_outcomes(protocol.outcomes).name == protocol.outcomes
    assert catalog.find("populations", protocol.population).is_file()
    for arm in protocol.arms.values():
        for treatment in arm.treatments:
            assert catalog.find("molecules", treatment.molecule).is_file()


FULL = 'dose          = { value = "75 mg/m2"'


@pytest.mark.parametrize(
    ("course", "words"),
    [
        ("14, 8 h", ""),
        ("0, 8 h", "at least 1"),
        ("2, 0 h", "above 0"),
        ("2, 8 mg", "measures something else"),
        ("64, 8 h", "A course ends before the next begins"),
        ("2, 0.5 h", "One ends before the next begins"),
    ],
)
def test_a_course_ends_before_the_next(tmp_path: Path, course: str, words: str) -> None:
    doses, apart = course.split(", ")
    entries = [f'{{ value = {value}, source = "marslight11" }}' for value in (doses, f'"{apart}"')]
    said = f"{{ doses = {entries[0]}, apart = {entries[1]} }}"
    path = changed(tmp_path, FULL, f"course = {said}\n{FULL}")
    if not words:
        part = read_protocol(path).arms["docetaxel"].treatments[0]
        assert (part.course.doses, part.course.apart) == (14, pytest.approx(1 / 3))
        return
    with pytest.raises(CardEntryError) as told:
        read_protocol(path)
    assert words in str(told.value)
    assert "course" in str(told.value)


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ('"3 weeks", source', '"3 weeeks", source', CardEntryError, '3 weeeks" is not a quantity'),
        ('value = "3 weeks", source', 'value = 21, source', CardEntryError, "has no unit"),
        ('value = "3 weeks", source', 'value = "-3 weeks", source', CardEntryError, "above 0"),
        ('value = "3 weeks", source', 'value = "3 mg", source', CardEntryError, "measures something else"),
        ('every         = { value = "3 weeks"', 'evry         = { value = "3 weeks"', TwoarmError, "ev"),
        ("[enrollment]", "[enrolment]", TwoarmError, "enrol"),
        ('share = { value = 1, source = "marslight11" }', "share = 1", CardEntryError, "without its source"),
        ('"6 weeks", source = "rittmeyer2017"', '"6 weeks", sauce = "x"', CardEntryError, 'no "sauce"'),
        ("value = [4, 6]", "value = [4, 5]", CardEntryError, "5 is not a multiple"),
        ('"7 days", source = "assumed"', '"30 days", source = "assumed"', CardEntryError, "change places"),
        (', note = "usual window"', "", CardEntryError, "without a note"),
        ('value = "OS"', 'value = "PSF"', CardEntryError, "'OS' or 'PFS'"),
    ],
)  # fmt: skip
def test_careless_files(tmp_path: Path, old: str, new: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as told:
        read_protocol(changed(tmp_path, old, new))
    assert words in str(told.value)


def test_unknown_and_missing_fields_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownFieldError, match=r'field "evry".*Close: every'):
        read_protocol(changed(tmp_path, "[imaging]", '[imaging]\nevry = { value = "1 week", source = "x" }'))
    with pytest.raises(MissingFieldError, match='"block_sizes"'):
        read_protocol(changed(tmp_path, "block_sizes = { value = [4, 6]", "# ="))


def test_hostile_files(tmp_path: Path) -> None:
    huge = tmp_path / "huge.toml"
    with huge.open("wb") as file:
        file.truncate(1_000_000_000)
    with pytest.raises(FileTooLargeError, match=r"1,000\.0 MB"):
        read_protocol(huge)
    broken = tmp_path / "broken.toml"
    broken.write_text("arms = [")
    with pytest.raises(FileTextError):
        read_protocol(broken)
    with pytest.raises(NotInLibraryError, match="marslight_11"):
        read_protocol("marslight_12")
    infinite = changed(tmp_path, 'value = "3 weeks"', 'value = "inf weeks"')
    with pytest.raises(CardEntryError):
        read_protocol(infinite)


def test_fifteen_lines() -> None:
    antibody = read_molecule("pembrolizumab")
    fusion = Regimen(
        read_molecule("ibi363"), "3 mg/kg", "3 weeks", start_day=7, priming=[("0.1 mg/kg", 0)],
        reductions=["1 mg/kg"], reprime_after="5 weeks",
    )  # fmt: skip
    protocol = Protocol(
        arms={"experimental": fusion, "control": Regimen(antibody, "200 mg", "3 weeks")},
        enrollment="25 per month",
        imaging="every 6 weeks",
        follow_up="24 months",
        outcomes="squamous_nsclc",
    )
    part = protocol.arms["experimental"].treatments[0]
    assert (part.start, part.priming.lead, part.every, part.reductions) == (0, 7, 21, ("1 mg/kg",))
    assert part.re_priming.after_last_dose == 35
    assert protocol.arms["control"].treatments[0].molecule.name == "pembrolizumab"
    assert protocol.enrollment.rate == pytest.approx(25 / 30.4375)
    assert (protocol.imaging.every, protocol.follow_up.horizon) == (42, 730.5)
    with pytest.raises(TwoarmError, match="fortnightly"):
        Protocol(
            arms={"a": fusion},
            enrollment="25 per month",
            imaging="fortnightly",
            follow_up="1 year",
            outcomes="x",
        )


def test_outcomes_flag_what_may_be_tuned() -> None:
    raw = catalog.read_toml(catalog.find("outcomes", "squamous_nsclc"))
    assert raw["survival"]["intercept"]["tuned"]
    tuned = [kind["name"] for kind in raw["toxicity"]["kinds"] if kind["limits"].get("tuned")]
    assert "neutropenia" not in tuned
    text = catalog.read_text(catalog.find("outcomes", "squamous_nsclc")).lower()
    assert "ibi363" not in text  # nothing of the clinical link comes from the reference molecule


def test_grade_limits_must_get_worse(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.toml"
    text = catalog.read_text(catalog.find("outcomes", "squamous_nsclc"))
    path.write_text(text.replace("1 = 2.0, 2 = 1.5", "1 = 1.5, 2 = 2.0"))
    with pytest.raises(CardEntryError, match="do not get worse"):
        read_outcomes(path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("arms", {}, "arms: {} cannot be"),
        ("arms", {"new": 3}, "arms.new"),
        ("enrollment", "lots", "not a quantity"),
        ("imaging", "sometimes", "not a quantity"),
        ("follow_up", "-3 months", "above 0 day"),
        ("folow_up", "3 months", "Close: follow_up"),
        ("outcomes", None, ""),
    ],
)
def test_a_bad_protocol_made_in_python_is_an_error_of_this_package(field, value, said):
    import twoarm as ta

    arm = ta.Regimen(ta.read_molecule("docetaxel"), dose="75 mg/m2", every="3 weeks")
    fields = {
        "arms": {"old": arm},
        "outcomes": "squamous_nsclc",
        "enrollment": "25 per month",
        "imaging": "every 6 weeks",
        "follow_up": "24 months",
    } | {field: value}
    if value is None:
        del fields[field]
        said = 'no "outcomes"'
    with pytest.raises(ta.TwoarmError, match=re.escape(said)):
        ta.Protocol(**fields)
