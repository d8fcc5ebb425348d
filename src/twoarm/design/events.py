"""How many events a log-rank test needs, in closed form."""

from __future__ import annotations

import math

from scipy.special import ndtr, ndtri

from twoarm.errors import DesignNumberError


def schoenfeld_events(
    hazard_ratio: float, *, alpha: float = 0.025, power: float = 0.9, share: float = 0.5
) -> float:
    """Events that a log-rank test needs for a hazard ratio.

    Parameters
    ----------
    hazard_ratio : float
        Of the treated against the others.
    alpha : float
        One-sided.
    power : float
        Wanted.
    share : float
        Of the patients in one group.

    Returns
    -------
    float
        Round it up.

    Raises
    ------
    DesignNumberError
        If a number has no meaning.

    Notes
    -----
    d = (z_alpha + z_power)^2 / (share (1 - share) ln(HR)^2).

    References
    ----------
    schoenfeld1981.

    Examples
    --------
    >>> math.ceil(schoenfeld_events(0.7))
    331
    """
    _check(hazard_ratio, alpha, power, share)
    return float((ndtri(1 - alpha) + ndtri(power)) ** 2 / (share * (1 - share) * math.log(hazard_ratio) ** 2))


def freedman_events(
    hazard_ratio: float, *, alpha: float = 0.025, power: float = 0.9, share: float = 0.5
) -> float:
    """Events by Freedman's formula, which does not rest on small differences.

    Parameters
    ----------
    hazard_ratio, alpha, power
        As `schoenfeld_events`.
    share : float
        Of the patients in the treated group.

    Returns
    -------
    float
        Round it up.

    Raises
    ------
    DesignNumberError
        If a number has no meaning.

    Notes
    -----
    d = (z_alpha + z_power)^2 (1 + k HR)^2 / (k (1 - HR)^2), k = share/(1 - share).

    References
    ----------
    freedman1982.

    Examples
    --------
    >>> math.ceil(freedman_events(0.5, power=0.8))
    71
    """
    _check(hazard_ratio, alpha, power, share)
    k = share / (1 - share)
    return float(
        (ndtri(1 - alpha) + ndtri(power)) ** 2 * (1 + k * hazard_ratio) ** 2 / (k * (1 - hazard_ratio) ** 2)
    )


def schoenfeld_power(
    hazard_ratio: float, events: float, *, alpha: float = 0.025, share: float = 0.5
) -> float:
    """Power of a log-rank test with so many events.

    Parameters
    ----------
    hazard_ratio, alpha, share
        As `schoenfeld_events`.
    events : float
        At the analysis.

    Returns
    -------
    float
        0 to 1.

    References
    ----------
    schoenfeld1981.

    Examples
    --------
    >>> round(schoenfeld_power(0.7, 331), 2)
    0.9
    """
    z = -math.log(hazard_ratio) * math.sqrt(events * share * (1 - share))
    return float(ndtr(z - ndtri(1 - alpha)))


def _check(hazard_ratio: float, alpha: float, power: float, share: float) -> None:
    if not (hazard_ratio > 0 and hazard_ratio != 1):
        rule = "It must be above 0 and not 1, for which no number is enough. Give, as an example, 0.7."
        raise DesignNumberError(what="the hazard ratio", value=hazard_ratio, rule=rule)
    for what, value in (("alpha", alpha), ("the power", power), ("the share of a group", share)):
        if not 0 < value < 1:
            raise DesignNumberError(what=what, value=value, rule="It must lie between 0 and 1.")
