"""How a patient's integration ended: one code, one sentence."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Status(IntEnum):
    """Code a back end leaves for each patient; kernels never raise."""

    FINISHED = 0
    STEP_TOO_SMALL = 1
    TOO_MANY_STEPS = 2
    NOT_FINITE = 3
    BAD_START = 4
    SOLVER_FAILED = 5


SENTENCES: Final[dict[Status, str]] = {
    Status.FINISHED: "reached its end day",
    Status.STEP_TOO_SMALL: "the step that keeps the error within tolerance fell below what time can resolve",
    Status.TOO_MANY_STEPS: "used more steps than allowed",
    Status.NOT_FINITE: "a rate was not a finite number however short the step",
    Status.BAD_START: "a state or its rate was not a finite number at the start",
    Status.SOLVER_FAILED: "the reference solver gave up",
}


def sentence(code: int) -> str:
    """Say in words how an integration ended.

    Parameters
    ----------
    code : int
        A value of `Status`.

    Returns
    -------
    str
        One clause, without subject.

    Examples
    --------
    >>> sentence(2)
    'used more steps than allowed'
    """
    return SENTENCES[Status(code)]
