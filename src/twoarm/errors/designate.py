"""What can be wrong with a cohort that is laid beside available therapy."""

from __future__ import annotations

from collections.abc import Sequence

from twoarm.errors.root import TwoarmError


class NoTherapyDifferenceError(TwoarmError, ValueError):
    """A trial stands beside a cohort without a word on how their patients differ."""

    def __init__(self, *, cohort: str, trial: str) -> None:
        super().__init__(
            f'cohort "{cohort}" is laid beside the trial "{trial}" without its differences in population. '
            "No cohort is compared with another without them. Add them to the table `differences` of its file."
        )


class CohortEndpointError(TwoarmError, ValueError):
    """A cohort has no endpoint of that name."""

    def __init__(self, *, cohort: str, endpoint: str, known: Sequence[str]) -> None:
        super().__init__(
            f'cohort "{cohort}" has no endpoint "{endpoint}". It has {", ".join(known)}. Name one of them.'
        )


class NoSuchFactError(TwoarmError, ValueError):
    """A cohort's file names a row that its tables of evidence do not have, or that measures something else."""

    def __init__(self, *, cohort: str, fact: str, reason: str) -> None:
        super().__init__(
            f'cohort "{cohort}" names the fact "{fact}", but {reason}. Facts are ids of rows of its tables of '
            "evidence, listed under the endpoint they measure. Correct its file."
        )


class NoArmOfDrugError(TwoarmError, ValueError):
    """The folder of a run has no arm with the cohort's drug."""

    def __init__(self, *, folder: object, drug: str, arms: Sequence[str]) -> None:
        super().__init__(
            f'"{folder}" has no arm that is given "{drug}"; its arms are {", ".join(arms)}. A simulation answers '
            "for the drug it simulated. Name the folder of a run with that drug."
        )
