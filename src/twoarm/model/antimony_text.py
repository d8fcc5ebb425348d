"""Antimony text into flat SBML text."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import antimony
import libsbml as sbml

from twoarm.errors import ModelTextError

__all__ = ["antimony_to_sbml"]

_ONE_AT_A_TIME = threading.Lock()  # antimony keeps what it loaded in one global place

#: Stands around the right side of an assignment rule on its way through Antimony. Its first argument only
#: keeps "(2/4)" from being read as a rational number.
_MARK = "assignment_rule_"
_RULE = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/|\s*:=[ \t]*((?:[^;\n/]|/(?![/*]))*)', re.DOTALL)
_LOST_PLURAL = re.compile(r'units="\w+_dimensionles"')


def antimony_to_sbml(text: str, name: str, parts: Mapping[str, str]) -> str:
    """Flat SBML of an Antimony text and the parts it imports, by file name.

    Two defects of Antimony 3.3 are stepped around. Its search for circular assignment rules takes time with
    the fourth power of their depth (a minute for the library's model), so these rules travel as marked rate
    rules and are turned back, and circles are found by name later. And it loses the last letter of
    ``dimensionless`` in submodels. Witness: tests/model/test_sbml.py.

    Raises
    ------
    ModelTextError
        With Antimony's own words and line number.
    """
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory() as folder:
        for part, body in parts.items():
            (Path(folder) / part).write_text(_marked(body), encoding="utf-8")
        _clear()
        antimony.addDirectory(folder)
        if antimony.loadAntimonyString(f"function {_MARK}(zero, x) x; end; {_marked(text)}") < 0:
            raise ModelTextError(model=name, problem=f"Antimony says: {_last_error(folder)}")
        xml = str(antimony.getSBMLString(antimony.getMainModuleName()))
        _clear()
    return _unmarked(_LOST_PLURAL.sub('units="dimensionless"', xml))


def _clear() -> None:
    antimony.clearPreviousLoads()
    antimony.freeAll()
    antimony.clearDirectories()


def _last_error(folder: str) -> str:
    return " ".join(str(antimony.getLastError()).replace(folder + "/", "").split()).rstrip(".")


def _marked(text: str) -> str:
    """Return the text with ``x := f`` as ``x' = mark(f)``; strings and comments stay as they are."""
    return _RULE.sub(
        lambda found: found[0] if found[1] is None else f"' = {_MARK}(0, {found[1].rstrip()})", text
    )


def _unmarked(xml: str) -> str:
    """Turn marked rate rules back into assignment rules."""
    if _MARK not in xml:
        return xml
    document = sbml.readSBMLFromString(xml)
    model = document.getModel()
    marked = [r for r in model.getListOfRules() if r.isRate() and r.isSetMath() and _is_marked(r.getMath())]
    for variable, right in [(r.getVariable(), r.getMath().getChild(1).deepCopy()) for r in marked]:
        model.removeRuleByVariable(variable)
        rule = model.createAssignmentRule()
        rule.setVariable(variable)
        rule.setMath(right)
    model.removeFunctionDefinition(_MARK)
    return str(sbml.writeSBMLToString(document))


def _is_marked(ast: sbml.ASTNode) -> bool:
    return ast.getType() == sbml.AST_FUNCTION and ast.getName() == _MARK
