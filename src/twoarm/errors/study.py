"""What can be wrong with a study: its folder, its pages."""

from __future__ import annotations

from collections.abc import Sequence

from twoarm.errors.root import TwoarmError


class NoPageError(TwoarmError, FileNotFoundError):
    """A folder holds no page of a run."""

    def __init__(self, *, folder: object) -> None:
        super().__init__(
            f'no report.html under "{folder}". Only the pages of finished runs are shown. Make one: '
            "`twoarm run marslight-11`, or name the folder it was written to."
        )


class PortTakenError(TwoarmError, OSError):
    """A port of this machine is in use."""

    def __init__(self, *, port: int) -> None:
        super().__init__(
            f"port {port} of this machine is taken. One program listens on a port. Pass another, as --port 0."
        )


class NotARunError(TwoarmError, ValueError):
    """A folder is not one that a run has written."""

    def __init__(self, *, folder: object, missing: str) -> None:
        super().__init__(
            f'"{folder}" has no {missing}. The folder of a finished run has one. Run the study again with --out "{folder}".'
        )


class OtherStudyError(TwoarmError, ValueError):
    """A folder holds another study than the one to be run."""

    def __init__(self, *, folder: object, changed: Sequence[str]) -> None:
        super().__init__(
            f'"{folder}" holds a study with another {", ".join(changed)}. A folder keeps one study, so that its parts '
            "belong together. Name another folder, move this one away, or leave out --out: then it is moved aside "
            "for you."
        )
        self.changed = tuple(changed)


class FolderInUseError(TwoarmError, ValueError):
    """A folder that holds something else than a study, in which a run might write over it."""

    def __init__(self, *, folder: object, found: str) -> None:
        super().__init__(
            f'"{folder}" holds "{found}" and no study. A run writes into a new or empty folder, or goes on in its own, '
            "so that nothing of yours is lost. Name another folder."
        )


class NotWrittenError(TwoarmError, OSError):
    """The system does not let a result be written."""

    def __init__(self, *, path: object, reason: str) -> None:
        super().__init__(
            f'"{path}" cannot be written: {reason.lower()}. Results go where who runs twoarm may write. '
            "Name another place with --out, or make room there."
        )
