"""Read a frozen population, and refuse it where the evidence it rests on is no longer the same."""

from __future__ import annotations

import copy
import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twoarm import catalog, chance
from twoarm.errors import FrozenEvidenceError, FrozenFileError, NothingFrozenError
from twoarm.frozen.fields import Member, Texts, member_of, set_field

POPULATION, OUTCOMES, ENSEMBLE, RECORD = "population.toml", "outcomes.toml", "ensemble.csv", "freeze.toml"
_LIBRARY = Path(catalog.__file__).parent / "library"
_WEIGHT = "weight"


@dataclass(frozen=True)
class Frozen:
    """A population that was fitted, and its posterior.

    Attributes
    ----------
    name : str
        Its folder.
    central : Member
        The posterior's middle.
    ensemble : DataFrame, index member
        One column a field that was fitted, and `weight`; weights sum to 1. One row where nothing was fitted.
    texts : Texts
        The central files, for members.
    record : dict
        freeze.toml: what it rests on.
    stale : tuple of str
        Files of the library that are no longer those it was fitted with; empty if all are.
    """

    name: str
    central: Member
    ensemble: pd.DataFrame
    texts: Texts
    record: dict[str, Any]
    stale: tuple[str, ...] = ()


def frozen_names(folder: Path | None = None) -> list[str]:
    """Names of the frozen populations.

    Parameters
    ----------
    folder : Path, optional
        Where; the library's by default.

    Returns
    -------
    list of str
        In alphabetical order.
    """
    return sorted(path.parent.name for path in (folder or _LIBRARY / "frozen").glob(f"*/{RECORD}"))


def frozen_files(name: str, *, folder: Path | None = None) -> dict[str, Path]:
    """Where the files of a frozen population lie.

    Parameters
    ----------
    name : str
        Its folder.
    folder : Path, optional
        Where; the library's by default.

    Returns
    -------
    dict of str to Path
        "population", "outcomes", "ensemble" and "record".
    """
    place = (folder or _LIBRARY / "frozen") / name
    return {
        "population": place / POPULATION,
        "outcomes": place / OUTCOMES,
        "ensemble": place / ENSEMBLE,
        "record": place / RECORD,
    }


def read_frozen(name: str, *, folder: Path | None = None) -> Frozen:
    """Read a frozen population, and check all that it rests on.

    Parameters
    ----------
    name : str
        As "io_naive_squamous_nsclc".
    folder : Path, optional
        Where; the library's by default.

    Returns
    -------
    Frozen
        For `members_of`.

    Raises
    ------
    NothingFrozenError
        If there is none of that name.
    FrozenFileError
        If one of its files is not the one that was frozen.
    FrozenEvidenceError
        If a row of evidence that it was fitted to has changed or is gone; the message names the row.

    Notes
    -----
    Evidence and frozen files must be what they were. Biology, molecules and priors may have moved on: what
    has is named in `stale`, and the in-sample table then holds for the earlier ones.

    Examples
    --------
    >>> frozen = read_frozen("io_naive_squamous_nsclc")
    >>> frozen.record["status"], len(frozen.ensemble) > 50
    ('fitted', True)
    """
    place = (folder or _LIBRARY / "frozen") / name
    if not (place / RECORD).is_file():
        known = frozen_names(folder)
        raise NothingFrozenError(name=name, known=known, folder=place.parent)
    record = catalog.read_toml(place / RECORD)
    for file, digest in record["files"].items():
        if catalog.digest(place / file) != digest:
            raise FrozenFileError(name=name, file=file)
    _check_evidence(name, record.get("evidence", {}))
    texts = Texts(catalog.read_toml(place / POPULATION), catalog.read_toml(place / OUTCOMES))
    ensemble = pd.read_csv(place / ENSEMBLE, index_col="member", float_precision="round_trip")
    stale = tuple(_changed(record.get("library", {})))
    return Frozen(name, member_of(texts, label=name), ensemble, texts, record, stale)


def members_of(frozen: Frozen, n: int | None = None, *, seed: int = 0) -> list[Member]:
    """Members of the posterior.

    Parameters
    ----------
    frozen : Frozen
        From `read_frozen`.
    n : int, optional
        How many, drawn by their weights (evenly spaced, so that small ensembles stand for the whole); left
        out, every member with its weight.
    seed : int
        Of the draw.

    Returns
    -------
    list of Member
        Weights sum to 1.

    Examples
    --------
    >>> few = members_of(read_frozen("io_naive_squamous_nsclc"), 4, seed=1)
    >>> [member.weight for member in few]
    [0.25, 0.25, 0.25, 0.25]
    """
    table = frozen.ensemble
    weights = table[_WEIGHT].to_numpy(float)
    if n is None:
        chosen, shares = np.flatnonzero(weights > 0), weights[weights > 0]
    else:
        chosen = chance.spread_evenly(weights, n, seed, "members")
        shares = np.full(n, 1.0 / n)
    fields = [column for column in table.columns if column != _WEIGHT]
    found = []
    for member, share in zip(chosen, shares, strict=True):
        row = table.iloc[member]
        values = {field: float(row[field]) for field in fields}
        label = f"{frozen.name} {table.index[member]}"
        found.append(member_of(with_fields(frozen.texts, values), label=label, weight=float(share)))
    return found


def with_fields(texts: Texts, values: Mapping[str, float]) -> Texts:
    """Both files with other values in some fields.

    Parameters
    ----------
    texts : Texts
        Left as they are.
    values : mapping of str to float
        By field.

    Returns
    -------
    Texts
        New ones.
    """
    new = Texts(copy.deepcopy(texts.population), copy.deepcopy(texts.outcomes))
    for field, value in values.items():
        set_field(new, field, value)
    return new


def row_name(row: Mapping[str, str]) -> str:
    """Name of a row of evidence: its id, or what tells a point of a curve from the others.

    Examples
    --------
    >>> row_name({"id": "A-1"}), row_name({"drug": "a", "histology": "b", "month": "3"})
    ('A-1', 'a b month 3')
    """
    return row.get("id") or f"{row.get('drug', '')} {row.get('histology', '')} month {row.get('month', '')}"


def row_digest(row: Mapping[str, str]) -> str:
    """SHA-256 of everything a row of evidence says."""
    said = json.dumps(dict(row), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


def _check_evidence(name: str, evidence: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse where a row is not what it was."""
    changed, missing = [], []
    for table, rows in evidence.items():
        with catalog.find("evidence", table).open(encoding="utf-8", newline="") as file:
            now = {row_name(row): row_digest(row) for row in csv.DictReader(file)}
        missing += [f"{row} of {table}" for row in rows if row not in now]
        changed += [f"{row} of {table}" for row, was in rows.items() if now.get(row, was) != was]
    if changed or missing:
        raise FrozenEvidenceError(name=name, changed=changed, missing=missing)


def _changed(library: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Files of the library that are not what they were: by kind, name and digest."""
    found = []
    for kind, files in library.items():
        for file, digest in files.items():
            try:
                same = catalog.digest(catalog.find(kind, file)) == digest
            except ValueError:
                same = False
            found += [] if same else [f"{kind.removesuffix('s')} {file}"]
    return found
