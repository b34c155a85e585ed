"""What the networks of every search space must be like: inherit `BaseSpaceTestCase` and override `space`."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pytest

from tinynas.graph import DType, Graph, OpKind, count_macs, count_params
from tinynas.lowering import lower
from tinynas.memory import block_cost, combine
from tinynas.spaces import Architecture, Block, SearchSpace, build_block_graph, build_graph

Pair = tuple[Architecture, Architecture]
"""A random network of a space, and the largest one of the same width and resolution."""


class BaseSpaceTestCase:
    """The contract of a search space, and so of the block kinds that it names. Override `space`.

    Networks can be trained inside a supernet, which shares weights by operator name, and are counted block by block.
    """

    networks = 20

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space to check."""
        raise NotImplementedError

    @pytest.fixture
    def pairs(self, space: SearchSpace) -> list[Pair]:
        """Random networks over all widths and resolutions, each with the largest of its own."""
        return random_pairs(space, self.networks)

    def test_weights_are_slices_of_those_of_the_largest(self, pairs: list[Pair]) -> None:
        for graph, largest in map(_float_graphs, pairs):
            held = {tensor.name: tensor.shape for _, tensor in largest.constants()}
            for _, tensor in graph.constants():
                of_largest = held[tensor.name]
                assert len(tensor.shape) == len(of_largest)
                assert all(small <= large for small, large in zip(tensor.shape, of_largest, strict=True)), tensor.name
                if len(of_largest) == 4 and tensor.shape != of_largest:
                    # Kernels are cropped around the centre, so both sides are odd.
                    assert all(side % 2 == 1 for side in (*tensor.shape[1:3], *of_largest[1:3])), tensor.name

    def test_skips_do_not_depend_on_choices(self, pairs: list[Pair]) -> None:
        for pair in pairs:
            graph, largest = _float_graphs(pair)
            built = {block.name for block in pair[0].blocks}
            assert _additions(graph) == {name for name in _additions(largest) if name.rpartition(".")[0] in built}

    def test_padding_is_inside_the_convolutions(self, pairs: list[Pair]) -> None:
        for graph, _ in map(_float_graphs, pairs):
            assert not [op.name for op in graph.ops if op.kind in (OpKind.PAD, OpKind.TRANSPOSE, OpKind.QUANTIZE)]

    def test_blocks_have_the_shapes_that_they_say_and_their_counts_add_up(self, pairs: list[Pair]) -> None:
        for network, _ in pairs:
            graph = build_graph(network)
            parts = [build_block_graph(block) for block in network.blocks]
            for block, part in zip(network.blocks, parts, strict=True):
                assert part.tensor(part.outputs[0]).shape == block.output_shape, block.name
            assert [op.name for part in parts for op in part.ops] == [op.name for op in graph.ops]
            assert sum(map(count_macs, parts)) == count_macs(graph)
            assert sum(map(count_params, parts)) == count_params(graph)

    def test_memory_of_blocks_composes_exactly(self, pairs: list[Pair]) -> None:
        """Blocks meet in single tensors, so the arena of the network is the largest of its blocks', to the byte."""
        for network, _ in pairs:
            parts = [block_cost(lower(build_block_graph(block))) for block in network.blocks]
            assert combine(parts) == block_cost(lower(build_graph(network)))

    def test_equal_signatures_mean_equal_blocks(self, pairs: list[Pair]) -> None:
        """Costs are cached by signature."""
        graphs: dict[Hashable, Hashable] = {}
        blocks = [block for pair in pairs for network in pair for block in network.blocks]
        for block in blocks:
            assert graphs.setdefault(block.signature, _anonymous(block)) == _anonymous(block), block.name
        assert len(graphs) < len(blocks)


def random_pairs(space: SearchSpace, count: int) -> list[Pair]:
    """Random networks over all widths and resolutions of a space, the same every time."""
    rng = np.random.default_rng(1)
    configurations = space.configurations()
    pairs = []
    for _ in range(count):
        width, resolution = configurations[rng.integers(len(configurations))]
        channels, classes = int(rng.choice([1, 3])), int(rng.integers(2, 100))
        network, largest = (
            space.decode(genotype, width, resolution, channels, classes)
            for genotype in (space.sample(rng), space.largest())
        )
        pairs.append((network, largest))
    return pairs


def _float_graphs(pair: Pair) -> tuple[Graph, Graph]:
    network, largest = (build_graph(architecture, DType.FLOAT32) for architecture in pair)
    return network, largest


def _additions(graph: Graph) -> set[str]:
    return {op.name for op in graph.ops if op.kind is OpKind.ADD}


def _anonymous(block: Block) -> Hashable:
    """What a block computes, without its names."""
    graph = build_block_graph(block)
    ops = tuple((op.kind, op.inputs, op.outputs, op.attributes) for op in graph.ops)
    return ops, tuple((tensor.shape, tensor.dtype) for tensor in graph.tensors)
