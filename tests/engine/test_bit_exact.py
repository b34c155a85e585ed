"""Generated C equals the integer reference executor in every bit, and touches nothing outside its plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from host_models import HostModel, build_models
from network_cases import MODELS, constant_operands, filled, in_plain_schedules, random_graphs

from tinynas.formats import read_tflite
from tinynas.graph import Activation, DType, Graph, GraphBuilder, Padding
from tinynas.graph.reference import execute
from tinynas.kernels import CATALOGUE
from tinynas.spaces import AnyNetSpace, build_graph, load_space
from tinynas.testing import random_input

POOLS = ("max_pool", "average_pool")


def assert_bit_exact(model: HostModel, seed: int, runs: int = 2) -> None:
    graph = model.schedule.graph
    rng = np.random.default_rng(seed)
    for _ in range(runs):
        # The executor also runs float edges, which lowering cuts off: take its int8 values at the cut.
        values = execute(graph, random_input(graph, rng), keep_all=True)
        outputs = model.run(*(np.ascontiguousarray(values[t]) for t in model.schedule.inputs))
        for t, output in zip(model.schedule.outputs, outputs, strict=True):
            np.testing.assert_array_equal(output, values[t], err_msg=f"seed {seed}, {graph.tensors[t].name}")


def test_random_networks(random_models: list[HostModel]) -> None:
    for seed, model in enumerate(random_models):
        assert_bit_exact(model, seed)


def test_random_networks_cover_the_catalogue(random_models: list[HostModel]) -> None:
    assert set().union(*(model.schedule.variants for model in random_models)) == {
        variant.name for variant in CATALOGUE.values() if in_plain_schedules(variant)
    }


def test_networks_of_stages_chosen_whole(tmp_path: Path) -> None:
    """Every kind of block and of down-sampling that the space `tiny` has, in networks drawn from it."""
    space, rng = load_space("tiny"), np.random.default_rng(0)
    assert isinstance(space, AnyNetSpace)
    architectures = [space.decode(space.sample(rng), 1.0, 16, 1, 10) for _ in range(12)]
    kinds = {block.kind for architecture in architectures for block in architecture.blocks}
    assert kinds == {
        *(kind for stage in space.table.stages for kind in stage.block),
        *POOLS,
        "conv",
        *space.table.head.block,
    }
    graphs = [filled(build_graph(architecture), seed) for seed, architecture in enumerate(architectures)]
    for seed, model in enumerate(build_models(graphs, tmp_path)):
        assert_bit_exact(model, seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(30, 330, 60))
def test_many_random_networks(first: int, tmp_path: Path) -> None:
    seeds = range(first, first + 60)
    for seed, model in zip(seeds, build_models(random_graphs(seeds), tmp_path), strict=True):
        assert_bit_exact(model, seed)


@pytest.mark.skipif(not MODELS.is_dir(), reason="the real models are not here")
def test_real_models(tmp_path: Path) -> None:
    paths = sorted(MODELS.glob("*.tflite"))
    assert paths
    for path, model in zip(paths, build_models([read_tflite(path) for path in paths], tmp_path), strict=True):
        assert_bit_exact(model, seed=len(path.name), runs=5)


def test_special_shapes(tmp_path: Path) -> None:
    """Shapes that random networks meet rarely; one library for all of them."""
    models = build_models([constant_operands(), *map(filled, _special_skeletons())], tmp_path)
    for seed, model in enumerate(models):
        assert_bit_exact(model, seed, runs=4)


def _special_skeletons() -> list[Graph]:
    skeletons = []

    def network(shape: tuple[int, ...], *layers: tuple[str, dict[str, object]]) -> None:
        b = GraphBuilder("special", DType.INT8)
        x = b.input(shape)
        for i, (kind, arguments) in enumerate(layers):
            x = getattr(b, kind)(x, name=f"layer{i}", **arguments)
        skeletons.append(b.build([x]))

    # Padding wider than the image: windows that lie outside it altogether.
    network((1, 3, 3, 5), ("pad", {"paddings": [(0, 0), (4, 5), (5, 4), (0, 0)]}), _conv(6, 3, Padding.VALID))
    network((1, 3, 3, 5), ("pad", {"paddings": [(0, 0), (4, 5), (5, 4), (0, 0)]}), _depthwise(3, Padding.VALID))
    # A fused PAD on top of SAME, with stride and dilation.
    network((1, 9, 8, 4), ("pad", {"paddings": [(0, 0), (0, 1), (2, 0), (0, 0)]}), _conv(7, 5, Padding.SAME, stride=2))
    network(
        (1, 9, 8, 6),
        ("pad", {"paddings": [(0, 0), (0, 1), (2, 0), (0, 0)]}),
        _conv(8, 3, Padding.SAME, dilation=2, groups=2),
    )
    network((1, 9, 8, 6), _depthwise((5, 3), Padding.SAME, dilation=(2, 3)))
    # Tiles: odd channels, odd pixels, single pixels, channels that are not a multiple of four.
    network((1, 3, 3, 7), _conv(5, 1), _conv(1, 1), _conv(9, 1))
    network((1, 1, 1, 7), _conv(5, 1), _conv(3, 1))
    for channels in (3, 4, 5, 6, 7, 8):
        network((1, 5, 4, channels), _depthwise(3))
        network((1, 5, 4, channels), _depthwise(3, depth_multiplier=3))
    # Depthwise layers that put a smaller output at either end of their input.
    for i in range(3):
        network((1, 9, 8, 8), *([_conv(8, 1)] * i), _depthwise(3, stride=2), _conv(3, 1))
        network((1, 9, 8, 8), *([_conv(12, 1)] * i), _depthwise((2, 5), Padding.VALID), _conv(3, 1))
        network((1, 6, 20, 4), *([_conv(4, 1)] * i), _depthwise(3, stride=(1, 3), dilation=1), _conv(3, 3))
    # Stride larger than the filter, filter larger than the image.
    network((1, 10, 10, 4), _conv(4, 1, stride=3), _depthwise(7))
    network((1, 7, 6, 5), ("average_pool_2d", {"filter_size": (7, 6)}))
    network((1, 7, 6, 5), ("average_pool_2d", {"filter_size": 5, "stride": 2, "padding": Padding.SAME}))
    network((1, 6, 9), ("fully_connected", {"out_features": 5, "activation": Activation.RELU}))
    for outputs in (1, 6, 7, 9):
        network((1, 5, 20), ("fully_connected", {"out_features": outputs}))
    # A softmax whose sum of exponentials needs more than four integer bits less than the accumulator has.
    network((2, 3000), ("softmax", {"beta": 1e-3}))
    network((3, 1), ("softmax", {"beta": 4.0}))
    return skeletons


def _conv(outputs: int, kernel: int, padding: Padding = Padding.SAME, **more: object) -> tuple[str, dict[str, object]]:
    return "conv_2d", {"out_channels": outputs, "kernel_size": kernel, "padding": padding, **more}


def _depthwise(kernel: object, padding: Padding = Padding.SAME, **more: object) -> tuple[str, dict[str, object]]:
    return "depthwise_conv_2d", {"kernel_size": kernel, "padding": padding, **more}
