"""Write the files of a trial, arm by arm; each appears whole, and the dictionary last: it says done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

import twoarm
from twoarm.errors import ExportFormatError, ExportNobodyError
from twoarm.export.adam import DATASETS, study_id
from twoarm.export.dictionary import book, codelists, define, in_form, variables
from twoarm.export.files import OPENERS, Add, Header, check_format, csv_file
from twoarm.export.nonmem import compartments, nonmem
from twoarm.export.records import Records, of_arm, read_records, records_of
from twoarm.report.define import write_define
from twoarm.study.folder import check_writable, write_record, write_table, write_whole
from twoarm.trial.ledger import Trial
from twoarm.trial.protocol import Protocol

FORMATS = tuple(OPENERS)
_OPENED = date(2000, 1, 1)  # no date that a reader takes for a real one; `opened` gives another
_FRONT_PAGE = "define.html"
Progress = Callable[[str, float], None]


def export_study(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    formats: Sequence[str] = FORMATS,
    draw: int | None = None,
    opened: date = _OPENED,
    progress: Progress | None = None,
) -> Path:
    """Export one trial of a finished study: ADaM-like data sets, dictionary, NONMEM data set.

    Parameters
    ----------
    folder : str or Path
        Of a finished run.
    out : str or Path, optional
        Where to write; left out, `export` in the folder. Files of the same names are replaced.
    formats : sequence of str
        Among "csv", "parquet" and "xpt".
    draw : int, optional
        Which draw of the molecules' cards; left out, the trial whose curves the page shows.
    opened : datetime.date
        When the trial opened; all dates count from it.
    progress : callable, optional
        Called with what is being done and the share of the whole that is done.

    Returns
    -------
    Path
        The page of the dictionary, `define.html`.

    Raises
    ------
    NotARunError, ExportDrawError
        If the folder is not that of a finished run, or has no such draw.
    ExportFormatError, ExportLibraryError
        If a format is unknown, or the library it needs is not installed.
    NotWrittenError
        If the system does not let a file be written.

    Examples
    --------
    >>> import twoarm as ta
    >>> ta.export_study("results/marslight-11", formats=["csv"])  # doctest: +SKIP
    """
    place = Path(out) if out is not None else Path(folder) / "export"
    _check(formats, place)
    records = read_records(Path(folder), draw, opened)
    return _write(records, place, formats, {"source": Path(folder).name, "draw": draw}, progress)


def export_trial(
    trial: Trial,
    table: pd.DataFrame,
    protocol: Protocol,
    out: str | Path,
    *,
    formats: Sequence[str] = FORMATS,
    draws: Mapping[str, Mapping[str, float]] | None = None,
    opened: date = _OPENED,
    progress: Progress | None = None,
) -> Path:
    """Export a trial that is in memory; see `export_study`.

    Parameters
    ----------
    trial : Trial
        From `run_trial`.
    table : DataFrame
        From `cut`: what is known on that day.
    protocol : Protocol
        Of the trial.
    out : str or Path
        Where to write.
    formats : sequence of str
        Among "csv", "parquet" and "xpt".
    draws : mapping, optional
        As given to `run_trial`.
    opened : datetime.date
        When the trial opened.
    progress : callable, optional
        Called with what is being done and the share that is done.

    Returns
    -------
    Path
        The page of the dictionary, `define.html`.

    Raises
    ------
    ExportFormatError, ExportLibraryError, NotWrittenError
        As `export_study`.

    Examples
    --------
    >>> import twoarm as ta
    >>> page = ta.export_trial(trial, ta.cut(trial), protocol, "adam")  # doctest: +SKIP
    """
    place = Path(out)
    _check(formats, place)
    records = records_of(trial, table, protocol, draws=draws, opened=opened)
    return _write(records, place, formats, {"source": "a trial in memory"}, progress)


def _check(formats: Sequence[str], place: Path) -> None:
    """Refuse before the work what would otherwise end it."""
    for name in formats:
        if name not in FORMATS:
            raise ExportFormatError(form=name, known=FORMATS)
        check_format(name)
    if not formats:
        raise ExportFormatError(form="", known=FORMATS)
    check_writable(place / _FRONT_PAGE)


def _write(
    records: Records,
    place: Path,
    formats: Sequence[str],
    about: Mapping[str, Any],
    progress: Progress | None,
) -> Path:
    if records.patients.empty:
        raise ExportNobodyError(protocol=records.protocol.name)
    say = progress or (lambda step, share: None)
    factors = records.protocol.randomization.factors
    entries, steps, counted = variables(factors), len(DATASETS) + 2, {}
    for number, name in enumerate(DATASETS):
        say(name, number / steps)
        own = entries[entries["dataset"] == name]
        rows = _dataset(records, Header(name, book()["datasets"][name]["label"], own), place, formats)
        counted.update({f"{name}.{suffix}": rows for suffix in formats})
    say("nonmem", len(DATASETS) / steps)
    counted["nonmem.csv"] = _nonmem(records, place / "nonmem.csv")
    say("define", (len(DATASETS) + 1) / steps)
    said = {
        "study": study_id(records),
        "title": records.protocol.title or records.protocol.name,
        "patients": len(records.patients),
        "opened": records.opened.isoformat(),
        "arms": {name: arm.label for name, arm in records.protocol.arms.items()},
        "factors": list(factors),
        "twoarm": twoarm.__version__,
        **about,
        "files": {
            name: {"rows": rows, "sha256": hashlib.sha256((place / name).read_bytes()).hexdigest()}
            for name, rows in counted.items()
        },
        "nonmem_compartments": compartments(records).to_dict("records"),
    }
    write_table(entries, place / "define_variables.csv", index=False)
    write_table(codelists(), place / "define_codelists.csv", index=False)
    found = define(factors, formats, said)
    write_whole(place / _FRONT_PAGE, lambda path: write_define(found, path))
    write_record(found, place / "define.json")
    say("done", 1.0)
    return place / _FRONT_PAGE


def _dataset(records: Records, header: Header, place: Path, formats: Sequence[str]) -> int:
    """Write one data set in every format, one arm at a time, so that it is never whole in memory."""
    rows, arms = 0, _arms(records)

    def grow(rest: Sequence[str], adders: list[Add]) -> None:
        nonlocal rows
        if rest:
            write_whole(place / f"{header.name}.{rest[0]}", lambda path: opened(path, rest, adders))
            return
        for arm in arms:
            block = in_form(DATASETS[header.name](of_arm(records, arm)), header.entries)
            rows += len(block)
            for add in adders:
                add(block)

    def opened(path: Path, rest: Sequence[str], adders: list[Add]) -> None:
        with OPENERS[rest[0]](path, header) as add:
            grow(rest[1:], [*adders, add])

    grow(formats, [])
    return rows


def _arms(records: Records) -> list[str]:
    """Name the arms that have patients by the cut, in the protocol's order."""
    present = set(records.patients["arm"])
    return [arm for arm in records.protocol.arms if arm in present]


def _nonmem(records: Records, path: Path) -> int:
    """Write the NONMEM data set, one arm at a time."""
    rows = 0

    def write(place: Path) -> None:
        nonlocal rows
        with csv_file(place, missing=".") as add:
            for arm in _arms(records):
                block = nonmem(of_arm(records, arm))
                rows += len(block)
                add(block)

    write_whole(path, write)
    return rows
