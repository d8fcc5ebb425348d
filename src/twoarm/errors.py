"""Every exception of the package, on as few screens as possible.

A message says what is wrong with which value, whose it is and where; the rule; what to do. It is built
here from the facts, never at the ``raise``.
"""

from __future__ import annotations


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
