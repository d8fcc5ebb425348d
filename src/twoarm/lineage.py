"""A file and those that it extends: found one by one, never in a circle, and fingerprinted together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from twoarm import catalog
from twoarm.errors import CardEntryError

DEEPEST = 5  # files that may extend one another in one line; a circle is longer than any bound
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def _refused(path: Path, what: str) -> Exception:
    return CardEntryError(path=path.name, place="extends", reason=what)


def line_of(
    kind: str,
    path: Path,
    *,
    deepest: int = DEEPEST,
    refuse: Callable[[Path, str], Exception] = _refused,
) -> list[Path]:
    """List a file and those that it extends, the nearest first.

    Parameters
    ----------
    kind : str
        Folder of the library in which a parent is looked for that does not lie beside its child.
    path : Path
        The file; what it extends is its entry `extends`, a name.
    deepest : int
        How many files may stand in one line.
    refuse : callable of (Path, str)
        The room's error for a file and what is wrong with it; a `CardEntryError` by default.

    Returns
    -------
    list of Path
        At least the file itself.

    Raises
    ------
    CardEntryError
        Or what `refuse` makes: if a parent is not a name, or more than `deepest` files stand in one line, as
        in a circle.
    FileMissingError, FileTooLargeError, FileTextError, NotInLibraryError
        If a file cannot be found or read.

    Examples
    --------
    >>> line = line_of("populations", catalog.find("populations", "io_resistant_nonsquamous_nsclc"))
    >>> line[0].stem
    'io_resistant_nonsquamous_nsclc'
    >>> len(line) > 1
    True
    """
    line = [path]
    while "extends" in (raw := catalog.read_toml(line[-1])):
        name = raw["extends"]
        if len(line) == deepest:
            names = ", ".join(file.name for file in line)
            what = f"{names} extend one another; {deepest} files at most stand in one line"
            raise refuse(path, what)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise refuse(line[-1], f"{name!r} is not the name of a file: small letters, digits and _")
        beside = line[-1].with_name(f"{name}.toml")
        line.append(beside if beside.is_file() else catalog.find(kind, name))
    return line


def digest_of(line: Sequence[Path]) -> str:
    """SHA-256 of all that a line holds; of one file, that of the file.

    Parameters
    ----------
    line : sequence of Path
        From `line_of`.

    Returns
    -------
    str
        In hexadecimal.
    """
    digests = [catalog.digest(file) for file in line]
    return digests[0] if len(line) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()
