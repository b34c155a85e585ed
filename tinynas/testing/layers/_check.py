"""Layers run on an emulated core, and everything that may go wrong with one: bits, bytes outside, traps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.boards import BareCore, Grant, MachineFault, Right, RunLimitError
from tinynas.graph import Graph, execute
from tinynas.targets import Timing
from tinynas.testing._random_graphs import random_input
from tinynas.testing.layers._image import LayerImage
from tinynas.testing.layers._layer import writable

Array = npt.NDArray[Any]

LAYER_LIMIT = 50_000_000  # a hundred times what the largest random layer takes


@dataclass(frozen=True)
class LayerResult:
    """What one layer did, over all its runs.

    Attributes:
        name, variant, description: of the layer.
        runs: how often it ran.
        tensors: how many were compared in each run: the output, and what else no later step writes over.
        differences: bytes of them that differ from the reference, over all runs.
        guard_bytes: bytes outside the tensors that changed.
        reads_outside, writes_outside: accesses to bytes that are not part of a tensor or constant of the layer.
        fault: why the core stopped, or the first access outside; empty if neither.
        stopped: the core trapped or did not return.
        instructions: of one run.
        cycles: of the same run, by the timing that was given; None without one.
        macs: of the layer.
    """

    name: str
    variant: str
    description: str
    runs: int
    tensors: int
    differences: int
    guard_bytes: int
    reads_outside: int
    writes_outside: int
    fault: str
    stopped: bool
    instructions: int
    cycles: int | None
    macs: int

    @property
    def passed(self) -> bool:
        """Bit-exact, nothing touched outside, no trap."""
        outside = self.guard_bytes + self.reads_outside + self.writes_outside
        return not (self.differences or outside or self.stopped)

    @property
    def complaint(self) -> str:
        """What is wrong with it, in words; empty if it passed."""
        counts = (
            (self.differences, "output bytes differ"),
            (self.guard_bytes, "guard bytes changed"),
            (self.reads_outside, "reads outside"),
            (self.writes_outside, "writes outside"),
        )
        found = [f"{count} {what}" for count, what in counts if count]
        return "; ".join([*found, *([self.fault] if self.fault else [])])


def check_layers(
    image: LayerImage,
    seed: int = 0,
    *,
    random_inputs: int = 1,
    timing: Timing | None = None,
    instruction_limit: int = LAYER_LIMIT,
) -> Iterator[LayerResult]:
    """Run every layer of an image: on random values twice, with other bytes around its tensors, and on both ends.

    With more than one random input, only the first of them runs twice. Cycles are counted where there is a `timing`.

    The dirt around tensors, in scratch and in outputs is random in one run and its complement in the next: a value
    that is read before it is written, or from outside, shows in the output. Loads and stores outside are counted on
    top, whether they matter or not.
    """
    core = _core(image, timing, instruction_limit)
    for index in range(len(image.layers)):
        rng = np.random.default_rng((seed, index))
        inputs = layer_inputs(image.layers[index].schedule.graph, rng, random_inputs)
        result = _check(core, image, index, inputs, rng)
        if result.stopped:
            core = _core(image, timing, instruction_limit)
        yield result


def _core(image: LayerImage, timing: Timing | None, limit: int) -> BareCore:
    return BareCore(
        image.core,
        image.elf,
        image.regions,
        stack="stack",
        watched=("constants", "sram"),
        timing=timing,
        instruction_limit=limit,
    )


def layer_inputs(graph: Graph, rng: np.random.Generator, random_inputs: int = 1) -> list[list[Array]]:
    """Inputs of the runs: random ones, the first of them again, all -128, all 127; float inputs are always random."""
    drawn = [random_input(graph, rng) for _ in range(random_inputs)]
    ends = [
        [np.full_like(x, end) if x.dtype == np.int8 else x for x in random_input(graph, rng)] for end in (-128, 127)
    ]
    return [drawn[0], *drawn, *ends]


def _check(
    core: BareCore, image: LayerImage, index: int, inputs: Sequence[list[Array]], rng: np.random.Generator
) -> LayerResult:
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
    cycles: int | None = None
    fault, stopped = "", False
    visible = layer.visible
    for each in inputs:
        # Lowering cuts float edges off: the values at the cut are what the layer is given.
        expected = execute(graph, each, keep_all=True)
        dirt, stack_dirt = ~dirt, ~stack_dirt
        memory = dirt.copy()
        for t in layer.schedule.inputs:
            offset = plan.offsets[layer.schedule.buffer_of[t]]
            memory[offset : offset + graph.tensors[t].size_bytes] = _bytes(expected[t])
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
        instructions, cycles = report.instructions, report.cycles
        for t in visible:
            offset = plan.offsets[layer.schedule.buffer_of[t]]
            differences += int((after[offset : offset + graph.tensors[t].size_bytes] != _bytes(expected[t])).sum())
    return LayerResult(
        name=layer.name,
        variant=layer.variant,
        description=layer.description,
        runs=runs,
        tensors=len(visible),
        differences=differences,
        guard_bytes=guard_bytes,
        reads_outside=reads,
        writes_outside=writes,
        fault=fault,
        stopped=stopped,
        instructions=instructions,
        cycles=cycles,
        macs=layer.schedule.macs,
    )


def _bytes(values: Array) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(values, np.int8).reshape(-1).view(np.uint8)


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
        for first, end in writable(schedule, plan, step):
            allow(first, end - first, Right.READ | Right.WRITE)
    return grants
