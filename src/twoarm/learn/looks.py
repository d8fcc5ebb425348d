"""How probable each draw of a card makes what was reported, look by look, and the weights that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from twoarm.chance import effective_number
from twoarm.learn.likelihood import log_rate, log_time
from twoarm.learn.reports import RESPONSES, Discrepancy, speaks
from twoarm.learn.seen import Seen

Rows = list[tuple[int, str, float]]  # draw, row, log likelihood


def log_look(
    cut: Sequence[str],
    facts: pd.DataFrame,
    endpoints: Callable[[str], str],
    seen: Seen,
    doubt: Discrepancy,
) -> tuple[np.ndarray, Rows]:
    """Work out the log likelihood of one look, draw by draw.

    Parameters
    ----------
    cut : sequence of str
        Rows of the look.
    facts : DataFrame, index id
        The evidence.
    endpoints : callable
        From a row to its endpoint, "" for none.
    seen : Seen
        The cohort, simulated.
    doubt : Discrepancy
        How far the model may be off.

    Returns
    -------
    total : (draw,) float array
        Sum over the rows that speak.
    rows : list of (draw, row, log likelihood)
        Each by itself.
    """
    first = next((name for name in cut if endpoints(name) in RESPONSES and speaks(facts.loc[name])), None)
    total: np.ndarray | float = 0.0
    rows: Rows = []
    for name in cut:
        fact, endpoint = facts.loc[name], endpoints(name)
        if not speaks(fact) or not endpoint:
            continue
        if endpoint == "DCR" and first is not None:
            logs = _controlled(fact, facts.loc[first], seen, endpoints(first), doubt.rate)
        elif endpoint in seen.times:
            ratio = seen.patients / float(fact["n"])
            reported = float(fact["value"])
            logs = [log_time(reported, one, doubt.time, ratio=ratio) for one in seen.times[endpoint]]
        else:
            events, n = _counts(fact)
            logs = [log_rate(events, n, share, seen.patients, doubt.rate) for share in seen.rates[endpoint]]
        total = total + np.array(logs)
        rows += [(draw, name, float(log)) for draw, log in enumerate(logs)]
    return np.asarray(total), rows


def weights_of(logs: np.ndarray) -> np.ndarray:
    """Turn log likelihoods into weights.

    Parameters
    ----------
    logs : (draw,) float array
        Log likelihoods.

    Returns
    -------
    (draw,) float array
        Summing to 1.

    Examples
    --------
    >>> weights_of(np.log([1.0, 3.0])).round(2).tolist()
    [0.25, 0.75]
    """
    return np.asarray(np.exp(logs - logsumexp(logs)))


def effective(logs: np.ndarray) -> float:
    """Count how many equally weighted draws would tell as much.

    Parameters
    ----------
    logs : (draw,) float array
        Log likelihoods.

    Returns
    -------
    float
        One over the sum of squared weights.

    Examples
    --------
    >>> round(effective(np.zeros(4)), 6)
    4.0
    """
    return effective_number(weights_of(logs))


def without(logs: Mapping[str, np.ndarray], cohort: str) -> np.ndarray | None:
    """Sum up what all cohorts but one say.

    Parameters
    ----------
    logs : mapping of cohort to (draw,) float array
        Log likelihoods of those that weigh.
    cohort : str
        Which is left out.

    Returns
    -------
    (draw,) float array or None
        None where no other cohort weighs.
    """
    others = [one for name, one in logs.items() if name != cohort]
    return np.sum(others, axis=0) if others else None


def _controlled(fact: pd.Series, first: pd.Series, seen: Seen, response: str, doubt: float) -> list[float]:
    """Disease control given response: those without response who are controlled."""
    (controlled, n), (responded, _) = _counts(fact), _counts(first)
    logs = []
    for own, control in zip(seen.rates[response], seen.rates["DCR"], strict=True):
        left = max(1 - own, 1.0 / seen.patients)
        share = min(max((control - own) / left, 0.0), 1.0)
        logs.append(
            log_rate(max(controlled - responded, 0.0), n - responded, share, seen.patients * left, doubt)
        )
    return logs


def _counts(fact: pd.Series) -> tuple[float, float]:
    n = float(fact["n"])
    events = float(fact["events"]) if not pd.isna(fact["events"]) else round(float(fact["value"]) * n / 100)
    return events, n
