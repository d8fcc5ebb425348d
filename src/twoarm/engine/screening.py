"""Single precision is for screening: a sample runs again in double, and the difference is written down."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from twoarm import chance
from twoarm.engine.backends import Backend
from twoarm.engine.request import Request
from twoarm.engine.results import Courses, evaluate_outputs
from twoarm.engine.status import Status
from twoarm.errors import SinglePrecisionWarning

_FEWEST, _SHARE = 8, 0.01  # patients who are run again
_SMALL = 1e-3  #: what is below this share of a course's peak is compared with that
_AT_ONCE = 1024  # patients, which bounds memory
_TIGHTER = 10.0  #: times as exact as the run that is checked
_LARGE = 1e-3  #: error, root mean square, above which a warning is given


def sample(n: int, seed: int | None) -> np.ndarray:
    """Which of `n` patients run again in double.

    Parameters
    ----------
    n : int
        How many there are.
    seed : int or None
        Of the patients; 0 if they have none.

    Returns
    -------
    (k,) int array
        One in a hundred, and at least 8, ascending. The same for the same seed.

    Examples
    --------
    >>> len(sample(5, 7)), len(sample(100, 7)), len(sample(10_000, 7))
    (5, 8, 100)
    """
    size = min(n, max(_FEWEST, int(np.ceil(_SHARE * n))))
    chosen = chance.generator(seed or 0, "double check of single precision").choice(n, size, replace=False)
    return np.sort(chosen)


class Differences(NamedTuple):
    """Differences between single and double precision in some patients.

    Attributes
    ----------
    checked, failed : int
        How many patients ran again, and how many of these reached their end in one of the two runs only.
    numbers : int
        How many numbers were compared.
    squares, worst : float
        Sum of squares and largest of the relative differences.
    """

    checked: int = 0
    failed: int = 0
    numbers: int = 0
    squares: float = 0.0
    worst: float = 0.0


def compare(request: Request, backend: Backend, courses: Courses, rows: np.ndarray) -> Differences:
    """Run some patients again in double precision and ten times as exact, and measure the difference.

    Parameters
    ----------
    request : Request
        What was run in single precision.
    backend : Backend
        What ran it.
    courses : Courses
        What came out.
    rows : (k,) int array
        Who runs again, ascending.

    Returns
    -------
    Differences
        What there is between the two.

    Notes
    -----
    A difference is relative to the value in double, or to a thousandth of the largest of its course where
    that is more. A course is one output of one patient; without outputs at visits, the states at the end.
    """
    before = request.settings.tolerance
    tolerance = replace(
        before, relative=max(before.relative / _TIGHTER, 1e-14), share=before.share / _TIGHTER
    )
    total = Differences()
    for part in np.array_split(rows, -(-len(rows) // _AT_ONCE)) if len(rows) else []:
        cohort = request.cohort(part, precision="double", tolerance=tolerance)
        solved = backend.integrate(cohort)
        exact = evaluate_outputs(request.settings.outputs, cohort, solved)
        pairs = [(courses.outputs[name][part], values) for name, values in exact.items()]
        if not pairs or not len(request.visits):
            pairs = [(courses.state[part], solved.state)]
        good, well = courses.status[part] == Status.FINISHED, solved.status == Status.FINISHED
        errors = np.concatenate([_relative(one[good & well], other[good & well]) for one, other in pairs])
        total = Differences(
            checked=total.checked + len(part),
            failed=total.failed + int((good != well).sum()),
            numbers=total.numbers + errors.size,
            squares=total.squares + float(np.sum(errors**2)),
            worst=max(total.worst, float(errors.max(initial=0.0))),
        )
    return total


def summary(found: Sequence[Differences]) -> dict[str, float | int]:
    """Say what was found, as attributes of a result, and warn if it is much.

    Parameters
    ----------
    found : sequence of Differences
        Of parts of a cohort.

    Returns
    -------
    dict
        ``single_precision_checked`` patients, ``single_precision_failed`` (how many of them ended in one of
        the two runs only), ``single_precision_error_rms`` and ``single_precision_error_worst``, relative.

    Warns
    -----
    SinglePrecisionWarning
        If the root mean square is above 0.001, or somebody failed in one of the two only.

    Examples
    --------
    >>> summary([Differences(8, 0, 2, 2e-10, 1e-5), Differences()])["single_precision_error_rms"]
    1e-05
    """
    checked, failed, numbers = (
        sum(getattr(each, name) for each in found) for name in ("checked", "failed", "numbers")
    )
    rms = float(np.sqrt(sum(each.squares for each in found) / max(numbers, 1)))
    worst = max((each.worst for each in found), default=0.0)
    if failed or not rms <= _LARGE:
        warning = SinglePrecisionWarning(rms=rms, worst=worst, failed=failed, checked=checked)
        warnings.warn(warning, stacklevel=3)
    return {
        "single_precision_checked": checked,
        "single_precision_failed": failed,
        "single_precision_error_rms": rms,
        "single_precision_error_worst": worst,
    }


def _relative(one: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Relative differences where there is something to compare."""
    size = np.abs(exact)
    peak = np.max(size, axis=1, initial=0.0, where=np.isfinite(size), keepdims=True)
    scale = np.maximum(size, _SMALL * peak)
    there = np.isfinite(exact) & (scale > 0)
    return np.abs(one - exact)[there] / scale[there]
