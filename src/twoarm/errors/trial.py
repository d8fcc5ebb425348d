"""What can be wrong with a protocol, its records and their analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twoarm.errors.root import TwoarmError


class MissingBaselineError(TwoarmError, ValueError):
    """A target lesion has no diameter at baseline."""

    def __init__(self, *, patient: int, lesion: int) -> None:
        super().__init__(
            f"lesion {lesion} of patient row {patient} has no diameter at visit 0. Response is judged against "
            "baseline, so every target lesion is measured there. Give its diameter in mm, or leave the lesion out."
        )


class VisitOrderError(TwoarmError, ValueError):
    """A visit's day is not later than the one before."""

    def __init__(self, *, patient: int, visit: int, day: float) -> None:
        super().__init__(
            f"visit {visit} of patient row {patient} is on day {day:g}, not after the visit before it. Days rise "
            "from visit to visit. Sort the visits, and drop those that did not take place."
        )


class ProtocolError(TwoarmError):
    """A protocol made in Python breaks a rule; it is no ValueError, which pydantic would wrap in its own."""

    def __init__(self, *, fault: TwoarmError) -> None:
        super().__init__(str(fault))


class StudyArmError(TwoarmError, ValueError):
    """A study lays published facts beside an arm that its protocol does not have."""

    def __init__(self, *, study: str, arm: str, arms: Sequence[str]) -> None:
        super().__init__(
            f'study "{study}" lays facts beside the arm "{arm}". Its protocol has {", ".join(arms)}. Name one of them.'
        )


class UnnamedArmError(TwoarmError, ValueError):
    """A table of a report holds an arm that the report was not told of."""

    def __init__(self, *, arms: Sequence[str], named: Sequence[str]) -> None:
        super().__init__(
            f"arm {', '.join(repr(arm) for arm in arms)} stands in a table of the report and not among its arms "
            f"({', '.join(named)}). Every arm needs a name for the reader. Add it to `arms`, or leave out its rows."
        )


class PatientsFailedError(TwoarmError, RuntimeError):
    """Too many patients of a trial could not be integrated to their end."""

    def __init__(self, *, failed: int, n: int, reason: str, limit: float) -> None:
        super().__init__(
            f"{failed} of {n} patients did not finish; most often: {reason}. A trial in which more than "
            f"{100 * limit:g} % fail says nothing about the rest, and is not written. Look at one such patient with "
            '`simulate(..., backend="reference")`, or correct the model or the card.'
        )


class BlockSizeError(TwoarmError, ValueError):
    """A block that cannot hold the arms in their shares."""

    def __init__(self, *, size: int, shares: Mapping[str, int]) -> None:
        said = ", ".join(f"{arm} {share}" for arm, share in shares.items())
        super().__init__(
            f"block size {size} does not fit the shares {said}. A block holds each arm in its share, so its size is a "
            f"multiple of {sum(shares.values())}. Change the size or the shares."
        )


class MissingOutputError(TwoarmError, ValueError):
    """A model does not give what a trial has to see."""

    def __init__(self, *, model: str, missing: Sequence[str], purpose: str) -> None:
        super().__init__(
            f'model "{model}" has no output {", ".join(missing)}, needed {purpose}. A trial reads these names. Give the '
            "model such outputs, or use protocol and outcomes files that do not ask for them."
        )


class EventsNotReachedError(TwoarmError, ValueError):
    """A data cut that waits for more events than there are."""

    def __init__(self, *, endpoint: str, asked: int, found: int) -> None:
        super().__init__(
            f"cut at {asked} events of {endpoint}, and only {found} happened in the whole follow-up. A cut by events "
            "needs that many. Ask for fewer, follow patients longer, or cut by `cutoff`."
        )


class ArmsToCompareError(TwoarmError, ValueError):
    """A comparison of arms that cannot be made."""

    def __init__(self, *, arms: Sequence[str], wanted: str) -> None:
        super().__init__(
            f'arm "{wanted}" is not in the table, which has {", ".join(arms)}. A comparison takes two arms that have '
            "patients. Name one of them."
        )
