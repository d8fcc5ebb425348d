"""What can be wrong with questions about what matters, and with what is learned from reports."""

from __future__ import annotations

from collections.abc import Sequence

from twoarm.errors.root import TwoarmError


class NoUnknownError(TwoarmError, ValueError):
    """Nothing of a study is unknown, or no such group of numbers exists."""

    def __init__(self, *, groups: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(
            f"no number with a range in {', '.join(groups) or 'no group'}. What matters is asked of numbers that may "
            f"lie elsewhere; the groups are {', '.join(known)}. Name one whose files have ranges."
        )


class FewRunsError(TwoarmError, ValueError):
    """Too few runs came to an end to say anything."""

    def __init__(self, *, done: int, needed: int, what: str) -> None:
        super().__init__(
            f"{done} runs for {what} came to an end, and {needed} are needed. Runs in which patients fail are left "
            "out. Ask for more, or for fewer groups."
        )


class WrongGroupError(TwoarmError, ValueError):
    """A group of unknowns that does not exist."""

    def __init__(self, *, group: str, known: Sequence[str]) -> None:
        super().__init__(
            f'there is no group "{group}" of numbers. The groups are {", ".join(known)}. Name one or more of them, '
            "commas between."
        )


class OtherCardError(TwoarmError, ValueError):
    """Weights of an update belong to another card."""

    def __init__(self, *, molecule: str, weighed: str, same: bool) -> None:
        told = "its card has changed since" if same else f"no arm is given {weighed}, but {molecule}"
        super().__init__(
            f"the weights are of draws of {weighed}; {told}. Weights hold only for the card that was weighed. "
            "Weigh it again: twoarm update."
        )


class NothingToLearnError(TwoarmError, ValueError):
    """No report of the chosen cohorts can weigh a card."""

    def __init__(self, *, cohorts: Sequence[str], why: str) -> None:
        super().__init__(
            f"no report of {', '.join(cohorts)} weighs a draw of the card: {why}. A report counts with a value, a "
            "number of patients and a verified source. Name another cohort."
        )


class NoSuchCohortError(TwoarmError, ValueError):
    """An update has no cohort of that name."""

    def __init__(self, *, update: str, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f'update "{update}" has no cohort "{name}". It has {", ".join(known)}. Name one or more of them.'
        )
