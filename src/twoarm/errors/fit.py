"""What can be wrong with a calibration, and with what it froze."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twoarm.errors.root import TwoarmError


class FitFieldError(TwoarmError, ValueError):
    """A parameter of a calibration names a field that its file does not have."""

    def __init__(self, *, parameter: str, field: str) -> None:
        super().__init__(
            f'parameter "{parameter}": the field "{field}" does not exist or holds no number. A field is '
            '"variable.median" of the population, "variable.case.median" or "variable.*.median" of a '
            'conditional one, "variable.category" of a categorical one, or "outcomes:section.entry". Correct it.'
        )


class FitTargetError(TwoarmError, ValueError):
    """A target of a calibration cannot be read, or may not be fitted to."""

    def __init__(self, *, target: str, reason: str) -> None:
        super().__init__(
            f'target "{target}": {reason}. A target is made from evidence whose use is "calibrate", and no '
            "other. Correct the calibration file, or the evidence with a reason."
        )


class FitFailedError(TwoarmError, RuntimeError):
    """Too few members of an ensemble could be simulated."""

    def __init__(self, *, failed: int, members: int, reason: str) -> None:
        super().__init__(
            f"{failed} of {members} members could not be simulated; the first said: {reason}. A fit needs at "
            "least half of them. Narrow the priors, or look at that member."
        )


class FrozenEvidenceError(TwoarmError, ValueError):
    """A frozen population rests on evidence that has changed since."""

    def __init__(self, *, name: str, changed: Sequence[str], missing: Sequence[str]) -> None:
        said = [f"changed: {', '.join(changed[:9])}"] if changed else []
        said += [f"gone: {', '.join(missing[:9])}"] if missing else []
        super().__init__(
            f'the frozen population "{name}" was fitted to rows that are no longer the same ({"; ".join(said)}). '
            "What was frozen holds only for the evidence it was fitted to. Restore the rows, or fit and freeze "
            f"again: twoarm calibrate {name} --freeze."
        )


class FrozenFileError(TwoarmError, ValueError):
    """A file of a frozen population is not what was frozen."""

    def __init__(self, *, name: str, file: str) -> None:
        super().__init__(
            f'"{file}" of the frozen population "{name}" is not the file that was frozen. Nothing downstream '
            "may touch a frozen population. Restore it, or freeze again under another name."
        )


class NothingFrozenError(TwoarmError, ValueError):
    """There is no frozen population of that name."""

    def __init__(self, *, name: str, known: Sequence[str], folder: Path) -> None:
        super().__init__(
            f'no frozen population "{name}" in {folder}. Frozen: {", ".join(known) or "none"}. '
            f"Fit it first: twoarm calibrate {name} --freeze."
        )


class OutOfReachError(TwoarmError, ValueError):
    """No weights of these virtual patients meet the targets."""

    def __init__(
        self, *, target: str, place: int, asked: float, tolerance: float, nearest: float, patients: int
    ) -> None:
        self.place, self.asked, self.nearest = place, asked, nearest
        super().__init__(
            f"no weights of {patients} virtual patients meet all targets: with every one as near as it can be, "
            f"{target} is {nearest:.3f}, where {asked:.3f} is asked within {tolerance:.3f}. Weights choose among "
            "patients that exist. Widen the tolerance, leave the target out, or simulate patients who show it."
        )


class WeightTableError(TwoarmError, ValueError):
    """A table of outcomes or of targets cannot be weighed."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            f"{reason}. Outcomes have a row for each patient and arm: patient, arm, PFS_day and PFS_event, and "
            "columns of numbers; targets have arm, what, at, value and tolerance. Correct the table."
        )


class NoDiagnosticsError(TwoarmError, ImportError):
    """ArviZ is asked for and is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "ArviZ is not installed, which judges the chains of a fit. Fits, their tables and their report do "
            'without it. Install it: pip install "twoarm[diagnostics]".'
        )
