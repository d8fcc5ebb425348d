"""LLVM IR → machine code, kept on disk by content and loaded into this process."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

from twoarm.engine.vector import Vector
from twoarm.kept import cache_directory, read_kept, write_kept

#: Raise when the code that kernels are made of changes; older files are then never read again.
CODE_VERSION = 6


@dataclass(frozen=True)
class Machine:
    """What code is made for."""

    triple: str
    cpu: str
    features: str

    def vector(self, precision: str) -> Vector:
        """Return the vector that fills this machine's widest register."""
        have = self.features.split(",")
        doubles = 8 if "+avx512f" in have else 4 if "+avx" in have else 2
        return Vector(doubles) if precision == "double" else Vector(2 * doubles, "float")


@dataclass(frozen=True)
class Loaded:
    """Machine code in this process.

    Attributes
    ----------
    addresses : dict of str to int
        Where each function is.
    facts : dict
        What `build` said about the code (sizes).
    library : object
        Keeps the code alive.
    """

    addresses: dict[str, int]
    facts: dict[str, Any]
    library: object


def host() -> Machine:
    """Describe the machine this process runs on."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    return Machine(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


def load(
    content: str, names: Sequence[str], build: Callable[[], tuple[str, dict[str, Any]]], machine: Machine
) -> Loaded:
    """Machine code for `content`, from the cache or compiled now.

    Parameters
    ----------
    content : str
        Everything the code depends on besides versions and machine.
    names : sequence of str
        Functions to find.
    build : callable
        Returns the IR and facts about it; called only if the cache has nothing.
    machine : Machine
        What to compile for.

    Returns
    -------
    Loaded
        Ready to be called through its addresses.
    """

    def make() -> tuple[dict[str, Any], bytes]:
        text, facts = build()
        return facts, _compile(text, machine)

    facts, code = kept(content, machine, make)
    builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
    for name in names:
        builder = builder.export_symbol(name)
    library = builder.link(_jit(machine), _key(content, machine))
    return Loaded({name: library[name] for name in names}, facts, library)


def kept(
    content: str, machine: Machine, make: Callable[[], tuple[dict[str, Any], bytes]]
) -> tuple[dict[str, Any], bytes]:
    """Facts and code for `content` on a machine, from the disk or made now and kept there.

    Parameters
    ----------
    content : str
        Everything the code depends on besides versions and machine.
    machine : Machine
        What it is for.
    make : callable
        Returns facts and code; called only if the disk has nothing whole.

    Returns
    -------
    tuple of dict and bytes
        Facts and code.
    """
    path = cache_directory() / "kernels" / f"{_key(content, machine)}.o"
    found = _facts_and_code(read_kept(path))
    if found is None:
        found = make()
        facts, code = found
        write_kept(path, json.dumps(facts).encode() + b"\n" + code)
    return found


def _key(content: str, machine: Machine) -> str:
    versions = f"{CODE_VERSION} {importlib.metadata.version('llvmlite')} {machine}"
    return hashlib.sha256(f"{versions} {content}".encode()).hexdigest()[:40]


def _target(machine: Machine) -> llvm.TargetMachine:
    target = llvm.Target.from_triple(machine.triple)
    return target.create_target_machine(
        cpu=machine.cpu, features=machine.features, opt=1, reloc="pic", codemodel="small"
    )


def _jit(machine: Machine) -> llvm.LLJIT:
    return llvm.create_lljit_compiler(_target(machine))


def _compile(text: str, machine: Machine) -> bytes:
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.verify()
    code: bytes = _target(machine).emit_object(module)
    return code


def _facts_and_code(content: bytes | None) -> tuple[dict[str, Any], bytes] | None:
    """Take apart what `kept` keeps: a line of facts, and the code."""
    if content is None:
        return None
    head, _, code = content.partition(b"\n")
    return json.loads(head), code
