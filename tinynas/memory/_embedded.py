"""What a network takes inside an application of the user's: its code and stack, without our runtime."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from tinynas.lowering import Schedule
from tinynas.memory._image import Image
from tinynas.memory._live_ranges import align
from tinynas.memory._model_files import (
    KernelMemory,
    RuntimeMemory,
    kernel_memory_path,
    load_kernel_memory,
    load_runtime_memory,
    runtime_memory_path,
    stale_sources,
)
from tinynas.memory._sources import GENERATED_CODE
from tinynas.targets import Board, load_board

logger = logging.getLogger(__name__)

INTERFACE = ("model_input", "model_output", "model_invoke")
"""What an application calls."""

PUSHED_INTERFACE = ("model_output", "model_restart", "model_finish", "model_push_row")
"""The same, with what that calls, where the input comes row by row."""

REFERENCE_BOARDS = ("virt-m0plus", "virt-m4", "virt-m7", "virt-m33")
"""One board for each core that models ship for."""


@dataclass(frozen=True)
class EmbeddedCode:
    """Code and stack of a network on one core.

    Attributes:
        core: The core, as boards name it.
        compiler: Name and version of what it was measured with.
        code_bytes: Kernels and generated functions. Constants are not in it, nor what the kernels take of a compiler's
            library on cores without 64-bit multiplication (Armv6-M, some 200 bytes).
        stack_bytes: The deepest that `model_invoke`, or `model_push_row`, gets, what it calls included.
    """

    core: str
    compiler: str
    code_bytes: int
    stack_bytes: int


def embedded_code(schedule: Schedule, toolchain: str = "zig", folder: Path | None = None) -> tuple[EmbeddedCode, ...]:
    """Code and stack of a network on each core that a memory model ships for; none where a variant is unknown.

    Args:
        schedule: The network.
        toolchain: "zig" or "gcc".
        folder: Where the models lie; the ones that ship with the package by default.
    """
    found, stale = [], []
    for board in map(load_board, REFERENCE_BOARDS):
        path, runtime_path = _paths(board, toolchain, folder)
        if path.is_file() and runtime_path.is_file():
            kernels = load_kernel_memory(path, board.name)
            if schedule.variants <= kernels.entry_of.keys():
                used = schedule.variants | {GENERATED_CODE}
                stale += [path.name] if used.intersection(stale_sources(kernels)) else []
                found.append(_embedded(schedule, kernels, load_runtime_memory(runtime_path, board.name)))
    if stale:
        logger.warning(
            "code and stack come from stale memory models: sources or flags of the kernels have changed since "
            "%s %s fitted; run tools/regenerate_memory_model.py",
            ", ".join(stale),
            "was" if len(stale) == 1 else "were",
        )
    return tuple(found)


def _paths(board: Board, toolchain: str, folder: Path | None) -> tuple[Path, Path]:
    return (
        kernel_memory_path(board.core.name, toolchain, folder),
        runtime_memory_path(board.hal or "", board.core.name, toolchain, folder),
    )


def _embedded(schedule: Schedule, kernels: KernelMemory, runtime: RuntimeMemory) -> EmbeddedCode:
    streamed = frozenset(part.variant for part in schedule.streamed_parts)
    calls = kernels.calls(schedule.variants, streamed)
    names = PUSHED_INTERFACE if schedule.input_by_rows else INTERFACE
    functions = [f for f in kernels.generated_for(schedule.variants) if f.name in names]
    frames = {f.name: f.frame_bytes for f in functions}
    # The stack goes through the library functions of our runtime, which stand for those of the user's compiler.
    image = Image((*runtime.sections, *kernels.sections), names[-1])
    kept = frozenset[str]().union(*(replace(image, entry=name).kept(calls) for name in names))
    constants = {name for f in functions for name in f.requires}
    code = sum(
        align(section.size_bytes, 4)
        for section in kernels.sections
        if section.name in kept and (section.output == "text" or section.name not in constants)
    )
    code += sum(align(f.base_bytes + f.step_bytes * len(schedule.steps), 4) for f in functions)
    return EmbeddedCode(
        core=kernels.core,
        compiler=str(kernels.provenance.get("compiler", kernels.toolchain)),
        code_bytes=code,
        stack_bytes=align(image.deepest_stack(names[-1], calls, frames), 8),
    )
