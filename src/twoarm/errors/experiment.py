"""What an experiment refuses."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from twoarm.errors.root import TwoarmError


class NoRangeError(TwoarmError, ValueError):
    """A number of the biology that is to be drawn has no range."""

    def __init__(self, *, name: str, model: str, known: Iterable[str]) -> None:
        close = get_close_matches(name, list(known), n=2)
        hint = f" Close: {', '.join(close)}." if close else ""
        super().__init__(
            f'"{name}" is to be drawn, and the text of model "{model}" gives it no range. A number is drawn from the '
            f"[low, high] behind it.{hint} Correct the name, or write its range."
        )


class NotInModelError(TwoarmError, ValueError):
    """A second inoculation names what the model does not have."""

    def __init__(self, *, name: str, what: str, model: str, known: Iterable[str]) -> None:
        close = get_close_matches(name, list(known), n=2)
        hint = f" Close: {', '.join(close)}." if close else ""
        super().__init__(
            f'rechallenge names "{name}", which is no {what} of model "{model}". A second inoculation sets states and '
            f"counts a pool by parameters.{hint} Correct the name."
        )
