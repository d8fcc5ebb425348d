"""Every exception of the package, on as few screens as possible.

A message says what is wrong with which value, whose it is and where; the rule; what to do. It is built
here from the facts, never at the ``raise``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class TwoarmError(Exception):
    """Above every error this package raises on purpose."""


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


class NoBibliographyError(TwoarmError):
    """The package was installed without its bibliography."""

    def __init__(self, *, places: Iterable[object]) -> None:
        super().__init__(
            f"no references.bib at {' or '.join(str(place) for place in places)}. Every number of the library cites "
            "it. Install the package again; a checkout keeps it in docs/."
        )


class UnknownSourceError(TwoarmError, ValueError):
    """A source is not a key of the bibliography."""

    def __init__(self, *, missing: Sequence[str], known: Iterable[str]) -> None:
        close = sorted({match for key in missing for match in get_close_matches(key, list(known), n=2)})
        hint = f"Close: {', '.join(close)}. " if close else ""
        super().__init__(
            f"source {', '.join(repr(key) for key in missing)} is not in the bibliography. A source is a key of "
            f'docs/references.bib, or the word "assumed" with a note. {hint}Add the entry, or correct the key.'
        )
