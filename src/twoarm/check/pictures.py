"""The pictures of a check: the calibration curve, and every interval with its report."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from twoarm import figures
from twoarm.check.run import KNOWN, RANGED, Checked, rows_counted
from twoarm.study.folder import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORDS = {"%": "shares", "months": "months", "ratio": "ratios"}


def draw_check(checked: Checked, folder: Path) -> list[Path]:
    """Draw a check.

    Parameters
    ----------
    checked : Checked
        From `check_evidence`.
    folder : Path
        Where `coverage.png` and a `predicted-*.png` for each unit are written.

    Returns
    -------
    list of Path
        The pictures.
    """
    table = labeled(checked.table)
    counted, words = rows_counted(table)
    pictures = {"coverage.png": picture_of(checked, counted, words)} if len(counted) else {}
    for unit in table["unit"].unique():
        pictures[f"predicted-{_WORDS[unit]}.png"] = figures.predictions(table[table["scored"]], unit)
    for name, picture in pictures.items():
        write_whole(folder / name, partial(picture.savefig, dpi=150, format="png"))
    return [folder / name for name in pictures]


def labeled(table: pd.DataFrame) -> pd.DataFrame:
    """Give every row of a check a label for pictures.

    Parameters
    ----------
    table : DataFrame
        Of `Checked`.

    Returns
    -------
    DataFrame
        With `label`.
    """
    return table.assign(
        label=[
            f"{row.endpoint}, {row.regimen.split(' every')[0]}, {row.histology}: {row.trial_name or row.id}"
            for row in table.itertuples()
        ]
    )


def picture_of(checked: Checked, counted: pd.DataFrame, words: str) -> Figure:
    """Draw the calibration curve of comparators; of all that there is, where there are none.

    Parameters
    ----------
    checked : Checked
        From `check_evidence`.
    counted : DataFrame
        Rows that are counted, at least one.
    words : str
        Which, in words.

    Returns
    -------
    matplotlib.figure.Figure
        Coverage and ranks.
    """
    which = KNOWN if (counted["which"] == KNOWN).any() else RANGED
    own, curve = counted[counted["which"] == which], checked.coverage
    title = f"Rows that {words}: {which}"
    return figures.coverage(curve[curve["which"] == which], own["rank"].to_numpy(), title=title)
