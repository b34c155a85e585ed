from __future__ import annotations

from itertools import product

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


def fitting(parameters: int) -> dict[Architecture, int]:
    """MACs of every network that fits, whatever is scaled."""
    found = {}
    for width, convolutions, stages, stride in product(range(4, 68, 4), (1, 2, 3), (2, 3, 4), (1, 2)):
        network = plain_cnn_architecture(width, 28, 1, 10, stages=stages, convolutions=convolutions, stem_stride=stride)
        if count_params(build_graph(network)) <= parameters:
            found[network] = count_macs(build_graph(network))
    return found


@pytest.mark.parametrize("parameters", [5_000, 20_000, 60_000])
def test_scaling_takes_the_deepest_of_about_the_most_macs(parameters: int) -> None:
    chosen = scale_plain_cnn(lambda a: count_params(build_graph(a)) <= parameters, [28], 1, 10)
    found = fitting(parameters)
    assert chosen in found
    most = [network for network, macs in found.items() if macs >= 0.9 * max(found.values())]
    assert chosen in most
    assert len(chosen.blocks) == max(len(network.blocks) for network in most)
    assert found[chosen] == max(found[network] for network in most if len(network.blocks) == len(chosen.blocks))


def test_nothing_that_fits_is_no_network() -> None:
    assert scale_plain_cnn(lambda _: False, [28]) is None


def test_sizes_that_are_not_positive_are_refused() -> None:
    with pytest.raises(SpaceError, match="must be positive"):
        plain_cnn_architecture(0, 28)
