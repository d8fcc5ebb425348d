"""RECIST 1.1 once more, by another hand, from the paper's text alone and as simply as can be.

Reference: eisenhauer2009 (European Journal of Cancer 45:228-247). Section and table numbers below are
the paper's. Plain lists, plain loops, decimal numbers as the reader wrote them; nothing is shared with
``twoarm.trial``.

Where the paper leaves room, the reading taken here is marked READING.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import cache
from typing import NamedTuple

CR, PR, SD, PD, NE = "CR", "PR", "SD", "PD", "NE"
NON_CR_NON_PD = "Non-CR/Non-PD"


class Scan(NamedTuple):
    """What the reader wrote down at one visit. ``None`` in ``diameters`` means: not measured."""

    day: float
    diameters: list[float | None]
    non_target: str | None = None  # CR, Non-CR/Non-PD, PD, NE; None where there was none at baseline
    new_lesion: bool = False


@cache
def _exact(diameter: float | None) -> Decimal | None:
    """The number as a person reads it: 0.7 is seven tenths, not the nearest binary fraction."""
    if diameter is None or math.isnan(diameter):
        return None
    return Decimal(repr(float(diameter)))


def target_response(
    baseline: list[float], earlier: list[list[float | None]], now: list[float | None], nodal: list[bool]
) -> str:
    """4.3.1. Answer for the target lesions at one visit, given every reading before it."""
    baseline_sum = sum((_exact(d) for d in baseline), Decimal(0))

    # "the smallest sum on study (this includes the baseline sum if that is the smallest on study)":
    # only a sum of all lesions is a sum.
    smallest = baseline_sum
    for diameters in earlier:
        numbers = [_exact(d) for d in diameters]
        if any(number is None for number in numbers):
            continue
        smallest = min(smallest, sum(numbers, Decimal(0)))

    numbers = [_exact(d) for d in now]
    seen = [number for number in numbers if number is not None]
    total = sum(seen, Decimal(0))
    # "at least a 20 % increase ... must also demonstrate an absolute increase of at least 5 mm"
    progressed = total >= smallest * Decimal("1.2") and total >= smallest + 5

    if len(seen) < len(numbers):
        # 4.4.2: "usually considered NE ..., unless a convincing argument can be made that the contribution of
        # the individual missing lesion(s) would not change the assigned time point response. This would be
        # most likely to happen in the case of PD" (50 mm at baseline, 80 mm in two of three lesions).
        return PD if seen and progressed else NE

    everything_gone = True
    for number, node in zip(numbers, nodal, strict=True):
        if node and number >= 10:  # "any pathological lymph nodes ... reduction in short axis to < 10 mm"
            everything_gone = False
        if not node and number > 0:
            everything_gone = False
    if everything_gone:
        return CR
    if progressed:
        return PD
    if total <= baseline_sum * Decimal("0.7"):  # "at least a 30 % decrease ... reference the baseline sum"
        return PR
    return SD


def overall_response(target: str, non_target: str | None, new_lesion: bool) -> str:
    """Table 1: target lesions with or without non-target disease. Read row by row."""
    if new_lesion:
        return PD
    if target == PD:
        return PD
    if non_target == PD:
        return PD
    if target == CR:
        return CR if non_target in (None, CR) else PR
    if target == PR:
        return PR
    if target == SD:
        return SD
    return NE


def overall_response_without_target(non_target: str, new_lesion: bool) -> str:
    """Table 2: non-target disease only."""
    if new_lesion or non_target == PD:
        return PD
    return non_target


def course(baseline: list[float], nodal: list[bool], scans: list[Scan]) -> list[str]:
    """Overall response at each visit after baseline.

    Table 3, footnote a: "If a CR is truly met at first time point, then any disease seen at a subsequent time
    point, even disease meeting PR criteria relative to baseline, makes the disease PD at that point (since
    disease must have reappeared after CR)". READING: disease seen means an evaluable visit that is not CR.
    """
    answers: list[str] = []
    for index, scan in enumerate(scans):
        earlier = [previous.diameters for previous in scans[:index]]
        target = target_response(baseline, earlier, scan.diameters, nodal)
        answer = overall_response(target, scan.non_target, scan.new_lesion)
        if CR in answers and answer in (PR, SD):
            answer = PD
        answers.append(answer)
    return answers


def first_progression(days: list[float], answers: list[str]) -> float | None:
    """Day of the first PD, or None."""
    for day, answer in zip(days, answers, strict=True):
        if answer == PD:
            return day
    return None


def best_response(
    days: list[float],
    answers: list[str],
    minimum_stable: float,
    confirm_after: float | None,
    unbroken: bool = False,
) -> str:
    """4.4.3 and Table 3. ``days`` count from baseline; ``confirm_after=None``: confirmation not required.

    READING: time points after the first PD do not count. READING: "met at a subsequent time point" is taken
    literally: any later time point at least ``confirm_after`` days on confirms, whatever lies between,
    as long as no PD does. READING, stricter, with ``unbroken``: an SD between the two breaks the response, so
    that PR, SD, PR is SD ("PR, SD" is SD in Table 3) while PR, NE, PR is PR. READING: an unconfirmed CR or PR
    met the criteria of SD on its own day, so it is SD if that day, or any later CR/PR/SD before PD, is on or
    after ``minimum_stable``.
    """
    points: list[tuple[float, str]] = []
    progression = False
    for day, answer in zip(days, answers, strict=True):
        if answer == PD:
            progression = True
            break
        points.append((day, answer))

    def confirmed(wanted: tuple[str, ...], confirming: tuple[str, ...]) -> bool:
        for day, answer in points:
            if answer not in wanted:
                continue
            if confirm_after is None:
                return True
            for later_day, later in points:
                between = [middle for when, middle in points if day < when < later_day]
                if unbroken and any(middle not in (*confirming, NE) for middle in between):
                    continue
                if later_day >= day + confirm_after and later_day > day and later in confirming:
                    return True
        return False

    if confirmed((CR,), (CR,)):
        return CR
    if confirmed((CR, PR), (CR, PR)):
        return PR
    for day, answer in points:
        if answer in (CR, PR, SD) and day >= minimum_stable:
            return SD
    if progression:
        return PD
    return NE
