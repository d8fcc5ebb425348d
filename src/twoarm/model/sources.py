"""What a model file may hold, checked before a parser of another library sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from twoarm.catalog import read_text
from twoarm.errors import ModelTextError, UnsafeModelError
from twoarm.model.outline import check_unfolded, outline_antimony, outline_xml

__all__ = ["Source", "check_xml", "external_parts", "gather", "imported_parts"]

_MOST_PARTS = 100  # files that one model may be made of
_DEEPEST = 1000  # nested XML elements; libsbml's own recursion ends a process at a few thousand

_IMPORT = re.compile(r'\bimport\s+"([^"]*)"')


class Source(NamedTuple):
    """Everything a model is made of, and so the key of what was read before."""

    name: str
    text: str
    parts: tuple[tuple[str, str], ...] = ()  # file name and text of what it imports

    @property
    def is_xml(self) -> bool:
        """Whether this is SBML, not Antimony."""
        return _is_xml(self.text)

    @property
    def content(self) -> str:
        """All of it as one text; no two sources have the same."""
        return json.dumps([self.name, self.text, self.parts])


def gather(name: str, text: str, beside: Path | None, folders: tuple[Path, ...]) -> Source:
    """Gather all that a text is made of, and check that it is safe to read.

    Parameters
    ----------
    name, text : str
        Name for errors, and the text.
    beside : Path or None
        Where models of other SBML files may lie.
    folders : tuple of Path
        Where parts of Antimony may lie.

    Raises
    ------
    UnsafeModelError, ModelTextError, FileMissingError
        If it is not.
    """
    try:
        text.encode()
    except UnicodeEncodeError as wrong:
        raise ModelTextError(model=name, problem=f"character {wrong.start} is none") from None
    if not text.strip("\ufeff \t\r\n"):
        raise ModelTextError(model=name, problem="there is nothing in it")
    if _is_xml(text):
        check_xml(text, name)
        source = Source(name, text, tuple(external_parts(text, name, beside)))
        outline = outline_xml({name: text, **dict(source.parts)})
    else:
        source = Source(name, text, tuple(imported_parts(text, name, folders)))
        outline = outline_antimony([text, *(body for _, body in source.parts)])
    check_unfolded(outline, name)
    return source


def _is_xml(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("<")


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
    _refuse_rings(needs, name, "imports in a ring")


def external_parts(text: str, name: str, folder: Path | None) -> Iterator[tuple[str, str]]:
    """File names and texts of all models that SBML `text` takes from other files, and these from others.

    Parameters
    ----------
    text : str
        SBML, checked.
    name : str
        Its file name.
    folder : Path or None
        Where the file lies, and so must all others; None for text that lies nowhere.

    Raises
    ------
    UnsafeModelError
        If a model is asked for from elsewhere, or models are made of each other in a ring.
    FileMissingError
        If there is no such file.
    """
    pending, seen = [(name, text)], {name}
    needs: dict[str, set[str]] = {}
    while pending:
        owner, body = pending.pop()
        for part in _external_sources(body):
            plain = part.removeprefix("file:").removeprefix("./")
            if folder is None or Path(plain).name != plain or "\\" in plain or plain in ("", ".", ".."):
                raise UnsafeModelError(model=owner, what=f'a model from elsewhere ("{part}")')
            needs.setdefault(owner, set()).add(plain)
            if plain not in seen:
                seen.add(plain)
                if len(seen) > _MOST_PARTS:
                    raise UnsafeModelError(model=name, what=f"models from more than {_MOST_PARTS} files")
                found = read_text(folder / plain)
                check_xml(found, plain)
                pending.append((plain, found))
                yield plain, found
    _refuse_rings(needs, name, "models from files in a ring")


def _external_sources(text: str) -> list[str]:
    """Where the external model definitions of an SBML text say they are."""
    if "externalModelDefinition" not in text:
        return []
    found: list[str] = []

    def opened(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "externalModelDefinition":
            found.extend(v for key, v in attributes.items() if key.rpartition(":")[2] == "source")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = opened
    parser.Parse(text.lstrip("\ufeff \t\r\n").encode(), True)
    return found


def _refuse_rings(needs: dict[str, set[str]], name: str, what: str) -> None:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as ring:
        raise UnsafeModelError(model=name, what=f"{what} ({' -> '.join(ring.args[1])})") from None


_LEVELS = {(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (2, 4), (2, 5), (3, 1), (3, 2)}


def _check_level(tag: str, attributes: dict[str, str], name: str) -> None:
    prefix, _, kind = tag.rpartition(":")
    if kind != "sbml":
        raise ModelTextError(model=name, problem=f"it is not SBML but <{tag[:50]}>")
    space = attributes.get(f"xmlns:{prefix}" if prefix else "xmlns", "")
    said = attributes.get("level", ""), attributes.get("version", "")
    pair = tuple(int(word) for word in said if word in ("1", "2", "3", "4", "5"))
    level, version = pair if len(pair) == 2 and pair in _LEVELS else (0, 0)
    home = f"http://www.sbml.org/sbml/level{level}"
    want = {
        1: home,
        2: home if version == 1 else f"{home}/version{version}",
        3: f"{home}/version{version}/core",
    }
    if want.get(level) != space:
        words = (word[:80] for word in (*said, space))
        problem = 'there is no SBML of level "{}", version "{}" and namespace "{}"'.format(*words)
        raise ModelTextError(model=name, problem=problem)


def check_xml(text: str, name: str) -> None:
    """Refuse XML that declares a document type or entities, nests too deep, is broken, or no SBML.

    A level and version that do not exist make libsbml end the process.
    """
    depth = 0

    def opened(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth == 1:
            _check_level(tag, attributes, name)
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
