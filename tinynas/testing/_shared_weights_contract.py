"""What a space must be like whose networks train inside a supernet: inherit `BaseSharedWeightsTestCase`."""

from __future__ import annotations

import numpy as np
import pytest

from tinynas.graph import DType, Graph, OpKind
from tinynas.spaces import Architecture, SearchSpace, build_graph

Pair = tuple[Architecture, Architecture]
"""A random network of a space, and the largest one of the same width and resolution."""


class BaseSharedWeightsTestCase:
    """The contract of spaces that are searched with a supernet, and so of the block kinds that they name.

    A supernet shares weights by operator name: those of the largest network hold those of every other one. Override
    `space`, and inherit `BaseSpaceTestCase` as well.
    """

    draws = 20

    @pytest.fixture
    def space(self) -> SearchSpace:
        """The space to check."""
        raise NotImplementedError

    @pytest.fixture
    def pairs(self, space: SearchSpace) -> list[Pair]:
        """Random networks over all widths and resolutions, each with the largest of its own."""
        return random_pairs(space, self.draws)

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
