"""The folder of a run: files appear whole or not at all, and finished parts are kept."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from twoarm.errors import FolderInUseError, NotARunError, NotWrittenError, OtherStudyError

PLAN, RECORD, PAGE = "study.json", "result.json", "report.html"
COURSES, OUTCOMES = "courses.nc", "patients.csv"
_WORDS = {"digests": "file of {}", "versions": "version of {}"}


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, then move it there in one step.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    write : callable
        Writes to the path it is given.

    Raises
    ------
    NotWrittenError
        If the system does not let it be written.
    """
    name = _beside(path)
    try:
        write(Path(name))
        os.chmod(name, 0o644)  # mkstemp keeps it to its owner; results are for handing on
        os.replace(name, path)
    except OSError as wrong:
        Path(name).unlink(missing_ok=True)
        raise NotWrittenError(path=path, reason=wrong.strerror or str(wrong)) from wrong
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def check_writable(path: Path) -> None:
    """Make sure that a file can be written, before the work whose result it takes.

    Parameters
    ----------
    path : Path
        The file; its folder is made.

    Raises
    ------
    NotWrittenError
        If the system does not let it be written.
    """
    Path(_beside(path)).unlink()


def _beside(path: Path) -> str:
    """Make an empty file beside a place."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=f"{path.suffix}.tmp")
    except OSError as wrong:
        raise NotWrittenError(path=path, reason=wrong.strerror or str(wrong)) from None
    os.close(handle)
    return name


def write_table(table: pd.DataFrame, path: Path, *, index: bool = True) -> None:
    """Write a table as CSV, every digit kept.

    Parameters
    ----------
    table : DataFrame
        What to write.
    path : Path
        The file.
    index : bool
        Whether the row labels are written.
    """
    write_whole(path, lambda place: table.to_csv(place, index=index, lineterminator="\n"))


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DataFrame
        The same numbers to the last digit.

    Raises
    ------
    NotARunError
        If the run has no such table.
    """
    if not path.is_file():
        raise NotARunError(folder=path.parent, missing=path.name)
    return pd.read_csv(path, float_precision="round_trip", keep_default_na=False, na_values=["", "nan"])


def write_record(content: Mapping[str, Any], path: Path) -> None:
    """Write a mapping as JSON that people can read.

    Parameters
    ----------
    content : mapping
        Of what JSON can hold.
    path : Path
        The file.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=False) + "\n"
    write_whole(path, lambda place: place.write_text(text, encoding="utf-8"))


def read_record(path: Path) -> dict[str, Any]:
    """Read what `write_record` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict
        Its content.

    Raises
    ------
    NotARunError
        If the run has no such record, or it is not one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NotARunError(folder=path.parent, missing=path.name) from None
    if not isinstance(content, dict):
        raise NotARunError(folder=path.parent, missing=path.name)
    return content


def write_curves(curves: xr.Dataset, path: Path) -> None:
    """Write curves as compressed NetCDF in single precision.

    Parameters
    ----------
    curves : Dataset
        What to write.
    path : Path
        The file.
    """
    packed = {
        name: {"zlib": True, "complevel": 4, "dtype": "float32"}
        for name, x in curves.items()
        if x.dtype.kind == "f"
    }
    write_whole(path, lambda place: curves.to_netcdf(place, engine="h5netcdf", encoding=packed))


def claim(folder: Path, plan: Mapping[str, Any]) -> None:
    """Take a folder for a study; one that holds another study, or other files, is refused.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    plan : mapping
        What makes the study: protocol, patients, seed, digests, versions.

    Raises
    ------
    OtherStudyError
        If the folder holds a study with another plan.
    FolderInUseError
        If it holds files and no study.
    NotWrittenError
        If it cannot be made or written to.
    """
    path = folder / PLAN
    if path.is_file():
        try:
            held = read_record(path)
        except NotARunError:
            raise FolderInUseError(folder=folder, found=PLAN) from None
        if changed := _changed(held, json.loads(json.dumps(dict(plan)))):
            raise OtherStudyError(folder=folder, changed=changed)
        for half in folder.rglob("*.tmp"):  # what a run that was killed was about to write
            half.unlink(missing_ok=True)
        return
    if folder.is_dir() and (own := sorted(_own(folder))):
        raise FolderInUseError(folder=folder, found=own[0])
    write_record(plan, path)


def move_aside(folder: Path) -> Path:
    """Move a folder to the first free name beside it, so that nothing in it is lost.

    Parameters
    ----------
    folder : Path
        As "results/trial".

    Returns
    -------
    Path
        Where it is now, as "results/trial.before-1".

    Raises
    ------
    NotWrittenError
        If the system does not let it be moved.
    """
    aside = next(
        place for n in count(1) if not (place := folder.with_name(f"{folder.name}.before-{n}")).exists()
    )
    try:
        return folder.rename(aside)
    except OSError as wrong:
        raise NotWrittenError(path=aside, reason=wrong.strerror or str(wrong)) from None


def _changed(held: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    """Say in words what differs between two plans."""
    found = []
    for name in sorted({*held, *said}):
        old, new = held.get(name), said.get(name)
        if name in _WORDS and isinstance(old, dict) and isinstance(new, dict):
            parts = sorted(part for part in {*old, *new} if old.get(part) != new.get(part))
            found += [_WORDS[name].format(part) for part in parts]
        elif old != new:
            found.append("number of patients" if name == "patients" else name)
    return found


def _own(folder: Path) -> Iterator[str]:
    """Names in a folder that a run which was cut short at its very start would not leave."""
    return (path.name for path in folder.iterdir() if path.name[0] != "." and path.suffix != ".tmp")
