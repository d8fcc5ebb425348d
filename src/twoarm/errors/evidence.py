"""What can be wrong with published facts and predictions beside them."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from twoarm.errors.root import TwoarmError


class EvidenceColumnError(TwoarmError, ValueError):
    """A table of evidence lacks a column, has one too many, or has one twice."""

    def __init__(
        self,
        *,
        file: str,
        missing: Sequence[str],
        unknown: Sequence[str],
        twice: Sequence[str],
        known: Sequence[str],
    ) -> None:
        close = [
            f'"{name}" (close: {", ".join(get_close_matches(name, list(known)) or ["none"])})'
            for name in unknown
        ]
        facts = [("missing", list(missing)), ("unknown", close), ("twice", list(twice))]
        said = "; ".join(f"{word}: {', '.join(names[:9])}" for word, names in facts if names)
        super().__init__(
            f"columns of {file}: {said}. The known columns, each once, are {', '.join(known)}. "
            "Correct the header."
        )


class EvidenceRowError(TwoarmError, ValueError):
    """A cell of a table of evidence breaks a rule."""

    def __init__(self, *, file: str, row: int, column: str, text: str, rule: str) -> None:
        shown = text if len(text) <= 60 else text[:57] + "..."
        super().__init__(
            f'{file}, row {row}, column "{column}": "{shown}". The rule: {rule}. Correct that cell.'
        )


class PredictionTableError(TwoarmError, ValueError):
    """A table of predictions cannot be set beside the evidence."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            f"predictions cannot be compared: {reason}. Predictions have the index `id` of evidence rows with "
            "a value, each once, and the columns value, low, high. Correct the table."
        )


class NoSuchEvidenceError(TwoarmError, ValueError):
    """No fact of the evidence has the text asked for."""

    def __init__(self, *, column: str, text: str, known: Sequence[str]) -> None:
        close = get_close_matches(text, list(known))
        hint = f"Close: {', '.join(close)}. " if close else ""
        super().__init__(
            f'no fact has the {column} "{text}". {hint}The texts are matched whole. Choose one of the '
            f"{len(known)} of that column."
        )
