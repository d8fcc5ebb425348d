"""MathML, as libsbml holds it, into nodes of an expression graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import libsbml as sbml

from twoarm.errors import ModelTextError, UnsafeModelError, UnsupportedModelError
from twoarm.model.graph import Graph

__all__ = ["Translator", "looks_back", "names_in"]

_MOST_NODES, _MOST_CALLS = 2_000_000, 30_000  # functions of functions can unfold without end
_MOST_ARGUMENTS = 5_000  # but of a sum or product, which libsbml holds two by two
_LONG = 64  # arguments of a sum from which on it is taken by halves, for shorter chains of derivatives
_AVOGADRO = 6.02214179e23  # the value SBML Level 3 fixes for its csymbol, whatever CODATA says since

_ONE_ARGUMENT = {
    sbml.AST_FUNCTION_ABS: "abs",
    sbml.AST_FUNCTION_ARCCOS: "acos",
    sbml.AST_FUNCTION_ARCCOSH: "acosh",
    sbml.AST_FUNCTION_ARCSIN: "asin",
    sbml.AST_FUNCTION_ARCSINH: "asinh",
    sbml.AST_FUNCTION_ARCTAN: "atan",
    sbml.AST_FUNCTION_ARCTANH: "atanh",
    sbml.AST_FUNCTION_CEILING: "ceil",
    sbml.AST_FUNCTION_COS: "cos",
    sbml.AST_FUNCTION_COSH: "cosh",
    sbml.AST_FUNCTION_EXP: "exp",
    sbml.AST_FUNCTION_FACTORIAL: "factorial",
    sbml.AST_FUNCTION_FLOOR: "floor",
    sbml.AST_FUNCTION_LN: "ln",
    sbml.AST_FUNCTION_SIN: "sin",
    sbml.AST_FUNCTION_SINH: "sinh",
    sbml.AST_FUNCTION_TAN: "tan",
    sbml.AST_FUNCTION_TANH: "tanh",
    sbml.AST_LOGICAL_NOT: "not",
}
#: f(x) = 1 / g(x)
_RECIPROCAL_OF = {
    sbml.AST_FUNCTION_COT: "tan",
    sbml.AST_FUNCTION_COTH: "tanh",
    sbml.AST_FUNCTION_CSC: "sin",
    sbml.AST_FUNCTION_CSCH: "sinh",
    sbml.AST_FUNCTION_SEC: "cos",
    sbml.AST_FUNCTION_SECH: "cosh",
}
#: f(x) = g(1 / x)
_OF_RECIPROCAL = {
    sbml.AST_FUNCTION_ARCCOT: "atan",
    sbml.AST_FUNCTION_ARCCOTH: "atanh",
    sbml.AST_FUNCTION_ARCCSC: "asin",
    sbml.AST_FUNCTION_ARCCSCH: "asinh",
    sbml.AST_FUNCTION_ARCSEC: "acos",
    sbml.AST_FUNCTION_ARCSECH: "acosh",
}
_RELATIONS = {
    sbml.AST_RELATIONAL_EQ: "eq",
    sbml.AST_RELATIONAL_GEQ: "ge",
    sbml.AST_RELATIONAL_GT: "gt",
    sbml.AST_RELATIONAL_LEQ: "le",
    sbml.AST_RELATIONAL_LT: "lt",
    sbml.AST_RELATIONAL_NEQ: "ne",
}
#: How many arguments an operation may have, where it is neither fixed by its code nor free.
_COUNTS = {
    **dict.fromkeys([*_ONE_ARGUMENT, *_RECIPROCAL_OF, *_OF_RECIPROCAL], (1,)),
    sbml.AST_MINUS: (1, 2),
    sbml.AST_FUNCTION_ROOT: (1, 2),
    sbml.AST_FUNCTION_LOG: (1, 2),
    sbml.AST_LOGICAL_IMPLIES: (2,),
    sbml.AST_FUNCTION_DELAY: (2,),
}
#: Any number of arguments, folded from the left: operation and what no argument gives.
_FOLDED = {
    sbml.AST_PLUS: ("add", 0.0),
    sbml.AST_TIMES: ("mul", 1.0),
    sbml.AST_LOGICAL_AND: ("and", 1.0),
    sbml.AST_LOGICAL_OR: ("or", 0.0),
    sbml.AST_FUNCTION_MAX: ("max", -math.inf),
    sbml.AST_FUNCTION_MIN: ("min", math.inf),
}
_NUMBERS = {sbml.AST_INTEGER, sbml.AST_REAL, sbml.AST_REAL_E, sbml.AST_RATIONAL}
_CONSTANTS = {
    sbml.AST_CONSTANT_E: math.e,
    sbml.AST_CONSTANT_PI: math.pi,
    sbml.AST_CONSTANT_TRUE: 1.0,
    sbml.AST_CONSTANT_FALSE: 0.0,
    sbml.AST_NAME_AVOGADRO: _AVOGADRO,
}


def _children(ast: sbml.ASTNode) -> list[sbml.ASTNode]:
    count = ast.getNumChildren()
    if count > _MOST_ARGUMENTS:  # libsbml finds the next one by counting from the first
        raise UnsafeModelError(model="", what=f"a function of more than {_MOST_ARGUMENTS:,} arguments")
    return [ast.getChild(i) for i in range(count)]


def looks_back(ast: sbml.ASTNode | None) -> bool:
    """Whether an expression has delay() in it."""
    pending = [ast] if ast is not None else []
    while pending:
        node = pending.pop()
        if node.getType() == sbml.AST_FUNCTION_DELAY:
            return True
        pending += _children(node)
    return False


def names_in(ast: sbml.ASTNode | None) -> Iterator[str]:
    """Every symbol named in an expression, the names of functions left out."""
    pending = [ast] if ast is not None else []
    while pending:
        node = pending.pop()
        if node.getType() == sbml.AST_NAME:
            yield node.getName()
        pending += _children(node)


@dataclass(frozen=True)
class Translator:
    """Turns expressions into nodes.

    Parameters
    ----------
    graph : Graph
        Where the nodes go.
    symbol, rate : callable
        From a name to the node of its value, and of its rate of change.
    slope : callable
        From a node to the node of its rate of change.
    delayed : callable
        From the nodes of a value and of a time span to the node of the value so long ago.
    functions : mapping of str to ASTNode
        The lambdas of the model; a call is replaced by the body.
    """

    graph: Graph
    symbol: Callable[[str], int]
    rate: Callable[[str], int]
    slope: Callable[[int], int]
    delayed: Callable[[int, int], int]
    functions: Mapping[str, sbml.ASTNode]
    calls: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)  # done already

    def node(self, ast: sbml.ASTNode, local: Mapping[str, int] | None = None) -> int:
        """Node of an expression; `local` names come before the model's own."""
        pending: list[tuple[sbml.ASTNode, int]] = [(ast, -1)]
        done: list[int] = []  # nodes of arguments that wait for their operation; no recursion, for long sums
        while pending:
            part, count = pending.pop()
            if count < 0:
                found = self._leaf(part, local or {})
                if found is None:
                    children = _children(part)
                    pending.append((part, len(children)))
                    pending += [(child, -1) for child in reversed(children)]
                else:
                    done.append(found)
                continue
            first = len(done) - count
            args = done[first:]
            del done[first:]
            done.append(self._operation(part, args))
        if len(self.graph.nodes) > _MOST_NODES:
            raise UnsafeModelError(model="", what=f"expressions of more than {_MOST_NODES:,} operations")
        return done[0]

    def _leaf(self, ast: sbml.ASTNode, local: Mapping[str, int]) -> int | None:
        """Node of what has no arguments, None of what has."""
        g, kind = self.graph, ast.getType()
        if kind in _NUMBERS:
            return g.const(ast.getValue())
        if kind in _CONSTANTS:
            return g.const(_CONSTANTS[kind])
        if kind == sbml.AST_NAME_TIME:
            return g.time()
        if kind == sbml.AST_NAME:
            name = ast.getName()
            return local[name] if name in local else self.symbol(name)
        if kind == sbml.AST_FUNCTION_RATE_OF:
            of = ast.getChild(0)
            if of is None or of.getType() != sbml.AST_NAME:
                raise ModelTextError(problem="rateOf() is not of one symbol")
            name = of.getName()
            return self.slope(local[name]) if name in local else self.rate(name)
        return None

    def _operation(self, ast: sbml.ASTNode, args: list[int]) -> int:
        kind = ast.getType()
        if kind == sbml.AST_FUNCTION_DELAY and len(args) == 2:
            return self.delayed(*args)
        if kind == sbml.AST_FUNCTION:
            return self._call(ast.getName(), tuple(args))
        try:
            if len(args) not in _COUNTS.get(kind, (len(args),)):
                raise ValueError(kind)
            found = self._arithmetic(kind, args)
            if found is None:
                found = self._logic(kind, args)
        except (TypeError, ValueError, IndexError):
            problem = f"{ast.getName() or sbml.formulaToL3String(ast)} does not take {len(args)} arguments"
            raise ModelTextError(problem=problem) from None
        if found is None:
            raise UnsupportedModelError(construct=ast.getName() or sbml.formulaToL3String(ast))
        return found

    def _call(self, name: str, args: tuple[int, ...]) -> int:
        key = (name, args)
        if key in self.calls:
            return self.calls[key]
        if len(self.calls) > _MOST_CALLS:
            raise UnsafeModelError(model="", what="functions of functions that unfold without bound")
        body = self.functions.get(name)
        if body is None:
            raise ModelTextError(problem=f'function "{name}" has no definition')
        children = _children(body)
        parameters = [child for child in children if child.isBvar()]
        value = [child for child in children if not child.isBvar()]
        if not value or len(parameters) != len(args):
            raise ModelTextError(
                problem=f'function "{name}" takes {len(parameters)} arguments, not {len(args)}'
            )
        names = (p.getName() for p in parameters)
        self.calls[key] = self.node(value[0], dict(zip(names, args, strict=True)))
        return self.calls[key]

    def _arithmetic(self, kind: int, args: list[int]) -> int | None:
        g = self.graph
        if kind in _ONE_ARGUMENT:
            return g(_ONE_ARGUMENT[kind], *args)
        if kind in _RECIPROCAL_OF:
            return g.div(g.const(1), g(_RECIPROCAL_OF[kind], *args))
        if kind in _OF_RECIPROCAL:
            return g(_OF_RECIPROCAL[kind], g.div(g.const(1), *args))
        if kind == sbml.AST_MINUS:
            return g.neg(*args) if len(args) == 1 else g.sub(*args)
        if kind == sbml.AST_DIVIDE:
            return g.div(*args)
        if kind in (sbml.AST_POWER, sbml.AST_FUNCTION_POWER):
            return g.pow(*args)
        if kind == sbml.AST_FUNCTION_ROOT:
            *degree, x = args
            return g.pow(x, g.div(g.const(1), degree[0] if degree else g.const(2)))
        if kind == sbml.AST_FUNCTION_LOG:
            *base, x = args
            if not base or g.constant_of(base[0]) == 10:
                return g("log10", x)
            return g.div(g("ln", x), g("ln", base[0]))
        if kind == sbml.AST_FUNCTION_QUOTIENT:
            return self._quotient(*args)
        if kind == sbml.AST_FUNCTION_REM:
            return g.sub(args[0], g.mul(args[1], self._quotient(*args)))
        return None

    def _quotient(self, a: int, b: int) -> int:
        """Whole part of a / b, toward zero."""
        g = self.graph
        ratio = g.div(a, b)
        return g.choose(g("lt", ratio, g.const(0)), g("ceil", ratio), g("floor", ratio))

    def _logic(self, kind: int, args: list[int]) -> int | None:
        g = self.graph
        if kind in _FOLDED:
            op, empty = _FOLDED[kind]
            return self._fold(op, args, empty)
        if kind in _RELATIONS:
            pairs = [g(_RELATIONS[kind], a, b) for a, b in pairwise(args)]
            return self._fold("and", pairs, 1.0)
        if kind == sbml.AST_LOGICAL_XOR:
            return self._fold("ne", [g.truth(a) for a in args], 0.0)
        if kind == sbml.AST_LOGICAL_IMPLIES:
            return g("or", g("not", args[0]), args[1])
        if kind == sbml.AST_FUNCTION_PIECEWISE:
            value = args[-1] if len(args) % 2 else g.const(math.nan)
            for i in range(len(args) - len(args) % 2 - 2, -1, -2):
                value = g.choose(args[i + 1], args[i], value)
            return value
        return None

    def _fold(self, op: str, args: list[int], empty: float) -> int:
        if not args:
            return self.graph.const(empty)
        if len(args) > _LONG:
            half = len(args) // 2
            return self.graph(op, self._fold(op, args[:half], empty), self._fold(op, args[half:], empty))
        total = args[0] if op not in ("and", "or") or len(args) > 1 else self.graph.truth(args[0])
        for a in args[1:]:
            total = self.graph(op, total, a)
        return total
