"""A model as bytes and back, without pickle: a file of another hand can at worst be refused."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from twoarm.kept import cache_directory
from twoarm.model.equations import Delay, Event, Model
from twoarm.model.graph import LEAVES, OPERATIONS, Node

__all__ = ["from_bytes", "place", "to_bytes"]

_LARGEST = 500_000_000  # bytes, unpacked
_TABLES = ("outputs", "units", "labels", "derived", "amounts", "concentrations")


def place(content: str, kind: str) -> Path:
    """Where something of this kind that follows from `content`, and from this code, is kept."""
    key = hashlib.sha256(f"{_versions()} {kind} {content}".encode()).hexdigest()[:40]
    return cache_directory() / "models" / f"{key}.{kind}"


@lru_cache(maxsize=1)
def _versions() -> str:
    """Everything but the text that a model follows from: the reader's own code, and who reads for it."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    others = (importlib.metadata.version(name) for name in ("antimony", "python-libsbml"))
    return " ".join([code.hexdigest(), *others])


def to_bytes(model: Model) -> bytes:
    """Everything a model says.

    Examples
    --------
    >>> from twoarm.model import Graph
    >>> g = Graph()
    >>> k = g.parameter(0)
    >>> model = Model("tiny", tuple(g.nodes), ("x",), (k,), (k,), ("k",), (1.0,), {"x": k})
    >>> from_bytes(to_bytes(model)) == model
    True
    """
    said: dict[str, Any] = {
        f.name: getattr(model, f.name) for f in dataclasses.fields(model) if f.name != "digest"
    }
    said |= {name: list(said[name].items()) for name in _TABLES}
    said["events"] = [dataclasses.asdict(event) for event in model.events]
    said["delays"] = [dataclasses.astuple(delay) for delay in model.delays]
    return zlib.compress(json.dumps({**said, "digest": model.digest}).encode(), 1)


def from_bytes(content: bytes) -> Model | None:
    """Model from bytes; None where they are not those of a model."""
    try:
        unpacked = zlib.decompressobj().decompress(content, _LARGEST)
        said = json.loads(unpacked)
        digest = said.pop("digest")
        model = _model(said)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error):
        return None
    return model if model.digest == digest and _is_sound(model) else None


def _model(said: dict[str, Any]) -> Model:
    events = tuple(
        Event(
            **{
                **event,
                "assignments": tuple((name, node) for name, node in event["assignments"]),
                "sizes": tuple(event["sizes"]),
            }
        )
        for event in said["events"]
    )
    plain: dict[str, Any] = {
        name: tuple(said[name]) for name in ("states", "initial", "rates", "parameters", "values")
    }
    tables: dict[str, Any] = {name: dict(said[name]) for name in _TABLES}
    return Model(
        name=said["name"],
        nodes=tuple(Node(op, tuple(args), value) for op, args, value in said["nodes"]),
        **plain,
        **tables,
        events=events,
        delays=tuple(Delay(*each) for each in said["delays"]),
        relaxing=tuple((state, node) for state, node in said["relaxing"]),
    )


def _is_sound(model: Model) -> bool:
    """Whether every node exists and needs earlier nodes only."""
    known = OPERATIONS.keys() | LEAVES
    sizes = {"state": len(model.states), "parameter": len(model.parameters)}
    for i, (op, args, value) in enumerate(model.nodes):
        if op not in known or any(not 0 <= a < i for a in args):
            return False
        if op in sizes and not 0 <= value < sizes[op]:
            return False
    tables = (model.outputs, model.derived, model.amounts, model.concentrations)
    used = [*model.initial, *model.rates, *(node for table in tables for node in table.values())]
    return all(0 <= node < len(model.nodes) for node in used)
