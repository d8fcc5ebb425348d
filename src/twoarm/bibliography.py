"""Where a number comes from: the bibliography, and the sources a library file names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from twoarm import catalog
from twoarm.errors import NoBibliographyError, UnknownSourceError

ASSUMED = "assumed"  # the word that stands where no source exists; a note must then say why

_PACKAGE = Path(__file__).parent
_PLACES = (_PACKAGE / "library" / "references.bib", _PACKAGE.parent.parent / "docs" / "references.bib")


class Reference(NamedTuple):
    """One entry of the bibliography.

    Attributes
    ----------
    key : str
        As library files cite it, `eisenhauer2009`.
    kind : str
        `article`, `misc`, ...
    fields : mapping of str to str
        `author`, `title`, `year`, `doi`, ... without braces.
    """

    key: str
    kind: str
    fields: Mapping[str, str]

    def __str__(self) -> str:
        """One line a person can find the source by."""
        said = self.fields
        place = next(
            (said[name] for name in ("journal", "booktitle", "howpublished", "publisher") if name in said), ""
        )
        numbers = ":".join(said[name] for name in ("volume", "pages") if name in said)
        link = f"doi:{said['doi']}" if "doi" in said else said.get("url", "")
        parts = [
            said.get("author", "").replace(" and others", " et al.").replace(" and ", ", "),
            said.get("title", ""),
            f"{place} {numbers}".strip(),
            said.get("year", ""),
        ]
        line = ". ".join(part.rstrip(".") for part in [*parts, link] if part)
        return line.replace("\\&", "&").replace("--", "–")


@cache
def read_references() -> Mapping[str, Reference]:
    """Read the bibliography, by key.

    Returns
    -------
    mapping of str to Reference
        In the order of the file; read once.

    Raises
    ------
    NoBibliographyError
        If the package was installed without its `references.bib`.

    Examples
    --------
    >>> read_references()["eisenhauer2009"].fields["year"]
    '2009'
    """
    for place in _PLACES:
        if place.is_file():
            return MappingProxyType({entry.key: entry for entry in parse_bibtex(catalog.read_text(place))})
    raise NoBibliographyError(places=_PLACES)


def parse_bibtex(text: str) -> Iterator[Reference]:
    r"""Read the entries of a BibTeX text whose fields stand in braces or quotes.

    Parameters
    ----------
    text : str
        The file's content; `%` lines between entries are comments.

    Yields
    ------
    Reference
        One for each entry, in order.

    Examples
    --------
    >>> [entry] = parse_bibtex("@article{jones2021, title = {The {PD-1} axis}, year = 2021}")
    >>> entry.key, entry.fields["title"], entry.fields["year"]
    ('jones2021', 'The PD-1 axis', '2021')
    """
    for start in re.finditer(r"^[ \t]*@(\w+)\s*\{\s*([^,\s{}]+)\s*,", text, flags=re.MULTILINE):
        body = text[start.end() : _closing_brace(text, start.end())]
        yield Reference(start[2], start[1].lower(), MappingProxyType(dict(_fields(body))))


def cite(keys: Iterable[str]) -> list[Reference]:
    """Look up sources, each once, in alphabetical order of their keys.

    Parameters
    ----------
    keys : iterable of str
        Keys of the bibliography; the word "assumed" is passed over.

    Returns
    -------
    list of Reference
        The entries.

    Raises
    ------
    UnknownSourceError
        If a key is not in the bibliography.

    Examples
    --------
    >>> print(cite(["eisenhauer2009", "assumed"])[0].key)
    eisenhauer2009
    """
    references = read_references()
    wanted = sorted(set(keys) - {ASSUMED, ""})
    if missing := [key for key in wanted if key not in references]:
        raise UnknownSourceError(missing=missing, known=tuple(references))
    return [references[key] for key in wanted]


def sources_in(path: str | Path) -> set[str]:
    """Collect every source a library file names.

    Parameters
    ----------
    path : str or Path
        A `.toml` file, whose entries say `source = "key"`, or a `.csv` table with a column `source`. A field
        may hold several keys, split by `;` or written as a list. In an `.ant` file, every word that is a key,
        and those of the parts that it imports from its own folder.

    Returns
    -------
    set of str
        Keys, "assumed" included where it is said.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "card.toml"
    >>> _ = path.write_text('kd = { value = "3 nM", source = "jones2021; lee2020" }')
    >>> sorted(sources_in(path))
    ['jones2021', 'lee2020']
    """
    path = Path(path)
    if path.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(catalog.read_text(path), newline=""))
        found: Iterable[Any] = [row.get("source") for row in rows]
    elif path.suffix == ".toml":
        found = _said(catalog.read_toml(path))
    elif path.suffix == ".ant":
        return _in_equations(path)
    else:
        return set()
    return {key.strip() for text in found for key in str(text or "").split(";")} - {""}


def _in_equations(path: Path) -> set[str]:
    text = catalog.read_text(path)
    parts = [path.parent / name for name in re.findall(r'^\s*import\s+"([\w.-]+)"', text, flags=re.MULTILINE)]
    found = set(re.findall(r"\b[a-z]+\d{4}[a-z]?\b|\b[a-z]{5,}\b", text)) & set(read_references())
    return found.union(*(_in_equations(part) for part in parts if part.is_file() and part != path))


def _said(node: Any) -> Iterator[str]:
    """Every value under a key `source` or `sources`, at any depth."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in ("source", "sources"):
                yield from value if isinstance(value, list) else [value]
            else:
                yield from _said(value)
    elif isinstance(node, list):
        for item in node:
            yield from _said(item)


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return len(text)


def _fields(body: str) -> Iterator[tuple[str, str]]:
    place = 0
    while match := re.compile(r"\s*(\w+)\s*=\s*").match(body, place):
        place = match.end()
        if body[place : place + 1] == "{":
            end = _closing_brace(body, place + 1)
            value, place = body[place + 1 : end], end + 1
        elif body[place : place + 1] == '"':
            end = body.find('"', place + 1)
            end = len(body) if end < 0 else end
            value, place = body[place + 1 : end], end + 1
        else:
            end = body.find(",", place)
            end = len(body) if end < 0 else end
            value, place = body[place:end], end
        yield match[1].lower(), " ".join(re.sub(r"[{}]", "", value).split())
        comma = body.find(",", place)
        place = len(body) if comma < 0 else comma + 1
