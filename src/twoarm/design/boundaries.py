"""Group sequential boundaries: error spending, classic constants, futility; by numerical integration.

The density of the score between the boundaries is carried from look to look on Gauss-Legendre nodes, as
Armitage, McPherson and Rowe did. Upward is in favor of the treatment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from twoarm.errors import DesignNumberError, LookOrderError, NoBoundaryError

Spending = Literal["obrien_fleming", "pocock", "hwang_shih_decani", "power"]
Numbers = Sequence[float] | np.ndarray
Classic = Literal["obrien_fleming", "pocock"]

_NODES = 256
_FAR = 8.5  # standard deviations that count as unbounded
_NEVER = 20.0  # a boundary at which a look has nothing to spend


class Boundaries(NamedTuple):
    """Boundaries of a group sequential design on the scale of z, and what they cost.

    Attributes
    ----------
    information : (look,) float array
        Share of the final information.
    efficacy : (look,) float array
        Stop and reject at or above.
    futility : (look,) float array
        Stop without rejection below; -inf where there is no such stop; the last equals `efficacy`.
    spent : (look,) float array
        Type I error spent up to each look.
    drift : float
        Mean of the final z at which the power is as asked; NaN without futility.
    """

    information: np.ndarray
    efficacy: np.ndarray
    futility: np.ndarray
    spent: np.ndarray
    drift: float


class Crossings(NamedTuple):
    """Probability to cross first at each look."""

    upper: np.ndarray
    lower: np.ndarray


def spend(
    share: np.ndarray | float, alpha: float, how: Spending, parameter: float | None = None
) -> np.ndarray:
    """Error spent when a share of the information is there.

    Parameters
    ----------
    share : float or array
        0 to 1 and above; from 1 on everything is spent.
    alpha : float
        The whole, one-sided.
    how : {"obrien_fleming", "pocock", "hwang_shih_decani", "power"}
        Lan and DeMets' functions like O'Brien-Fleming and like Pocock; the exponential family; a power.
    parameter : float, optional
        Gamma of the exponential family (-4 is near O'Brien-Fleming, 1 near Pocock), or the power.

    Returns
    -------
    array
        As `share`.

    Raises
    ------
    DesignNumberError
        If a family has no parameter, or `alpha` is not between 0 and 1.

    References
    ----------
    landemets1983; hwang1990; jennison1999, section 7.2.

    Examples
    --------
    >>> float(spend(0.5, 0.025, "obrien_fleming").round(5)), float(spend(1.0, 0.025, "pocock"))
    (0.00153, 0.025)
    """
    _check_error(alpha, "the error to spend")
    t = np.clip(np.asarray(share, float), 0.0, 1.0)
    if how == "obrien_fleming":
        with np.errstate(divide="ignore"):
            return np.asarray(2 * ndtr(ndtri(alpha / 2) / np.sqrt(t)))
    if how == "pocock":
        return np.asarray(alpha * np.log1p((np.e - 1) * t))
    if parameter is None:
        raise DesignNumberError(
            what=f"the parameter of {how} spending",
            value=None,
            rule="The family needs one. Give `parameter`.",
        )
    if how == "power":
        return np.asarray(alpha * t**parameter)
    if parameter == 0:
        return np.asarray(alpha * t)
    return np.asarray(alpha * np.expm1(-parameter * t) / np.expm1(-parameter))


def crossing(
    information: Numbers,
    upper: Numbers,
    lower: Numbers | None = None,
    *,
    drift: float = 0.0,
) -> Crossings:
    """Probability to cross each boundary first at each look.

    Parameters
    ----------
    information : (look,) sequence of float
        Shares of the final information, rising.
    upper, lower : (look,) sequence of float
        On the scale of z; -inf for no lower boundary (left out: none).
    drift : float
        Mean of the final z; at a share t the mean is drift sqrt(t).

    Returns
    -------
    Crossings
        Look by look.

    Raises
    ------
    LookOrderError
        If the information does not rise.

    Notes
    -----
    B_k = z_k sqrt(t_k) is a Brownian motion with drift; f_k(x) = integral of f_{k-1}(y) phi((x - y - drift
    dt) / sqrt(dt)) / sqrt(dt) over the continuation region of look k-1.

    References
    ----------
    armitage1969; jennison1999, chapter 19.

    Examples
    --------
    >>> two = crossing([0.5, 1.0], [2.178, 2.178], [-2.178, -2.178])
    >>> round(float((two.upper + two.lower).sum()), 4)
    0.05
    """
    times = _checked(information)
    low = np.full(times.size, -np.inf) if lower is None else np.asarray(lower, float)
    up = np.asarray(upper, float)
    walk = _Walk(drift)
    above, below = np.zeros(times.size), np.zeros(times.size)
    for look, t in enumerate(times):
        above[look], below[look] = walk.beyond(t, up[look]), walk.below(t, low[look])
        walk = walk.go_on(t, low[look], up[look])
    return Crossings(above, below)


def classic_constant(looks: int, alpha: float, how: Classic) -> float:
    """Constant of a classic two-sided design with equally spaced looks.

    Parameters
    ----------
    looks : int
        How many.
    alpha : float
        Two-sided.
    how : {"obrien_fleming", "pocock"}
        Stop where |z_k| is at or above C sqrt(K/k), or C.

    Returns
    -------
    float
        C.

    References
    ----------
    jennison1999, Tables 2.1 and 2.3; pocock1977; obrien1979.

    Examples
    --------
    >>> round(classic_constant(5, 0.05, "pocock"), 3), round(classic_constant(5, 0.05, "obrien_fleming"), 3)
    (2.413, 2.04)
    """
    _check_error(alpha, "the two-sided error")
    times = np.arange(1, looks + 1) / looks
    shape = np.ones(looks) if how == "pocock" else 1 / np.sqrt(times)

    def excess(constant: float) -> float:
        found = crossing(times, constant * shape, -constant * shape)
        return float(found.upper.sum() + found.lower.sum()) - alpha

    return float(brentq(excess, 1e-3, 10.0, xtol=1e-11))


def classic_inflation(looks: int, alpha: float, power: float, how: Classic) -> float:
    """By how much a classic design's largest size exceeds that of one analysis with the same power.

    Parameters
    ----------
    looks, alpha, how
        As `classic_constant`.
    power : float
        At the planned effect.

    Returns
    -------
    float
        Above 1.

    References
    ----------
    jennison1999, Tables 2.2 and 2.4.

    Examples
    --------
    >>> round(classic_inflation(5, 0.05, 0.8, "pocock"), 3)
    1.229
    """
    times = np.arange(1, looks + 1) / looks
    constant = classic_constant(looks, alpha, how)
    upper = constant * (np.ones(looks) if how == "pocock" else 1 / np.sqrt(times))

    def excess(drift: float) -> float:
        # a rejection on the wrong side is no power
        return float(crossing(times, upper, -upper, drift=drift).upper.sum()) - power

    fixed = float(ndtri(1 - alpha / 2) + ndtri(power))
    return float(brentq(excess, 0.1, 3 * fixed)) ** 2 / fixed**2


def efficacy_boundary(
    information: Numbers, alpha: float, how: Spending, *, parameter: float | None = None
) -> Boundaries:
    """Upper boundary that spends a one-sided error as a function says; no stop for futility.

    Parameters
    ----------
    information : (look,) sequence of float
        Shares of the final information, the last 1.
    alpha : float
        One-sided.
    how, parameter
        As `spend`.

    Returns
    -------
    Boundaries
        With `futility` -inf but for the last look.

    Raises
    ------
    LookOrderError, DesignNumberError, NoBoundaryError
        If the looks do not rise, the error has no meaning, or nothing is left to spend.

    Examples
    --------
    >>> efficacy_boundary([0.2, 0.4, 0.6, 0.8, 1.0], 0.025, "obrien_fleming").efficacy.round(3)
    array([4.877, 3.357, 2.68 , 2.29 , 2.031])
    """
    times = _checked(information)
    spent = spend(times, alpha, how, parameter)
    upper, walk = np.zeros(times.size), _Walk(0.0)
    for look, t in enumerate(times):
        part = spent[look] - (spent[look - 1] if look else 0.0)
        upper[look] = _place(walk.beyond, t, part, look + 1)
        walk = walk.go_on(t, -np.inf, upper[look])
    lower = np.full(times.size, -np.inf)
    lower[-1] = upper[-1]
    return Boundaries(times, upper, lower, spent, np.nan)


def with_futility(
    efficacy: Boundaries,
    beta: float,
    how: Spending,
    *,
    parameter: float | None = None,
    binding: bool = False,
    alpha: float | None = None,
    efficacy_how: Spending = "obrien_fleming",
    efficacy_parameter: float | None = None,
) -> Boundaries:
    """Add stops for futility that spend the type II error as a function says.

    Parameters
    ----------
    efficacy : Boundaries
        From `efficacy_boundary`.
    beta : float
        Type II error, the whole.
    how, parameter
        As `spend`, for the type II error.
    binding : bool
        Whether the type I error may count on stops for futility; then the upper boundary is found again with
        them, and is lower. Otherwise the error is kept even if a stop is overruled.
    alpha, efficacy_how, efficacy_parameter
        Only for `binding`: what the upper boundary spends.

    Returns
    -------
    Boundaries
        `drift` is the mean of the final z at which the power is 1 - `beta`; its square over that of one
        analysis is the inflation of the size.

    Raises
    ------
    NoBoundaryError
        If no drift spends the error.

    References
    ----------
    pampallona2001; gsdesign.

    Examples
    --------
    >>> upper = efficacy_boundary([1 / 3, 2 / 3, 1.0], 0.025, "hwang_shih_decani", parameter=-4)
    >>> both = with_futility(upper, 0.1, "hwang_shih_decani", parameter=-2)
    >>> both.futility.round(2).tolist(), both.efficacy.round(2).tolist()
    ([-0.24, 0.94, 2.0], [3.01, 2.55, 2.0])
    """
    _check_error(beta, "the type II error")
    spent = spend(efficacy.information, beta, how, parameter)
    upper = efficacy.efficacy
    fixed = float(ndtri(1 - efficacy.spent[-1]) + ndtri(1 - beta))
    for _ in range(25 if binding else 1):
        drift = _drift(efficacy.information, upper, spent, fixed)
        lower = _lower(efficacy.information, upper, spent, drift)
        if not binding:
            break
        whole = float(efficacy.spent[-1]) if alpha is None else alpha
        again = _upper_given(
            efficacy.information, lower, spend(efficacy.information, whole, efficacy_how, efficacy_parameter)
        )
        moved, upper = float(np.abs(again - upper).max()), again
        if moved < 1e-7:
            break
    lower = lower.copy()
    lower[-1] = upper[-1]
    return Boundaries(efficacy.information, upper, lower, efficacy.spent, drift)


def _drift(times: np.ndarray, upper: np.ndarray, spent: np.ndarray, fixed: float) -> float:
    """Drift at which the lower boundary meets the upper one at the last look."""

    def gap(drift: float) -> float:
        # the type II error that is left when the lower boundaries before the end have spent theirs
        lower = _lower(times, upper, spent, drift, last=False)
        found = crossing(times, upper, lower, drift=drift)
        return float(found.upper.sum()) - (1 - float(spent[-1]))

    try:
        enough = fixed  # a larger effect than needed has no error left to spend at later looks: go up slowly
        while gap(enough) < 0:
            enough *= 1.05
        return float(brentq(gap, 0.5 * fixed, enough, xtol=1e-10))
    except ValueError:
        raise NoBoundaryError(look=times.size, reason="no effect keeps the type II error") from None


def _lower(
    times: np.ndarray, upper: np.ndarray, spent: np.ndarray, drift: float, *, last: bool = True
) -> np.ndarray:
    """Lower boundary that spends the type II error under a drift; without the last look's where not asked."""
    lower, walk = np.full(times.size, -np.inf), _Walk(drift)
    for look, t in enumerate(times[: times.size if last else -1]):
        part = spent[look] - (spent[look - 1] if look else 0.0)
        found = _place(walk.below, t, part, look + 1)
        lower[look] = min(found, upper[look])
        walk = walk.go_on(t, lower[look], upper[look])
    return lower


def _upper_given(times: np.ndarray, lower: np.ndarray, spent: np.ndarray) -> np.ndarray:
    """Upper boundary that counts on the lower one."""
    upper, walk = np.zeros(times.size), _Walk(0.0)
    for look, t in enumerate(times):
        part = spent[look] - (spent[look - 1] if look else 0.0)
        upper[look] = _place(walk.beyond, t, part, look + 1)
        walk = walk.go_on(t, lower[look] if look < times.size - 1 else -np.inf, upper[look])
    return upper


def _place(chance: Callable[[float, float], float], t: float, part: float, look: int) -> float:
    """Z at which a look crosses with the chance it may spend."""
    upward = chance(t, _NEVER) < chance(t, -_NEVER)
    if part < 1e-14:  # nothing to spend: a boundary that nobody crosses
        return _NEVER if upward else -_NEVER
    try:
        return float(brentq(lambda z: chance(t, z) - part, -_FAR, _NEVER, xtol=1e-11))
    except ValueError:
        raise NoBoundaryError(look=look, reason=f"it would have to spend {part:.3g}") from None


class _Walk:
    """Sub-density of the score after the looks so far, on nodes; the start is a point at 0."""

    def __init__(
        self, drift: float, t: float = 0.0, nodes: np.ndarray | None = None, mass: np.ndarray | None = None
    ) -> None:
        self.drift, self.t = drift, t
        self.nodes = np.zeros(1) if nodes is None else nodes
        self.mass = np.ones(1) if mass is None else mass

    def beyond(self, t: float, z: float) -> float:
        """Probability to be at or above z at time t."""
        return float(self.mass @ ndtr(-self._steps(t, np.array([z * np.sqrt(t)])))[:, 0])

    def below(self, t: float, z: float) -> float:
        """Probability to be below z at time t."""
        if np.isneginf(z):
            return 0.0
        return float(self.mass @ ndtr(self._steps(t, np.array([z * np.sqrt(t)])))[:, 0])

    def go_on(self, t: float, low: float, high: float) -> _Walk:
        """Keep what lies between two values of z at time t."""
        width = np.sqrt(t)
        begin = max(low * width, self.drift * t - _FAR * width)
        end = min(high * width, self.drift * t + _FAR * width)
        if end <= begin:
            return _Walk(self.drift, t, np.zeros(1), np.zeros(1))
        at, weight = _rule()
        nodes = (end - begin) / 2 * at + (end + begin) / 2
        step = np.sqrt(t - self.t)
        density = np.exp(-0.5 * self._steps(t, nodes) ** 2) / (np.sqrt(2 * np.pi) * step)
        return _Walk(self.drift, t, nodes, weight * (end - begin) / 2 * (self.mass @ density))

    def _steps(self, t: float, to: np.ndarray) -> np.ndarray:
        """Standardized steps from each node to each place."""
        dt = t - self.t
        return np.asarray((to[None, :] - self.nodes[:, None] - self.drift * dt) / np.sqrt(dt))


@cache
def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights; they cost more than a look."""
    return np.polynomial.legendre.leggauss(_NODES)


def _checked(information: Numbers) -> np.ndarray:
    times = np.asarray(information, float)
    if times.size == 0 or times[0] <= 0 or (np.diff(times) <= 0).any() or abs(times[-1] - 1) > 1e-9:
        raise LookOrderError(design="the boundaries", looks=list(times))
    return times


def _check_error(value: float, what: str) -> None:
    if not 0 < value < 1:
        raise DesignNumberError(
            what=what, value=value, rule="It must lie between 0 and 1. Give, as an example, 0.025."
        )
