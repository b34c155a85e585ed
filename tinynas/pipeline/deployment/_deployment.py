"""From an int8 graph to firmware for a board: lower, plan, generate, build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinynas.boards import Firmware, ToolchainError, build_firmware, load_toolchain
from tinynas.engine import GeneratedModel, ModelInfo, generate
from tinynas.graph import DType, Graph
from tinynas.kernels import UnsupportedGraphError
from tinynas.lowering import Lowering, Schedule
from tinynas.memory import MemoryPlan, NativeMemoryModel, plan_arena
from tinynas.targets import Board, Reserve

# firmware/runtime/identity.c: a profile is one frame of 1024 bytes, 4 for each step.
_MAX_STEPS = 256


@dataclass(frozen=True)
class Deployment:
    """A network as firmware, with every step on the way."""

    graph: Graph
    schedule: Schedule
    plan: MemoryPlan
    generated: GeneratedModel
    firmware: Firmware


def deploy(
    graph: Graph,
    board: Board,
    directory: Path,
    *,
    info: ModelInfo | None = None,
    toolchain: str = "zig",
    reserve: Reserve | None = None,
    schedule: Schedule | None = None,
) -> Deployment:
    """Build the firmware that runs `graph` on `board`.

    Args:
        graph: an int8 network with weights, of one input and one output.
        board: the target.
        directory: gets `c/` (the generated code) and `firmware/` (the image and its linker script).
        info: what the generated header says beside the graph.
        toolchain: "zig" or "gcc".
        reserve: memory to leave free for the user's application; the linker enforces it.
        schedule: how the graph is executed; None for the local rule of lowering for the board.

    Raises:
        UnsupportedGraphError: the engine cannot execute the graph.
        DoesNotFitError: the linker says so.
        ToolchainError: the compiler is missing or failed.
        NoFirmwareError: the board has no firmware.
    """
    if schedule is None:
        schedule = Lowering.for_core(board.core)(graph)
    if len(schedule.inputs) != 1 or len(schedule.outputs) != 1:
        raise UnsupportedGraphError(
            f"model {graph.name!r} has {len(schedule.inputs)} inputs and {len(schedule.outputs)} outputs; "
            "the firmware runs networks of one input and one output"
        )
    if schedule.graph.tensor(schedule.inputs[0]).dtype is not DType.INT8:
        raise UnsupportedGraphError(f"model {graph.name!r} takes no int8 input: quantize it first")
    if not schedule.steps:
        raise UnsupportedGraphError(
            f"model {graph.name!r} computes nothing: its output has the bytes of its input, and there is no step to "
            "measure"
        )
    if len(schedule.steps) > _MAX_STEPS:
        raise UnsupportedGraphError(
            f"model {graph.name!r} has {len(schedule.steps)} steps; the firmware profiles at most {_MAX_STEPS}: use a "
            "network of fewer layers"
        )
    plan = plan_arena(schedule)
    generated = generate(schedule, plan, directory / "c", info)
    firmware = build_firmware(
        board,
        generated.directory,
        generated.kernel_sources,
        load_toolchain(toolchain),
        directory / "firmware",
        reserve=reserve,
    )
    return Deployment(graph, schedule, plan, generated, firmware)


def load_memory_model(board: Board, toolchain: str) -> NativeMemoryModel:
    """The memory model of what `deploy` builds; warns where it was fitted with another compiler than the one here.

    Raises:
        MissingMemoryModelError: there is none for the board and toolchain.
    """
    return NativeMemoryModel.for_board(board, toolchain, compiler=_installed_version(toolchain))


def _installed_version(toolchain: str) -> str | None:
    """Name and version of the compiler, None where it is not installed: a model can be read without one."""
    try:
        return load_toolchain(toolchain).version()
    except ToolchainError:
        return None
