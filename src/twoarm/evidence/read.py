"""Read published facts: one row is one dated statement about one cohort, with its source and its use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from twoarm import catalog
from twoarm.errors import EvidenceRowError
from twoarm.evidence.cells import Cell, cells_of, number_of, rows_of, text_of, verified

USES = ("calibrate", "validate", "none")
UNITS = ("%", "months", "ratio", "patients")

_FACT = """
id drug regimen dose schedule combination tumor histology line prior_io biomarker_subset n events endpoint
value unit ci_low ci_high follow_up_months data_cutoff trial_id trial_name phase source source_title
source_publisher source_date source_url note verified use use_reason
"""
_NEEDED = "id drug tumor n endpoint value unit ci_low ci_high source_title source_url note"
_EVENT = "id date event_type agency_or_party indication detail trial_id source_title source_url note verified"
_TRIAL = """
id trial_id name phase status countries population arms n_planned randomization stratification
primary_endpoint secondary_endpoints dosing_detail start completion source_url note verified
"""
_CURVE = "trial drug tumor histology n month PFS OS source source_url note use"

COLUMNS = tuple(_FACT.split())
"""Columns of an evidence table, in order."""

NEEDED = tuple(_NEEDED.split())
"""Columns a user's file must have; the others are empty where they are left out."""

PROGRAM_COLUMNS = tuple(_EVENT.split())
TRIAL_COLUMNS = tuple(_TRIAL.split())
CURVE_COLUMNS = tuple(_CURVE.split())

_OTHER_ENDPOINTS = {
    "median_PFS": "mPFS",
    "median_OS": "mOS",
    "PFS_rate_12_months": "PFS_12m",
    "TRAE_grade_ge3": "TRAE_G3plus",
}
_NOT_REACHED = ("NR", "NE")
_WEEKS = 12 / 365.25 * 7  # months of a week
_OTHER_UNITS = {
    "percent": ("%", 1.0),
    "month": ("months", 1.0),
    "mo": ("months", 1.0),
    "week": ("months", _WEEKS),
} | {
    "weeks": ("months", _WEEKS),
    "days": ("months", _WEEKS / 7),
    "day": ("months", _WEEKS / 7),
    "years": ("months", 12.0),
    "fraction": ("%", 100.0),
    "proportion": ("%", 100.0),
    "hr": ("ratio", 1.0),
    "hazard ratio": ("ratio", 1.0),
}


def read_evidence(
    name_or_path: str | Path | Sequence[str | Path], *, broken: Literal["raise", "list"] = "raise"
) -> pd.DataFrame:
    """Read one table of published facts, or several together.

    Parameters
    ----------
    name_or_path : str, Path, or a sequence of them
        Name in the library, as ``"comparators"``, or path of a CSV file with at least the columns `NEEDED`.
    broken : {"raise", "list"}
        What becomes of a row with a cell that breaks a rule: an error, or a line in ``attrs["broken"]``. With
        "list", a row may also lack the title of its source; it is then not verified. A median may then be
        "NR", not reached, which is read as infinite.

    Returns
    -------
    DataFrame
        One row a fact, the columns `COLUMNS`. ``value``, ``ci_low`` and ``ci_high`` are floats [unit of the
        row: %, months, ratio or patients], an upper limit that was not reached is infinite; ``n`` and
        ``events`` are whole numbers or missing; ``verified`` is True or False; ``use`` is ``calibrate``,
        ``validate`` or ``none``; ``source`` is a key of the bibliography where it has the paper, and
        ``source_title`` and ``source_url`` say where the fact was read. In ``attrs``: ``digests``, the
        SHA-256 of each file by name, and ``broken``, pairs of an id and what is wrong with its row.

    Raises
    ------
    NotInLibraryError, FileMissingError, FileTooLargeError, FileTextError
        If a file cannot be found or read.
    EvidenceColumnError
        If a column is missing, unknown or given twice.
    EvidenceRowError
        If a cell breaks a rule; the message names row and column.

    Notes
    -----
    A fact without an address, or whose note says that it was recalled, is not verified and is used for
    nothing. Where a file has no column ``use``, no fact is used: that is decided once, in the file.

    Examples
    --------
    >>> facts = read_evidence("oak_squamous")
    >>> print(*facts.loc[0, ["drug", "endpoint", "value", "unit", "use"]])
    docetaxel ORR 8.2 % calibrate
    """
    names = [name_or_path] if isinstance(name_or_path, (str, Path)) else list(name_or_path)
    rows: list[dict[str, object]] = []
    digests: dict[str, str] = {}
    seen: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    for name in names:
        path = catalog.find("evidence", name)
        digests[path.name] = catalog.digest(path)
        for number, cells in rows_of(path, NEEDED, COLUMNS):
            identity = Cell(path.name, number, "id", cells.get("id", ""))
            if identity.text in seen:
                raise identity.error(f"an id is given once; {seen[identity.text]} has it already")
            seen[identity.text] = f"row {number} of {path.name}"
            try:
                rows.append(_fact(path.name, number, cells, sourced=broken == "raise"))
            except EvidenceRowError as fault:
                if broken == "raise":
                    raise
                wrong.append((identity.text or f"row {number}", str(fault)))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.astype({"n": "Int64", "events": "Int64", "verified": bool})
    table[["value", "ci_low", "ci_high"]] = table[["value", "ci_low", "ci_high"]].astype(float)
    table.attrs = {"digests": digests, "broken": wrong}
    return table


def read_program(name_or_path: str | Path) -> pd.DataFrame:
    """Read the dated events of a program: designations, clearances, readouts, deals.

    Parameters
    ----------
    name_or_path : str or Path
        Name in the library, or path of a CSV file with the columns `PROGRAM_COLUMNS`.

    Returns
    -------
    DataFrame of str
        One row an event, and ``verified`` as True or False.

    Raises
    ------
    EvidenceColumnError, EvidenceRowError
        If a column or a cell breaks a rule.

    Examples
    --------
    >>> events = read_program("ibi363_program")
    >>> int((events["event_type"] == "designation").sum())
    5
    """
    return _texts(name_or_path, PROGRAM_COLUMNS)


def read_trials(name_or_path: str | Path) -> pd.DataFrame:
    """Read trials: arms, planned size, strata, endpoints, dosing.

    Parameters
    ----------
    name_or_path : str or Path
        Name in the library, or path of a CSV file with the columns `TRIAL_COLUMNS`.

    Returns
    -------
    DataFrame of str
        One row a trial, and ``verified`` as True or False.

    Raises
    ------
    EvidenceColumnError, EvidenceRowError
        If a column or a cell breaks a rule.

    Examples
    --------
    >>> read_trials("ibi363_trials").loc[0, "n_planned"]
    '600'
    """
    return _texts(name_or_path, TRIAL_COLUMNS)


def read_curves(name_or_path: str | Path) -> pd.DataFrame:
    """Read published survival curves on a grid of months.

    Parameters
    ----------
    name_or_path : str or Path
        Name in the library, as ``"oak_squamous_km"``, or path of a CSV file with the columns
        `CURVE_COLUMNS`.

    Returns
    -------
    DataFrame
        One row a month of an arm: ``month`` [months], ``PFS`` and ``OS`` (shares between 0 and 1) and ``n``
        (patients at the start) are numbers, the rest is text.

    Raises
    ------
    EvidenceColumnError, EvidenceRowError
        If a column or a cell breaks a rule.

    Examples
    --------
    >>> curves = read_curves("oak_squamous_km")
    >>> sorted(curves["drug"].unique())
    ['atezolizumab', 'docetaxel']
    """
    path = catalog.find("evidence", name_or_path)
    rows = []
    for number, cells in rows_of(path, CURVE_COLUMNS, CURVE_COLUMNS):
        cell = cells_of(path.name, number, cells)
        share = {name: number_of(cell(name), low=0, high=1) for name in ("PFS", "OS")}
        if cells["use"] not in USES:
            raise cell("use").error(f"it is one of {', '.join(USES)}")
        text_of(cell("source_url"))
        size = number_of(cell("n"), low=1)
        rows.append(cells | share | {"month": number_of(cell("month"), low=0), "n": int(size)})
    table = pd.DataFrame(rows, columns=list(CURVE_COLUMNS))
    table.attrs = {"digests": {path.name: catalog.digest(path)}}
    return table


def _texts(name_or_path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table of texts with an id, an address and whether it is verified."""
    path = catalog.find("evidence", name_or_path)
    rows, seen = [], set()
    for number, cells in rows_of(path, columns, columns):
        cell = cells_of(path.name, number, cells)
        if text_of(cell("id")) in seen:
            raise cell("id").error("an id is given once")
        seen.add(cells["id"])
        rows.append(cells | {"verified": verified(cell("verified"), cells)})
    table = pd.DataFrame(rows, columns=list(columns))
    table.attrs = {"digests": {path.name: catalog.digest(path)}}
    return table


def _fact(file: str, row: int, cells: dict[str, str], *, sourced: bool = True) -> dict[str, object]:
    """One checked row: numbers as numbers, everything else as text."""
    cell = cells_of(file, row, cells)
    for name in ("id", "drug", "tumor", "endpoint", *(("source_title",) if sourced else ())):
        text_of(cell(name))
    unit, factor = _OTHER_UNITS.get(cells["unit"].lower(), (cells["unit"], 1.0))
    if unit not in UNITS:
        raise cell("unit").error(f"a unit is one of {', '.join(UNITS)}")
    # a table that decides uses has numbers; one that is only laid beside predictions may say "not reached"
    reached = sourced or unit != "months" or cell("value").text not in _NOT_REACHED
    most = 100 / factor if unit == "%" else np.inf
    value = number_of(cell("value"), low=0, high=most, empty=True) if reached else np.inf
    n = number_of(cell("n"), low=1, empty=True, whole=True)
    events = number_of(cell("events"), low=0, high=np.inf if np.isnan(n) else n, empty=True, whole=True)
    low, high = _interval(cell, value)
    use = cells.get("use") or "none"
    if use not in USES:
        raise cell("use").error(f"it is one of {', '.join(USES)}")
    sound = verified(cell("verified"), cells)
    if use != "none" and (not sound or np.isnan(value)):
        raise cell("use").error("only a verified fact with a value calibrates or validates")
    return (
        {name: "" for name in COLUMNS}
        | cells
        | {
            "endpoint": _OTHER_ENDPOINTS.get(cells["endpoint"], cells["endpoint"]),
            "unit": unit,
            "value": value * factor,
            "n": pd.NA if np.isnan(n) else int(n),
            "events": pd.NA if np.isnan(events) else int(events),
            "ci_low": low * factor,
            "ci_high": high * factor,
            "verified": sound,
            "use": use,
        }
    )


def _interval(cell: Callable[[str], Cell], value: float) -> tuple[float, float]:
    """Lower and upper limit; an upper limit not reached is infinite."""
    low = number_of(cell("ci_low"), low=0, empty=True)
    high = np.inf if cell("ci_high").text in _NOT_REACHED else number_of(cell("ci_high"), low=0, empty=True)
    if low > value:
        raise cell("ci_low").error(f"a lower limit is not above the value {value:g}")
    if high < value:
        raise cell("ci_high").error(f"an upper limit is not below the value {value:g}")
    return low, high
