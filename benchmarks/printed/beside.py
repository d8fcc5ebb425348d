"""Ours, printed, R: one table, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

Row = tuple[str, str, float, str, str]  # analysis, what, ours, printed ("" where only R is asked), basis
R_ANSWERS = Path(__file__).parent / "r" / "analyses.csv"
_NEAR = 2e-6  # relative; lifelines leaves 3e-7 in Cox's model, rpact's search for Pocock's constant 2e-6


def beside(rows: Iterable[Row]) -> pd.DataFrame:
    """Table of rows with R's answer, and whether ours agrees with all that stands beside it."""
    found = pd.DataFrame(rows, columns=["analysis", "what", "ours", "printed", "basis"])
    answers = pd.read_csv(R_ANSWERS, comment="#").set_index(["analysis", "what"])["value"]
    found["R"] = answers.reindex(pd.MultiIndex.from_frame(found[["analysis", "what"]])).to_numpy()
    off = (found["ours"] - pd.to_numeric(found["printed"], errors="coerce")).abs()
    half = [0.5 * 10.0 ** _exponent(text) for text in found["printed"]]
    as_printed = (off <= np.array(half) * (1 + 1e-6)) | (found["printed"] == "")
    in_r = np.isclose(found["ours"], found["R"], rtol=_NEAR, atol=1e-9) | found["R"].isna()
    found["agrees"] = as_printed & in_r & ~((found["printed"] == "") & found["R"].isna())
    return found[["analysis", "what", "ours", "printed", "R", "agrees", "basis"]]


def answered() -> set[tuple[str, str]]:
    """Names of R's answers."""
    answers = pd.read_csv(R_ANSWERS, comment="#")
    return set(zip(answers["analysis"], answers["what"], strict=True))


def _exponent(text: str) -> int:
    return int(Decimal(text).as_tuple().exponent) if text else 0
