"""What can be wrong with long jobs, dose tables and the files they write."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from twoarm.errors.root import TwoarmError


class MissingColumnError(TwoarmError, ValueError):
    """A table lacks a column that is needed."""

    def __init__(self, *, column: str, table: str, purpose: str) -> None:
        super().__init__(
            f'table of {table} has no column "{column}", which is needed {purpose}. Add it in the house unit.'
        )


class OtherJobError(TwoarmError, ValueError):
    """A result that was begun belongs to another job than the one that is to go on."""

    def __init__(self, *, folder: object, changed: Sequence[str]) -> None:
        super().__init__(
            f'"{folder}" was begun with another {", ".join(changed)}. A result is resumed only by the very job that began '
            "it, so that it is the uninterrupted one to the last bit. Name another place, or remove this one."
        )
        self.changed = tuple(changed)


class StoreNameError(TwoarmError, ValueError):
    """A stream is to be written to something else than a Zarr store."""

    def __init__(self, *, path: object) -> None:
        super().__init__(
            f'"{path}" does not end in .zarr. A stream is written to a Zarr store, which grows chunk by chunk. Name it so, '
            "or leave `out` away and write the result in memory as you like."
        )


class ResultThereError(TwoarmError, ValueError):
    """A place for a result is taken."""

    def __init__(self, *, path: object) -> None:
        super().__init__(
            f'"{path}" is there already. A result is never written over another. Name another place, remove this '
            "one, or pass resume=True (--resume) if it is this job's."
        )


class UnfinishedThereError(TwoarmError, ValueError):
    """An interrupted job has left a part of its result."""

    def __init__(self, *, path: object, folder: object) -> None:
        super().__init__(
            f'an interrupted job for "{path}" has left its finished part in "{folder}". Nothing is thrown away unasked. '
            "Pass resume=True (--resume) to go on with it, or remove that folder."
        )


class ReductionError(TwoarmError, ValueError):
    """What a reduction made of a chunk of patients cannot be put together."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            f"the reduction gave {reason}. It gives the same variables for any patients, each a row a patient, and a "
            "patient's row does not depend on who else is there. Correct the function passed as `reduce`."
        )


class DoseRowError(TwoarmError, ValueError):
    """A row of a dose table that no dose can be."""

    def __init__(self, *, row: int, patient: object, column: str, value: object, rule: str) -> None:
        given = value.item() if getattr(value, "ndim", None) == 0 else value  # type: ignore[attr-defined]
        super().__init__(
            f"{column} = {given!r} in row {row} of the dose table (patient {patient}). {rule}. Correct the row."
        )
        self.row, self.column, self.value, self.rule = row, column, given, rule


class TableCellError(TwoarmError, ValueError):
    """A cell of a table from a file breaks a rule."""

    def __init__(self, *, path: object, line: int, column: str, value: object, rule: str) -> None:
        text = str(value)
        shown = text if len(text) <= 60 else text[:57] + "..."
        super().__init__(
            f'{path}, line {line}, column "{column}": "{shown}". {rule}. Line 1 is the header. Correct that cell.'
        )


class PictureFileError(TwoarmError, ValueError):
    """A picture is asked for in a form that is not drawn."""

    def __init__(self, *, path: object, known: Sequence[str]) -> None:
        super().__init__(
            f'"{path}" is no picture that can be drawn: its name ends in {", ".join(known)}. Name it so.'
        )


class OutputFileError(TwoarmError, ValueError):
    """Curves are asked for in a form that is not written."""

    def __init__(self, *, path: object) -> None:
        super().__init__(
            f'"{path}" ends in none of .csv, .nc and .zarr. Curves are written as a table, as NetCDF or as a Zarr store. '
            "Name the file so."
        )


class DoseColumnError(TwoarmError, ValueError):
    """A column of a dose table that is missing, or looks like a known one misspelled."""

    def __init__(self, *, column: str, known: Sequence[str], missing: bool = False) -> None:
        close = get_close_matches(column.lower(), list(known), n=1, cutoff=0.7)
        problem = "is missing" if missing else f"looks like {close[0] if close else 'another'!r} misspelled"
        super().__init__(
            f'column "{column}" of the dose table {problem}. Known columns: {", ".join(known)}. Rename or add it.'
        )
