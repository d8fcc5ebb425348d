"""How probable a report is under a draw of the card, with the doubt that the model itself is off."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, betaln, expit, gammaln, logit, logsumexp

_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
_LOG_WEIGHTS = np.log(_NODE_WEIGHTS / _NODE_WEIGHTS.sum())
_LEVELS = (np.arange(12) + 0.5) / 12  # quantiles that stand for the doubt of a rate simulated in few patients
_JEFFREYS = 0.5
_EDGE = 1e-6


def log_rate(events: float, n: float, share: float, patients: float, doubt: float) -> float:
    """Log probability of a count under a simulated rate that may be off.

    Parameters
    ----------
    events, n : float
        What was reported.
    share : float
        Simulated rate, 0 to 1.
    patients : float
        How many it was simulated in.
    doubt : float
        Standard deviation of the true rate's logit about the model's.

    Returns
    -------
    float
        Log of Bin(events; n, p), with logit p = logit q + doubt * N(0, 1), averaged over q ~ Beta(share *
        patients + 1/2, (1 - share) * patients + 1/2): what so few simulated patients leave open.

    Examples
    --------
    >>> bool(log_rate(11, 30, 0.37, 1e6, 0.0) > log_rate(11, 30, 0.1, 1e6, 0.0))
    True
    >>> bool(log_rate(11, 30, 0.1, 1e6, 1.0) > log_rate(11, 30, 0.1, 1e6, 0.0))
    True
    """
    yes, no = share * patients + _JEFFREYS, (1 - share) * patients + _JEFFREYS
    rates = np.clip(betaincinv(yes, no, _LEVELS), _EDGE, 1 - _EDGE)
    p = expit(logit(rates)[:, None] + doubt * _NODES[None, :])
    p = np.clip(p, _EDGE, 1 - _EDGE)
    log = gammaln(n + 1) - gammaln(events + 1) - gammaln(n - events + 1)
    log = log + events * np.log(p) + (n - events) * np.log1p(-p)
    return float(logsumexp(log + _LOG_WEIGHTS[None, :]) - np.log(len(_LEVELS)))


def log_time(reported: float, simulated: np.ndarray, doubt: float, *, ratio: float = 0.0) -> float:
    """Log density of a reported median under simulated ones, on the log of time.

    Parameters
    ----------
    reported : float
        As reported.
    simulated : (cohort,) float array
        Medians of simulated cohorts; infinite where not reached.
    doubt : float
        Standard deviation of the log of the truth about the model's.
    ratio : float
        Where simulated cohorts are all there is, drawn anew: their size over that of the reported one. Their
        spread is then their own error, and the reported cohort has so many times its variance.

    Returns
    -------
    float
        Normal log density with the mean and variance of the simulated logs, the variance of `doubt` added;
        cohorts in which the median was not reached add nothing to it. Minus infinity where none was.

    Examples
    --------
    >>> bool(log_time(4.0, np.array([3.9, 4.1]), 0.4) > log_time(9.0, np.array([3.9, 4.1]), 0.4))
    True
    """
    reached = simulated[np.isfinite(simulated) & (simulated > 0)]
    if not len(reached):
        return -np.inf
    logs = np.log(reached)
    variance = float(logs.var()) * (1 + ratio) + doubt**2
    share = np.log(len(reached) / len(simulated))
    return float(
        share - 0.5 * np.log(2 * np.pi * variance) - (np.log(reported) - logs.mean()) ** 2 / (2 * variance)
    )


def beta_binomial(events: int, n: int, a: float, b: float) -> float:
    """Log probability of a count whose rate has a Beta distribution; what `log_rate` is without doubt.

    Parameters
    ----------
    events, n : int
        Counts.
    a, b : float
        Of the Beta distribution.

    Returns
    -------
    float
        Log probability.

    Examples
    --------
    >>> total = sum(np.exp(beta_binomial(k, 5, 2.0, 3.0)) for k in range(6))
    >>> round(float(total), 9)
    1.0
    """
    chosen = gammaln(n + 1) - gammaln(events + 1) - gammaln(n - events + 1)
    return float(chosen + betaln(events + a, n - events + b) - betaln(a, b))
