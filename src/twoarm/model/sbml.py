"""Antimony or SBML in, `Model` out; the doors of this room."""

from __future__ import annotations

import os
import re
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from twoarm.catalog import LARGEST, find, read_text
from twoarm.errors import FileTooLargeError
from twoarm.kept import read_kept, write_kept
from twoarm.model.archive import from_bytes, place, to_bytes
from twoarm.model.equations import Model
from twoarm.model.sources import Source, gather

__all__ = ["check_units", "read_model", "write_sbml"]

_LIBRARY = Path(__file__).parents[1] / "library" / "biology"
_WORTH_KEEPING = 0.2  # seconds that reading took


def read_model(source: str | Path) -> Model:
    """Model from Antimony or SBML.

    Parameters
    ----------
    source : str or Path
        Name of a model in the library, path of an ``.ant``, ``.xml`` or ``.sbml`` file, or the text itself.
        An Antimony file may import parts that lie beside it, or in the library; an SBML file may take models
        from files beside it.

    Returns
    -------
    Model
        The same object for the same content.

    Raises
    ------
    ModelTextError
        If the text is not Antimony or SBML, or uses what it does not define.
    UnsupportedModelError
        If it has random distributions, constraint-based parts, or rules that do not determine anything.
    UnsafeModelError, FileTooLargeError
        If the file asks for more than equations.

    Examples
    --------
    >>> model = read_model("model decay; x = 2; x' = -k*x; k = 3; end")
    >>> model.states, model.parameters, model.values
    (('x',), ('k',), (3.0,))
    """
    return _read(_gather(source))


def check_units(source: str | Path) -> list[str]:
    """Messages of libsbml's full check, units and modeling practice included, on the flattened model.

    A number without a unit counts as dimensionless, which is stricter than libsbml's "could be anything".

    Parameters
    ----------
    source : str or Path
        As for `read_model`.

    Returns
    -------
    list of str
        Empty where every equation's dimensions are proved.

    Raises
    ------
    TwoarmError
        As `read_model`, if the text is no model.

    Examples
    --------
    >>> text = "model m() unit time_unit = second; x' = -k*x; x = 1 dimensionless; k = 1 dimensionless; end"
    >>> len(check_units(text)) > 0  # k has to be 1/second
    True
    """
    from twoarm.model.document import complaints

    return complaints(_gather(source))


def write_sbml(source: str | Path, path: str | Path) -> None:
    """Write the flattened model as SBML Level 3, replacing the file in one step.

    Parameters
    ----------
    source : str or Path
        As for `read_model`.
    path : str or Path
        The file to write.

    Raises
    ------
    TwoarmError
        As `read_model`, if the source is no model.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "decay.xml"
    >>> write_sbml("model decay() x' = -k*x; x = 1; k = 0.5; end", path)
    >>> read_model(path).states
    ('x',)
    """
    path = Path(path)
    from twoarm.model.document import flat_text

    text = flat_text(_gather(source))
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _gather(source: str | Path) -> Source:
    if isinstance(source, str) and re.search(r"[\n<;=]", source):
        name, text = "text", source
        folders: tuple[Path, ...] = (_LIBRARY,)
        beside = None
        if len(text.encode(errors="replace")) > LARGEST:
            raise FileTooLargeError(path="the text given", size=len(text.encode()), limit=LARGEST)
    else:
        path = Path(source) if _is_file(source) else find("biology", source)
        name, text = path.name, read_text(path)
        beside = path.resolve().parent
        folders = tuple(dict.fromkeys((beside, _LIBRARY)))
    return gather(name, text, beside, folders)


def _is_file(source: str | Path) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):  # too long for a name, or with a null in it
        return False


@lru_cache(maxsize=64)
def _read(source: Source) -> Model:
    path = place(source.content, "model")
    kept = read_kept(path)
    if kept is not None:
        model = from_bytes(kept)
        if model is not None:
            return model
    from twoarm.model.document import read_flat  # libsbml is not needed where the model is known

    begin = time.perf_counter()
    model = read_flat(source)
    if time.perf_counter() - begin > _WORTH_KEEPING:
        write_kept(path, to_bytes(model))
    return model
