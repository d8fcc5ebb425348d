"""Single precision is for screening: a sample runs again in double, and the difference is written down."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from twoarm import chance
from twoarm.engine.backends import Backend
from twoarm.engine.request import Request
from twoarm.engine.results import Courses, evaluate_outputs
from twoarm.engine.status import Status
from twoarm.errors import SinglePrecisionWarning

_FEWEST, _SHARE = 8, 0.01  # patients who are run again
_SMALL = 1e-3  #: what is below this share of a course's peak is compared with that
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


def compare_with_double(
    request: Request, backend: Backend, courses: Courses, *, seed: int | None
) -> dict[str, float | int]:
    """Run a sample again in double precision and ten times as exact, and measure the difference.

    Parameters
    ----------
    request : Request
        What was run in single precision.
    backend : Backend
        What ran it.
    courses : Courses
        What came out.
    seed : int or None
        Keys the sample.

    Returns
    -------
    dict
        ``single_precision_checked`` patients, ``single_precision_error_rms`` and
        ``single_precision_error_worst``, relative; and ``single_precision_failed``, how many of them reached
        their end in only one of the two.

    Warns
    -----
    SinglePrecisionWarning
        If the root mean square is above 0.001, or somebody failed in one of the two only.

    Notes
    -----
    An error is relative to the value in double, or to a thousandth of the largest of its course where that is
    more. A course is one output of one patient; without outputs at visits, the states at the end.
    """
    rows = sample(len(request), seed)
    tolerance = replace(request.tolerance, relative=max(request.tolerance.relative / _TIGHTER, 1e-14))
    errors, failed = [np.empty(0)], 0
    for part in np.array_split(rows, max(1, -(-len(rows) // 1024))):
        cohort = request.cohort(part, precision="double", tolerance=tolerance)
        solved = backend.integrate(cohort)
        exact = evaluate_outputs(request.outputs, cohort, solved)
        pairs = [(courses.outputs[name][part], values) for name, values in exact.items()]
        if not len(request.visits) or not pairs:
            pairs = [(courses.state[part], solved.state)]
        both = (courses.status[part] == Status.FINISHED) & (solved.status == Status.FINISHED)
        failed += int((courses.status[part] != solved.status).sum())
        errors += [_relative(one[both], other[both]) for one, other in pairs]
    every = np.concatenate(errors)
    rms = float(np.sqrt(np.mean(every**2))) if every.size else 0.0
    worst = float(every.max()) if every.size else 0.0
    if failed or not rms <= _LARGE:
        warnings.warn(
            SinglePrecisionWarning(rms=rms, worst=worst, failed=failed, checked=len(rows)), stacklevel=3
        )
    return {
        "single_precision_checked": len(rows),
        "single_precision_error_rms": rms,
        "single_precision_error_worst": worst,
        "single_precision_failed": failed,
    }


def _relative(one: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Relative differences where there is something to compare."""
    size = np.abs(exact)
    peak = np.max(size, axis=1, initial=0.0, where=np.isfinite(size), keepdims=True)
    scale = np.maximum(size, _SMALL * peak)
    there = np.isfinite(exact) & (scale > 0)
    return np.abs(one - exact)[there] / scale[there]
