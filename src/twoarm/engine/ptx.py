"""LLVM IR → PTX, through the NVPTX target that llvmlite carries."""

from __future__ import annotations

import llvmlite.binding as llvm

from twoarm.engine.cuda_kernel import KERNEL, THREAD, DeviceText
from twoarm.engine.object_code import Machine

#: Devices code is made for, as compute capability; a later device runs the code of the last one before it.
CAPABILITIES = ((8, 0), (9, 0))
_TRIPLE = "nvptx64-nvidia-cuda"
_LANGUAGE = "+ptx78"  #: the first PTX that knows sm_90; drivers since CUDA 11.8 read it


def machine(capability: tuple[int, int]) -> Machine:
    """Describe the newest of `CAPABILITIES` that a device of this capability can run.

    Examples
    --------
    >>> machine((8, 6)).cpu, machine((10, 0)).cpu
    ('sm_80', 'sm_90')
    """
    major, minor = max(known for known in CAPABILITIES if known <= capability)
    return Machine(_TRIPLE, f"sm_{major}{minor}", _LANGUAGE)


def to_ptx(text: DeviceText, target: Machine) -> str:
    """Compile the code of a model to PTX.

    Parameters
    ----------
    text : DeviceText
        The loop, which is optimized, and the model's kernel, which is as short as it gets.
    target : Machine
        Of `machine`.

    Returns
    -------
    str
        PTX.
    """
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    found = llvm.Target.from_triple(target.triple)
    compiler = found.create_target_machine(cpu=target.cpu, features=target.features, opt=2)
    module = optimize(f"{text.loop}\n{launcher()}", compiler, target.triple)
    rest = llvm.parse_assembly(text.kernel)
    rest.triple, rest.data_layout = target.triple, str(compiler.target_data)
    module.link_in(rest)
    for functions in text.library:
        module.link_in(optimize(functions, compiler, target.triple))
    module.verify()
    code: str = compiler.emit_assembly(module)
    return code


def optimize(text: str, compiler: llvm.TargetMachine, triple: str) -> llvm.ModuleRef:
    """Inline and simplify a module for a target."""
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = triple, str(compiler.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(compiler, options)
    passes = builder.getModulePassManager()
    passes.run(module, builder)
    return module


def launcher() -> str:
    """IR of the function a device starts: every thread finds out who it is."""
    registers = ("tid.x", "ntid.x", "ctaid.x")
    reads = [f"  %{r.replace('.', '_')} = call i32 @llvm.nvvm.read.ptx.sreg.{r}()" for r in registers]
    lines = [
        *(f"declare i32 @llvm.nvvm.read.ptx.sreg.{r}()" for r in registers),
        f"define ptx_kernel void @{KERNEL}(ptr addrspace(1) %table) {{",
        *reads,
        "  %before = mul i32 %ctaid_x, %ntid_x",
        "  %index = add i32 %before, %tid_x",
        "  %wide = zext i32 %index to i64",
        f"  call void @{THREAD}(ptr addrspace(1) %table, i64 %wide)",
        "  ret void",
        "}",
    ]
    return "\n".join(lines)
