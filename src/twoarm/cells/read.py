"""Which cells there are and what they carry, from a file that may name numbers of the biology."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twoarm import catalog
from twoarm.card import EntryRule, read_entry
from twoarm.entries import read_values
from twoarm.errors import CardEntryError, MissingFieldError, TwoarmError, UnknownFieldError
from twoarm.lineage import line_of

_COPIES = EntryRule("", at_least=0)
_CARRIED = ("pd1", "il2ra", "il2rb", "il2rg", "half_signal")
_FIELDS = {"name", "description", "constants_of", "order", "measured", "tumor_specific", "spared", "cells"}
_KNOWN = _FIELDS | {"extends", "constants"}


@dataclass(frozen=True)
class Cell:
    """What one cell of a class carries.

    Attributes
    ----------
    name, label : str
        Short name, and words for a reader.
    pd1, il2ra, il2rb, il2rg : float [copies]
        Receptors on one cell.
    half_signal : float [complexes]
        Signaling complexes for half of pSTAT5.
    """

    name: str
    label: str
    pd1: float
    il2ra: float
    il2rb: float
    il2rg: float
    half_signal: float


@dataclass(frozen=True)
class CellSet:
    """Cells, and the constants of binding and signaling that they share.

    Attributes
    ----------
    name, description : str
        What it is.
    cells : mapping of str to Cell
        By name, in the order of the file.
    constants : mapping of str to float
        What all cells share, by its name in the biology.
    measured : tuple of str
        Cells whose pSTAT5 was measured.
    tumor_specific : str
        The cell a drug is meant for.
    spared : tuple of str
        Cells it is compared with.
    digest : str
        SHA-256 of the file it was read from.
    """

    name: str
    description: str
    cells: Mapping[str, Cell]
    constants: Mapping[str, float]
    measured: tuple[str, ...] = ()
    tumor_specific: str = ""
    spared: tuple[str, ...] = ()
    digest: str = field(default="", compare=False)


def read_cells(
    name_or_path: str | os.PathLike[str] = "human", constants: Mapping[str, float] | None = None
) -> CellSet:
    """Read a set of cells.

    Parameters
    ----------
    name_or_path : str or path
        Name in the library, or a TOML file of the user's own.
    constants : mapping of str to float, optional
        Other values of numbers of the biology, as a fit tries them.

    Returns
    -------
    CellSet
        Numbers named in the file taken from the biology it names.

    Raises
    ------
    NotInLibraryError, FileMissingError, FileTextError
        If there is no such file, or it cannot be read.
    UnknownFieldError, MissingFieldError, CardEntryError
        If a field is unknown, missing, or breaks its rule.

    Examples
    --------
    >>> cells = read_cells().cells
    >>> cells["nk"].il2rb > 10 * cells["treg"].il2rb > 0
    True
    """
    path = catalog.find("cells", name_or_path)
    content = _whole(path)
    for unknown in set(content) - _KNOWN:
        raise UnknownFieldError(path=path.name, place="the file", field=unknown, known=_KNOWN)
    for needed in _FIELDS - set(content):
        raise MissingFieldError(path=path.name, place="the file", field=needed)
    own = {
        key: _number(said, {}, path.name, f"constants.{key}")
        for key, said in content.get("constants", {}).items()
    }
    values = read_values(catalog.find("biology", content["constants_of"])) | own | dict(constants or {})
    listed = content["cells"]
    for name in [*content["order"], *content["measured"], content["tumor_specific"], *content["spared"]]:
        if name not in listed:
            raise UnknownFieldError(path=path.name, place="cells", field=str(name), known=listed)
    return CellSet(
        name=str(content["name"]),
        description=str(content["description"]),
        cells={name: _cell(name, listed[name], values, path.name) for name in content["order"]},
        constants=values,
        measured=tuple(content["measured"]),
        tumor_specific=str(content["tumor_specific"]),
        spared=tuple(content["spared"]),
        digest=catalog.digest(path),
    )


def _whole(path: Path) -> dict[str, Any]:
    """Lay a file over the one it extends, cell by cell and field by field."""
    line = line_of("cells", path)
    whole = catalog.read_toml(line[-1])
    for child in reversed(line[:-1]):
        for key, said in catalog.read_toml(child).items():
            if key == "cells":
                for name, cell in said.items():
                    whole["cells"][name] = {**whole["cells"].get(name, {}), **cell}
            elif key != "extends":
                whole[key] = said
    return whole


def _cell(name: str, said: Mapping[str, Any], values: Mapping[str, float], path: str) -> Cell:
    for unknown in set(said) - {"label", *_CARRIED}:
        raise UnknownFieldError(path=path, place=f"cells.{name}", field=unknown, known=("label", *_CARRIED))
    for needed in ("label", *_CARRIED):
        if needed not in said:
            raise MissingFieldError(path=path, place=f"cells.{name}", field=needed)
    carried = {key: _number(said[key], values, path, f"cells.{name}.{key}") for key in _CARRIED}
    return Cell(name=name, label=str(said["label"]), **carried)


def _number(said: Any, values: Mapping[str, float], path: str, place: str) -> float:
    """Take a number of the biology by its name, or the one that stands here with its source."""
    if isinstance(said, str):
        if said not in values:
            raise UnknownFieldError(path=path, place=place, field=said, known=values)
        return values[said]
    try:
        return read_entry(said, _COPIES).nominal()
    except TwoarmError as wrong:
        raise CardEntryError(path=path, place=place, reason=str(wrong)) from wrong
