"""The folder of a run: files appear whole or not at all, and finished parts are kept."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from twoarm.errors import NotARunError, OtherStudyError

PLAN, RECORD, PAGE = "study.json", "result.json", "report.html"
COURSES, OUTCOMES = "courses.nc", "patients.csv"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, then move it there in one step.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    write : callable
        Writes to the path it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=f"{path.suffix}.tmp")
    os.close(handle)
    try:
        write(Path(name))
        os.chmod(name, 0o644)  # mkstemp keeps it to its owner; results are for handing on
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
    """Take a folder for a study; one that holds another study is refused.

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
    """
    path = folder / PLAN
    if path.is_file():
        held = read_record(path)
        said = json.loads(json.dumps(dict(plan)))
        if changed := sorted(name for name in {*held, *said} if held.get(name) != said.get(name)):
            raise OtherStudyError(folder=folder, changed=changed)
        return
    write_record(plan, path)
