"""Layers run on an emulated core, and everything that may go wrong with one: bits, bytes outside, traps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.boards import BareCore, Grant, MachineFault, Right, RunLimitError
from tinynas.graph import Graph, execute
from tinynas.testing.layers._image import LayerImage

Int8Array = npt.NDArray[np.int8]

_INSTRUCTION_LIMIT = 50_000_000  # a hundred times what the largest random layer takes


@dataclass(frozen=True)
class LayerResult:
    """What one layer did, over all its runs.

    Attributes:
        name, variant, description: of the layer.
        runs: how often it ran.
        differences: output bytes that differ from the reference, over all runs.
        guard_bytes: bytes outside the tensors that changed.
        reads_outside, writes_outside: accesses to bytes that are not part of a tensor or constant of the layer.
        fault: why the core stopped, or the first access outside; empty if neither.
        stopped: the core trapped or did not return.
        instructions: of one run.
        macs: of the layer.
    """

    name: str
    variant: str
    description: str
    runs: int
    differences: int
    guard_bytes: int
    reads_outside: int
    writes_outside: int
    fault: str
    stopped: bool
    instructions: int
    macs: int

    @property
    def passed(self) -> bool:
        """Bit-exact, nothing touched outside, no trap."""
        outside = self.guard_bytes + self.reads_outside + self.writes_outside
        return not (self.differences or outside or self.stopped)


def check_layers(image: LayerImage, seed: int = 0) -> Iterator[LayerResult]:
    """Run every layer of an image: on random values twice, with other bytes around its tensors, and on both ends.

    The dirt around tensors, in scratch and in outputs is random in one run and its complement in the next: a value
    that is read before it is written, or from outside, shows in the output. Loads and stores outside are counted on
    top, whether they matter or not.
    """
    core = _core(image)
    for index in range(len(image.layers)):
        result = _check(core, image, index, np.random.default_rng((seed, index)))
        if result.stopped:
            core = _core(image)
        yield result


def _core(image: LayerImage) -> BareCore:
    return BareCore(
        image.core,
        image.elf,
        image.regions,
        stack="stack",
        watched=("constants", "sram"),
        instruction_limit=_INSTRUCTION_LIMIT,
    )


def layer_inputs(graph: Graph, rng: np.random.Generator) -> list[list[Int8Array]]:
    """Inputs of the runs: random, the same again, all -128, all 127."""
    shapes = [graph.tensors[t].shape for t in graph.inputs]
    drawn = [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    ends = [[np.full(shape, value, np.int8) for shape in shapes] for value in (-128, 127)]
    return [drawn, drawn, *ends]


def _check(core: BareCore, image: LayerImage, index: int, rng: np.random.Generator) -> LayerResult:
    layer = image.layers[index]
    graph, plan = layer.schedule.graph, layer.plan
    arena, stack = image.arena(index), image.regions[-1]
    used = np.zeros(plan.arena_bytes, bool)
    for grant in (grants := _grants(image, index)):
        if arena <= grant.address < arena + plan.arena_bytes:
            used[grant.address - arena : grant.end - arena] = True
    dirt = rng.integers(0, 256, plan.arena_bytes, np.uint8)
    stack_dirt = rng.integers(0, 256, stack.size_bytes, np.uint8)
    differences = guard_bytes = reads = writes = instructions = runs = 0
    fault, stopped = "", False
    for inputs in layer_inputs(graph, rng):
        dirt, stack_dirt = ~dirt, ~stack_dirt
        memory = dirt.copy()
        for t, values in zip(layer.schedule.inputs, inputs, strict=True):
            offset = plan.offsets[layer.schedule.buffer_of[t]]
            memory[offset : offset + values.size] = values.reshape(-1).view(np.uint8)
        core.write(arena, memory.tobytes())
        core.write(stack.address, stack_dirt.tobytes())
        runs += 1
        try:
            report = core.call(f"m{index}_model_invoke", grants)
        except (MachineFault, RunLimitError) as error:
            fault, stopped = str(error), True
            break
        after = np.frombuffer(core.read(arena, plan.arena_bytes), np.uint8)
        guard_bytes += int((after != dirt)[~used].sum())
        reads, writes = reads + report.reads_outside, writes + report.writes_outside
        fault = fault or report.first
        instructions = report.instructions
        expected = execute(graph, inputs)
        for t in layer.schedule.outputs:
            offset = plan.offsets[layer.schedule.buffer_of[t]]
            output = after[offset : offset + graph.tensors[t].size_bytes].view(np.int8)
            differences += int((output != np.asarray(expected[t], np.int8).reshape(-1)).sum())
    return LayerResult(
        name=layer.name,
        variant=layer.variant,
        description=layer.description,
        runs=runs,
        differences=differences,
        guard_bytes=guard_bytes,
        reads_outside=reads,
        writes_outside=writes,
        fault=fault,
        stopped=stopped,
        instructions=instructions,
        macs=layer.schedule.macs,
    )


def _grants(image: LayerImage, index: int) -> list[Grant]:
    """Inputs may be read, outputs and scratch written, too; nothing else of the arena may be touched."""
    layer, arena = image.layers[index], image.arena(index)
    schedule, plan = layer.schedule, layer.plan
    grants = [Grant(first, end, Right.READ) for first, end in image.constants(index)]

    def allow(offset: int, size_bytes: int, right: Right) -> None:
        grants.append(Grant(arena + offset, arena + offset + size_bytes, right))

    for buffer in {schedule.buffer_of[t] for t in (*schedule.inputs, *schedule.outputs)}:
        allow(plan.offsets[buffer], schedule.buffers[buffer].size_bytes, Right.READ)
    for step in schedule.steps:
        for buffer in step.input_buffers:
            allow(plan.offsets[buffer], schedule.buffers[buffer].size_bytes, Right.READ)
        output = schedule.buffers[step.output_buffer].size_bytes
        allow(plan.offsets[step.output_buffer], output, Right.READ | Right.WRITE)
        if step.scratch_bytes:
            allow(plan.scratch_offsets[step.index], step.scratch_bytes, Right.READ | Right.WRITE)
    return grants
