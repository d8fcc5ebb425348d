"""Reports beside what is predicted of them: from the card as stated, from the other cohorts, from all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from twoarm.check.mapping import Mapped
from twoarm.check.score import score_row
from twoarm.learn.looks import weights_of, without
from twoarm.learn.reports import Looked, endpoint_of
from twoarm.learn.seen import Seen

BASES = ("stated", "others", "all")
"""The card as stated; weighed by all cohorts but the row's own; weighed by all of them, the row's own too."""

_SCORES = ("predicted", "low", "high", "z", "inside_90")


def side_by_side(
    looked: Sequence[Looked],
    facts: pd.DataFrame,
    mapped: dict[str, Mapped],
    seen: Mapping[str, Seen | None],
    logs: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Predict cohorts of the reported size three times over, and lay the report beside each.

    Parameters
    ----------
    looked : sequence of Looked
        Cohorts; those that weigh nothing are predicted too.
    facts : DataFrame, index id
        The evidence.
    mapped : dict of id to Mapped
        From `map_rows`.
    seen : mapping of cohort to Seen or None
        Simulated.
    logs : mapping of cohort to (draw,) float array
        Log likelihoods of the last looks of those that weigh.

    Returns
    -------
    DataFrame
        `row cohort endpoint unit reported n weighs scored`, and for each of `BASES` `predicted low high z
        inside_90` with the basis before them, as `stated_low` (90 % intervals; NaN where no other cohort
        weighs).

    Notes
    -----
    Scored as `twoarm check` scores: the same interval, the same rule of inside, spread between trials
    included.
    """
    rows = []
    for each in looked:
        found = seen[each.name]
        if found is None:
            continue
        weights = _weights(logs, each.name)
        for name in each.cuts[-1]:
            endpoint = endpoint_of(mapped, name, facts)
            part = found.cohorts[found.cohorts["endpoint"] == endpoint]
            if not endpoint or not part["value"].notna().any():
                continue
            fact = facts.loc[name]
            reported = mapped[name].value if name in mapped else float(fact["value"])
            told = {
                "row": name,
                "cohort": each.name,
                "endpoint": endpoint,
                "unit": found.units[endpoint],
                "reported": reported,
                "n": fact["n"],
                "weighs": each.weighs,
                "scored": bool(fact["verified"]) and not pd.isna(fact["n"]),
            }
            draws, value = part["draw"].to_numpy(int), part["value"].to_numpy(float)
            for basis, weight in weights.items():
                own = np.ones(len(value)) if weight is None else weight[draws]
                scores = score_row(value, own, reported, found.units[endpoint])
                known = basis == "stated" or weight is not None
                told |= {f"{basis}_{key}": scores[key] if known else np.nan for key in _SCORES}
            rows.append(told)
    head = ["row", "cohort", "endpoint", "unit", "reported", "n", "weighs", "scored"]
    return pd.DataFrame(rows, columns=[*head, *(f"{basis}_{key}" for basis in BASES for key in _SCORES)])


def _weights(logs: Mapping[str, np.ndarray], cohort: str) -> dict[str, np.ndarray | None]:
    """Weights of the draws on each basis; None for even ones, or where nothing weighs."""
    others = without(logs, cohort)
    return {
        "stated": None,
        "others": None if others is None else weights_of(others),
        "all": weights_of(np.sum(list(logs.values()), axis=0)),
    }
