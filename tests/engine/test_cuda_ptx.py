"""PTX of whole kernels: assembled for each device, nothing left to link, every array in global memory."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from twoarm.engine import cuda, lanes, ptx
from twoarm.engine.cohort import Cohort, Solved
from twoarm.engine.cuda_memory import TILE, interleave

from . import small_models as small
from .test_cuda_backend import cohort_of

ASSEMBLER = shutil.which("ptxas")
ASSEMBLED = pytest.mark.skipif(ASSEMBLER is None, reason="ptxas is not on this machine")
CAPABILITIES = pytest.mark.parametrize("capability", ptx.CAPABILITIES)
PRECISIONS = pytest.mark.parametrize("precision", ["double", "single"])


@cache
def small_code(name: str, precision: str, capability: tuple[int, int]) -> str:
    return code_of(cohort_of(getattr(small, name)(), 2, precision=precision), capability)


def code_of(cohort: Cohort, capability: tuple[int, int]) -> str:
    text = cuda.write(cohort, lanes.arguments_of(cohort, Solved.empty(cohort)))
    return ptx.to_ptx(text, ptx.machine(capability))


def assemble(code: str, capability: tuple[int, int], folder: Path) -> str:
    """What ptxas says about registers and memory; its error fails the test."""
    assert ASSEMBLER is not None
    (folder / "code.ptx").write_text(code)
    major, minor = capability
    made = [ASSEMBLER, "-v", f"-arch=sm_{major}{minor}", "code.ptx", "-o", "code.cubin"]
    done = subprocess.run(made, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "code.cubin").stat().st_size > 1000
    return done.stdout + done.stderr


@ASSEMBLED
@CAPABILITIES
@PRECISIONS
def test_a_small_model_assembles(precision, capability, tmp_path) -> None:  # type: ignore[no-untyped-def]
    said = assemble(small_code("forced", precision, capability), capability, tmp_path)
    registers = int(re.findall(r"Used (\d+) registers", said)[0])
    assert registers <= 255
    assert "spill" not in re.sub(r"\b0 bytes spill \w+", "", said)


@pytest.mark.slow
@ASSEMBLED
@CAPABILITIES
@PRECISIONS
def test_a_network_assembles(precision, capability, tmp_path) -> None:  # type: ignore[no-untyped-def]
    for method in ("rodas5p", "rodas4"):
        cohort = replace(cohort_of(small.network(80, 200), 2, precision=precision), method=method)
        assert "registers" in assemble(code_of(cohort, capability), capability, tmp_path)


@PRECISIONS
def test_nothing_is_left_to_link_and_loads_are_of_global_memory(precision: str) -> None:
    code = small_code("forced", precision, (9, 0))
    assert ".extern" not in code
    called = set(re.findall(r"call\.uni\s+(?:\([^)]*\),\s*)?([\w$]+)", code))
    defined = set(re.findall(r"\.func\s+(?:\([^)]*\)\s*)?([\w$]+)", code))
    assert called <= defined
    assert {"near_step", "near_rates", "near_accept", "near_constants"} <= called  # direct, not by address
    assert ".callprototype" not in code
    wide = re.findall(r"^\s+(ld|st)\.((?!param|global|local)\w+)", code, flags=re.M)
    assert not wide, "an access that asks at run time which memory it is about"
    assert code.count("ld.global") > 100
    assert re.search(r"\batom\.(?:global\.)?add\.u64", code)
    assert len(re.findall(r"\.visible \.entry", code)) == 1


def test_single_precision_steps_are_made_of_floats() -> None:
    code = {precision: small_code("forced", precision, (9, 0)) for precision in ("double", "single")}
    step = {p: re.search(r"\.func step\(.*?\n}", text, flags=re.S)[0] for p, text in code.items()}  # type: ignore[index]
    assert "fma.rn.f64" in step["double"]
    assert "fma.rn.f32" not in step["double"]
    assert step["single"].count("f64") <= 4  # the tolerance, which comes as a double
    assert "fma.rn.f32" in step["single"]


def test_the_newest_code_a_device_can_run() -> None:
    assert [ptx.machine(c).cpu for c in ((8, 0), (8, 9), (9, 0), (12, 0))] == [
        "sm_80",
        "sm_80",
        "sm_90",
        "sm_90",
    ]


def test_rows_lie_a_tile_apart_but_not_on_the_stack() -> None:
    text = "\n".join(
        [
            "define void @f(ptr %y, ptr %m, ptr %p) nounwind {",
            "entry:",
            "  %v1 = getelementptr inbounds double, ptr %y, i64 3",
            "  %v2 = load double, ptr %v1, align 8",
            "  %v3 = getelementptr inbounds double, ptr %m, i64 %i",
            "  store double %v2, ptr %v3, align 8",
            "  %v4 = getelementptr inbounds double, ptr %p, i64 2",
        ]
    )
    lines = interleave(text).splitlines()
    assert lines[0] == "define void @f(ptr addrspace(1) %y, ptr %m, ptr addrspace(1) %p) nounwind {"
    assert lines[2] == f"  %v1 = getelementptr inbounds [{TILE} x double], ptr addrspace(1) %y, i64 3"
    assert lines[3] == "  %v2 = load double, ptr addrspace(1) %v1, align 8"
    assert lines[4:6] == text.splitlines()[4:6]
    assert lines[6] == "  %v4 = getelementptr inbounds double, ptr addrspace(1) %p, i64 2"


def test_the_text_of_the_loop_belongs_to_no_machine() -> None:
    cohort = cohort_of(small.decay(), 2)
    loop = cuda.write(cohort, lanes.arguments_of(cohort, Solved.empty(cohort))).loop
    assert "target triple" not in loop
    assert "x86" not in loop
    assert not re.search(r"<\d+ x (double|i64)>", loop), "vectors as wide as those of the host"
    declared = set(re.findall(r"^declare .*@([\w.]+)\(", loop, flags=re.M))
    outside = {name for name in declared if not name.startswith("llvm.")}
    assert outside <= {"pow", "near_constants", "near_rates", "near_step", "near_accept"}
