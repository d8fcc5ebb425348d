"""One sourced number of a protocol or outcomes file, and how such files are read.

Every entry is ``{ value = ..., source = ..., [note, low, high, tuned, place] }``: a quantity in words, the
key of its source in docs/references.bib (or "assumed" with a note), and whether it was tuned to data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar  # noqa: F401 (the doctest reads it)

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo

from twoarm import catalog
from twoarm.bibliography import ASSUMED, read_references
from twoarm.errors import (
    CardEntryError,
    MissingFieldError,
    MissingNoteError,
    TwoarmError,
    UnknownFieldError,
    UnknownSourceError,
)
from twoarm.units import quantity
from twoarm.wording import foremost, in_words

_ENTRY = ("value", "source", "note", "low", "high", "tuned", "place", "unit")
_Card = TypeVar("_Card", bound="Card")


class Card(BaseModel):
    """What every file and every table of a file shares: nothing unknown, nothing infinite, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


def _value(raw: Any, info: ValidationInfo) -> Any:
    """Take the value of an entry; from a file it must say its source, from Python a bare value will do."""
    if isinstance(raw, Mapping) and "value" in raw:
        for field in raw:
            if field not in _ENTRY:
                raise ValueError(
                    f'an entry has no "{field}". It has {", ".join(_ENTRY)}. Rename or remove it.'
                )
        if not raw.get("source"):
            raise ValueError('entry without a source. A number never stands without one. Add source = "...".')
        _check_source(raw, info)
        return raw["value"]
    if info.context and info.context.get("path"):
        raise ValueError(
            f"{raw!r} stands alone. A number never stands without its source. Write it as "
            '{ value = "6 weeks", source = "..." }.'
        )
    return raw


def _check_source(raw: Mapping[str, Any], info: ValidationInfo) -> None:
    """Refuse an assumption without a note and, from a file, a source that nobody can look up."""
    keys = [key.strip() for key in str(raw["source"]).split(";")]
    if ASSUMED in keys and not raw.get("note"):
        raise MissingNoteError
    if info.context and info.context.get("path"):
        known = read_references()
        if missing := [key for key in keys if key != ASSUMED and key not in known]:
            raise UnknownSourceError(missing=missing, known=tuple(known))


def measured(
    unit: str, *, above: float | None = None, at_least: float | None = None, at_most: float | None = None
) -> BeforeValidator:
    """Reader of a float field from an entry, in the house unit.

    Parameters
    ----------
    unit : str
        House unit; "" for a ratio or a count.
    above, at_least, at_most : float, optional
        Bounds in `unit`.

    Returns
    -------
    BeforeValidator
        For the annotation of a field.

    Examples
    --------
    >>> class Scan(Card):
    ...     every: Annotated[float, measured("day", above=0)]
    >>> Scan(every="6 weeks").every
    42.0
    """

    def read(raw: Any, info: ValidationInfo) -> float:
        what = info.field_name or "quantity"
        return quantity(_value(raw, info), unit, what=what, above=above, at_least=at_least, at_most=at_most)

    return BeforeValidator(read)


SOURCED = BeforeValidator(_value)
"""Reader of a field from an entry as it stands: names, lists, yes or no."""


def read_card(kind: str, name: str | Path, model: type[_Card]) -> tuple[_Card, Path]:
    """Read and check one file of the library, or one of the user's own.

    Parameters
    ----------
    kind : str
        Folder of the library: "protocols" or "outcomes".
    name : str or Path
        Name in the library, or a path.
    model : type of Card
        What the file must be.

    Returns
    -------
    card : Card
        The checked file.
    path : Path
        Where it was found.

    Raises
    ------
    NotInLibraryError
        If no file has that name.
    FileTooLargeError
        If it holds more than 10 MB; nothing is parsed then.
    FileTextError
        If it is not TOML.
    UnknownFieldError, MissingFieldError, CardEntryError
        If a field is unknown, missing, or breaks its rule.
    """
    path = catalog.find(kind, name)
    return check_card(catalog.read_toml(path), model, path), path


def check_card(raw: Mapping[str, Any], model: type[_Card], path: Path | None) -> _Card:
    """Check the raw content of a file as a card.

    Parameters
    ----------
    raw : mapping
        Content of the file.
    model : type of Card
        What it must be.
    path : Path, optional
        Where it stands; with it every number needs its source.

    Returns
    -------
    Card
        The checked file.

    Raises
    ------
    UnknownFieldError, MissingFieldError, CardEntryError
        If a field is unknown, missing, or breaks its rule.
    """
    try:
        return model.model_validate(raw, context={"path": path})
    except ValidationError as wrong:
        raise fault_of(wrong, model, path or "the card") from None


def fault_of(wrong: ValidationError, model: type[Card], path: object) -> TwoarmError:
    """Say the foremost of pydantic's problems as an error of this package.

    Parameters
    ----------
    wrong : ValidationError
        What pydantic found.
    model : type of Card
        What was to be made.
    path : object
        Whose problem it is, for the message.

    Returns
    -------
    TwoarmError
        To be raised.
    """
    problem = foremost(wrong.errors(include_url=False))
    place = ".".join(str(part) for part in problem["loc"][:-1]) or "the file"
    field = str(problem["loc"][-1]) if problem["loc"] else "the file"
    if problem["type"] == "extra_forbidden":
        return UnknownFieldError(
            path=path, place=place, field=field, known=_fields(model, problem["loc"][:-1])
        )
    if problem["type"] == "missing":
        return MissingFieldError(path=path, place=place, field=field)
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    return CardEntryError(path=path, place=where, reason=in_words(problem))


def _fields(model: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """Names a table of the file may have, as far as its model can be followed."""
    for part in place:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field else None
        for kind in getattr(inner, "__args__", ()):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                inner = kind
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return list(model.model_fields)
