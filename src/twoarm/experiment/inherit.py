"""An experiment's file over its parent: what the child says replaces, the rest is the parent's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twoarm import catalog
from twoarm.errors import CardEntryError
from twoarm.lineage import digest_of, line_of

DEEPEST = 4  # experiments that may extend one another in one line
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
    line = line_of("experiments", path, deepest=DEEPEST)
    merged = catalog.read_toml(line[-1])
    for child in reversed(line[:-1]):
        merged = _merge(merged, catalog.read_toml(child), child)
    return merged, digest_of(line)


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
