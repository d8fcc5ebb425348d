"""What a model file may hold, checked before a parser of another library sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from xml.parsers import expat

from twoarm.catalog import read_text
from twoarm.errors import ModelTextError, UnsafeModelError

__all__ = ["check_xml", "imported_parts"]

_DEEPEST = 300  # nested XML elements; the interpreter's stack is the reason

_IMPORT = re.compile(r'\bimport\s+"([^"]*)"')


def imported_parts(text: str, name: str, folders: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """File names and texts of all parts that Antimony `text` imports, and that these import, each once."""
    pending, seen = [(name, text)], set()
    needs: dict[str, set[str]] = {}
    while pending:
        owner, body = pending.pop()
        for part in _IMPORT.findall(body):
            needs.setdefault(Path(owner).stem, set()).add(Path(part).stem)
            if Path(part).name != part or "\\" in part or part in (".", ".."):
                raise UnsafeModelError(model=owner, what=f'an import from elsewhere ("{part}")')
            if part not in seen:
                seen.add(part)
                places = [folder / part for folder in folders]
                found = read_text(next((place for place in places if place.is_file()), places[0]))
                if found.lstrip("\ufeff \t\r\n").startswith("<"):
                    check_xml(found, part)
                pending.append((part, found))
                yield part, found
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as ring:
        raise UnsafeModelError(model=name, what=f"imports in a ring ({' -> '.join(ring.args[1])})") from None


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

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(text.lstrip("\ufeff \t\r\n").encode(), True)
    except expat.ExpatError as error:
        raise ModelTextError(model=name, problem=f"it is not XML ({error})") from None
