from __future__ import annotations

import pytest

from tinynas.graph import OpKind, count_macs, count_params
from tinynas.spaces import Architecture, SpaceError, build_graph, mobilenet_v2_architecture, scale_mobilenet_v2


def test_counts_of_the_original() -> None:
    """300.8 M MACs and 3.50 M parameters are published for the whole network at 224 pixels and 1000 classes; without
    the 1280-channel convolution (20.07 M MACs, 0.41 M weights) and with a classifier on 320 channels, what remains."""
    graph = build_graph(mobilenet_v2_architecture(1.0, 224, 3, 1000))
    assert count_macs(graph) == pytest.approx(300.8e6 - 49 * 320 * 1280 - 1280 * 1000 + 320 * 1000, rel=2e-3)
    # Batch norms (scale and shift) of the published count are biases here.
    folded = 3_504_872 - (320 * 1280 + 2 * 1280) - 1281 * 1000 + 321 * 1000
    batch_norm_scales = sum(
        graph.tensor(op.inputs[2]).elements
        for op in graph.ops
        if op.kind in (OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D) and op.name != "head.classifier"
    )
    assert count_params(graph) == folded - batch_norm_scales
    assert sum(op.kind is OpKind.ADD for op in graph.ops) == 10
    assert graph.tensor(graph.ops[-3].inputs[0]).shape == (1, 7, 7, 320)


@pytest.mark.parametrize(("resolution", "last_map"), [(28, 4), (32, 4), (48, 3), (96, 3), (144, 5)])
def test_late_strides_are_dropped_for_small_images(resolution: int, last_map: int) -> None:
    architecture = mobilenet_v2_architecture(0.35, resolution)
    assert architecture.blocks[-2].output_shape[1:3] == (last_map, last_map)


def test_depth_and_expansion_scale() -> None:
    architecture = mobilenet_v2_architecture(0.5, 96, depth=0.5, expansion=4)
    names = [block.name for block in architecture.blocks]
    assert [sum(name.startswith(f"stage{s}.") for name in names) for s in range(1, 8)] == [1, 1, 2, 2, 2, 2, 1]
    assert [block.parameter("expansion") for block in architecture.blocks[1:-1]] == [1] + [4] * 10


def parameters(architecture: Architecture) -> int:
    return count_params(build_graph(architecture))


def test_scaling_takes_the_largest_width_that_fits() -> None:
    chosen = scale_mobilenet_v2(lambda a: parameters(a) <= 300_000, [96], depths=(1.0,), expansions=(6,))
    assert chosen is not None
    assert parameters(chosen) <= 300_000
    width = float(chosen.name.split("-w")[1].split("-")[0])
    wider = mobilenet_v2_architecture(round(width + 0.05, 2), 96)
    assert parameters(wider) > 300_000


def test_scaling_prefers_more_macs_among_what_fits() -> None:
    def fits(architecture: Architecture) -> bool:
        return parameters(architecture) <= 60_000

    free = scale_mobilenet_v2(fits, [24, 28], 1, 10)
    plain = scale_mobilenet_v2(fits, [24, 28], 1, 10, depths=(1.0,), expansions=(6,))
    assert free is not None
    assert plain is not None
    assert free.input_shape == (1, 28, 28, 1)
    assert count_macs(build_graph(free)) >= count_macs(build_graph(plain))


def test_nothing_fits() -> None:
    assert scale_mobilenet_v2(lambda _: False, [28]) is None


def test_arguments_must_be_positive() -> None:
    with pytest.raises(SpaceError, match="positive"):
        mobilenet_v2_architecture(0.0, 96)
