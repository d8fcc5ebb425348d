"""A device made of this machine: the same IR, compiled for the host; threads are calls with their index."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from twoarm.engine import object_code
from twoarm.engine.cuda_driver import Program
from twoarm.engine.cuda_kernel import THREAD, DeviceText


class SimulatedDevice:
    """What `twoarm.engine.cuda.Threads` asks for. Fresh memory is full of NaN, and accesses are counted."""

    name = "simulated device"

    def __init__(self, resident: int = 64, memory: int = 2**28, workers: int = 4) -> None:
        self.resident, self.memory, self.workers = resident, memory, workers
        self.launches: list[int] = []
        self._blocks: dict[int, np.ndarray] = {}
        self._code: list[object_code.Loaded] = []

    @contextmanager
    def current(self) -> Iterator[None]:
        yield

    def free_bytes(self) -> int:
        return self.memory - sum(block.nbytes for block in self._blocks.values())

    def load(self, content: str, write: Callable[[], DeviceText]) -> Program:
        machine = object_code.host()

        def build() -> tuple[str, dict[str, Any]]:
            text = write()
            module = llvm.parse_assembly(text.loop)
            for part in (text.kernel, *text.library):
                module.link_in(llvm.parse_assembly(part))
            return str(module), {"tile_bytes": text.tile.bytes}

        code = object_code.load(f"simulated {content}", [THREAD], build, machine)
        self._code.append(code)
        return Program(0, code.addresses[THREAD], self.resident, code.facts["tile_bytes"])

    def allocate(self, size: int) -> int:
        assert size <= self.free_bytes()
        block = np.full(-(-size // 8) + 64, np.nan)
        at = -(-block.ctypes.data // 256) * 256
        self._blocks[at] = block
        return at

    def release(self, address: int) -> None:
        del self._blocks[address]

    def clear(self, address: int, size: int) -> None:
        self._check(address, size)
        ctypes.memset(address, 0, size)

    def upload(self, address: int, source: np.ndarray) -> None:
        self._check(address, source.nbytes)
        assert source.flags.c_contiguous
        ctypes.memmove(address, source.ctypes.data, source.nbytes)

    def download(self, into: np.ndarray, address: int) -> None:
        self._check(address, into.nbytes)
        assert into.flags.c_contiguous
        ctypes.memmove(into.ctypes.data, address, into.nbytes)

    def launch(self, program: Program, table: int, threads: int) -> None:
        self.launches.append(threads)
        call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(program.function)
        with ThreadPoolExecutor(self.workers) as pool:
            for done in [pool.submit(call, table, index) for index in range(threads)]:
                done.result()

    def _check(self, address: int, size: int) -> None:
        inside = [at <= address and address + size <= at + block.nbytes for at, block in self._blocks.items()]
        assert any(inside), "an address outside what was allocated"
