"""Antimony or SBML in, `Model` out; the doors of this room."""

from __future__ import annotations

import os
import re
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import libsbml as sbml

from twoarm.catalog import LARGEST, find, read_text
from twoarm.errors import FileTooLargeError, ModelTextError, UnsafeModelError, UnsupportedModelError
from twoarm.model.antimony_text import antimony_to_sbml
from twoarm.model.equations import Model
from twoarm.model.flatten import model_of
from twoarm.model.sources import check_xml, external_parts, imported_parts

__all__ = ["check_units", "read_model", "write_sbml"]

_LIBRARY = Path(__file__).parents[1] / "library" / "biology"
_HARMLESS = frozenset({"comp", "layout", "render", "groups", "annot"})  # packages that change no equation


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
    document = _document(_gather(source))
    for element in document.getModel().getListOfAllElements():
        if hasattr(element, "isSetMath") and element.isSetMath():
            _make_dimensionless(element.getMath())
    for category in (
        sbml.LIBSBML_CAT_GENERAL_CONSISTENCY,
        sbml.LIBSBML_CAT_IDENTIFIER_CONSISTENCY,
        sbml.LIBSBML_CAT_UNITS_CONSISTENCY,
        sbml.LIBSBML_CAT_MATHML_CONSISTENCY,
        sbml.LIBSBML_CAT_OVERDETERMINED_MODEL,
        sbml.LIBSBML_CAT_MODELING_PRACTICE,
    ):
        document.setConsistencyChecks(category, True)
    document.checkConsistency()
    found = (document.getError(i) for i in range(document.getNumErrors()))
    return [f"{e.getErrorId()} {e.getShortMessage()}: {_last_line(e)}" for e in found]


def _make_dimensionless(ast: sbml.ASTNode) -> None:
    if ast.isNumber() and not ast.isSetUnits():
        ast.setUnits("dimensionless")
    for i in range(ast.getNumChildren()):
        _make_dimensionless(ast.getChild(i))


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
    text = sbml.writeSBMLToString(_document(_gather(source)))
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


class _Source(NamedTuple):
    """Everything a model is made of, and so the key of what was read before."""

    name: str
    text: str
    parts: tuple[tuple[str, str], ...] = ()  # file name and text of what it imports


def _gather(source: str | Path) -> _Source:
    if isinstance(source, str) and re.search(r"[\n<;=]", source):
        name, text = "text", source
        folders: tuple[Path, ...] = (_LIBRARY,)
        beside = None
        if len(text.encode()) > LARGEST:
            raise FileTooLargeError(path="the text given", size=len(text.encode()), limit=LARGEST)
    else:
        path = Path(source) if Path(source).is_file() else find("biology", source)
        name, text = path.name, read_text(path)
        beside = path.resolve().parent
        folders = tuple(dict.fromkeys((beside, _LIBRARY)))
    if _is_xml(text):
        check_xml(text, name)
        return _Source(name, text, tuple(external_parts(text, name, beside)))
    return _Source(name, text, tuple(imported_parts(text, name, folders)))


def _is_xml(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("<")


@lru_cache(maxsize=64)
def _read(source: _Source) -> Model:
    document, name = _document(source), source.name
    try:
        return model_of(document.getModel())
    except UnsupportedModelError as error:
        raise UnsupportedModelError(construct=error.construct, where=error.where, model=name) from None
    except ModelTextError as error:
        raise ModelTextError(problem=error.problem, model=name) from None
    except RecursionError:
        raise UnsafeModelError(model=name, what="an expression nested too deep to read") from None


def _document(source: _Source) -> sbml.SBMLDocument:
    """Flat SBML document, without anything unsupported in it."""
    name, text, parts = source
    with tempfile.TemporaryDirectory() as folder:
        if _is_xml(text):
            document = _read_beside(text.lstrip("\ufeff \t\r\n"), parts, Path(folder))
        else:
            document = sbml.readSBMLFromString(antimony_to_sbml(text, name, dict(parts)))
        return _checked(document, name)


def _read_beside(xml: str, parts: tuple[tuple[str, str], ...], folder: Path) -> sbml.SBMLDocument:
    """SBML document that finds the files it names: those that were checked, and no others."""
    if not parts:
        return sbml.readSBMLFromString(xml)
    for part, body in parts:
        (folder / part).write_text(body.lstrip("\ufeff \t\r\n"), encoding="utf-8")
    main = folder / ("_" * (1 + max(len(part) for part, _ in parts)))
    main.write_text(xml, encoding="utf-8")
    return sbml.readSBMLFromFile(str(main))


def _checked(document: sbml.SBMLDocument, name: str) -> sbml.SBMLDocument:
    """Return the document flat; what is wrong in it, or not solved, is refused."""
    if document.getNumErrors(sbml.LIBSBML_SEV_ERROR) + document.getNumErrors(sbml.LIBSBML_SEV_FATAL):
        raise ModelTextError(model=name, problem=_first_error(document))
    _flatten(document, name)
    if document.getModel() is None:
        raise ModelTextError(model=name, problem="it holds no model")
    if document.getLevel() == 1:
        document.setLevelAndVersion(2, 4, False)
    _refuse(document, name)
    return document


def _first_error(document: sbml.SBMLDocument) -> str:
    errors = (document.getError(i) for i in range(document.getNumErrors()))
    worst = next(e for e in errors if e.getSeverity() >= sbml.LIBSBML_SEV_ERROR)
    return f"line {worst.getLine()}: {' '.join(worst.getMessage().split())}"


def _flatten(document: sbml.SBMLDocument, name: str) -> None:
    """Replace submodels of the `comp` package by what they hold."""
    comp = document.getPlugin("comp")
    if comp is None:
        return
    properties = sbml.ConversionProperties()
    properties.addOption("flatten comp", True)
    properties.addOption("performValidation", False)
    if document.convert(properties) != sbml.LIBSBML_OPERATION_SUCCESS:
        raise ModelTextError(
            model=name, problem=f"its submodels cannot be put together: {_first_error(document)}"
        )


def _refuse(document: sbml.SBMLDocument, name: str) -> None:
    """Name what is not solved instead of ignoring it."""
    for i in range(document.getNumPlugins()):
        package = document.getPlugin(i).getPackageName()
        if package not in _HARMLESS and not package.startswith("l3v2extendedmath"):
            raise UnsupportedModelError(construct=f"SBML package {package}", model=name)
    for i in range(document.getNumUnknownPackages()):
        if document.getUnknownPackageURI(i):
            raise UnsupportedModelError(
                construct=f"SBML package {document.getUnknownPackageURI(i)}", model=name
            )


def _last_line(error: sbml.SBMLError) -> str:
    """Return the line that says where; those before it quote the specification."""
    return str(error.getMessage()).strip().splitlines()[-1].strip()
