"""The library: found by name, alias or path; close names are said; nothing large or broken gets through."""

from pathlib import Path

import pytest

from twoarm import catalog
from twoarm.errors import (
    FileMissingError,
    FileTextError,
    FileTooLargeError,
    NotInLibraryError,
    TwoarmError,
    UnknownKindError,
)


@pytest.mark.parametrize("name", ["docetaxel", "Docetaxel", " docetaxel ", "Taxotere", "taxotere"])
def test_a_name_in_any_case_or_an_alias_is_found(name):
    assert catalog.find("molecules", name).name == "docetaxel.toml"


def test_one_of_a_kind_is_as_good_a_word_as_the_folder():
    assert catalog.find("molecule", "docetaxel") == catalog.find("molecules", "docetaxel")


@pytest.mark.parametrize("as_path", [str, Path])
def test_a_path_is_taken_as_it_is(tmp_path, as_path):
    mine = tmp_path / "mine.toml"
    mine.write_text("name = 'mine'")
    assert catalog.find("molecules", as_path(mine)) == mine


@pytest.mark.parametrize("path", ["nowhere/mine.toml", "mine.toml"])
def test_a_path_to_nothing_is_refused(path):
    with pytest.raises(FileMissingError, match="is not a file"):
        catalog.find("molecules", path)


def test_a_misspelled_name_says_which_are_close():
    with pytest.raises(NotInLibraryError) as refused:
        catalog.find("molecules", "pembrolizumb")
    said = str(refused.value)
    assert said.startswith('no molecule "pembrolizumb". Close: "pembrolizumab". In the library: ')
    assert "`twoarm list molecules`" in said


def test_a_name_like_nothing_else_has_no_close_one():
    with pytest.raises(NotInLibraryError) as refused:
        catalog.find("molecules", "zzzz")
    assert "Close" not in str(refused.value)


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownKindError, match="molecules"):
        catalog.names("drugs")


def test_names_are_sorted_and_found():
    found = catalog.names("molecules")
    assert found == sorted(found)
    assert all(catalog.find("molecules", name).is_file() for name in found)


def test_no_alias_is_said_twice():
    said = [alias for kind in catalog.KINDS for alias in _aliases(kind)]
    assert len(said) == len(set(said))


def _aliases(kind):
    names = set(catalog.names(kind.folder))
    aliases = [
        (kind.folder, alias.lower())
        for name in names
        if (path := catalog.find(kind.folder, name)).suffix == ".toml"
        for alias in catalog.read_toml(path).get("aliases", [])
    ]
    assert not {alias for _, alias in aliases} & names
    return aliases


def test_a_gigabyte_is_refused_before_it_is_read(tmp_path):
    huge = tmp_path / "huge.toml"
    with huge.open("wb") as file:
        file.truncate(10**9)  # sparse: costs no disk
    with pytest.raises(FileTooLargeError, match=r"1,000\.0 MB.*10 MB"):
        catalog.read_toml(huge)


def test_what_is_no_regular_file_is_refused(tmp_path):
    with pytest.raises(FileMissingError):
        catalog.read_text(tmp_path)
    with pytest.raises(FileMissingError):
        catalog.read_text("/dev/zero")


def test_the_limit_is_inclusive(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("x" * 100)
    assert len(catalog.read_text(file, limit=100)) == 100
    with pytest.raises(FileTooLargeError):
        catalog.read_text(file, limit=99)


BROKEN = {
    "a value missing": b"a = ",
    "not text": b"\xff\xfe\x00",
    "lists in lists": b"a = " + b"[" * 100_000,
    "a name twice": b"a = 1\na = 2",
    "tables in tables": b"[" + b".".join([b"a"] * 3000) + b"]\nb = 1",
    "a number of 5000 digits": b"a = " + b"9" * 5000,
    "no such day": b"a = 2026-02-31",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_files_are_refused(tmp_path, content):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(FileTextError):
        catalog.read_toml(file)


def test_a_digest_does_not_depend_on_line_ends(tmp_path):
    unix, dos = tmp_path / "unix.toml", tmp_path / "dos.toml"
    unix.write_bytes(b"a = 1\nb = 2\n")
    dos.write_bytes(b"a = 1\r\nb = 2\r\n")
    assert catalog.digest(unix) == catalog.digest(dos)
    unix.write_bytes(b"a = 1\nb = 3\n")
    assert catalog.digest(unix) != catalog.digest(dos)


def test_a_name_that_no_file_can_have_is_refused():
    with pytest.raises(TwoarmError, match="cannot be read: file name too long"):
        catalog.find("molecules", "x" * 5000 + ".toml")


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "card.toml"
    file.write_text("a = 1")

    def refuse(*words):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(TwoarmError, match="permission denied"):
        catalog.read_toml(file)
