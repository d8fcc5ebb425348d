"""What can be wrong with a library file, its entries, units and sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from twoarm.errors.root import TwoarmError


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


class UnitError(TwoarmError, ValueError):
    """A text is not a number and a unit, or the unit measures something else."""

    def __init__(self, *, text: object, what: str, whose: str, unit: str, reason: str, example: str) -> None:
        owner = f" of {whose}" if whose else ""
        wanted = f" It is wanted in {unit}." if unit and reason != "is not a quantity" else ""
        super().__init__(
            f'{what} "{text}"{owner} {reason}.{wanted} Write a number and a unit, as "{example}".'
        )


class QuantityRangeError(TwoarmError, ValueError):
    """A quantity lies outside what it may be."""

    def __init__(self, *, text: object, what: str, whose: str, rule: str) -> None:
        owner = f" of {whose}" if whose else ""
        super().__init__(
            f'{what} "{text}"{owner} cannot be. It must be {rule}. Correct the number or its unit.'
        )


class UnknownKindError(TwoarmError, ValueError):
    """The library has no such kind of file."""

    def __init__(self, *, kind: str, known: Iterable[str]) -> None:
        super().__init__(
            f'the library keeps no "{kind}". Its kinds are {", ".join(sorted(known))}. Ask for one of them.'
        )


class NotInLibraryError(TwoarmError, ValueError):
    """A name is neither in the library nor another name of something there."""

    def __init__(
        self, *, one: str, kind: str, name: str, known: Sequence[str], count: int | None = None
    ) -> None:
        close = get_close_matches(name.lower(), list(known), n=3, cutoff=0.75)
        number = len(known) if count is None else count
        hint = "Close: " + ", ".join(f'"{match}"' for match in close) + ". " if close else ""
        super().__init__(
            f'no {one} "{name}". {hint}In the library: {number}; see `twoarm list {kind}`, or give a '
            "path to a file of your own."
        )


class FileMissingError(TwoarmError, ValueError):
    """A path does not lead to a file."""

    def __init__(self, *, path: object) -> None:
        super().__init__(f"{path} is not a file. A path leads to one readable file. Check the path.")


class FileUnreadableError(TwoarmError, ValueError):
    """The system does not let a file be read."""

    def __init__(self, *, path: object, reason: str) -> None:
        super().__init__(
            f"{path} cannot be read: {reason.lower()}. A file is read with the rights of who runs twoarm. Check its "
            "name and permissions."
        )


class FileTooLargeError(TwoarmError, ValueError):
    """A file is larger than any honest one of its kind."""

    def __init__(self, *, path: object, size: int, limit: int) -> None:
        super().__init__(
            f"{path} holds {size / 1e6:,.1f} MB. Files of at most {limit / 1e6:g} MB are read. Split the "
            "file, or give the right one."
        )


class FileTextError(TwoarmError, ValueError):
    """A file cannot be read as the text it should be."""

    def __init__(self, *, path: object, form: str, reason: str) -> None:
        super().__init__(f"{path} is not {form}: {reason}. It is read as {form}. Correct it there.")


class UnknownFieldError(TwoarmError, ValueError):
    """A file has a field that its kind does not know."""

    def __init__(self, *, path: object, place: str, field: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(field, names, n=2)
        hint = f"Close: {', '.join(close)}. " if close else f"Known: {', '.join(names)}. "
        super().__init__(
            f'{path}: field "{field}" of {place} is unknown. Only listed fields are read, so that a '
            f"misspelled one is never passed over. {hint}Rename or remove it."
        )


class MissingFieldError(TwoarmError, ValueError):
    """A file lacks a field that its kind requires."""

    def __init__(self, *, path: object, place: str, field: str) -> None:
        super().__init__(f'{path}: {place} has no "{field}", which is required. Add it, with its source.')


class EntryFormError(TwoarmError, ValueError):
    """An entry is not one of the forms a card knows."""

    def __init__(self, *, given: str) -> None:
        super().__init__(
            f"entry with {given}. An entry has `value`, or `low` and `high`, or both, or `choices`, and "
            "always a `source`. Write, as an example, "
            '{ low = "0.1 nM", high = "2 nM", scale = "log", source = "assumed", note = "no public value" }.'
        )


class RangeOrderError(TwoarmError, ValueError):
    """A range whose low end is above its high end, or whose value lies outside."""

    def __init__(self, *, low: float, high: float, value: float | None, unit: str) -> None:
        said = f" with value {value:g}" if value is not None else ""
        super().__init__(
            f"range {low:g} to {high:g} {unit}{said} is out of order. `low` is below `high`, and `value`, "
            "where given, lies between. Exchange the ends or correct the value."
        )


class LogRangeError(TwoarmError, ValueError):
    """A logarithmic range that touches 0."""

    def __init__(self, *, low: float) -> None:
        super().__init__(
            f'range from {low:g} has scale = "log". A logarithmic range starts above 0. Raise `low`, or use '
            'scale = "linear".'
        )


class MissingNoteError(TwoarmError, ValueError):
    """An assumed number without a word on why."""

    def __init__(self) -> None:
        super().__init__(
            'source = "assumed" without a note. Who assumes says why. Add note = "...", or cite a key of '
            "docs/references.bib."
        )


class FileFormError(TwoarmError, ValueError):
    """A table or a picture is asked for in a form that is not written."""

    def __init__(self, *, path: object, suffixes: Iterable[str]) -> None:
        forms = " or ".join(suffixes)
        super().__init__(f'"{path}" does not end in {forms}. Only these are written here. Name the file so.')
