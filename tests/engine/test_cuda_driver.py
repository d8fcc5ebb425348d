"""The driver's calls against a driver made of C callbacks, and what is said where there is none."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_size_t, c_ubyte, c_uint, c_uint64, c_void_p
from dataclasses import replace

import numpy as np
import pytest

from twoarm.engine import cuda, cuda_driver, lanes, simulate, stepper
from twoarm.engine.cohort import Cohort, Solved
from twoarm.engine.cuda_driver import Device, open_device
from twoarm.errors import CudaDriverError, DeviceMemoryError, NoCudaDeviceError

from . import small_models as small
from .simulated_device import SimulatedDevice
from .test_cuda_backend import cohort_of

NO_CONTEXT, OUT_OF_MEMORY, BAD_PTX, TIMEOUT = 201, 2, 218, 702
CONTEXT, MODULE, FUNCTION = 0xC0, 0xD0, 0xF0
UNSIGNED = [c_uint] * 7


class FakeDriver:
    """Every call goes through C, as it would to the driver; memory is the host's, threads are simulated."""

    def __init__(
        self, *, capability: tuple[int, int] = (9, 0), devices: int = 1, fail: dict[str, int] | None = None
    ):
        self.capability, self.devices, self.fail = capability, devices, fail or {}
        self.current: list[int] = []
        self.blocks: dict[int, np.ndarray] = {}
        self.code, self.run = b"", None
        self._kept = []
        pointer, size = POINTER(c_void_p), POINTER(c_size_t)
        self._add("cuInit", [c_uint], lambda _: 0 if self.devices else 100, context=False)
        self._add("cuDeviceGet", [POINTER(c_int), c_int], self._put(7), context=False)
        self._add("cuDeviceGetName", [c_void_p, c_int, c_int], self._name, context=False)
        self._add("cuDeviceGetAttribute", [POINTER(c_int), c_int, c_int], self._attribute, context=False)
        self._add("cuDevicePrimaryCtxRetain", [pointer, c_int], self._put(CONTEXT), context=False)
        self._add("cuCtxPushCurrent_v2", [c_void_p], self._push, context=False)
        self._add("cuCtxPopCurrent_v2", [pointer], lambda _: self.current.pop() and 0)
        self._add("cuMemGetInfo_v2", [size, size], self._put(2**24))
        self._add("cuMemAlloc_v2", [POINTER(c_uint64), c_size_t], self._allocate)
        self._add("cuMemFree_v2", [c_uint64], lambda at: self.blocks.pop(at) is None and 1)
        self._add("cuMemsetD8_v2", [c_uint64, c_ubyte, c_size_t], self._set)
        self._add("cuMemcpyHtoD_v2", [c_uint64, c_void_p, c_size_t], self._copy)
        self._add("cuMemcpyDtoH_v2", [c_void_p, c_uint64, c_size_t], self._copy)
        load = [pointer, c_char_p, c_uint, POINTER(c_int), POINTER(c_void_p)]
        self._add("cuModuleLoadDataEx", load, self._load)
        self._add("cuModuleGetFunction", [pointer, c_void_p, c_char_p], self._find)
        occupancy = [POINTER(c_int), c_void_p, c_int, c_size_t]
        self._add("cuOccupancyMaxActiveBlocksPerMultiprocessor", occupancy, self._occupancy)
        self._add("cuFuncGetAttribute", [POINTER(c_int), c_int, c_void_p], self._about_function)
        launch = [c_void_p, *UNSIGNED, c_void_p, pointer, c_void_p]
        self._add("cuLaunchKernel", launch, self._launch)
        self._add("cuStreamSynchronize", [c_void_p], lambda _: 0)
        self._add("cuGetErrorString", [c_int, POINTER(c_char_p)], self._meaning, context=False)

    def _add(self, name: str, types: list, act: Callable[..., int], context: bool = True) -> None:  # type: ignore[type-arg]
        def call(*arguments):  # type: ignore[no-untyped-def]
            if context and not self.current:
                return NO_CONTEXT
            return self.fail.get(name) or int(act(*arguments) or 0)

        self._kept.append(CFUNCTYPE(c_int, *types)(call))
        setattr(self, name, CFUNCTYPE(c_int)(ctypes.cast(self._kept[-1], c_void_p).value))

    @staticmethod
    def _put(value: int) -> Callable[..., int]:
        def act(*arguments):  # type: ignore[no-untyped-def]
            arguments[0][0] = value

        return act

    def _name(self, text: int, length: int, device: int) -> None:
        assert (device, length) == (7, 256)
        ctypes.memmove(text, b"Fake F1\0", 8)

    def _attribute(self, value, number: int, device: int) -> None:  # type: ignore[no-untyped-def]
        assert device == 7
        value[0] = {16: 3, 39: 2048, 75: self.capability[0], 76: self.capability[1]}[number]

    def _push(self, context: int) -> None:
        self.current.append(context)

    def _allocate(self, address, size: int) -> None:  # type: ignore[no-untyped-def]
        block = np.full(size // 8 + 64, np.nan)
        address[0] = at = -(-block.ctypes.data // 256) * 256
        self.blocks[at] = block

    def _set(self, at: int, value: int, size: int) -> None:
        ctypes.memset(at, value, size)

    def _copy(self, to: int, source: int, size: int) -> None:
        ctypes.memmove(to, source, size)

    def _load(self, module, code: bytes, count: int, options, values) -> int:  # type: ignore[no-untyped-def]
        assert (count, options[0], options[1], values[1]) == (2, 5, 6, 8192)
        self.code, module[0] = code, MODULE
        if "cuModuleLoadDataEx log" in self.fail:
            ctypes.memmove(values[0], b"line 3: no such word\0", 21)
            return BAD_PTX
        return 0

    def _find(self, function, module: int, name: bytes) -> None:  # type: ignore[no-untyped-def]
        assert (module, name) == (MODULE, b"integrate")
        function[0] = FUNCTION

    def _occupancy(self, blocks, function: int, threads: int, shared: int) -> None:  # type: ignore[no-untyped-def]
        assert (function, threads, shared) == (FUNCTION, 32, 0)
        blocks[0] = 1

    def _about_function(self, value, number: int, function: int) -> None:  # type: ignore[no-untyped-def]
        assert (number, function) == (3, FUNCTION)
        value[0] = 16

    def _launch(self, function, gx, gy, gz, bx, by, bz, shared, stream, passed, extra) -> None:  # type: ignore[no-untyped-def]
        assert (function, gy, gz, bx, by, bz, shared) == (FUNCTION, 1, 1, 32, 1, 1, 0)
        assert not stream
        assert not extra
        table = ctypes.cast(passed[0], POINTER(c_uint64))[0]
        assert self.run is not None
        self.run(table, gx * bx)

    def _meaning(self, code: int, text) -> None:  # type: ignore[no-untyped-def]
        text[0] = {OUT_OF_MEMORY: b"out of memory", TIMEOUT: b"the launch timed out"}.get(
            code, b"it is broken"
        )


@pytest.fixture(autouse=True)
def _forget_devices() -> Iterator[None]:
    open_device.cache_clear()
    yield
    open_device.cache_clear()


def use(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    monkeypatch.setattr(cuda_driver.ctypes, "CDLL", lambda _: driver)
    return driver


def simulate_threads(driver: FakeDriver, cohort: Cohort) -> None:
    """Let a launch run the same code, compiled for the host."""
    given = lanes.arguments_of(cohort, Solved.empty(cohort))
    host = SimulatedDevice()
    program = host.load(cuda.content_of(cohort, given), lambda: cuda.write(cohort, given))
    driver.run = lambda table, threads: host.launch(program, table, threads)  # type: ignore[assignment]


def test_a_cohort_goes_through_the_driver_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = cohort_of(small.target_mediated(), 130)
    driver = use(FakeDriver(), monkeypatch)
    simulate_threads(driver, cohort)
    found, expected = cuda.integrate(cohort), stepper.integrate(cohort)
    assert b".entry integrate(" in driver.code
    assert b".target sm_90" in driver.code
    np.testing.assert_allclose(found.recorded, expected.recorded, rtol=1e-6, atol=1e-9)
    driver.code = b""
    cuda.integrate(cohort)
    assert not driver.code, "code was given to the device twice"
    assert not driver.blocks, "memory that was not given back"
    assert not driver.current, "a context that was left current"


def test_no_library_no_device_and_an_old_device_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, "_LIBRARIES", ("libnosuch.so.1", "libnosuch.so"))
    with pytest.raises(NoCudaDeviceError, match=r"driver's library is not .* libnosuch.so.1 or libnosuch.so"):
        open_device()
    use(FakeDriver(devices=0), monkeypatch)
    with pytest.raises(NoCudaDeviceError, match='no device answers .* Use backend="cpu"'):
        simulate(small.decay(), days=1.0, backend="cuda")
    use(FakeDriver(capability=(7, 5)), monkeypatch)
    with pytest.raises(NoCudaDeviceError, match="Fake F1 has compute capability 7.5, and 8.0 is needed"):
        open_device()
    use(FakeDriver(fail={"cuInit": 999}), monkeypatch)
    with pytest.raises(NoCudaDeviceError, match=r"driver does not start \(code 999\)"):
        open_device()


@pytest.mark.parametrize(
    ("fail", "error", "message"),
    [
        ({"cuMemAlloc_v2": OUT_OF_MEMORY}, DeviceMemoryError, "Fake F1 has 16 MiB to give"),
        (
            {"cuLaunchKernel": TIMEOUT},
            CudaDriverError,
            "cuLaunchKernel with 702: .*timed out.* smaller chunk",
        ),
        ({"cuModuleLoadDataEx log": 1}, CudaDriverError, r"218: it is broken. It said: line 3.* CUDA 11.8"),
        ({"cuMemcpyDtoH_v2": 700}, CudaDriverError, "Fake F1 answered cuMemcpyDtoH_v2 with 700"),
    ],
)
def test_what_the_driver_refuses_is_said(
    fail: dict[str, int], error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = replace(cohort_of(small.decay(), 3), workers=1)
    driver = use(FakeDriver(fail=fail), monkeypatch)
    simulate_threads(driver, cohort)
    with pytest.raises(error, match=message):
        cuda.integrate(cohort)
    assert not driver.blocks
    assert not driver.current


def test_threads_are_bounded_by_what_the_device_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = use(FakeDriver(), monkeypatch)
    device = Device(driver)
    cohort = cohort_of(small.decay(), 3)
    given = lanes.arguments_of(cohort, Solved.empty(cohort))
    with device.current():
        program = device.load(cuda.content_of(cohort, given), lambda: cuda.write(cohort, given))
    assert program.resident == 3 * 32  # three multiprocessors, one block of a warp each
    assert program.tile_bytes % 128 == 0
    assert program.stack_bytes == 16 * 2048 * 3
