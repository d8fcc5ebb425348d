"""What every analysis asks of a table: its arms in order, and a month in days."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from twoarm.errors import ArmsToCompareError
from twoarm.units import quantity

MONTH = quantity("1 month", "day")


def arm_order(table: pd.DataFrame, arms: Sequence[str] | None) -> list[str]:
    """Put the arms in order; those of the protocol where none is given, else as they come.

    Parameters
    ----------
    table : DataFrame
        With `arm`; its ``attrs`` may say `compare`.
    arms : sequence of str, optional
        The order asked for.

    Returns
    -------
    list of str
        The first is compared with the last.

    Raises
    ------
    ArmsToCompareError
        If an arm has no patient.

    Examples
    --------
    >>> arm_order(pd.DataFrame({"arm": ["new", "old", "new"]}), None)
    ['new', 'old']
    """
    present = [str(arm) for arm in table["arm"].unique()]
    wanted = list(arms if arms is not None else table.attrs.get("compare", present))
    for arm in wanted:
        if arm not in present:
            raise ArmsToCompareError(arms=present, wanted=arm)
    return wanted
