"""The member of a space that is most like a network: the network itself where it is one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tinynas.spaces import (
    Architecture,
    Genotype,
    distance,
    load_space,
    mobilenet_v2_architecture,
    nearest_member,
    plain_cnn_architecture,
)

TINY = load_space("tiny")


def decode(genotype: Genotype) -> Architecture:
    return TINY.decode(genotype, 1.0, 28, 1, 10)


@pytest.mark.parametrize(
    ("width", "stages", "convolutions", "stem_stride"), [(16, 2, 3, 2), (12, 2, 3, 2), (8, 3, 2, 1)]
)
def test_a_network_that_is_a_member_is_its_own_nearest(
    width: int, stages: int, convolutions: int, stem_stride: int
) -> None:
    plan = {"stages": stages, "convolutions": convolutions, "stem_stride": stem_stride}
    network = plain_cnn_architecture(width, 28, 1, 10, **plan)
    found = nearest_member(TINY, decode, network)
    assert found is not None
    mine = [(block.kind, block.output_shape) for block in decode(found).blocks]
    assert mine == [(block.kind, block.output_shape) for block in network.blocks]


def test_what_is_no_member_has_one_that_is_nearer_than_chance() -> None:
    network = mobilenet_v2_architecture(0.2, 28, 1, 10, depth=0.25)
    found = nearest_member(TINY, decode, network)
    assert found is not None
    TINY.check(found)
    assert found == nearest_member(TINY, decode, network)
    rng = np.random.default_rng(0)
    assert distance(decode(found), network) < min(distance(decode(TINY.sample(rng)), network) for _ in range(100))


@pytest.mark.parametrize(
    ("allowed", "expected"), [(lambda genotype: genotype[0] == 4, True), (lambda genotype: False, False)]
)
def test_only_what_is_allowed_is_returned(allowed: Callable[[Genotype], bool], expected: bool) -> None:
    network = plain_cnn_architecture(16, 28, 1, 10, stages=2, convolutions=3, stem_stride=2)
    found = nearest_member(TINY, decode, network, allowed)
    assert (found is not None and allowed(found)) == expected


def test_distance_is_the_same_from_both_ends_and_zero_from_itself() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        one, other = (decode(TINY.sample(rng)) for _ in range(2))
        assert distance(one, one) == 0
        assert distance(one, other) == pytest.approx(distance(other, one))
        assert distance(one, other) > 0


def test_each_difference_counts() -> None:
    def plain(width: int = 16, convolutions: int = 3) -> Architecture:
        return plain_cnn_architecture(width, 28, 1, 10, stages=2, convolutions=convolutions, stem_stride=2)

    assert distance(plain(), plain(width=8)) == pytest.approx(7)  # seven convolutions and the pool's channels, halved
    assert distance(plain(), plain(convolutions=2)) == pytest.approx(4)  # two without a partner
