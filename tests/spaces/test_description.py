"""What a network is like, against its graph and against a network counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinynas.graph import OpKind, count_macs, count_params
from tinynas.spaces import build_graph, describe, load_space, plain_cnn_architecture, space_names


def test_a_plain_network_as_counted_by_hand() -> None:
    """Stem 8x8x4 of stride 2 on 16x16x1, a convolution, a pool, two of 8 channels at 4x4, and 3 classes."""
    described = describe(plain_cnn_architecture(4, 16, 1, 3, stages=2, convolutions=2, stem_stride=2))
    macs = [64 * 9 * 4, 64 * 9 * 16, 0, 16 * 9 * 32, 16 * 9 * 64, 8 * 3]
    assert described == pytest.approx(
        {
            "macs": math.log(sum(macs)),
            "params": math.log(36 + 4 + 144 + 4 + 288 + 8 + 576 + 8 + 24 + 3),
            "activations": math.log(2 * 64 * 4 + 2 * 16 * 8 + 3),
            "resolution": (3 * (macs[0] + macs[1]) + 2 * (macs[3] + macs[4])) / sum(macs),
            "depth": 5,
            "spatial": 4,
            "depthwise": 0,
            "shortcuts": 0,
            "last_resolution": 2,
            "last_width": 3,
            "features": 3,
        }
    )


def test_a_class_score_of_a_flattened_map_is_a_sum_over_all_of_it() -> None:
    space = load_space("tiny")
    described = space.describe(space.smallest())
    features = {}
    for head in ("classifier", "flatten_classifier"):
        network = space.decode(space.from_description({**described, "head.block": head}), 1.0, 28)
        features[head] = 2 ** describe(network)["features"], network.blocks[-1].input_shape
    (averaged, (_, _, _, channels)), (flattened, (_, *shape)) = features.values()
    assert averaged == pytest.approx(channels)
    assert flattened == pytest.approx(math.prod(shape))
    assert flattened > averaged


@pytest.mark.parametrize("name", space_names())
def test_sums_over_blocks_are_those_of_the_graph(name: str) -> None:
    space = load_space(name)
    rng = np.random.default_rng(0)
    for genotype in [space.smallest(), space.largest(), *(space.sample(rng) for _ in range(5))]:
        architecture = space.decode(genotype, 1.0, space.resolutions[-1], 3, 10)
        graph = build_graph(architecture)
        described = describe(architecture)
        assert described["macs"] == pytest.approx(math.log(count_macs(graph)))
        assert described["params"] == pytest.approx(math.log(count_params(graph)))
        assert described["shortcuts"] == sum(op.kind is OpKind.ADD for op in graph.ops)
        assert all(math.isfinite(figure) for figure in described.values())
