"""Run a deployed network on a board, real or virtual, and compare it with the reference executor bit by bit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tinynas.boards import Device, FunctionCount, Identity, LinkError, MemoryReport, Transport, VirtualBoard
from tinynas.graph import DType, Graph, execute
from tinynas.latency import InferenceMeasurement, Measurement, Quantity, Unit, deciding_quantity, measurements_of
from tinynas.lowering import Schedule
from tinynas.pipeline.deployment._connection import baud_of
from tinynas.pipeline.deployment._deployment import Deployment
from tinynas.targets import Board

logger = logging.getLogger(__name__)

Int8Array = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Counts:
    """One inference, counted.

    Attributes:
        total: without profiling code.
        steps: of each step of the schedule.
    """

    total: int
    steps: tuple[int, ...]


@dataclass(frozen=True)
class NetworkMeasurement:
    """What a board reported for one network.

    Attributes:
        quantity: what ticks are.
        counts: of one inference, by unit: the virtual board has instructions, and where its core has a timing cycles by
            that, a model; a real board has cycles.
        memory: sizes of the memory sections and the stack's high-water mark, from the device.
        outputs: int8, one row per input.
        mismatches: how many outputs differ from the reference in any bit.
        clock_hz: the clock that the device reached, which may differ from the board file's.
        functions: on the virtual board, what each function took, without what it calls; most instructions first.
    """

    quantity: Quantity
    counts: Mapping[Unit, Counts]
    memory: MemoryReport
    outputs: Int8Array
    mismatches: int
    clock_hz: int
    functions: Mapping[str, FunctionCount] = field(default_factory=dict)

    @property
    def unit(self) -> Unit:
        return self.quantity.unit

    @property
    def ticks(self) -> int:
        """One inference without profiling code."""
        return self.counts[self.unit].total

    @property
    def steps(self) -> tuple[int, ...]:
        """Ticks of each step of the schedule."""
        return self.counts[self.unit].steps

    def layers(self, schedule: Schedule) -> list[Measurement]:
        """The steps as the latency model learns from them."""
        return measurements_of(schedule, self.steps)

    def inference(self) -> InferenceMeasurement:
        """The whole inference as the latency model learns from it."""
        return InferenceMeasurement(len(self.steps), float(sum(self.steps)), float(self.ticks))


def measure(
    deployment: Deployment,
    board: Board,
    inputs: Int8Array,
    *,
    line: Transport | None = None,
    quantity: Quantity | None = None,
    expected_ticks: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> NetworkMeasurement:
    """Run every input on the board.

    The first inference is the one that is counted; on the virtual board the counts of the steps come from the same
    inference, on a real one from a second, profiled one.

    Args:
        deployment: what runs; on a real board it must be flashed already.
        board: the virtual one is made from this description.
        inputs: [N, ...] int8, N at least 1.
        line: leads to a real board, and stays open; None for the virtual one.
        quantity: what ticks are; None for what decides on the board.
        expected_ticks: of one inference: by them a real board is waited for. None for a minute.
        progress: called with the number of inputs done.

    Raises:
        LinkError: nobody answers, or another model does.
        MachineFault: the virtual board stopped where silicon would.
    """
    expected = reference_outputs(deployment.graph, deployment.schedule, inputs)
    transport = VirtualBoard(board, deployment.firmware.elf) if line is None else line
    try:
        device = Device(transport, baud=baud_of(board))
        identity = _require_model(device, deployment)
        outputs = np.empty_like(expected)
        if isinstance(transport, VirtualBoard):
            transport.clear_counts()
        counts: dict[Unit, Counts] = {}
        ticks, functions = 0, {}
        for index, values in enumerate(inputs):
            device.write_input(values.tobytes(), expected_ticks=expected_ticks)
            run = device.run(expected_ticks=expected_ticks)
            outputs[index] = np.frombuffer(device.read_output(), np.int8).reshape(expected.shape[1:])
            if index == 0:
                expected_ticks = ticks = run.ticks
                if isinstance(transport, VirtualBoard):
                    counted = transport.inference_counts()
                    counts["instructions"] = Counts(counted.total, counted.steps)
                    if counted.cycles is not None:
                        counts["cycles"] = Counts(sum(counted.cycles), counted.cycles)
                    functions = dict(counted.functions)
            progress(index + 1)
        memory = device.memory()
        if not isinstance(transport, VirtualBoard):
            counts["cycles"] = Counts(ticks, device.profile(expected_ticks=expected_ticks))
    finally:
        if line is None:
            transport.close()
    mismatches = int((outputs != expected).reshape(len(inputs), -1).any(axis=1).sum())
    decides = quantity or deciding_quantity(board, virtual=isinstance(transport, VirtualBoard))
    return NetworkMeasurement(decides, counts, memory, outputs, mismatches, identity.clock_hz, functions)


def warn_of_other_clock(clock_hz: int, board: Board) -> None:
    """Warn where the device runs at another clock than its board file says; milliseconds follow the device."""
    if clock_hz != board.clock_hz:
        logger.warning(
            "%s runs at %g MHz, its board file says %g MHz: is its external clock connected? Milliseconds are those "
            "of the device's clock",
            board.name,
            clock_hz / 1e6,
            board.clock_hz / 1e6,
        )


def reference_outputs(graph: Graph, schedule: Schedule, inputs: Int8Array) -> Int8Array:
    """What the integer reference executor says, at the int8 interface of the generated code.

    Args:
        graph: the network; float edges (QUANTIZE at the input, DEQUANTIZE at the output) are bridged.
        schedule: its lowering, which names the interface tensors.
        inputs: [N, ...] int8, each of the shape of the input tensor without its batch dimension.
    """
    source = graph.tensor(graph.inputs[0])
    fed: npt.NDArray[np.generic] = inputs
    if source.dtype is DType.FLOAT32:
        quantization = graph.tensor(schedule.inputs[0]).quantization
        if quantization is None:
            raise ValueError(f"tensor {schedule.inputs[0]} of {graph.name!r} has no quantization")
        fed = ((inputs.astype(np.float32) - quantization.zero_point) * np.float32(quantization.scale)).astype(
            np.float32
        )
    values = execute(graph, [fed], keep_all=True)
    return np.asarray(values[schedule.outputs[0]], np.int8)


def random_inputs(schedule: Schedule, count: int, seed: int) -> Int8Array:
    """Uniform int8 inputs for a network, [count, ...]."""
    shape = schedule.graph.tensor(schedule.inputs[0]).shape[1:]
    return np.random.default_rng(seed).integers(-128, 128, (count, *shape), dtype=np.int8)


def _require_model(device: Device, deployment: Deployment) -> Identity:
    identity = device.hello()
    if identity.build_id != deployment.firmware.build_id:
        raise LinkError(
            f"the board runs model {identity.model!r} of another build "
            f"({identity.build_id:08x}, wanted {deployment.firmware.build_id:08x}): measure without --no-flash, or "
            "reset the board if it was flashed"
        )
    return identity
