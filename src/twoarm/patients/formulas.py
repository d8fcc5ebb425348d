"""The closed list of formulas a derived column may name. A file gives names and arguments, never code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

LESIONS = 5
"""Most target lesions in RECIST 1.1 (eisenhauer2009, section 3.1.1) and in the columns of a patient."""


class Formula(NamedTuple):
    """A named formula: its function, the arguments a file must give, and what its result belongs to."""

    function: Callable[..., np.ndarray]
    arguments: tuple[str, ...]
    level: Literal["patient", "lesion", "as arguments"]


def body_surface(weight: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Body surface [m2] from weight [kg] and height [cm]: square root of weight x height / 3600.

    References
    ----------
    mosteller1987.

    Examples
    --------
    >>> float(body_surface(np.array(62.0), np.array(166.0)).round(2))
    1.69
    """
    return np.asarray(np.sqrt(weight * height / 3600.0))


def rate_of_doubling(time: np.ndarray) -> np.ndarray:
    """Exponential rate [1/day] of what doubles in `time` [day].

    Examples
    --------
    >>> float(rate_of_doubling(np.array(100.0)).round(5))
    0.00693
    """
    return np.asarray(np.log(2.0) / time)


def residual_concentration(
    trough: np.ndarray, interval: np.ndarray, days: np.ndarray, half_life: np.ndarray
) -> np.ndarray:
    """Concentration [nM] left `days` after the last dose of an antibody at steady state.

    `trough` [nM] is what is left one dosing `interval` [day] after a dose; from there it halves every
    `half_life` [day].

    Examples
    --------
    >>> float(residual_concentration(np.array(200.0), np.array(21.0), np.array(63.0), np.array(21.0)))
    50.0
    """
    return np.asarray(trough * 2.0 ** (-(days - interval) / half_life))


def if_present(value: np.ndarray, lesions: np.ndarray) -> np.ndarray:
    """`value` (patient, lesion) of the first `lesions` lesions, 0 for the others.

    Examples
    --------
    >>> if_present(np.array([[30.0, 20.0, 10.0]]), np.array([[2]])).tolist()
    [[30.0, 20.0, 0.0]]
    """
    return np.where(np.arange(np.shape(value)[-1]) < lesions, value, 0.0)


def total(value: np.ndarray) -> np.ndarray:
    """Sum over lesions of `value` (patient, lesion).

    Examples
    --------
    >>> total(np.array([[30.0, 20.0, 0.0]])).tolist()
    [50.0]
    """
    return np.asarray(np.sum(value, axis=-1))


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`first` times `second`.

    Examples
    --------
    >>> float(product(np.array(2.0), np.array(3.0)))
    6.0
    """
    return np.asarray(first * second)


FORMULAS: dict[str, Formula] = {
    "body_surface": Formula(body_surface, ("weight", "height"), "patient"),
    "rate_of_doubling": Formula(rate_of_doubling, ("time",), "as arguments"),
    "residual_concentration": Formula(
        residual_concentration, ("trough", "interval", "days", "half_life"), "patient"
    ),
    "if_present": Formula(if_present, ("value", "lesions"), "lesion"),
    "total": Formula(total, ("value",), "patient"),
    "product": Formula(product, ("first", "second"), "as arguments"),
}
