"""The driver of an NVIDIA device through ctypes: find one, give it memory and code, start it, wait.

Only the driver's own library is needed, which comes with every device: no toolkit and no package
(`decisions/0009`). Function names and structures are those of the CUDA driver API reference.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from twoarm.engine import object_code, ptx
from twoarm.engine.cuda_kernel import KERNEL, DeviceText
from twoarm.engine.cuda_memory import TILE
from twoarm.errors import CudaDriverError, DeviceMemoryError, NoCudaDeviceError

_LIBRARIES = {"win32": ("nvcuda.dll",)}.get(sys.platform, ("libcuda.so.1", "libcuda.so"))
_LEAST = (8, 0)  #: capability of the oldest devices that tests make code for

# Of enum CUresult, CUdevice_attribute, CUfunction_attribute and CUjit_option.
_OUT_OF_MEMORY, _NO_DEVICE, _TIMEOUT = 2, 100, 702
_MULTIPROCESSORS, _THREADS_EACH, _MAJOR, _MINOR = 16, 39, 75, 76
_STACK_BYTES = 3
_ERROR_LOG, _ERROR_LOG_BYTES = 5, 6
_LOG_BYTES = 8192


@dataclass(frozen=True)
class Program:
    """Code on a device.

    Attributes
    ----------
    module, function : int
        The driver's handles.
    resident : int
        Threads that the device can hold at once.
    tile_bytes : int
        Memory of a tile of threads.
    stack_bytes : int
        Memory that the device keeps aside for the stacks of all threads it could hold.
    """

    module: int
    function: int
    resident: int
    tile_bytes: int
    stack_bytes: int = 0


class Device:
    """One device, and this process's context on it.

    Attributes
    ----------
    name : str
        As the driver calls it.
    capability : tuple of int
        Compute capability.
    """

    def __init__(self, library: Any, number: int = 0) -> None:
        self._library = library
        self._call("cuInit", 0)
        handle = ctypes.c_int()
        self._call("cuDeviceGet", ctypes.byref(handle), number)
        text = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", text, 256, handle)
        self.name = text.value.decode(errors="replace")
        self._handle = handle
        self.capability = self._attribute(_MAJOR), self._attribute(_MINOR)
        context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
        self._context = context
        self._programs: dict[str, Program] = {}

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this device the one that calls of this thread are about."""
        self._call("cuCtxPushCurrent_v2", self._context)
        try:
            yield
        finally:
            self._call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))

    def free_bytes(self) -> int:
        """Memory that is free."""
        free, whole = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(whole))
        return free.value

    def load(self, content: str, write: Callable[[], DeviceText]) -> Program:
        """Give the device PTX, from the disk or made now; its driver makes and keeps machine code."""
        if content not in self._programs:
            self._programs[content] = self._load(content, write)
        return self._programs[content]

    def _load(self, content: str, write: Callable[[], DeviceText]) -> Program:
        target = ptx.machine(self.capability)

        def make() -> tuple[dict[str, Any], bytes]:
            text = write()
            return {"tile_bytes": text.tile.bytes}, ptx.to_ptx(text, target).encode()

        facts, code = object_code.kept(content, target, make)
        module, function, blocks = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int()
        log = ctypes.create_string_buffer(_LOG_BYTES)
        options = (ctypes.c_int * 2)(_ERROR_LOG, _ERROR_LOG_BYTES)
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), _LOG_BYTES)
        self._call("cuModuleLoadDataEx", ctypes.byref(module), code + b"\0", 2, options, values, log=log)
        self._call("cuModuleGetFunction", ctypes.byref(function), module, KERNEL.encode())
        occupancy = "cuOccupancyMaxActiveBlocksPerMultiprocessor"
        self._call(occupancy, ctypes.byref(blocks), function, TILE, ctypes.c_size_t(0))
        many, stack = self._attribute(_MULTIPROCESSORS), ctypes.c_int()
        self._call("cuFuncGetAttribute", ctypes.byref(stack), _STACK_BYTES, function)
        return Program(
            module=module.value or 0,
            function=function.value or 0,
            resident=blocks.value * TILE * many,
            tile_bytes=int(facts["tile_bytes"]),
            stack_bytes=stack.value * self._attribute(_THREADS_EACH) * many,
        )

    def allocate(self, size: int) -> int:
        """Address of fresh memory."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(size, 1)), wanted=size)
        return address.value

    def release(self, address: int) -> None:
        """Give memory back."""
        self._call("cuMemFree_v2", ctypes.c_uint64(address))

    def clear(self, address: int, size: int) -> None:
        """Fill memory with zeros."""
        self._call("cuMemsetD8_v2", ctypes.c_uint64(address), ctypes.c_ubyte(0), ctypes.c_size_t(size))

    def upload(self, address: int, source: np.ndarray) -> None:
        """Copy an array to the device."""
        if source.nbytes:
            pointer = ctypes.c_void_p(source.ctypes.data)
            self._call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), pointer, ctypes.c_size_t(source.nbytes))

    def download(self, into: np.ndarray, address: int) -> None:
        """Copy an array from the device."""
        if into.nbytes:
            pointer = ctypes.c_void_p(into.ctypes.data)
            self._call("cuMemcpyDtoH_v2", pointer, ctypes.c_uint64(address), ctypes.c_size_t(into.nbytes))

    def launch(self, program: Program, table: int, threads: int) -> None:
        """Run threads, a warp a block, and wait for the last. An interrupt is heard after that."""
        cell = ctypes.c_uint64(table)
        passed = (ctypes.c_void_p * 1)(ctypes.addressof(cell))
        grid = (threads // TILE, 1, 1, TILE, 1, 1)
        self._call("cuLaunchKernel", ctypes.c_void_p(program.function), *grid, 0, None, passed, None)
        self._call("cuStreamSynchronize", None)

    def _attribute(self, number: int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), number, self._handle)
        return value.value

    def _call(self, name: str, *arguments: Any, log: Any = None, wanted: int = 0) -> None:
        code = getattr(self._library, name)(*arguments)
        if code == _OUT_OF_MEMORY:
            raise DeviceMemoryError(device=self.name, wanted=wanted, free=self.free_bytes())
        if code:
            said = log.value.decode(errors="replace").strip() if log is not None else ""
            raise CudaDriverError(
                call=name,
                code=code,
                meaning=self._meaning(code),
                device=getattr(self, "name", ""),
                said=said,
                slow=code == _TIMEOUT,
            )

    def _meaning(self, code: int) -> str:
        text = ctypes.c_char_p()
        self._library.cuGetErrorString(code, ctypes.byref(text))
        return (text.value or b"an unknown error").decode(errors="replace")


@lru_cache(maxsize=1)
def open_device() -> Device:
    """Find the first device and a context on it, once a process.

    Returns
    -------
    Device
        Ready for code. ``CUDA_VISIBLE_DEVICES`` says which is the first.

    Raises
    ------
    NoCudaDeviceError
        If the driver's library, a device, or one new enough is not there.
    CudaDriverError
        If the driver refuses.
    """
    library = _open_library()
    code = library.cuInit(0)
    if code:
        reason = "no device answers" if code == _NO_DEVICE else f"the driver does not start (code {code})"
        raise NoCudaDeviceError(looked_for=_LIBRARIES, reason=reason)
    device = Device(library)
    if device.capability < _LEAST:
        have, least = (".".join(map(str, pair)) for pair in (device.capability, _LEAST))
        reason = f"{device.name} has compute capability {have}, and {least} is needed"
        raise NoCudaDeviceError(looked_for=_LIBRARIES, reason=reason)
    return device


def _open_library() -> Any:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise NoCudaDeviceError(looked_for=_LIBRARIES, reason="the driver's library is not on this machine")
