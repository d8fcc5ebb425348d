"""A population file over its parent: what the child says replaces, the rest is the parent's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twoarm import catalog
from twoarm.errors import PopulationError
from twoarm.lineage import digest_of, line_of

NAME = re.compile(r"[a-z][a-z0-9_]*")
TABLES = ("variables", "derived", "plausibility")


def inherited(path: Path) -> tuple[dict[str, Any], str]:
    """Read a population file and put it over the parent that it extends, if it does.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of dict and str
        The tables, and a SHA-256 of what was read.

    Raises
    ------
    FileMissingError, FileTooLargeError, FileTextError
        If a file cannot be read.
    NotInLibraryError
        If there is no such parent.
    PopulationError
        If too many files extend one another, or two do not fit together.
    """
    line = line_of("populations", path, refuse=_refused)
    merged = catalog.read_toml(line[-1])
    for child in reversed(line[:-1]):
        merged = _merge(merged, catalog.read_toml(child), child.name)
    return merged, digest_of(line)


def _refused(path: Path, what: str) -> PopulationError:
    return PopulationError(file=path.name, where="extends", what=what)


def _merge(parent: dict[str, Any], child: dict[str, Any], file: str) -> dict[str, Any]:
    """Put the child's tables over the parent's; entries of the child replace, `without` drops."""
    _check_tables(parent, file)
    _check_tables(child, file)
    child = dict(child)
    dropped = child.pop("without", [])
    known = {name for table in TABLES for name in parent.get(table, {})}
    if not isinstance(dropped, list) or not all(name in known for name in dropped):
        raise PopulationError(file=file, where="without", what="it lists what the parent does not have")
    merged = parent | child
    own = {name for table in TABLES for name in child.get(table, {})}
    for table in TABLES:
        kept = {k: v for k, v in parent.get(table, {}).items() if k not in dropped and k not in own}
        # the parent's order first: a child that changes one entry keeps the draws of the others
        names = [k for k in parent.get(table, {}) if k in kept or k in child.get(table, {})]
        names += [k for k in child.get(table, {}) if k not in names]
        merged[table] = {k: child.get(table, {}).get(k, kept.get(k)) for k in names}
    own_pairs = [set(entry["between"]) for entry in child.get("correlations", [])]
    merged["correlations"] = [
        entry
        for entry in parent.get("correlations", [])
        if set(entry["between"]) not in own_pairs and set(entry["between"]) <= merged["variables"].keys()
    ] + child.get("correlations", [])
    return merged


def _check_tables(raw: dict[str, Any], file: str) -> None:
    """Tables are tables and correlations name pairs, before two files are put together."""
    for table in TABLES:
        if not isinstance(raw.get(table, {}), dict):
            raise PopulationError(file=file, where=table, what="it is not a table")
    pairs = raw.get("correlations", [])
    named = isinstance(pairs, list) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("between"), list)
        and all(isinstance(name, str) for name in entry["between"])
        for entry in pairs
    )
    if not named:
        raise PopulationError(
            file=file, where="correlations", what='an entry has no between = ["one", "other"]'
        )
