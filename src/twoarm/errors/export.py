"""What can be wrong with an export."""

from __future__ import annotations

from collections.abc import Sequence

from twoarm.errors.root import TwoarmError


class ExportFormatError(TwoarmError, ValueError):
    """A format that data sets are not written in."""

    def __init__(self, *, form: str, known: Sequence[str]) -> None:
        said = f'no format "{form}" to export to' if form else "no format to export to was named"
        super().__init__(
            f"{said}. Data sets are written as {', '.join(known)}. Name one or more, commas between, as --format csv,xpt."
        )


class ExportLibraryError(TwoarmError, ImportError):
    """A format needs a library that is not installed."""

    def __init__(self, *, form: str, library: str) -> None:
        super().__init__(
            f"{form} files need {library}, which is not installed. CSV needs nothing more. Install it with "
            '`pip install "twoarm[export]"`, or pass --format csv.'
        )


class ExportDrawError(TwoarmError, ValueError):
    """A study has no trial of the draw that was asked for."""

    def __init__(self, *, folder: object, draw: int | None, known: Sequence[str]) -> None:
        super().__init__(
            f'"{folder}" has no finished trial of draw {draw}; it has {", ".join(known) or "none"}. One trial of a study is '
            "exported. Name one of these, or leave --draw out for the trial whose curves the page shows."
        )


class ExportNobodyError(TwoarmError, ValueError):
    """A cut before the first patient was enrolled."""

    def __init__(self, *, protocol: str) -> None:
        super().__init__(
            f"nobody of {protocol} was enrolled before the cut. Data sets are of patients. Cut the data later, or leave "
            "`cutoff` out for the end of follow-up."
        )
