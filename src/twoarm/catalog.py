"""The library of data files: find one by name, read it within bounds, or say which names are close."""

from __future__ import annotations

import hashlib
import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from twoarm.errors import (
    FileMissingError,
    FileTextError,
    FileTooLargeError,
    FileUnreadableError,
    NotInLibraryError,
    UnknownKindError,
)

LARGEST = 10_000_000  # bytes; the longest table of the library holds a fiftieth of it
_DEEPEST = 32  # tables within tables; the library's files have six


class Kind(NamedTuple):
    """A kind of library file: its folder, one of it in words, and the suffixes of its files."""

    folder: str
    one: str
    suffixes: tuple[str, ...]


KINDS = (
    Kind("biology", "model", (".ant", ".xml")),
    Kind("molecules", "molecule", (".toml",)),
    Kind("populations", "population", (".toml",)),
    Kind("protocols", "protocol", (".toml",)),
    Kind("outcomes", "outcome file", (".toml",)),
    Kind("evidence", "evidence table", (".csv",)),
    Kind("studies", "study", (".toml",)),
    Kind("experiments", "experiment", (".toml",)),
    Kind("cells", "set of cells", (".toml",)),
    Kind("assays", "assay", (".toml",)),
    Kind("exports", "export dictionary", (".toml",)),
    Kind("calibrations", "calibration", (".toml",)),
    Kind("designations", "designation", (".toml",)),
    Kind("designs", "design", (".toml",)),
    Kind("available_therapy", "cohort beside its available therapy", (".toml",)),
    Kind("screens", "screen of parameters", (".toml",)),
    Kind("updates", "update of a card", (".toml",)),
    Kind("mappings", "mapping", (".toml",)),
    Kind("priors", "prior", (".toml",)),
)
_BY_WORD = {word: kind for kind in KINDS for word in (kind.folder, kind.one)}


def find(kind: str, name: str | os.PathLike[str]) -> Path:
    """Find a library file by its name, or take a path to a file of the user's own.

    Parameters
    ----------
    kind : str
        Folder of the library, as "molecules", or one of it, as "molecule".
    name : str or path
        Name without suffix in any case, another name listed in the file's `aliases`, or a path: what holds a
        separator or ends in a suffix of the kind.

    Returns
    -------
    Path
        An existing file.

    Raises
    ------
    UnknownKindError
        If the library has no such kind.
    NotInLibraryError
        If no file of the library has the name.
    FileMissingError
        If a path leads to no file.

    Examples
    --------
    >>> find("molecules", "pembrolizumab").name
    'pembrolizumab.toml'
    """
    kept = _kind(kind)
    if _is_path(name, kept):
        return _existing(Path(name))
    spelled = _spelled(str(name))
    found = _files(kept)
    if spelled in found:
        return found[spelled]
    others = _aliases(kept)
    if spelled in others:
        return others[spelled]
    raise NotInLibraryError(
        one=kept.one, kind=kept.folder, name=str(name), known=[*found, *others], count=len(found)
    )


def names(kind: str) -> list[str]:
    """List the names of one kind in the library.

    Parameters
    ----------
    kind : str
        Folder of the library, as "molecules", or one of it, as "molecule".

    Returns
    -------
    list of str
        In alphabetical order, without suffix.

    Raises
    ------
    UnknownKindError
        If the library has no such kind.

    Examples
    --------
    >>> "docetaxel" in names("molecules")
    True
    """
    return sorted(_files(_kind(kind)))


def read_text(path: str | os.PathLike[str], *, limit: int = LARGEST) -> str:
    """Read a text file of bounded size.

    Parameters
    ----------
    path : str or path
        The file.
    limit : int
        Largest size in bytes; checked before and while reading.

    Returns
    -------
    str
        The text, from UTF-8.

    Raises
    ------
    FileMissingError
        If the path leads to no regular file.
    FileTooLargeError
        If the file is larger than `limit`.
    FileUnreadableError
        If the system does not let it be read.
    FileTextError
        If it is not UTF-8.
    """
    path = _existing(Path(path))
    if (size := path.stat().st_size) > limit:
        raise FileTooLargeError(path=path, size=size, limit=limit)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as wrong:
        raise FileUnreadableError(path=path, reason=wrong.strerror or str(wrong)) from None
    if len(content) > limit:
        raise FileTooLargeError(path=path, size=len(content), limit=limit)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise FileTextError(path=path, form="UTF-8 text", reason=f"byte {wrong.start} is none") from None


def read_toml(path: str | os.PathLike[str], *, limit: int = LARGEST) -> dict[str, Any]:
    """Read a TOML file of bounded size.

    Parameters
    ----------
    path : str or path
        The file.
    limit : int
        Largest size in bytes.

    Returns
    -------
    dict
        Its tables and values.

    Raises
    ------
    FileMissingError, FileTooLargeError
        As :func:`read_text`.
    FileTextError
        If it is not TOML.
    """
    text, deep = read_text(path, limit=limit), f"it is nested more than {_DEEPEST} deep"
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise FileTextError(path=path, form="TOML", reason=deep) from None
    except tomllib.TOMLDecodeError as wrong:
        raise FileTextError(path=path, form="TOML", reason=str(wrong)) from None
    except ValueError:  # of Python, for a whole number of more than 4300 digits or a date that is none
        reason = "it has a whole number of thousands of digits, or a day that is not in the calendar"
        raise FileTextError(path=path, form="TOML", reason=reason) from None
    if _is_deep(content):
        raise FileTextError(path=path, form="TOML", reason=deep)
    return content


def digest(path: str | os.PathLike[str]) -> str:
    """Hash a file's text, for the record of what a result was made from.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    str
        SHA-256 of the text with line ends of one kind, so that it is the same on every platform.

    Raises
    ------
    FileMissingError, FileTooLargeError, FileTextError
        As :func:`read_text`.
    """
    return hashlib.sha256(read_text(path).replace("\r\n", "\n").encode()).hexdigest()


def _existing(path: Path) -> Path:
    """Return a path that leads to a regular file."""
    try:
        found = path.is_file()
    except OSError as wrong:  # a name that no file can have, or a folder that may not be entered
        raise FileUnreadableError(path=str(path)[:80], reason=wrong.strerror or str(wrong)) from None
    if not found:
        raise FileMissingError(path=path)
    return path


def _is_deep(content: dict[str, Any]) -> bool:
    """Whether tables and lists lie within each other deeper than any honest file's; dotted keys nest too."""
    level: list[Any] = [content]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _kind(word: str) -> Kind:
    if word not in _BY_WORD:
        raise UnknownKindError(kind=word, known=[kind.folder for kind in KINDS])
    return _BY_WORD[word]


def _is_path(name: str | os.PathLike[str], kind: Kind) -> bool:
    text = os.fspath(name)
    return not isinstance(name, str) or "/" in text or os.sep in text or text.lower().endswith(kind.suffixes)


def _spelled(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


@cache
def _files(kind: Kind) -> dict[str, Path]:
    folder = Path(__file__).parent / "library" / kind.folder
    files = sorted(path for path in folder.glob("*") if path.suffix in kind.suffixes)
    return {_spelled(path.stem): path for path in files}


@cache
def _aliases(kind: Kind) -> dict[str, Path]:
    if kind.suffixes != (".toml",):
        return {}
    return {
        _spelled(str(alias)): path
        for path in _files(kind).values()
        for alias in read_toml(path).get("aliases", ())
    }
