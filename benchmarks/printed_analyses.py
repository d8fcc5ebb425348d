"""Analyses and designs beside what others printed, and beside R: ours, printed, R, whether they agree.

    python benchmarks/printed_analyses.py                # seconds
    python benchmarks/printed_analyses.py --data FOLDER  # the data as CSV, for `printed/r/analyses.R`

`printed` was written down from memory of the pages that `basis` names, without the pages at hand; ours agrees
if it rounds to it. `R` was run on the same data: the first line of `printed/r/analyses.csv` says by which
versions, and the script beside it how; ours agrees within 2 parts in a million. A row agrees if it does with
all that stands beside it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
from printed import beside, competing, designs, rates, survival

PARTS = (
    survival.lung,
    survival.leukemia,
    survival.arrests,
    survival.breast,
    competing.melanoma,
    rates.rates,
    designs.looks,
    designs.sizes,
    designs.escalation,
)


def table() -> pd.DataFrame:
    """Every row."""
    return beside.beside(row for part in PARTS for row in part())


def write_data(folder: Path) -> None:
    """Write what R reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {**survival.data_sets(), "melanoma": competing.MELANOMA}.items():
        data.to_csv(folder / f"{name}.csv", index=False)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="write the data there and stop")
    asked = parser.parse_args()
    if asked.data:
        write_data(asked.data)
        return
    shown = table()
    forms = {"ours": "{:.6f}".format, "R": lambda x: "" if pd.isna(x) else f"{x:.6f}"}
    print(shown.to_string(index=False, formatters=forms))
    for name, own in {"printed": shown["printed"] != "", "run in R": shown["R"].notna()}.items():
        print(f"{name}: {int(shown['agrees'][own].sum())} of {int(own.sum())} agree")
    sys.exit(not shown["agrees"].all())


if __name__ == "__main__":
    main()
