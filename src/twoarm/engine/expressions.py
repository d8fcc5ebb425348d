"""Nodes of an expression graph → LLVM IR on vectors, one lane a patient."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from twoarm.engine.elementary import LIBM
from twoarm.engine.vector import Vector
from twoarm.model import Node

_ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_COMPARISONS = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_ROUNDINGS = {"sqrt": "sqrt", "abs": "fabs", "floor": "floor", "ceil": "ceil"}
_POWERS_BY_PRODUCT = 8
_LONGEST = 300  #: operations in one function; the time to compile one grows faster than its length


class Body:
    """The lines of one IR function: a straight line of operations on vectors."""

    def __init__(self, vector: Vector, flags: str = "contract") -> None:
        self.vector, self.flags = vector, flags
        self.lines: list[str] = []
        self._fresh = 0

    def name(self) -> str:
        """Return a name nothing else in this function has."""
        self._fresh += 1
        return f"%v{self._fresh}"

    def let(self, text: str) -> str:
        """Name the value of an instruction."""
        name = self.name()
        self.lines.append(f"  {name} = {text}")
        return name

    def const(self, value: float) -> str:
        """Vector of one number."""
        return self.vector.splat(value)

    def binary(self, op: str, a: str, b: str) -> str:
        """Arithmetic on two vectors (``fadd`` and its like)."""
        return self.let(f"{op} {self.flags} {self.vector.type} {a}, {b}")

    def fma(self, a: str, b: str, c: str) -> str:
        """Vector a*b + c, in one operation where the machine has it."""
        v = self.vector.type
        return self.let(f"call {v} @llvm.fmuladd.{self.vector.suffix}({v} {a}, {v} {b}, {v} {c})")

    def negative(self, a: str) -> str:
        """Vector with the other sign."""
        return self.let(f"fneg {self.vector.type} {a}")

    def address(self, pointer: str, index: int | str) -> str:
        """Address of vector number `index` of an array."""
        return self.let(f"getelementptr inbounds {self.vector.type}, ptr {pointer}, i64 {index}")

    def load(self, pointer: str, index: int | str = 0) -> str:
        """Vector number `index` of an array."""
        v, at = self.vector, self.address(pointer, index)
        return self.let(f"load {v.type}, ptr {at}, align {v.bytes}")

    def store(self, value: str, pointer: str, index: int | str = 0) -> None:
        """Write vector number `index` of an array."""
        v, at = self.vector, self.address(pointer, index)
        self.lines.append(f"  store {v.type} {value}, ptr {at}, align {v.bytes}")

    def call(self, name: str, *arguments: str) -> str:
        """Value of a function of vectors, one of `elementary` or of LLVM's own."""
        v = self.vector
        listed = ", ".join(f"{v.type} {a}" for a in arguments)
        return self.let(f"call {v.type} @{name}.{v.suffix}({listed})")

    def define(self, name: str, arguments: Iterable[str], attributes: str) -> str:
        """Return the whole function, which returns nothing."""
        body = "\n".join(self.lines)
        return f"define void @{name}({', '.join(arguments)}) {attributes} {{\nentry:\n{body}\n  ret void\n}}"


class Expressions:
    """Values of nodes inside a `Body`, each emitted once and only when asked for.

    `stored` nodes are read from the array ``%q``; states from ``%y``; the time from ``%t``; a state beyond
    the last real one is a hub, and stands for its definition. Reads are repeated for every root (see
    `forget`), which costs less than keeping hundreds of vectors alive in registers. Nodes of `carried` cross
    from one function to a later one through the array ``%m``: they are written where they are computed and
    read wherever else.
    """

    def __init__(
        self,
        body: Body,
        nodes: Sequence[Node],
        stored: Mapping[int, int],
        hubs: Mapping[int, int] | None = None,
        carried: Mapping[int, int] | None = None,
        ready: Collection[int] = (),
    ) -> None:
        self.body, self.nodes, self.stored = body, nodes, stored
        self.hubs, self.carried, self.ready = hubs or {}, carried or {}, ready
        self._values: dict[int, str] = {}
        self._reads: dict[int, str] = {}

    def forget(self) -> None:
        """Let the next root read its leaves again."""
        self._reads.clear()

    def value(self, root: int) -> str:
        """IR name of a node's value."""
        for node in missing_nodes(self.nodes, self.hubs, root, lambda n: self._known(n) is not None):
            self._values[node] = self._operation(node)
            if node in self.carried:
                self.body.store(self._values[node], "%m", self.carried[node])
        known = self._known(resolve(self.nodes, self.hubs, root))
        assert known is not None
        return known

    def _known(self, node: int) -> str | None:
        node = resolve(self.nodes, self.hubs, node)
        if node in self._values:
            return self._values[node]
        if node in self._reads:
            return self._reads[node]
        op, _, value = self.nodes[node]
        if op == "const":
            return self.body.const(value)
        if node in self.stored:
            read = self.body.load("%q", self.stored[node])
        elif op == "state":
            read = self.body.load("%y", int(value))
        elif op == "time":
            read = self.body.load("%t")
        elif op == "parameter":
            read = self.body.load("%p", int(value))
        elif node in self.ready:
            read = self.body.load("%m", self.carried[node])
        else:
            return None
        self._reads[node] = read
        return read

    @property
    def computed(self) -> Collection[int]:
        """Nodes this function has computed."""
        return self._values.keys()

    def _operation(self, node: int) -> str:
        op, arguments, _ = self.nodes[node]
        w = self.body
        names = [self._known(a) or "" for a in arguments]
        if op in _ARITHMETIC:
            return w.binary(_ARITHMETIC[op], *names)
        if op == "neg":
            return w.negative(names[0])
        if op == "pow":
            return self._power(names, arguments[1])
        if op in _ROUNDINGS:
            return w.call(f"llvm.{_ROUNDINGS[op]}", names[0])
        if op in LIBM:
            return w.call(op, names[0])
        if op == "factorial":
            return w.call("gamma", w.binary("fadd", names[0], w.const(1.0)))
        return self._choice(op, names)

    def _power(self, names: list[str], exponent: int) -> str:
        op, _, value = self.nodes[exponent]
        if (
            op == "const"
            and value == int(value)
            and 1 <= abs(value) <= _POWERS_BY_PRODUCT
            and self.body.vector.lanes > 1
        ):
            return self._whole_power(names[0], int(value))
        return self.body.call("pow", *names)

    def _whole_power(self, base: str, exponent: int) -> str:
        w = self.body
        result, square, left = "", base, abs(exponent)
        while left:
            if left & 1:
                result = w.binary("fmul", result, square) if result else square
            left >>= 1
            if left:
                square = w.binary("fmul", square, square)
        return result if exponent > 0 else w.binary("fdiv", w.const(1.0), result)

    def _choice(self, op: str, names: list[str]) -> str:
        w, v = self.body, self.body.vector
        if op in ("min", "max"):
            a, b = names
            first = w.let(f"fcmp {'olt' if op == 'min' else 'ogt'} {v.type} {a}, {b}")
            either = w.let(f"select {v.truth} {first}, {v.type} {a}, {v.type} {b}")
            missing = w.let(f"fcmp uno {v.type} {a}, {a}")
            return w.let(f"select {v.truth} {missing}, {v.type} {a}, {v.type} {either}")
        if op == "if":
            condition = self._truth(names[0])
            return w.let(f"select {v.truth} {condition}, {v.type} {names[1]}, {v.type} {names[2]}")
        if op in _COMPARISONS:
            holds = w.let(f"fcmp {_COMPARISONS[op]} {v.type} {names[0]}, {names[1]}")
        elif op == "not":
            holds = w.let(f"fcmp oeq {v.type} {names[0]}, {w.const(0.0)}")
        elif op in ("and", "or"):
            holds = w.let(f"{op} {v.truth} {self._truth(names[0])}, {self._truth(names[1])}")
        else:
            raise NotImplementedError(op)
        return w.let(f"select {v.truth} {holds}, {v.type} {w.const(1.0)}, {v.type} {w.const(0.0)}")

    def _truth(self, name: str) -> str:
        w, v = self.body, self.body.vector
        return w.let(f"fcmp une {v.type} {name}, {w.const(0.0)}")


def resolve(nodes: Sequence[Node], hubs: Mapping[int, int], node: int) -> int:
    """Return the node itself, or the definition of the hub it stands for."""
    while nodes[node].op == "state" and int(nodes[node].value) in hubs:
        node = hubs[int(nodes[node].value)]
    return node


def missing_nodes(
    nodes: Sequence[Node], hubs: Mapping[int, int], root: int, known: Callable[[int], bool]
) -> Iterator[int]:
    """Nodes to compute for `root`, deepest first; the caller makes each known before asking for the next."""
    pending = [resolve(nodes, hubs, root)]
    while pending:
        node = pending[-1]
        if known(node):
            pending.pop()
            continue
        lacking = [a for a in (resolve(nodes, hubs, b) for b in nodes[node].args) if not known(a)]
        if lacking:
            pending.extend(reversed(lacking))
            continue
        pending.pop()
        yield node


Write = Callable[[Body, str], None]


def functions(
    name: str,
    arguments: Sequence[str],
    attributes: str,
    roots: Sequence[tuple[int, Write]],
    nodes: Sequence[Node],
    stored: Mapping[int, int],
    hubs: Mapping[int, int],
    vector: Vector,
    flags: str,
) -> str:
    """IR of a function that computes `roots` and hands each to its `write`; several functions if it is long.

    The time LLVM takes grows faster than the length of a function, so long ones are cut into parts.
    """
    parts = _cut(nodes, stored, hubs, [node for node, _ in roots])
    carried = _carried(nodes, stored, hubs, [node for node, _ in roots], parts)
    ready: set[int] = set()
    text = []
    for number, part in enumerate(parts):
        body = Body(vector, flags)
        expressions = Expressions(body, nodes, stored, hubs, carried, frozenset(ready))
        for index in part:
            node, write = roots[index]
            write(body, expressions.value(node))
            expressions.forget()
        ready.update(node for node in expressions.computed if node in carried)
        text.append(body.define(f"{name}_{number}", (*arguments, "ptr %m"), attributes))
    driver = Body(vector)
    driver.lines.append(f"  %m = alloca [{max(len(carried), 1)} x {vector.type}], align {vector.bytes}")
    given = ", ".join((*arguments, "ptr %m"))
    driver.lines += [f"  call void @{name}_{number}({given})" for number in range(len(parts))]
    return "\n".join([*text, driver.define(name, arguments, attributes)])


def _is_leaf(nodes: Sequence[Node], stored: Mapping[int, int], node: int) -> bool:
    return not nodes[node].args or node in stored


def _cut(
    nodes: Sequence[Node], stored: Mapping[int, int], hubs: Mapping[int, int], roots: Sequence[int]
) -> list[list[int]]:
    """Numbers of the roots of each part, by how many new operations each root needs."""
    done: set[int] = set()
    parts: list[list[int]] = [[]]
    length = 0
    for index, root in enumerate(roots):
        if length > _LONGEST:
            parts.append([])
            length = 0
        for node in missing_nodes(nodes, hubs, root, lambda n: n in done or _is_leaf(nodes, stored, n)):
            done.add(node)
            length += 1
        parts[-1].append(index)
        length += 1
    return parts


def _carried(
    nodes: Sequence[Node],
    stored: Mapping[int, int],
    hubs: Mapping[int, int],
    roots: Sequence[int],
    parts: Sequence[Sequence[int]],
) -> dict[int, int]:
    """Nodes that one part computes and a later one uses, and their rows."""
    made_in: dict[int, int] = {}
    carried: dict[int, int] = {}
    for number, part in enumerate(parts):
        for index in part:
            used = [resolve(nodes, hubs, roots[index])]
            known = lambda n: n in made_in or _is_leaf(nodes, stored, n)  # noqa: E731
            for node in missing_nodes(nodes, hubs, roots[index], known):
                made_in[node] = number
                used += [resolve(nodes, hubs, a) for a in nodes[node].args]
            for node in used:
                if made_in.get(node, number) != number:
                    carried.setdefault(node, len(carried))
    return carried
