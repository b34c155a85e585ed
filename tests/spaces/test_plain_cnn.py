from __future__ import annotations

import pytest

from tinynas.graph import count_macs, count_params
from tinynas.spaces import Architecture, SpaceError, build_graph, plain_cnn_architecture, scale_plain_cnn


def test_counts_by_hand() -> None:
    graph = build_graph(plain_cnn_architecture(4, 28, 1, 10, stages=2, convolutions=2))
    first = 28 * 28 * 9 * (1 * 4 + 4 * 4)
    second = 14 * 14 * 9 * (4 * 8 + 8 * 8)
    assert count_macs(graph) == first + second + 8 * 10
    assert count_params(graph) == (9 * 4 + 4) + (9 * 16 + 4) + (9 * 32 + 8) + (9 * 64 + 8) + (8 * 10 + 10)


def test_pools_stand_between_stages() -> None:
    architecture = plain_cnn_architecture(8, 28, 1, 10, stages=3, convolutions=1, stem_stride=2)
    assert [(block.name, block.output_shape[1:]) for block in architecture.blocks] == [
        ("stage1.block1", (14, 14, 8)),
        ("stage2.pool", (7, 7, 8)),
        ("stage2.block1", (7, 7, 16)),
        ("stage3.pool", (4, 4, 16)),
        ("stage3.block1", (4, 4, 32)),
        ("head", (10,)),
    ]


def test_scaling_takes_the_most_macs_of_what_fits() -> None:
    def parameters(architecture: Architecture) -> int:
        return count_params(build_graph(architecture))

    chosen = scale_plain_cnn(lambda a: parameters(a) <= 20_000, [28], 1, 10)
    assert chosen is not None
    assert parameters(chosen) <= 20_000
    macs = count_macs(build_graph(chosen))
    for stages in (2, 3, 4):
        for width in (4, 8, 12, 16, 32, 64):
            other = plain_cnn_architecture(width, 28, 1, 10, stages=stages, convolutions=2)
            assert parameters(other) > 20_000 or count_macs(build_graph(other)) <= macs
    assert scale_plain_cnn(lambda _: False, [28]) is None


def test_sizes_that_are_not_positive_are_refused() -> None:
    with pytest.raises(SpaceError, match="must be positive"):
        plain_cnn_architecture(0, 28)
