"""Compare predictions with published facts, misses first; choose facts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import beta, norm

from twoarm.errors import NoSuchEvidenceError, PredictionTableError

LEVEL = 0.95
_WIDTH = 2 * float(norm.ppf(0.5 + LEVEL / 2))
_CARRIED = """
id drug regimen dose tumor histology line prior_io n events endpoint unit trial_name use use_reason
source_title source_url note
"""


def exact_interval(events: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Exact binomial interval of a share.

    Parameters
    ----------
    events : int
        How many of the `n` had the event.
    n : int
        How many were observed.
    level : float
        Confidence level.

    Returns
    -------
    tuple of two floats
        Lower and upper limit, between 0 and 1.

    Raises
    ------
    ValueError
        If `events` is not between 0 and `n`, or `n` is below 1.

    References
    ----------
    clopper1934.

    Examples
    --------
    >>> low, high = exact_interval(11, 30)
    >>> round(low, 3), round(high, 3)
    (0.199, 0.561)
    """
    if not 0 <= events <= n or n < 1:
        raise ValueError(f"{events} events of {n} cannot be; events lie between 0 and n")
    tail = (1 - level) / 2
    low = 0.0 if events == 0 else float(beta.ppf(tail, events, n - events + 1))
    high = 1.0 if events == n else float(beta.ppf(1 - tail, events + 1, n - events))
    return low, high


def compare(predicted: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Set predictions beside reported values, misses first.

    Parameters
    ----------
    predicted : DataFrame
        Index: ids of evidence rows. Columns ``value`` and, where known, ``low`` and ``high`` (95 % interval),
        in the unit of the evidence row.
    evidence : DataFrame
        From `read_evidence`.

    Returns
    -------
    DataFrame
        One row a prediction: the fact's columns; ``reported``, ``reported_low``, ``reported_high`` and
        ``interval``: ``reported`` (by the source), ``computed`` (exact binomial, from stated or implied
        counts), or ``none``; ``predicted``, ``predicted_low``, ``predicted_high``; ``difference`` (predicted
        minus reported); ``z``; and ``verdict``: ``outside``, ``inside`` or ``no interval``. Outside comes
        first, the largest z in size at the top. ``attrs["not_predicted"]`` lists the ids without prediction.

    Raises
    ------
    PredictionTableError
        If a column is missing or unknown, an id is given twice or is no evidence row, or a value is not
        finite.

    Notes
    -----
    A prediction is inside when it lies in the interval of the fact; where the fact has none, when the
    reported value lies in the interval of the prediction. z is the difference over the root of the summed
    squared standard errors, each a 95 % interval's width over 3.92; for months and ratios on the log scale.
    It needs an interval on one side at least.

    References
    ----------
    clopper1934.

    Examples
    --------
    >>> from twoarm.evidence.read import read_evidence
    >>> facts = read_evidence("ibi363")
    >>> table = compare(pd.DataFrame({"value": [60.0]}, index=["C039"]), facts)
    >>> print(*table.loc[0, ["reported", "interval", "verdict"]])
    36.7 computed outside
    """
    _check_predictions(predicted, evidence)
    facts = evidence.set_index("id", drop=False).loc[predicted.index]
    table = facts[_CARRIED.split()].reset_index(drop=True)
    limits = [_reported_interval(fact) for _, fact in facts.iterrows()]
    table["reported"] = facts["value"].to_numpy()
    table["reported_low"] = [limit[0] for limit in limits]
    table["reported_high"] = [limit[1] for limit in limits]
    table["interval"] = [limit[2] for limit in limits]
    table["predicted"] = predicted["value"].to_numpy(dtype=float)
    for side in ("low", "high"):
        table[f"predicted_{side}"] = (
            predicted[side].to_numpy(dtype=float) if side in predicted else np.full(len(predicted), np.nan)
        )
    table["difference"] = table["predicted"] - table["reported"]
    table["z"] = _z(table)
    table["verdict"] = _verdict(table)
    order = pd.DataFrame(
        {
            "rank": table["verdict"].map({"outside": 0, "no interval": 1, "inside": 2}),
            "size": -table["z"].abs().fillna(-1.0),
            "id": table["id"],
        }
    ).sort_values(["rank", "size", "id"])
    table = table.loc[order.index].reset_index(drop=True)
    table.attrs = {"not_predicted": sorted(set(evidence["id"]) - set(predicted.index))}
    return table


def select_evidence(
    evidence: pd.DataFrame,
    *,
    drug: str | None = None,
    tumor: str | None = None,
    histology: str | None = None,
    endpoint: str | None = None,
    trial_name: str | None = None,
    use: str | None = None,
    verified: bool | None = None,
) -> pd.DataFrame:
    """Choose facts by what they say.

    Parameters
    ----------
    evidence : DataFrame
        From `read_evidence`.
    drug, tumor, histology, endpoint, trial_name, use : str, optional
        Exact text of the column; left out, everything.
    verified : bool, optional
        Only facts that are, or are not, verified.

    Returns
    -------
    DataFrame
        The rows that meet every condition, in their order; possibly none.

    Raises
    ------
    NoSuchEvidenceError
        If no row at all has the text asked for: a misspelling is not an empty answer.

    Examples
    --------
    >>> from twoarm.evidence.read import read_evidence
    >>> len(select_evidence(read_evidence("oak_squamous"), use="calibrate"))
    10
    """
    asked = {
        "drug": drug,
        "tumor": tumor,
        "histology": histology,
        "endpoint": endpoint,
        "trial_name": trial_name,
    }
    kept = pd.Series(True, index=evidence.index)
    for column, text in asked.items():
        if text is None:
            continue
        if text not in set(evidence[column]):
            raise NoSuchEvidenceError(column=column, text=text, known=sorted(set(evidence[column])))
        kept &= evidence[column] == text
    if use is not None:
        if use not in ("calibrate", "validate", "none"):
            raise NoSuchEvidenceError(column="use", text=use, known=["calibrate", "validate", "none"])
        kept &= evidence["use"] == use
    if verified is not None:
        kept &= evidence["verified"] == verified
    return evidence[kept]


def _check_predictions(predicted: pd.DataFrame, evidence: pd.DataFrame) -> None:
    """Predictions name facts once each, by columns that are known, with finite values."""
    wrong = set(predicted.columns) - {"value", "low", "high"}
    if wrong or "value" not in predicted:
        raise PredictionTableError(reason=f"columns are {', '.join(map(str, predicted.columns)) or 'none'}")
    known = evidence.set_index("id")["value"]
    for name in predicted.index:
        if name not in known.index:
            raise PredictionTableError(reason=f'"{name}" is no id of the evidence')
        if np.isnan(known[name]):
            raise PredictionTableError(reason=f'the fact "{name}" has no value to compare with')
    if predicted.index.has_duplicates:
        twice = predicted.index[predicted.index.duplicated()][0]
        raise PredictionTableError(reason=f'"{twice}" is predicted twice')
    if not np.isfinite(predicted["value"].to_numpy(dtype=float)).all():
        raise PredictionTableError(reason="a value is not finite")


def _reported_interval(fact: pd.Series) -> tuple[float, float, str]:
    """Interval of a fact in its unit, and where it comes from."""
    if not np.isnan(fact["ci_low"]) and not np.isnan(fact["ci_high"]):
        return float(fact["ci_low"]), float(fact["ci_high"]), "reported"
    if fact["unit"] == "%" and not pd.isna(fact["events"]) and not pd.isna(fact["n"]):
        low, high = exact_interval(int(fact["events"]), int(fact["n"]))
        return 100 * low, 100 * high, "computed"
    return float("nan"), float("nan"), "none"


def _z(table: pd.DataFrame) -> np.ndarray:
    """Difference in standard errors; NaN where neither side has an interval."""
    logarithmic = table["unit"].isin(["months", "ratio"]).to_numpy()
    names = ("reported", "reported_low", "reported_high", "predicted", "predicted_low", "predicted_high")
    with np.errstate(divide="ignore", invalid="ignore"):
        on = {name: np.where(logarithmic, np.log(table[name]), table[name]) for name in names}
        variance = np.zeros(len(table))
        for side in ("reported", "predicted"):
            low, middle, high = on[f"{side}_low"], on[side], on[f"{side}_high"]
            # an upper limit that was not reached leaves the lower half of the interval
            error = np.where(np.isinf(high), 2 * (middle - low), high - low) / _WIDTH
            variance += np.where(np.isfinite(error), error, 0.0) ** 2
        z = (on["predicted"] - on["reported"]) / np.sqrt(variance)
    return np.where(np.isfinite(z) & (variance > 0), z, np.nan)


def _verdict(table: pd.DataFrame) -> np.ndarray:
    """Inside or outside of the fact's interval, else of the prediction's."""
    own = table["reported_low"].notna() & table["reported_high"].notna()
    theirs = table["predicted_low"].notna() & table["predicted_high"].notna()
    in_own = table["predicted"].between(table["reported_low"], table["reported_high"])
    in_theirs = table["reported"].between(table["predicted_low"], table["predicted_high"])
    return np.select(
        [own & in_own, own, theirs & in_theirs, theirs],
        ["inside", "outside", "inside", "outside"],
        default="no interval",
    )
