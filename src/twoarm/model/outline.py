"""How large a model of models is once it is unfolded, found before anyone unfolds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from twoarm.errors import UnsafeModelError

__all__ = ["Outline", "check_unfolded", "outline_antimony", "outline_xml"]

_MOST = 10_000_000  # characters of Antimony, or elements of SBML times a hundred
_ELEMENT = 100  # characters that an element is worth


@dataclass
class Outline:
    """Sizes of models by name, and which models each holds, once for each time it holds it."""

    sizes: dict[str, int] = field(default_factory=dict)
    holds: dict[str, list[str]] = field(default_factory=dict)

    def add(self, model: str, size: int) -> None:
        """Say that a model is larger by `size`."""
        self.sizes[model] = self.sizes.get(model, 0) + size
        self.holds.setdefault(model, [])


def check_unfolded(outline: Outline, name: str) -> None:
    """Refuse models that unfold to more than any machine holds, as twice two to the thirtieth.

    Raises
    ------
    UnsafeModelError
        If a model with all it holds is too large. Rings are left to who unfolds them.
    """
    done: dict[str, int] = {}
    pending = list(outline.sizes)
    waiting: set[str] = set()
    while pending:
        model = pending[-1]
        rest = [m for m in outline.holds.get(model, ()) if m in outline.sizes and m not in done]
        if model in done or not rest or model in waiting:
            pending.pop()
            waiting.discard(model)
            held = sum(done.get(m, 0) for m in outline.holds.get(model, ()))
            done[model] = outline.sizes[model] + held
            if done[model] > _MOST and outline.holds.get(model):
                raise UnsafeModelError(model=name, what="models of models that unfold without bound")
        else:
            waiting.add(model)
            pending += [m for m in rest if m not in waiting]


_SILENT = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_WORD = re.compile(
    r"\b(?:model|module)\s+\*?\s*(?P<begin>\w+)|\b\w+\s*:\s*(?P<holds>\w+)\s*\(|(?P<end>\bend\b)"
)


def outline_antimony(texts: Iterable[str]) -> Outline:
    """Outline of Antimony texts.

    Examples
    --------
    >>> text = "model a() x=1; end  model b() p: a(); q: a(); end"
    >>> outline_antimony([text]).holds["b"]
    ['a', 'a']
    """
    outline = Outline()
    for text in texts:
        model, last, plain = "", 0, _SILENT.sub("", text)
        for word in _WORD.finditer(plain):
            outline.add(model, word.start() - last)
            last = word.start()
            if word["begin"]:
                model = word["begin"]
            elif word["end"]:
                model = ""
            else:
                outline.holds.setdefault(model, []).append(word["holds"])
        outline.add(model, len(plain) - last)
    return outline


def outline_xml(texts: Mapping[str, str]) -> Outline:
    """Outline of SBML texts by file name; a model of another file is called by the file's name."""
    outline = Outline()
    for name, text in texts.items():
        _outline_one(name, text, outline)
    return outline


def _outline_one(name: str, text: str, outline: Outline) -> None:
    inside = [name]

    def opened(tag: str, attributes: dict[str, str]) -> None:
        kind = tag.rpartition(":")[2]
        said = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        if kind == "modelDefinition":
            inside.append(f"{name} {said.get('id', '')}")
        elif kind == "externalModelDefinition":
            whole = said.get("source", "").removeprefix("file:").removeprefix("./")
            part = f"{whole} {said['modelRef']}" if "modelRef" in said else whole
            outline.add(f"{name} {said.get('id', '')}", _ELEMENT)
            outline.holds[f"{name} {said.get('id', '')}"] += [part, whole]
        elif kind == "submodel":
            outline.holds.setdefault(inside[-1], []).append(f"{name} {said.get('modelRef', '')}")
        outline.add(inside[-1], _ELEMENT)

    def closed(tag: str) -> None:
        if tag.rpartition(":")[2] == "modelDefinition" and len(inside) > 1:
            inside.pop()

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.Parse(text.lstrip("\ufeff \t\r\n").encode(), True)
