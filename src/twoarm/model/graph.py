"""Expression graph: shared nodes, folded constants, and a slow evaluator that everything fast must match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gamma

__all__ = ["LEAVES", "OPERATIONS", "Graph", "Node", "evaluate", "support"]


class Node(NamedTuple):
    """One operation. `args` are indices of earlier nodes, so a tuple of nodes is in topological order.

    Leaves: ``const`` (`value` is the number), ``time``, ``state`` and ``parameter`` (`value` is the index).
    Truth is 1.0 or 0.0; any number other than 0 counts as true.
    """

    op: str
    args: tuple[int, ...] = ()
    value: float = 0.0


LEAVES = frozenset({"const", "time", "state", "parameter"})


def _factorial(x: Any) -> Any:
    return gamma(np.asarray(x, dtype=float) + 1.0)


def _truth(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: np.where(compare(a, b), 1.0, 0.0)


#: What each operation means, in numpy. Anything not listed (sec, root, xor, ...) is lowered when it is read.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "pow": np.power,
    "exp": np.exp,
    "ln": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "floor": np.floor,
    "ceil": np.ceil,
    "min": np.minimum,
    "max": np.maximum,
    "factorial": _factorial,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "lt": _truth(np.less),
    "le": _truth(np.less_equal),
    "gt": _truth(np.greater),
    "ge": _truth(np.greater_equal),
    "eq": _truth(np.equal),
    "ne": _truth(np.not_equal),
    "and": _truth(lambda a, b: (np.asarray(a) != 0) & (np.asarray(b) != 0)),
    "or": _truth(lambda a, b: (np.asarray(a) != 0) | (np.asarray(b) != 0)),
    "not": lambda a: np.where(np.asarray(a) == 0, 1.0, 0.0),
    "if": lambda condition, yes, no: np.where(np.asarray(condition) != 0, yes, no),
}

_COMMUTATIVE = frozenset({"add", "mul", "min", "max", "eq", "ne", "and", "or"})
_TRUTHS = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"})


class Graph:
    """Builder of expressions: equal expressions are one node, constants are folded.

    Simplifications keep the value of every finite argument to the last bit, except for small whole powers,
    which become products (at most one unit in the last place per product).

    Examples
    --------
    >>> g = Graph()
    >>> x = g.state(0)
    >>> g.add(x, g.const(0)) == x, g.mul(x, x) == g.pow(x, g.const(2))
    (True, True)
    """

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self.nodes: list[Node] = list(nodes)
        self._index = {self._key(node): i for i, node in enumerate(self.nodes)}

    @staticmethod
    def _key(node: Node) -> tuple[str, tuple[int, ...], str]:
        return (
            node.op,
            node.args,
            float(node.value).hex(),
        )  # hex keeps NaN equal to NaN and -0.0 apart from 0.0

    def _intern(self, node: Node) -> int:
        key = self._key(node)
        if key not in self._index:
            self._index[key] = len(self.nodes)
            self.nodes.append(node)
        return self._index[key]

    # -- leaves

    def const(self, value: float) -> int:
        """Node of a number."""
        return self._intern(Node("const", (), float(value)))

    def time(self) -> int:
        """Node of the time."""
        return self._intern(Node("time"))

    def state(self, index: int) -> int:
        """Node of the state with this index."""
        return self._intern(Node("state", (), float(index)))

    def parameter(self, index: int) -> int:
        """Node of the parameter with this index."""
        return self._intern(Node("parameter", (), float(index)))

    def constant_of(self, node: int) -> float | None:
        """Return the number behind `node`, None where it is not a constant."""
        return self.nodes[node].value if self.nodes[node].op == "const" else None

    # -- operations

    def __call__(self, op: str, *args: int) -> int:
        """Node of `op` (a key of `OPERATIONS`) applied to nodes."""
        if op not in OPERATIONS:
            raise KeyError(op)
        constants = [self.constant_of(a) for a in args]
        known = [c for c in constants if c is not None]
        if len(known) == len(args):
            with np.errstate(all="ignore"):
                return self.const(float(OPERATIONS[op](*known)))
        simpler = self._simplify(op, args, constants)
        if simpler is not None:
            return simpler
        if op in _COMMUTATIVE:
            args = tuple(sorted(args))
        return self._intern(Node(op, args))

    def _simplify(self, op: str, args: tuple[int, ...], constants: list[float | None]) -> int | None:
        rule = getattr(self, f"_simplify_{op}", None)
        return rule(*args, *constants) if rule is not None else None

    def _simplify_add(self, a: int, b: int, ca: float | None, cb: float | None) -> int | None:
        if ca == 0:
            return b
        if cb == 0:
            return a
        if self.nodes[b].op == "neg":
            return self.sub(a, self.nodes[b].args[0])
        if self.nodes[a].op == "neg":
            return self.sub(b, self.nodes[a].args[0])
        return None

    def _simplify_sub(self, a: int, b: int, ca: float | None, cb: float | None) -> int | None:
        if cb == 0:
            return a
        if ca == 0:
            return self.neg(b)
        if a == b:
            return self.const(0)
        if self.nodes[b].op == "neg":
            return self.add(a, self.nodes[b].args[0])
        return None

    def _simplify_mul(self, a: int, b: int, ca: float | None, cb: float | None) -> int | None:
        for constant, other in ((ca, b), (cb, a)):
            if constant == 0:
                return self.const(0)
            if constant == 1:
                return other
            if constant == -1:
                return self.neg(other)
        if self.nodes[a].op == "neg":
            return self.neg(self.mul(self.nodes[a].args[0], b))
        if self.nodes[b].op == "neg":
            return self.neg(self.mul(a, self.nodes[b].args[0]))
        return None

    def _simplify_div(self, a: int, b: int, ca: float | None, cb: float | None) -> int | None:
        if cb == 1:
            return a
        if cb == -1:
            return self.neg(a)
        if ca == 0:
            return self.const(0)
        return None

    def _simplify_neg(self, a: int, _ca: float | None) -> int | None:
        if self.nodes[a].op == "neg":
            return self.nodes[a].args[0]
        if self.nodes[a].op == "sub":
            left, right = self.nodes[a].args
            return self.sub(right, left)
        return None

    def _simplify_pow(self, a: int, _b: int, ca: float | None, cb: float | None) -> int | None:
        if cb == 0 or ca == 1:
            return self.const(1)
        if cb == 1:
            return a
        if cb == 0.5:
            return self("sqrt", a)
        if cb == -1:
            return self.div(self.const(1), a)
        if cb == 2:
            return self.mul(a, a)
        if cb == 3:
            return self.mul(self.mul(a, a), a)
        if cb == 4:
            square = self.mul(a, a)
            return self.mul(square, square)
        return None

    def _simplify_if(
        self, _cond: int, yes: int, no: int, c: float | None, _cy: float | None, _cn: float | None
    ) -> int | None:
        if c is not None:
            return yes if c != 0 else no
        return yes if yes == no else None

    def add(self, a: int, b: int) -> int:
        """Node of a + b."""
        return self("add", a, b)

    def sub(self, a: int, b: int) -> int:
        """Node of a - b."""
        return self("sub", a, b)

    def mul(self, a: int, b: int) -> int:
        """Node of a b."""
        return self("mul", a, b)

    def div(self, a: int, b: int) -> int:
        """Node of a / b."""
        return self("div", a, b)

    def neg(self, a: int) -> int:
        """Node of -a."""
        return self("neg", a)

    def pow(self, a: int, b: int) -> int:
        """Node of a to the power b."""
        return self("pow", a, b)

    def choose(self, condition: int, yes: int, no: int) -> int:
        """Node of `yes` where `condition` is not 0, else `no`."""
        return self("if", condition, yes, no)

    def truth(self, a: int) -> int:
        """Node of 1 where `a` is not 0, else 0."""
        return a if self.nodes[a].op in _TRUTHS else self("ne", a, self.const(0))

    def replace(self, node: int, leaves: dict[int, int]) -> int:
        """Node of the expression `node` with leaf nodes replaced by other nodes."""
        done = dict(leaves)
        for i in reachable(self.nodes, [node]):
            if i not in done:
                op, args, _ = self.nodes[i]
                done[i] = self(op, *(done[a] for a in args)) if args else i
        return done[node]


def reachable(nodes: Sequence[Node], roots: Iterable[int]) -> list[int]:
    """Return the nodes that `roots` need, themselves included, in topological order."""
    seen = set()
    pending = list(roots)
    while pending:
        i = pending.pop()
        if i not in seen:
            seen.add(i)
            pending.extend(nodes[i].args)
    return sorted(seen)


def support(nodes: Sequence[Node], leaf: str) -> list[int]:
    """For each node the set of leaves (``"state"`` or ``"parameter"``) it depends on, as bits of an int."""
    found: list[int] = []
    for node in nodes:
        bits = 1 << int(node.value) if node.op == leaf else 0
        for a in node.args:
            bits |= found[a]
        found.append(bits)
    return found


def evaluate(
    nodes: Sequence[Node], states: ArrayLike, parameters: ArrayLike, time: ArrayLike = 0.0
) -> list[Any]:
    """Value of every node: slow, obvious, and the judge of every fast kernel.

    Parameters
    ----------
    nodes : sequence of Node
        In topological order.
    states : (state,) or (state, patient) float array
        Values of the states.
    parameters : (parameter,) or (parameter, patient) float array
        Values of the parameters.
    time : scalar or (patient,) float array [day]
        The time.

    Returns
    -------
    list of float or (patient,) float array
        One for each node; nodes that depend on no patient stay scalar.

    Examples
    --------
    >>> g = Graph()
    >>> root = g.div(g.state(0), g.add(g.state(0), g.parameter(0)))
    >>> float(evaluate(g.nodes, [3.0], [1.0])[root])
    0.75
    """
    y, p = np.asarray(states, dtype=float), np.asarray(parameters, dtype=float)
    values: list[Any] = []
    with np.errstate(all="ignore"):
        for op, args, value in nodes:
            if op == "const":
                values.append(value)
            elif op == "time":
                values.append(np.asarray(time, dtype=float))
            elif op == "state":
                values.append(y[int(value)])
            elif op == "parameter":
                values.append(p[int(value)])
            else:
                values.append(OPERATIONS[op](*(values[a] for a in args)))
    return values
