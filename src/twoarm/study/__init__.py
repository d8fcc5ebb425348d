"""One protocol, end to end: draw, conduct, analyze, compare, and write a folder that says it all."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from twoarm.errors import NotARunError
from twoarm.report import Findings
from twoarm.report.tables import headline, main_table, number
from twoarm.study import compose
from twoarm.study import folder as files
from twoarm.study.card import Study, read_study
from twoarm.study.cohort import (
    Files,
    check_places,
    diagnose_files,
    plot_files,
    read_files,
    table_of,
    write_files,
)
from twoarm.study.folder import move_aside
from twoarm.study.run import run_study
from twoarm.study.weights import WeighedCard, read_weights, resample_cards

__all__ = [
    "Files",
    "Study",
    "WeighedCard",
    "check_places",
    "diagnose_files",
    "move_aside",
    "plot_files",
    "read_files",
    "read_study",
    "read_weights",
    "report_study",
    "resample_cards",
    "run_study",
    "table_of",
    "tables_of",
    "write_files",
]


def report_study(folder: str | Path) -> Path:
    """Write the record and the page of a run again, from its files.

    Parameters
    ----------
    folder : str or Path
        Of a run whose trials are done.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    NotARunError
        If the folder is not that of a finished run.
    """
    if "study" not in files.read_record(Path(folder) / files.PLAN):
        raise NotARunError(folder=folder, missing=f"study in its {files.PLAN}")
    compose.write_findings(Path(folder))
    return Path(folder) / files.PAGE


def tables_of(findings: Findings) -> dict[str, pd.DataFrame]:
    """Say a study's results in a few small tables of text.

    Parameters
    ----------
    findings : Findings
        From `run_study`.

    Returns
    -------
    dict of str to DataFrame
        By title: the main results; predicted beside published; where the uncertainty comes from.
    """
    main = main_table(findings)
    covers = f"{headline(findings)[0]}\nResults, 95 % intervals over {findings.covers}".lstrip()
    tables = {covers: pd.DataFrame(list(main.rows), columns=[name or " " for name in main.head])}
    if findings.comparison is not None:
        rows = findings.comparison
        tables["Predicted beside published, misses first"] = pd.DataFrame(
            {
                "fact": rows["label"].str.replace(">=", "≥"),
                "published": [_interval(row, "published") for row in rows.to_dict("records")],
                "predicted": [_interval(row, "predicted") for row in rows.to_dict("records")],
                "verdict": rows["verdict"],
                "use": rows["use"],
            }
        )
    if findings.shares is not None and len(findings.shares):
        wide = findings.shares.pivot(index="quantity", columns="part", values="share")
        percent = (100 * wide).round().astype(int).astype(str) + " %"
        tables["Where the variance comes from"] = percent.rename_axis(columns=None).reset_index()
    return tables


def _interval(row: Mapping[Hashable, Any], which: str) -> str:
    low, high = number(row[f"{which}_low"]), number(row[f"{which}_high"])
    unit = "" if row["unit"] == "ratio" else f" {row['unit']}"
    ends = f" ({low} to {high})" if low.strip("–") and high.strip("–") else ""
    return f"{number(row[which])}{ends}{unit}"
