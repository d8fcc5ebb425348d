"""The pictures of a check: the calibration curve, and every interval with its report."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from twoarm import figures
from twoarm.check.run import Checked, rows_counted
from twoarm.study.folder import write_whole

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
    table = checked.table.assign(
        label=[
            f"{row.endpoint}, {row.regimen.split(' every')[0]}, {row.histology}: {row.trial_name or row.id}"
            for row in checked.table.itertuples()
        ]
    )
    counted, words = rows_counted(table)
    drawn = []
    if len(counted):
        title = f"Rows that {words}"
        pictures = {
            "coverage.png": figures.coverage(checked.coverage, counted["rank"].to_numpy(), title=title)
        }
    else:
        pictures = {}
    for unit in table["unit"].unique():
        pictures[f"predicted-{_WORDS[unit]}.png"] = figures.predictions(table[table["scored"]], unit)
    for name, picture in pictures.items():
        write_whole(folder / name, partial(picture.savefig, dpi=150, format="png"))
        drawn.append(folder / name)
    return drawn
