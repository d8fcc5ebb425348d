"""Pieces of a result, a chunk of patients each: in memory, or in a Zarr store that outlives interruptions."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from twoarm.errors import (
    NotWrittenError,
    OtherJobError,
    ReductionError,
    ResultThereError,
    UnfinishedThereError,
)

_MANIFEST, _STORE, _FORMAT = "manifest.json", "store.zarr", 1


@dataclass
class Memory:
    """Pieces in arrays of this process, with room for all patients from the first piece on.

    Attributes
    ----------
    patients : int
        How many there will be.
    """

    patients: int
    _arrays: dict[str, np.ndarray] = field(default_factory=dict)
    _first: xr.Dataset = field(default_factory=xr.Dataset)

    def write(self, first: int, piece: xr.Dataset) -> None:
        """Write a piece that begins with patient `first`."""
        if not self._arrays:
            self._first = piece
            for name, values in piece.variables.items():
                if "patient" in values.dims:
                    shape = (self.patients, *values.shape[1:])
                    self._arrays[str(name)] = np.empty(shape, _writable(values.to_numpy()).dtype)
        _check_alike(self._first, piece)
        for name, whole in self._arrays.items():
            whole[first : first + piece.sizes["patient"]] = piece[name].to_numpy()

    def finish(self, attributes: Mapping[str, Any]) -> xr.Dataset:
        """Label the whole."""
        variables = {
            name: (values.dims, self._arrays.get(str(name), values.to_numpy()), values.attrs)
            for name, values in self._first.variables.items()
        }
        coordinates = {name: variables.pop(name) for name in list(variables) if name in self._first.coords}
        return xr.Dataset(variables, coordinates, dict(attributes))


@dataclass
class Folder:
    """Pieces in a Zarr store on disk, which appears under its name when it is whole.

    Until then it lies beside that name in a folder `NAME.partial`, with a manifest of what is done.

    Attributes
    ----------
    out : Path
        Name of the store, ending in `.zarr`.
    job : dict of str to str
        What makes the result this one.
    patients, chunk : int
        How many patients in all and in a piece.
    done : list of dict
        Of each finished piece its digest and what was noted about it.
    """

    out: Path
    job: dict[str, str]
    patients: int
    chunk: int
    done: list[dict[str, Any]]
    _first: xr.Dataset | None = None

    @property
    def partial(self) -> Path:
        """Folder of what is not whole yet."""
        return partial_of(self.out)

    def write(self, first: int, piece: xr.Dataset, notes: Mapping[str, Any]) -> None:
        """Write a piece that begins with patient `first`, then say in the manifest that it is done."""
        import zarr

        try:
            if not self.done:
                _lay_out(self.partial / _STORE, piece, self.patients, self.chunk)
            if self._first is None:
                self._first = piece if not self.done else self.read(0, 1)
            _check_alike(self._first, piece)
            group = zarr.open_group(str(self.partial / _STORE), mode="r+", zarr_format=3)
            for name, values in piece.variables.items():
                if "patient" in values.dims:
                    array: Any = group[str(name)]
                    array[first : first + piece.sizes["patient"]] = _writable(values.to_numpy())
            self.done.append({"digest": digest(piece), **notes})
            self._say()
        except OSError as wrong:
            raise NotWrittenError(path=self.partial, reason=wrong.strerror or str(wrong)) from wrong

    def read(self, first: int, last: int) -> xr.Dataset:
        """Read patients `first` to `last - 1` of what is done."""
        with open_store(self.partial / _STORE) as store:
            return store.isel(patient=slice(first, last)).load()

    def finish(self, attributes: Mapping[str, Any]) -> xr.Dataset:
        """Give the store its attributes and its name, and open it."""
        import zarr

        group = zarr.open_group(str(self.partial / _STORE), mode="r+", zarr_format=3)
        group.attrs.update({**group.attrs, **_plain(attributes), "job": json.dumps(self.job, sort_keys=True)})
        with warnings.catch_warnings():  # of Zarr 3 that this part of the format may change; all readers cope
            warnings.simplefilter("ignore")
            zarr.consolidate_metadata(group.store)
        os.replace(self.partial / _STORE, self.out)
        shutil.rmtree(self.partial)
        return open_store(self.out)

    def _say(self) -> None:
        manifest = {
            "format": _FORMAT,
            "job": self.job,
            "patients": self.patients,
            "chunk": self.chunk,
            "done": self.done,
        }
        place = self.partial / _MANIFEST
        beside = place.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump(manifest, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)


def partial_of(out: Path) -> Path:
    """Folder in which an unfinished store lies."""
    return out.with_name(out.name + ".partial")


def open_store(path: Path) -> xr.Dataset:
    """Open a finished store; numbers are read where they are asked for.

    Parameters
    ----------
    path : Path
        A Zarr store.

    Returns
    -------
    xarray.Dataset
        Read-only, not in memory.
    """
    found = xr.open_zarr(path, chunks=None, consolidated=False)
    order = [name for name in found.attrs.get("order", "").split(" ") if name in found.data_vars]
    return found[order] if len(order) == len(found.data_vars) else found


def claim(
    out: Path, job: Mapping[str, str], *, patients: int, chunk: int, resume: bool
) -> Folder | xr.Dataset:
    """Take a place for a result, or go on with one that was begun, or find it whole.

    Parameters
    ----------
    out : Path
        Name of the store.
    job : mapping of str to str
        What makes the result this one.
    patients, chunk : int
        How many patients in all and in a piece; a result that was begun keeps the size of its pieces.
    resume : bool
        Whether what is there may be gone on with.

    Returns
    -------
    Folder or Dataset
        Where pieces go; or the result, if it is whole already.

    Raises
    ------
    OtherJobError
        If what is there belongs to another job.
    ResultThereError, UnfinishedThereError
        If something is there and `resume` is false.
    NotWrittenError
        If nothing can be written there.
    """
    partial = partial_of(out)
    if out.exists():
        if not resume:
            raise ResultThereError(path=out)
        whole = _finished(out)
        _check_job(out, json.loads(whole.attrs["job"]), job)
        return whole
    if (partial / _MANIFEST).is_file():
        if not resume:
            raise UnfinishedThereError(path=out, folder=partial)
        return _go_on(out, partial, job, patients)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        folder = Folder(out, dict(job), patients, chunk, [])
        folder._say()
    except OSError as wrong:
        raise NotWrittenError(path=out, reason=wrong.strerror or str(wrong)) from None
    return folder


def _finished(out: Path) -> xr.Dataset:
    try:
        whole = open_store(out)
    except (OSError, ValueError, KeyError):
        raise ResultThereError(path=out) from None
    if "job" not in whole.attrs:
        raise ResultThereError(path=out)
    return whole


def _go_on(out: Path, partial: Path, job: Mapping[str, str], patients: int) -> Folder:
    try:
        held = json.loads((partial / _MANIFEST).read_text(encoding="utf-8"))
        begun, chunk, done = dict(held["job"]), int(held["chunk"]), list(held["done"])
    except (OSError, ValueError, KeyError, TypeError):
        raise OtherJobError(folder=partial, changed=[_MANIFEST]) from None
    _check_job(partial, begun, job)
    folder = Folder(out, dict(job), patients, chunk, done)
    while folder.done:  # after a loss of power, the manifest may be ahead of the numbers
        first = (len(folder.done) - 1) * chunk
        try:
            if digest(folder.read(first, min(first + chunk, patients))) == folder.done[-1]["digest"]:
                break
        except (OSError, ValueError, KeyError, RuntimeError):  # the last is what a codec raises
            pass
        folder.done.pop()
    return folder


def _check_job(folder: Path, begun: Mapping[str, str], job: Mapping[str, str]) -> None:
    changed = [name for name in sorted({*begun, *job}) if begun.get(name) != job.get(name)]
    if changed:
        raise OtherJobError(folder=folder, changed=changed)


def digest(piece: xr.Dataset) -> str:
    """Digest of the numbers that have a patient.

    Parameters
    ----------
    piece : Dataset
        A piece of a result.

    Returns
    -------
    str
        Hexadecimal digits; the same only if every bit is.
    """
    found = hashlib.sha256()
    for name in sorted(str(name) for name, values in piece.variables.items() if "patient" in values.dims):
        values = _writable(piece[name].to_numpy())
        text = repr(values.tolist()).encode() if values.dtype.kind in "OT" else values.tobytes()
        found.update(f"{name} {values.shape} ".encode() + text)
    return found.hexdigest()


def _lay_out(place: Path, piece: xr.Dataset, patients: int, chunk: int) -> None:
    """Make empty arrays for all patients, and write what has no patient."""
    import zarr

    group = zarr.create_group(str(place), zarr_format=3, overwrite=True)
    for name, values in piece.variables.items():
        content = _writable(values.to_numpy())
        kind: Any = str if content.dtype.kind == "O" else content.dtype
        each = "patient" in values.dims
        shape = (patients, *content.shape[1:]) if each else content.shape
        chunks = (min(chunk, patients), *content.shape[1:]) if each else content.shape
        array = group.create_array(
            str(name),
            shape=shape,
            chunks=tuple(max(size, 1) for size in chunks),
            dtype=kind,
            dimension_names=[str(dim) for dim in values.dims],
            fill_value=np.nan if content.dtype.kind == "f" else None,
            attributes=_plain(values.attrs),
        )
        if not each:
            array[...] = content
    group.attrs["order"] = " ".join(str(name) for name in piece.data_vars)
    beside = sorted(str(name) for name in piece.coords if name not in piece.dims)
    if beside:
        group.attrs["coordinates"] = " ".join(beside)


def _writable(values: np.ndarray) -> np.ndarray:
    """Texts as objects, whatever they were."""
    return values.astype(object) if values.dtype.kind in "USTO" else np.ascontiguousarray(values)


def _plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON has them."""
    return {str(k): v.item() if isinstance(v, np.generic) else v for k, v in attributes.items()}


def _check_alike(first: xr.Dataset, piece: xr.Dataset) -> None:
    """Refuse a piece that does not go with the first."""
    if set(first.variables) != set(piece.variables):
        raise ReductionError(
            reason=f"variables {_names(first)} for the first patients, {_names(piece)} later"
        )
    for name, values in piece.variables.items():
        before = first.variables[name]
        if values.dims != before.dims or values.shape[1:] != before.shape[1:]:
            reason = (
                f"{name!r} of shape {dict(before.sizes)} for the first patients, {dict(values.sizes)} later"
            )
            raise ReductionError(reason=reason)
        if values.dtype != before.dtype and not {values.dtype.kind, before.dtype.kind} <= set("UOTS"):
            raise ReductionError(
                reason=f"{name!r} of type {before.dtype} for the first patients, {values.dtype} later"
            )
        if "patient" not in values.dims and not before.equals(values):
            raise ReductionError(
                reason=f"{name!r}, which has no dimension `patient`, differs from chunk to chunk"
            )


def _names(piece: xr.Dataset) -> Sequence[str]:
    return ", ".join(sorted(str(name) for name in piece.variables))
