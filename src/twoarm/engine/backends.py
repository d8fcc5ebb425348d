"""Which back end runs a model, and why; what a back end cannot do is refused by name."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Final

import numpy as np

from twoarm.engine.cohort import Cohort, Solved
from twoarm.errors import (
    DelaysNeedReferenceError,
    EventsNeedReferenceError,
    PrecisionError,
    UnknownBackendError,
)
from twoarm.model import Model, polish

NAMES: Final = ("auto", "cpu", "cuda", "reference")
PRECISIONS: Final = ("double", "single")

_HOMES: Final = {
    "cpu": "twoarm.engine.stepper",
    "cuda": "twoarm.engine.cuda",
    "reference": "twoarm.engine.reference",
}
_EVENTFUL: Final = "twoarm.engine.eventful"  # "cpu" for models with events
_PACKAGES: Final = {
    "cpu": ("numpy", "llvmlite", "numba"),
    "cuda": ("numpy", "llvmlite", "numba"),
    "reference": ("numpy", "scikit-sundae"),
}


@dataclass(frozen=True)
class Backend:
    """What runs, and why it does.

    Attributes
    ----------
    name : str
        ``"cpu"``, ``"cuda"`` or ``"reference"``.
    reason : str
        Why this one, for people.
    integrate : callable
        From `Cohort` to `Solved`.
    """

    name: str
    reason: str
    integrate: Callable[[Cohort], Solved]

    @property
    def versions(self) -> str:
        """Versions of the packages that compute."""
        return _versions(_PACKAGES[self.name])


@cache
def _versions(packages: tuple[str, ...]) -> str:
    """Read once from files: a trial asks a thousand times."""
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def choose_backend(model: Model, asked: str, precision: str = "double") -> Backend:
    """Choose the back end for a model. Nothing falls back in silence: the reason is in the result.

    Parameters
    ----------
    model : Model
        The equations.
    asked : {"auto", "cpu", "cuda", "reference"}
        ``"auto"`` takes ``"cpu"`` where that can solve the model, and ``"reference"`` otherwise; never a
        device, whose digits are others.
    precision : {"double", "single"}
        Of the arithmetic.

    Returns
    -------
    Backend
        Ready to integrate.

    Raises
    ------
    UnknownBackendError
        If there is no such back end or precision.
    EventsNeedReferenceError, DelaysNeedReferenceError, PrecisionError
        If the back end that was asked for cannot do it.
    """
    if asked not in NAMES:
        raise UnknownBackendError(what="backend", name=asked, known=NAMES)
    if precision not in PRECISIONS:
        raise UnknownBackendError(what="precision", name=precision, known=PRECISIONS)
    if asked == "cuda" and model.events:
        events = [event.name for event in model.events]
        raise EventsNeedReferenceError(model=model.name, events=events, backend=asked)
    if asked in ("cpu", "cuda") and model.delays:
        raise DelaysNeedReferenceError(model=model.name, backend=asked)
    if asked != "auto":
        name, reason = asked, "asked for"
    elif model.delays:
        name, reason = "reference", "auto: the model looks back in time"
    else:
        name, reason = "cpu", "auto: compiled for the model"
    if not model.states:
        return Backend(name, f"{reason}; no state to integrate", _stand_still)
    place = _EVENTFUL if name == "cpu" and model.events else _HOMES[name]
    home = importlib.import_module(place)  # each brings a heavy library of its own
    if precision not in getattr(home, "PRECISIONS", ("double",)):
        why = f"{reason}; the model has events" if model.events else reason
        raise PrecisionError(backend=name, precision=precision, reason=why)
    integrate = partial(_in_balance, home.integrate) if model.relaxing else home.integrate
    return Backend(name, reason, integrate)


def _in_balance(integrate: Callable[[Cohort], Solved], cohort: Cohort) -> Solved:
    """Integrate, and bring what is in balance at any time back there at the visits, between two steps."""
    solved = integrate(cohort)
    who, visit = np.nonzero(np.isfinite(solved.recorded).all(axis=2))
    parameters, states = cohort.parameters[who].T, solved.recorded[who, visit].T
    solved.recorded[who, visit] = polish(cohort.model, parameters, states, cohort.visits[visit]).T
    return solved


def _stand_still(cohort: Cohort) -> Solved:
    """Time passes and there is nothing to integrate."""
    return replace(Solved.empty(cohort), day=cohort.end.copy())
