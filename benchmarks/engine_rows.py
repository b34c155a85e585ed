"""Measuring for benchmarks/engine.py: a network on the virtual board, and layers on a bare core."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bit_exactness import compare
from layer_sweep import sweep
from peer_figures import NETWORKS, PORTABLE_TARGET, estimate, layer_figures, target_ratio

from tinynas.boards import load_toolchain
from tinynas.formats import read_tflite
from tinynas.graph import Graph, simplified
from tinynas.kernels import InstructionSet
from tinynas.lowering import Lowering, Schedule, lower
from tinynas.pipeline import NetworkMeasurement, choose_for_board, deploy, measure, random_inputs
from tinynas.targets import Board, load_board
from tinynas.testing.layers import LayerImage, check_layers, for_speed, layer_of

_NETWORK_LIMIT = 1_000_000_000  # instructions of one inference


@dataclass(frozen=True)
class KernelRow:
    """The layers of a network that one kernel computes. Cycles are modelled, None where the core has no timing."""

    variant: str
    layers: int
    macs: int
    instructions: int
    cycles: int | None

    @property
    def cycles_per_instruction(self) -> float | None:
        return None if self.cycles is None else self.cycles / self.instructions

    @property
    def cycles_per_mac(self) -> float | None:
        return None if self.cycles is None or not self.macs else self.cycles / self.macs


class _Counted:
    """What follows from counts of a network or layer."""

    macs: int
    instructions: int
    cycles: int | None

    @property
    def per_mac(self) -> float:
        return self.instructions / max(1, self.macs)

    @property
    def cycles_per_instruction(self) -> float | None:
        return None if self.cycles is None else self.cycles / self.instructions

    @property
    def cycles_per_mac(self) -> float | None:
        return None if self.cycles is None else self.cycles / max(1, self.macs)


@dataclass(frozen=True)
class NetworkRow(_Counted):
    """A network with one toolchain.

    Attributes:
        kernels: "by shape", as a search lowers it, or "chosen" with the flash of the board in view.
        target: instructions; on a core without the DSP extension, by what the same network takes on a Cortex-M4.
        cmsis_nn: instructions on a Cortex-M4, whatever the board; `basis` says whether "measured" or "estimated".
        cycles: of one inference by the core's timing, a model; None where it has none. Those of a step contain the few
            instructions of its call.
        cmsis_nn_cycles: modelled cycles on a Cortex-M4, whatever the board; None where nobody counted them.
        by_kernel: the kernels of the network, most instructions first.
        estimate: what adding up by layer gives, also where there is a measured figure to hold it against.
        covered_macs: share of the MACs in layers that the estimate has a figure for.
        inputs, wrong_outputs: random inputs on the virtual board, and how many outputs differ in any bit.
        tensors, wrong_bytes, accesses_outside: of the run with every tensor in memory of its own, over all inputs.
        reference_differences: elements in which our executor and LiteRT's reference kernels differ, all tensors.
        other_flash_bytes: as linked, less the model's constants.
    """

    name: str
    toolchain: str
    kernels: str
    macs: int
    instructions: int
    cycles: int | None
    cmsis_nn: int
    cmsis_nn_cycles: int | None
    basis: str
    estimate: int
    covered_macs: float
    tinyengine: int | None
    target: int
    inputs: int
    wrong_outputs: int
    tensors: int
    wrong_bytes: int
    accesses_outside: int
    reference_differences: int
    constant_bytes: int
    other_flash_bytes: int
    arena_bytes: int
    arena_lower_bound_bytes: int
    by_kernel: tuple[KernelRow, ...]

    @property
    def ratio(self) -> float:
        """Ours over CMSIS-NN's."""
        return self.instructions / self.cmsis_nn

    @property
    def cycles_ratio(self) -> float | None:
        """Ours over CMSIS-NN's, in modelled cycles."""
        return None if self.cycles is None or self.cmsis_nn_cycles is None else self.cycles / self.cmsis_nn_cycles

    @property
    def correct(self) -> bool:
        """Nothing differs anywhere and nothing was touched outside."""
        return not (self.wrong_outputs or self.wrong_bytes or self.accesses_outside or self.reference_differences)


def measure_network(
    path: Path, board: Board, toolchain: str, inputs: int, directory: Path, *, chosen: bool
) -> NetworkRow:
    """Build the firmware, run it, and run the same schedule with every tensor apart."""
    content = path.read_bytes()
    graph = read_tflite(content)
    network = simplified(graph)
    schedule = _schedule(network, board, toolchain, chosen)
    deployment = deploy(network, board, directory / "firmware", toolchain=toolchain, schedule=schedule)
    measured = measure(deployment, board, random_inputs(schedule, inputs, seed=0))
    image_directory = directory / "apart"
    image_directory.mkdir()
    layer = layer_of(path.stem, schedule, in_place=False)
    image = LayerImage([layer], board.core, load_toolchain(toolchain), image_directory)
    (apart,) = check_layers(image, random_inputs=inputs, instruction_limit=_NETWORK_LIMIT)
    if apart.stopped:
        raise SystemExit(f"{path.name} on {board.name}: {apart.fault}")
    figures = NETWORKS.get(path.stem)
    estimated = estimate(schedule, measured.counts["instructions"].steps)
    target = figures.target if figures is not None else round(target_ratio(estimated) * estimated.instructions)
    litert, _, _ = compare(graph, content, inputs)
    return NetworkRow(
        name=path.stem,
        toolchain=toolchain,
        kernels="chosen" if chosen else "by shape",
        macs=schedule.macs,
        instructions=measured.counts["instructions"].total,
        cycles=measured.counts["cycles"].total if "cycles" in measured.counts else None,
        cmsis_nn_cycles=None if figures is None else figures.cmsis_nn_cycles,
        by_kernel=_by_kernel(schedule, measured),
        cmsis_nn=figures.cmsis_nn if figures is not None else estimated.instructions,
        basis="measured" if figures is not None else "estimated",
        estimate=estimated.instructions,
        covered_macs=estimated.covered_macs,
        tinyengine=figures.tinyengine if figures is not None else None,
        target=target if board.core.has_dsp else _portable_target(graph, toolchain, directory, chosen),
        inputs=inputs,
        wrong_outputs=measured.mismatches,
        tensors=apart.tensors,
        wrong_bytes=apart.differences,
        accesses_outside=apart.reads_outside + apart.writes_outside + apart.guard_bytes,
        reference_differences=litert,
        constant_bytes=deployment.generated.constant_bytes,
        other_flash_bytes=deployment.firmware.flash_bytes - deployment.generated.constant_bytes,
        arena_bytes=deployment.plan.arena_bytes,
        arena_lower_bound_bytes=deployment.plan.lower_bound_bytes,
    )


def _by_kernel(schedule: Schedule, measured: NetworkMeasurement) -> tuple[KernelRow, ...]:
    found: dict[str, KernelRow] = {}
    instructions = measured.counts["instructions"].steps
    cycles = measured.counts["cycles"].steps if "cycles" in measured.counts else None
    for index, step in enumerate(schedule.steps):
        row = found.get(step.variant, KernelRow(step.variant, 0, 0, 0, None if cycles is None else 0))
        found[step.variant] = KernelRow(
            step.variant,
            row.layers + 1,
            row.macs + step.macs,
            row.instructions + instructions[index],
            None if cycles is None or row.cycles is None else row.cycles + cycles[index],
        )
    return tuple(sorted(found.values(), key=lambda row: -row.instructions))


def _schedule(graph: Graph, board: Board, toolchain: str, chosen: bool) -> Schedule:
    return choose_for_board(graph, board, toolchain).schedule if chosen else Lowering.for_core(board.core)(graph)


def _portable_target(graph: Graph, toolchain: str, directory: Path, chosen: bool) -> int:
    """What a core without the DSP extension may take, by what a Cortex-M4 takes."""
    board = load_board("virt-m4")
    schedule = _schedule(graph, board, toolchain, chosen)
    deployment = deploy(graph, board, directory / board.name, toolchain=toolchain, schedule=schedule)
    measured = measure(deployment, board, random_inputs(deployment.schedule, 1, seed=0))
    return round(PORTABLE_TARGET * measured.counts["instructions"].total)


@dataclass(frozen=True)
class LayerRow(_Counted):
    """A layer of the sweep. Peers' figures are those of `peer_figures.LayerFigures`."""

    name: str
    toolchain: str
    variant: str
    macs: int
    outputs: int
    instructions: int
    cycles: int | None
    cmsis_nn: tuple[float, float] | None
    tinyengine: tuple[float, float] | None
    extrapolated: bool
    correct: bool

    @property
    def ratio(self) -> float | None:
        """Ours over the middle of CMSIS-NN's figure."""
        return None if self.cmsis_nn is None else self.per_mac / (sum(self.cmsis_nn) / 2)


def measure_layers(board: Board, toolchain: str) -> Iterator[LayerRow]:
    """Every layer of the sweep as it is lowered, then with a kernel that spends flash for speed if there is one."""
    layers = []
    for name, graph in sweep():
        schedule = lower(graph, instruction_set=InstructionSet.of(board.core))
        faster = for_speed(schedule)
        layers += [layer_of(name, each) for each in ((schedule,) if faster == schedule else (schedule, faster))]
    with tempfile.TemporaryDirectory() as scratch:
        image = LayerImage(layers, board.core, load_toolchain(toolchain), Path(scratch))
        for layer, result in zip(layers, check_layers(image, timing=board.timing), strict=True):
            graph = layer.schedule.graph
            figures = layer_figures(graph, graph.ops[-1])
            yield LayerRow(
                name=layer.name,
                toolchain=toolchain,
                variant=layer.variant,
                macs=result.macs,
                outputs=graph.tensors[graph.outputs[0]].elements,
                instructions=result.instructions,
                cycles=result.cycles,
                cmsis_nn=None if figures is None else figures.cmsis_nn,
                tinyengine=None if figures is None else figures.tinyengine,
                extrapolated=figures is not None and figures.extrapolated,
                correct=result.passed,
            )
