"""Antimony text into flat SBML text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import libsbml as sbml

from twoarm.errors import ModelTextError, UnsafeModelError
from twoarm.model import antimony_child
from twoarm.model.antimony_child import translate

__all__ = ["antimony_to_sbml"]

_ONE_AT_A_TIME = threading.Lock()  # antimony keeps what it loaded in one global place

#: Stands around the right side of an assignment rule on its way through Antimony. Its first argument only
#: keeps "(2/4)" from being read as a rational number.
_MARK = "assignment_rule_"
_RULE = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/|\s*:=[ \t]*((?:[^;\n/]|/(?![/*]))*)', re.DOTALL)
_SMALL, _SHORT = 12_000, 3_000  # characters of all texts, and of the longest statement
_PATIENCE = 120.0  # seconds
_LONGEST_COMPLAINT = 500  # characters; it quotes the formula it complains of

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
    UnsafeModelError
        If it makes the parser crash or takes too long.
    """
    whole = f"function {_MARK}(zero, x) x; end; {_marked(text)}"
    marked = {part: _marked(body) for part, body in parts.items()}
    if _is_small(whole, marked):
        with _ONE_AT_A_TIME:
            found = translate(whole, marked)
    else:
        found = _translate_apart(whole, marked, name)
    if "xml" not in found:
        raise ModelTextError(model=name, problem=f"Antimony says: {found['error'][:_LONGEST_COMPLAINT]}")
    return _unmarked(_LOST_PLURAL.sub('units="dimensionless"', found["xml"]))


def _is_small(text: str, parts: Mapping[str, str]) -> bool:
    """Whether Antimony cannot take long: its time grows with the square of what it is given."""
    texts = (text, *parts.values())
    longest = max((len(statement) for each in texts for statement in each.split(";")), default=0)
    return sum(map(len, texts)) <= _SMALL and longest <= _SHORT


def _translate_apart(text: str, parts: Mapping[str, str], name: str) -> dict[str, str]:
    """As `translate`, in a process that may crash, hang or run out of memory."""
    asked = json.dumps({"text": text, "parts": dict(parts)})
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-I", antimony_child.__file__, str(answer)]
        try:
            subprocess.run(
                command, input=asked, text=True, capture_output=True, timeout=_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            what = f"text that Antimony does not read within {_PATIENCE:g} seconds"
            raise UnsafeModelError(model=name, what=what) from None
        try:
            found: dict[str, str] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UnsafeModelError(model=name, what="text that makes Antimony's parser crash") from None
    return found


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
