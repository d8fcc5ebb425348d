"""What can be wrong with draws, populations and virtual patients."""

from __future__ import annotations

from twoarm.errors.root import TwoarmError


class KeyOfDrawError(TwoarmError, ValueError):
    """A part of the key of a random draw is not what a key is made of."""

    def __init__(self, *, part: str, value: object) -> None:
        rule = "a text that is not empty" if part == "purpose" else "a whole number"
        super().__init__(
            f"{part} {value!r} cannot key a random draw. It must be {rule}. Pass, as an example, seed=7."
        )


class PatientLabelError(TwoarmError, ValueError):
    """A patient's label is not a whole number of 0 or above."""

    def __init__(self, *, value: object) -> None:
        super().__init__(
            f"patient label {value!r} is not a whole number of 0 or above. Draws are keyed by such labels. "
            "Number the patients, as 0, 1, 2."
        )


class PopulationError(TwoarmError, ValueError):
    """An entry of a population file breaks a rule."""

    def __init__(self, *, file: str, where: str, what: str) -> None:
        super().__init__(
            f"population {file}, at {where}: {what}. Every entry has a distribution or formula of the list, a "
            "unit, a source and a range or note. Correct that entry."
        )


class UntreatedRunError(TwoarmError, ValueError):
    """The untreated run given to the plausibility check lacks something it was asked for."""

    def __init__(self, *, output: str, day: float) -> None:
        super().__init__(
            f'the untreated run has no "{output}" at day {day:g} for every patient. A rule of the population '
            "needs it. Let the callable return all outputs and days it is asked for, over (patient, day)."
        )


class ImplausiblePopulationError(TwoarmError, ValueError):
    """Too few of a population's candidates are plausible."""

    def __init__(self, *, population: str, wanted: int, found: int, rejected: dict[str, int]) -> None:
        worst = max(rejected, key=lambda name: rejected[name])
        super().__init__(
            f'only {found} of {wanted} patients of "{population}" are plausible; the rule "{worst}" rejected '
            f"{rejected[worst]} candidates. At least 1 candidate in 50 must be kept. Widen that rule, or "
            "correct the distributions."
        )


class NumberOfPatientsError(TwoarmError, ValueError):
    """A number of patients that no trial has."""

    def __init__(self, *, n: object, most: int) -> None:
        super().__init__(
            f"{n!r} patients were asked for. A simulated trial has from 2 to {most:,}. Pass, as an example, 100."
        )


class UnreachableAggregateError(TwoarmError, ValueError):
    """No weights, or only extreme ones, give a cohort the aggregates asked for."""

    def __init__(self, *, aggregate: str, effective: float) -> None:
        super().__init__(
            f"{aggregate} cannot be reached by weighing these patients ({effective:.0f} would be left in effect). "
            "Weights move a cohort a little, and keep 1 patient in 20 in effect. Draw more patients, correct the "
            "population, or ask for less."
        )
