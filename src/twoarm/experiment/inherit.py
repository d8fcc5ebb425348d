"""An experiment's file over its parent: what the child says replaces, the rest is the parent's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from twoarm import catalog
from twoarm.errors import CardEntryError

DEEPEST = 4  # files that may extend one another in one line; a circle is longer than any of them
_TABLES = ("groups", "readouts")


def inherited(path: Path) -> tuple[dict[str, Any], str]:
    """Read an experiment's file and put it over the one that it extends, if it does.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of dict and str
        Its content, and a SHA-256 of all that was read.

    Raises
    ------
    FileMissingError, FileTooLargeError, FileTextError, NotInLibraryError
        If a file cannot be found or read.
    CardEntryError
        If more than `DEEPEST` files extend one another, or the child drops what the parent does not have.

    Notes
    -----
    Tables are put over the parent's entry by entry, as groups by name. Claims of the child follow the
    parent's; one that says the same sentence takes its place. ``without`` names what the child does not have:
    groups, readouts, sentences of claims, or "claims" for all of the parent's. Everything else replaces.
    """
    line = [path]
    while "extends" in (raw := catalog.read_toml(line[-1])):
        if len(line) == DEEPEST or not isinstance(raw["extends"], str):
            reason = f"it names the experiment under this one, and {DEEPEST} files at most stand in one line."
            raise CardEntryError(path=path.name, place="extends", reason=f"{reason} Shorten the line.")
        beside = line[-1].with_name(f"{raw['extends']}.toml")
        line.append(beside if beside.is_file() else catalog.find("experiments", raw["extends"]))
    digests = [catalog.digest(file) for file in line]
    merged = catalog.read_toml(line[-1])
    for child in reversed(line[:-1]):
        merged = _merge(merged, catalog.read_toml(child), child)
    return merged, digests[0] if len(line) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _merge(parent: dict[str, Any], child: dict[str, Any], path: Path) -> dict[str, Any]:
    child = {name: entry for name, entry in child.items() if name != "extends"}
    dropped = child.pop("without", [])
    claims = {claim.get("says"): claim for claim in parent.get("claims", [])}
    known = {"claims", *claims, *(name for table in _TABLES for name in parent.get(table, {}))}
    if not isinstance(dropped, list) or not set(map(str, dropped)) <= known:
        reason = "it lists what the file under this one does not have. Correct it."
        raise CardEntryError(path=path.name, place="without", reason=reason)
    merged = parent | child
    for name, entry in parent.items():
        if isinstance(entry, dict) and isinstance(child.get(name), dict):
            merged[name] = entry | child[name]
    for table in _TABLES:
        merged[table] = {name: entry for name, entry in merged.get(table, {}).items() if name not in dropped}
    own = {claim.get("says"): claim for claim in child.get("claims", [])}
    both = ({} if "claims" in dropped else claims) | own
    merged["claims"] = [claim for said, claim in both.items() if said not in dropped]
    return merged
