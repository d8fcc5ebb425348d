"""LLVM IR → machine code, kept on disk by content and loaded into this process."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from twoarm.engine.vector import Vector

#: Raise when the code that kernels are made of changes; older files are then never read again.
CODE_VERSION = 5
_CACHE_VARIABLE = "TWOARM_CACHE_DIR"


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


def cache_directory() -> Path:
    """Directory of cached machine code: ``$TWOARM_CACHE_DIR``, or the platform's cache directory."""
    chosen = os.environ.get(_CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "twoarm" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "twoarm"


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
    found = _read(path)
    if found is None:
        found = make()
        _write(path, *found)
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


def _read(path: Path) -> tuple[dict[str, Any], bytes] | None:
    """Facts and code of a cached file; None where there is none or its sum is wrong (cut short, damaged)."""
    try:
        whole = path.read_bytes()
    except OSError:
        return None
    head, _, code = whole.partition(b"\n")
    try:
        facts = json.loads(head)
    except ValueError:
        return None
    if not isinstance(facts, dict) or facts.pop("sha256", None) != hashlib.sha256(code).hexdigest():
        return None
    return facts, code


def _write(path: Path, facts: dict[str, Any], code: bytes) -> None:
    """Write so that no other process ever sees half a file; a cache that cannot be written is no error."""
    head = json.dumps({**facts, "sha256": hashlib.sha256(code).hexdigest()}).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(head + b"\n" + code)
        os.replace(name, path)
    except OSError:
        return
