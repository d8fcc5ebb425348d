"""Text → a flat SBML document that holds nothing unsolved; the only place that lets libsbml read."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import libsbml as sbml

from twoarm.errors import ModelTextError, UnsafeModelError, UnsupportedModelError
from twoarm.kept import read_kept, write_kept
from twoarm.model.antimony_text import antimony_to_sbml
from twoarm.model.archive import place
from twoarm.model.dangling import check_names
from twoarm.model.equations import Model
from twoarm.model.flatten import model_of
from twoarm.model.sources import Source, check_xml

__all__ = ["complaints", "flat_document", "flat_text", "read_flat"]

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_DECLARED = re.compile(r"^<\?xml\s[^>]*\?>")
_HARMLESS = frozenset({"comp", "layout", "render", "groups", "annot"})  # packages that change no equation
_MOST_ELEMENTS = 100_000  # species, compartments, parameters, reactions and rules together
_WORTH_KEEPING = 0.2  # seconds that reading took


def read_flat(source: Source) -> Model:
    """Model of a text; errors name the file."""
    document, name = flat_document(source), source.name
    try:
        check_names(document.getModel())
        return model_of(document.getModel())
    except UnsupportedModelError as error:
        raise UnsupportedModelError(construct=error.construct, where=error.where, model=name) from None
    except ModelTextError as error:
        raise ModelTextError(problem=error.problem, model=name) from None
    except UnsafeModelError as error:
        raise UnsafeModelError(model=name, what=error.what) from None
    except RecursionError:
        raise UnsafeModelError(model=name, what="an expression nested too deep to read") from None


def flat_document(source: Source) -> sbml.SBMLDocument:
    """Flat SBML document, without anything unsupported in it."""
    with tempfile.TemporaryDirectory() as folder:
        if source.is_xml:
            document = _read_beside(_declared(source.text), source.parts, Path(folder))
        else:
            xml = _from_antimony(source)
            check_xml(xml, source.name)  # for its depth
            document = sbml.readSBMLFromString(xml)
        return _checked(document, source.name)


def flat_text(source: Source) -> str:
    """Flat SBML text."""
    return str(sbml.writeSBMLToString(flat_document(source)))


def _from_antimony(source: Source) -> str:
    path = place(source.content, "xml")
    kept = read_kept(path)
    if kept is not None:
        return kept.decode()
    begin = time.perf_counter()
    xml = antimony_to_sbml(source.text, source.name, dict(source.parts))
    if time.perf_counter() - begin > _WORTH_KEEPING:
        write_kept(path, xml.encode())
    return xml


def _declared(xml: str) -> str:
    """XML with the declaration that libsbml insists on; the text is decoded already, and written as UTF-8."""
    return _DECLARATION + _DECLARED.sub("", xml.lstrip("\ufeff \t\r\n"), count=1)


def _read_beside(xml: str, parts: tuple[tuple[str, str], ...], folder: Path) -> sbml.SBMLDocument:
    """SBML document that finds the files it names: those that were checked, and no others."""
    if not parts:
        return sbml.readSBMLFromString(xml)
    for part, body in parts:
        (folder / part).write_text(_declared(body), encoding="utf-8")
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
    model = document.getModel()
    sizes = (model.getNumSpecies(), model.getNumCompartments(), model.getNumParameters())
    if sum(sizes) + model.getNumReactions() + model.getNumRules() > _MOST_ELEMENTS:
        raise UnsafeModelError(model=name, what=f"more than {_MOST_ELEMENTS:,} symbols, rules and reactions")
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


def complaints(source: Source) -> list[str]:
    """Messages of libsbml's full check; a number without a unit counts as dimensionless."""
    document = flat_document(source)
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


def _last_line(error: sbml.SBMLError) -> str:
    """Return the line that says where; those before it quote the specification."""
    return str(error.getMessage()).strip().splitlines()[-1].strip()
