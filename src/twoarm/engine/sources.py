"""Where the patients of a stream come from, chunk by chunk, and the doses that go with them."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from twoarm.doses import check
from twoarm.errors import SimulationInputError

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@runtime_checkable
class DrawsPatients(Protocol):
    """Patients who are drawn when their turn comes, so that a million need no table.

    Attributes
    ----------
    identity : str
        What makes them these patients: as a digest of the population, and the seed. A stream is resumed only
        with patients of the same identity.
    """

    identity: str

    def __len__(self) -> int:
        """How many there are."""

    def draw(self, first: int, last: int) -> pd.DataFrame:
        """Patients `first` to `last - 1`, as `simulate` takes them: the same ones at every call."""


def draw(patients: pd.DataFrame | DrawsPatients, first: int, last: int) -> pd.DataFrame:
    """Patients `first` to `last - 1`.

    Parameters
    ----------
    patients : DataFrame or DrawsPatients
        All of them.
    first, last : int
        Which, counted from 0.

    Returns
    -------
    DataFrame
        As many as were asked for.

    Raises
    ------
    SimulationInputError
        If they are not.
    """
    if isinstance(patients, pd.DataFrame):
        part = patients.iloc[first:last]
        part.attrs = patients.attrs
        return part
    table = patients.draw(first, last)
    if len(table) != last - first:
        rule = f"It must be {last - first}, the number of rows that draw({first}, {last}) is asked for."
        raise SimulationInputError(what="number of patients drawn", value=len(table), rule=rule)
    return table


@dataclass(frozen=True)
class DoseBook:
    """Doses of many patients, sorted once so that those of a few are found at once.

    Attributes
    ----------
    tables : tuple of (DataFrame, (row,) array)
        Dose tables sorted by patient, and the sorted labels.
    regimens : tuple
        What makes doses for the patients it is given.
    """

    tables: tuple[tuple[pd.DataFrame, np.ndarray], ...]
    regimens: tuple[Any, ...]

    def of(self, patients: pd.DataFrame) -> list[Any] | None:
        """Doses of some patients, as `simulate` takes them."""
        found: list[Any] = list(self.regimens)
        labels = patients.index.to_numpy()
        for table, ids in self.tables:
            low, high = (np.searchsorted(ids, labels, side=side) for side in ("left", "right"))
            count = high - low
            within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            found.append(table.iloc[np.repeat(low, count) + within])
        return found or None


def read_doses(doses: Any) -> DoseBook:
    """Sort dose tables by patient, and check every row before the first patient is simulated.

    Parameters
    ----------
    doses : DataFrame, or what has `dose_rows` and `parameters`, or a sequence of these, or None
        As for `simulate`.

    Returns
    -------
    DoseBook
        Ready to be looked up.

    Raises
    ------
    DoseColumnError, DoseRowError
        If a table cannot be right.
    """
    sources = [] if doses is None else list(doses) if isinstance(doses, (list, tuple)) else [doses]
    tables, regimens = [], []
    for source in sources:
        if isinstance(source, pd.DataFrame):
            check(source)
            order = np.argsort(source["id"].to_numpy(), kind="stable")
            tables.append((source.iloc[order], source["id"].to_numpy()[order]))
        else:
            regimens.append(source)
    return DoseBook(tuple(tables), tuple(regimens))


def identity(thing: Any) -> str:
    """Digest of what something is, by which a job is known again in another process.

    Parameters
    ----------
    thing : object
        A table or array (its values), what has an `identity`, a function (its name and source text; what it
        refers to is not looked at), a dataclass, mapping or sequence of these, or else its `repr`.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> identity(pd.DataFrame({"k": [1.0]})) == identity(pd.DataFrame({"k": [1.0]}))
    True
    >>> identity(pd.DataFrame({"k": [1.0]})) == identity(pd.DataFrame({"k": [2.0]}))
    False
    """
    digest = hashlib.sha256()
    for part in _parts(thing):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _parts(thing: Any) -> list[bytes]:
    if isinstance(thing, pd.DataFrame):
        hashed = pd.util.hash_pandas_object(thing, index=True).to_numpy().tobytes()
        notes = {key: thing.attrs[key] for key in ("covariates", "seed") if key in thing.attrs}
        return [
            b"table",
            repr([(str(c), str(thing[c].dtype)) for c in thing]).encode(),
            hashed,
            repr(notes).encode(),
        ]
    if isinstance(thing, np.ndarray):
        texts = thing.dtype.kind == "O"  # whose bytes are addresses
        content = repr(thing.tolist()).encode() if texts else np.ascontiguousarray(thing).tobytes()
        return [b"array", repr((thing.shape, str(thing.dtype))).encode(), content]
    if isinstance(thing, Mapping):
        return [b"mapping", *(identity([str(key), thing[key]]).encode() for key in sorted(thing, key=str))]
    if isinstance(thing, Sequence) and not isinstance(thing, (str, bytes)):
        return [b"sequence", *(identity(each).encode() for each in thing)]
    if isinstance(getattr(thing, "identity", None), str):
        return [
            b"identity",
            thing.identity.encode(),
            str(len(thing)).encode() if hasattr(thing, "__len__") else b"",
        ]
    if is_dataclass(thing) and not isinstance(thing, type):  # whose words would leave out most of an array
        parts = [identity([each.name, getattr(thing, each.name)]).encode() for each in fields(thing)]
        return [b"dataclass", type(thing).__qualname__.encode(), *parts]
    if inspect.isroutine(thing):
        try:
            text = inspect.getsource(thing)
        except (OSError, TypeError):  # typed at a prompt
            text = ""
        return [b"function", f"{thing.__module__}.{thing.__qualname__}".encode(), text.encode()]
    return [b"words", _ADDRESS.sub("", repr(thing)).encode()]
