"""Kernels that are passed over so that their code need not be linked: where there is another, as locally as shapes."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.graph import DType, GraphBuilder
from tinynas.kernels import InstructionSet
from tinynas.lowering import Lowering
from tinynas.memory import block_cost, combine
from tinynas.spaces import build_block_graph, build_graph, load_space

CORES = [Lowering(InstructionSet.DSP), Lowering(InstructionSet.ARMV6M)]


def test_an_unlinked_kernel_gives_way_to_the_next_of_the_rule() -> None:
    b = GraphBuilder("layer", DType.INT8)
    graph = b.build([b.conv_2d(b.input((1, 6, 6, 8)), 8, 1, name="layer")])
    lowering, taken = CORES[0], []
    while True:
        (step,) = lowering(graph).steps
        if step.variant in taken:
            break
        taken.append(step.variant)
        lowering = Lowering(unlinked=frozenset(taken))
    assert taken[0] == CORES[0](graph).steps[0].variant
    assert len(taken) > 1
    assert taken[-1] == "conv_2d"


def test_a_kernel_stays_where_nothing_else_executes_the_layer() -> None:
    b = GraphBuilder("layer", DType.INT8)
    graph = b.build([b.softmax(b.input((1, 8)), name="layer")])
    assert Lowering(unlinked=frozenset({"softmax"}))(graph) == CORES[0](graph)


@pytest.mark.parametrize("lowering", CORES, ids=["dsp", "armv6-m"])
def test_a_network_without_some_kernels_has_the_kernels_of_its_blocks(lowering: Lowering) -> None:
    space, rng = load_space("mobile-tiny"), np.random.default_rng(4)
    changed = 0
    for _ in range(8):
        architecture = space.decode(space.sample(rng), 0.5, int(rng.integers(17, 40)), 3, 10)
        graph = build_graph(architecture, DType.INT8)
        plain = lowering(graph)
        for variant in sorted(plain.variants):
            for arena_bytes in (None, 0):
                without = Lowering(lowering.instruction_set, arena_bytes=arena_bytes, unlinked=frozenset({variant}))
                schedule = without(graph)
                blocks = [without(build_block_graph(block, DType.INT8)) for block in architecture.blocks]
                assert [s.variant for s in schedule.steps] == [s.variant for block in blocks for s in block.steps]
                assert combine(map(block_cost, blocks)) == block_cost(schedule)
                changed += variant in plain.variants - schedule.variants
    assert changed > 20
