"""Antimony text into flat SBML text."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import lru_cache

import libsbml as sbml

from twoarm.errors import ModelTextError, UnsafeModelError
from twoarm.model import antimony_child

__all__ = ["antimony_to_sbml"]

_ONE_AT_A_TIME = threading.Lock()  # one child, one question

#: Stands around the right side of an assignment rule on its way through Antimony. Its first argument only
#: keeps "(2/4)" from being read as a rational number.
_MARK = "assignment_rule_"
_RULE = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/|\s*:=[ \t]*((?:[^;\n/]|/(?![/*]))*)', re.DOTALL)
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
    with _ONE_AT_A_TIME:
        found = _ask({"text": whole, "parts": marked}, name)
    if "xml" not in found:
        raise ModelTextError(model=name, problem=f"Antimony says: {found['error'][:_LONGEST_COMPLAINT]}")
    return _unmarked(_LOST_PLURAL.sub('units="dimensionless"', found["xml"]))


def _ask(what: dict[str, object], name: str) -> dict[str, str]:
    """Let the child process translate; it may crash, hang or run out of memory, and is then replaced."""
    child = _child(os.getpid())
    assert child.stdin is not None
    assert child.stdout is not None
    late = threading.Timer(_PATIENCE, child.kill)
    late.start()
    try:
        child.stdin.write(json.dumps(what) + "\n")
        child.stdin.flush()
        answer = child.stdout.readline()
    except OSError:
        answer = ""
    finally:
        hung = late.finished.is_set()
        late.cancel()
    if not answer:
        _child.cache_clear()
        _end(child)
        took = f"text that Antimony does not read within {_PATIENCE:g} seconds"
        raise UnsafeModelError(model=name, what=took if hung else "text that makes Antimony's parser crash")
    found: dict[str, str] = json.loads(answer)
    return found


@lru_cache(maxsize=1)
def _child(_parent: int) -> subprocess.Popen[str]:
    """Child of this process (not of the one that this is a fork of); started when the first text comes."""
    child = subprocess.Popen(
        [sys.executable, "-I", antimony_child.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )
    atexit.register(_end, child)
    return child


def _end(child: subprocess.Popen[str]) -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    child.wait()


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
