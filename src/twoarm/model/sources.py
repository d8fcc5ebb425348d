"""Text of a model and of the parts it imports, bounded and checked before any parser of a library sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from twoarm.errors import FileMissingError, FileTooLargeError, ModelTextError, UnsafeModelError

__all__ = ["LARGEST", "check_xml", "imported_parts", "read_text"]

LARGEST = 10_000_000  # bytes; a model of ten thousand reactions is a fifth of this
_DEEPEST = 300  # nested XML elements; the interpreter's stack is the reason

_IMPORT = re.compile(r'^\s*import\s+"([^"\n]*)"', re.MULTILINE)


def read_text(path: Path) -> str:
    """Text of a file, or an error if it is missing, too large or not text."""
    if not path.is_file():
        raise FileMissingError(path=path)
    size = path.stat().st_size
    if size > LARGEST:
        raise FileTooLargeError(path=path, size=size, limit=LARGEST)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelTextError(model=path.name, problem=f"byte {error.start} is not UTF-8 text") from None


def imported_parts(text: str, name: str, folders: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Paths and texts of all parts that Antimony `text` imports, and that these import, each once."""
    pending, seen = [(name, text)], set()
    while pending:
        owner, body = pending.pop()
        for part in _IMPORT.findall(body):
            if Path(part).name != part or "\\" in part or part in (".", ".."):
                raise UnsafeModelError(model=owner, what=f'an import from elsewhere ("{part}")')
            if part in seen:
                continue
            seen.add(part)
            path = next((folder / part for folder in folders if (folder / part).is_file()), folders[0] / part)
            found = read_text(path)
            pending.append((part, found))
            yield path, found


def check_xml(text: str, name: str) -> None:
    """Refuse XML that declares a document type or entities, nests too deep, or is broken."""
    depth = 0

    def opened(_tag: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise UnsafeModelError(model=name, what=f"more than {_DEEPEST} nested elements")

    def closed(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: object) -> None:
        raise UnsafeModelError(model=name, what="a document type declaration")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise ModelTextError(model=name, problem=f"it is not XML ({error})") from None
