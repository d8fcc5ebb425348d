"""Batches of drawn trials, kept as they are made: a plan that was interrupted goes on with the next one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from twoarm.study import folder as files


def place_of(folder: Path | None, *parts: Any) -> Path | None:
    """Folder of the batches that follow from these facts, and from nothing else.

    Parameters
    ----------
    folder : Path, optional
        Of all batches; None keeps nothing.
    *parts : object
        Whatever the trials follow from: arrays, cards, numbers, tuples of them.

    Returns
    -------
    Path or None
        Named by a digest of the parts: other patients, another seed or another design have another.

    Examples
    --------
    >>> one, two = (place_of(Path("trials"), 7, np.zeros(3), seed) for seed in (1, 2))
    >>> one != two, one == place_of(Path("trials"), 7, np.zeros(3), 1)
    (True, True)
    """
    if folder is None:
        return None
    sum_of = hashlib.sha256()
    for word in _words(parts):
        sum_of.update(len(word).to_bytes(8, "little") + word)
    return folder / sum_of.hexdigest()[:20]


def kept(place: Path | None, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Read a batch that is kept, or make it and keep it.

    Parameters
    ----------
    place : Path or None
        From `place_of`.
    name : str
        Of the batch.
    make : callable
        Draws the trials of the batch.

    Returns
    -------
    DataFrame
        The same numbers to the last digit, drawn or read.

    Raises
    ------
    NotWrittenError
        If it cannot be written.
    """
    if place is None:
        return make()
    path = place / f"{name}.csv"
    if not path.is_file():
        files.write_table(make(), path, index=False)
    return files.read_table(path)  # drawn or read, the same way to its types


def _words(parts: Iterable[Any]) -> Iterable[bytes]:
    for part in parts:
        if isinstance(part, np.ndarray):
            yield f"{part.dtype.str} {part.shape}".encode()
            yield np.ascontiguousarray(part).tobytes()
        elif isinstance(part, BaseModel):
            yield part.model_dump_json().encode()
        elif isinstance(part, tuple):
            yield b"("
            yield from _words(part)
            yield b")"
        else:
            yield json.dumps(part).encode()
