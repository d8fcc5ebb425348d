"""One effector cell in a bath of drug: the receptor part alone (one_cell.ant)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

MODEL = Path(__file__).with_name("one_cell.ant")


def one_cell(**changed: float) -> pd.DataFrame:
    """Parameters of one cell, one row."""
    return pd.DataFrame({name: [value] for name, value in changed.items()})
