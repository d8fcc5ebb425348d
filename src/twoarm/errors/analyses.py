"""What can be wrong with a table that is analyzed."""

from __future__ import annotations

from twoarm.errors.root import TwoarmError


class AnalysisCellError(TwoarmError, ValueError):
    """A cell of a table from which nothing can be computed."""

    def __init__(self, *, column: str, row: object, value: object, rule: str) -> None:
        super().__init__(
            f'"{value}" in column {column} of row {row} of the data cut cannot be analyzed. {rule}. Correct it, or leave the '
            "patient out and say so."
        )
