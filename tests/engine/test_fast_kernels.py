"""The assembly of the fast kernels on emulated cores: even and odd sizes, dead channels, and mixed builds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinynas.boards import Toolchain, load_toolchain
from tinynas.engine import generate
from tinynas.graph import DType, Graph, GraphBuilder, Padding, Quantization
from tinynas.kernels import InstructionSet
from tinynas.latency import with_random_constants
from tinynas.lowering import Schedule, lower
from tinynas.memory import plan_arena
from tinynas.targets import CORES, Core
from tinynas.testing.layers import Layer, LayerImage, check_layers, for_speed, guarded_buffers, layer_of

Operator = Callable[[GraphBuilder], int]
_FAST = ("tn_gemm_params", "tn_channel_buffer_params")


def _network(layer: Operator, seed: int = 1) -> Graph:
    b = GraphBuilder("layer", DType.INT8)
    return with_random_constants(b.build([layer(b)]), seed=seed)


def _depthwise(
    height: int,
    width: int,
    channels: int,
    kernel: int | tuple[int, int],
    stride: int,
    padding: Padding = Padding.SAME,
) -> Graph:
    return _network(
        lambda b: b.depthwise_conv_2d(
            b.input((1, height, width, channels)), kernel, stride=stride, padding=padding, name="layer"
        )
    )


def _dense(height: int, width: int, inputs: int, outputs: int, kernel: int, stride: int) -> Graph:
    return _network(
        lambda b: b.conv_2d(b.input((1, height, width, inputs)), outputs, kernel, stride=stride, name="layer")
    )


def _layers() -> dict[str, Graph]:
    layers = {
        f"depthwise {height}x{width} window {kernel} stride {stride}": _depthwise(height, width, 12, kernel, stride)
        for height, width in ((12, 12), (13, 11), (11, 14), (16, 3))
        for kernel in (3, 5, 7, 4, (5, 3), (3, 7))
        for stride in (1, 2)
    }
    layers |= {
        f"depthwise {height}x{width} of {channels}, stride 2, {padding}": _depthwise(
            height, width, channels, 3, 2, padding
        )
        for height, width in ((12, 12), (13, 11), (11, 14), (16, 3), (3, 9))
        for channels in (4, 10)
        for padding in Padding
    }
    layers |= {
        f"dense {height}x{width}x{inputs} to {outputs} window {kernel} stride {stride}": _dense(
            height, width, inputs, outputs, kernel, stride
        )
        for height, width, inputs, outputs, kernel, stride in (
            *((9, 7, 16, 8, 1, 1), (9, 7, 13, 11, 1, 1), (5, 5, 2, 3, 1, 1), (1, 3, 40, 7, 1, 1), (7, 7, 1, 6, 3, 2)),
            # A pixel alone, of 2, 5, 9, 17 and 32 pairs of elements; and one alone behind two groups, in windows.
            *((1, 5, 4, 8, 1, 1), (1, 5, 10, 7, 1, 1), (3, 3, 18, 4, 1, 1), (1, 5, 34, 6, 1, 1), (1, 1, 64, 10, 1, 1)),
            *((5, 5, 3, 4, 3, 2), (5, 5, 4, 3, 3, 2)),
            *((8, 9, 3, 9, 3, 1), (9, 8, 4, 5, 3, 2), (8, 8, 12, 8, 3, 1), (7, 9, 5, 4, 5, 2), (6, 6, 1, 2, 1, 2)),
        )
    }
    return layers


def _lower(graph: Graph, core: str) -> Schedule:
    return lower(graph, instruction_set=InstructionSet.of(CORES[core]))


def _is_fast(graph: Graph, core: str, folder: Path) -> bool:
    return _is_fast_schedule(_lower(graph, core), folder)


def _is_fast_schedule(schedule: Schedule, folder: Path) -> bool:
    generate(schedule, plan_arena(schedule), folder)
    return ".general = 0" in (folder / "model_constants.c").read_text()


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4f"])
def test_layers_within_the_limits(core: str, tmp_path: Path) -> None:
    layers = _layers()
    schedules = {name: _lower(graph, core) for name, graph in layers.items()}
    images = [layer_of(name, schedule) for name, schedule in schedules.items()]
    images += [
        Layer(f"{name} at the end", schedule, guarded_buffers(schedule, shrink_to_end=True))
        for name, schedule in schedules.items()
        if schedule.steps[0].shrinks
    ]
    images += [layer_of(f"{name} for speed", for_speed(schedule)) for name, schedule in schedules.items()]
    results = list(check_layers(LayerImage(images, CORES[core], load_toolchain("zig"), tmp_path / "image")))
    assert [f"{result.description}: {result}" for result in results if not result.passed] == []
    portable = {"conv_2d", "depthwise_conv_2d"}
    packed = {name: graph for name, graph in layers.items() if not _lower(graph, core).variants <= portable}
    assert len(packed) > 40
    assert [name for name, graph in packed.items() if not _is_fast(graph, core, tmp_path)] == []


_GROUPS_OF_SWAR = {1: (0, 1), 2: (0, 1), 3: (0, 2), 4: (1, 0), 5: (1, 1), 6: (1, 1), 7: (2, 0), 8: (2, 0), 9: (2, 1)}
"""By pixels: groups of four, and of two."""


@pytest.mark.parametrize("kernel", [1, (1, 3)], ids=["1x1", "1x3"])
def test_two_columns_where_fours_leave_pixels_over(kernel: int | tuple[int, int], tmp_path: Path) -> None:
    """On Armv6-M, whole blocks of channels and others: every byte, and the groups that the features count."""
    layers = []
    for pixels in range(1, 20):
        for outputs in (6, 16, 45):
            graph = _network(
                lambda b, n=pixels, c=outputs: b.conv_2d(b.input((1, 1, n, 1)), c, kernel, name="layer")  # type: ignore[misc]
            )
            layers.append(layer_of(f"{pixels} pixels, {outputs} channels", _lower(graph, "cortex-m0plus")))
    results = list(check_layers(LayerImage(layers, CORES["cortex-m0plus"], load_toolchain("zig"), tmp_path)))
    assert [f"{result.description}: {result}" for result in results if not result.passed] == []
    swar = [(layer, result) for layer, result in zip(layers, results, strict=True) if layer.variant.endswith("_swar")]
    features = [layer.schedule.steps[0].features for layer, _ in swar]
    groups = {
        int(layer.description.split()[0]): (of["groups"], of["by_two_groups"])
        for (layer, _), of in zip(swar, features, strict=True)
        if not of["general_groups"]
    }
    assert {pixels: groups.get(pixels) for pixels in _GROUPS_OF_SWAR} == _GROUPS_OF_SWAR
    rows = np.array([list(of.values()) for of in features])
    counts = np.array([result.instructions for _, result in swar])
    fitted = rows @ np.linalg.lstsq(rows, counts, rcond=None)[0]
    assert len(counts) > np.linalg.matrix_rank(rows) + 20
    np.testing.assert_allclose(fitted, counts, rtol=2e-3)


def test_features_explain_the_instructions_of_swar(tmp_path: Path) -> None:
    """On Armv6-M: whole rows and borders, odd and even sides, windows that are even or higher than the image."""
    core = CORES["cortex-m0plus"]
    rng = np.random.default_rng(1)
    layers = []
    for index in range(50):
        height, width, channels = (int(n) for n in rng.integers(3, 15, 3))
        kernel = 3 if index % 2 else (int(rng.integers(1, 8)), int(rng.integers(2, 8)))
        graph = _depthwise(height, width, 8 + channels, kernel, int(rng.integers(1, 4)))
        layers.append(layer_of(str(index), _lower(graph, "cortex-m0plus")))
    results = list(check_layers(LayerImage(layers, core, load_toolchain("zig"), tmp_path)))
    for variant in ("depthwise_conv_2d_swar", "depthwise_conv_2d_swar_3x3"):
        rows = [(layer, result) for layer, result in zip(layers, results, strict=True) if layer.variant == variant]
        features = np.array([list(layer.schedule.steps[0].features.values()) for layer, _ in rows])
        counts = np.array([result.instructions for _, result in rows])
        assert len(rows) > np.linalg.matrix_rank(features) + 2
        fitted = features @ np.linalg.lstsq(features, counts, rcond=None)[0]
        np.testing.assert_allclose(fitted, counts, rtol=1e-6)


def _with_dead_channels(graph: Graph) -> Graph:
    """Three channels that give one value whatever the input is, with scales that no short requantization expresses."""
    (op,) = graph.ops
    tensors = list(graph.tensors)
    weights, bias = tensors[op.inputs[1]], tensors[op.inputs[2]]
    x = tensors[op.inputs[0]].quantization
    assert weights.data is not None
    assert weights.quantization is not None
    assert bias.data is not None
    assert x is not None
    axis = weights.quantization.axis
    data, offsets, scales = (
        np.moveaxis(weights.data.copy(), axis, 0),
        bias.data.copy(),
        list(weights.quantization.scales),
    )
    for channel, scale, offset in ((0, 1e-9, 0), (1, 1e-30, 1000), (2, 40.0, 3)):
        data[channel], offsets[channel], scales[channel] = 0, offset, float(np.float32(scale))
    zeros = (0,) * len(scales)
    quantization = Quantization(tuple(scales), zeros, axis)
    tensors[op.inputs[1]] = replace(weights, data=np.moveaxis(data, 0, axis).copy(), quantization=quantization)
    bias_scales = tuple(float(np.float32(np.float32(x.scale) * np.float32(s))) for s in scales)
    tensors[op.inputs[2]] = replace(bias, data=offsets, quantization=Quantization(bias_scales, zeros, 0))
    return replace(graph, tensors=tuple(tensors))


@pytest.mark.parametrize("graph", [_dense(8, 8, 12, 8, 1, 1), _depthwise(12, 12, 12, 3, 1)], ids=["dense", "depthwise"])
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4f"])
def test_dead_channels_do_not_slow_a_layer_down(graph: Graph, core: str, tmp_path: Path) -> None:
    dead = _with_dead_channels(graph)
    assert _is_fast(dead, core, tmp_path)
    image = LayerImage([layer_of("dead", _lower(dead, core))], CORES[core], load_toolchain("zig"), tmp_path / "image")
    (result,) = check_layers(image)
    assert result.passed, f"{result.description}: {result}"


def _with_smallest_weights(graph: Graph, pair: tuple[int, int]) -> Graph:
    """The weights of a 1x1 convolution are `pair`, over and over."""
    (op,) = graph.ops
    tensors = list(graph.tensors)
    weights = tensors[op.inputs[1]]
    data = np.resize(np.array(pair, np.int8), weights.shape)
    tensors[op.inputs[1]] = replace(weights, data=data)
    return replace(graph, tensors=tuple(tensors))


@pytest.mark.parametrize(("pair", "fast"), [((-128, -127), True), ((-127, -128), True), ((-128, -128), False)])
def test_two_smallest_weights_side_by_side_do_not_fit_a_halfword(
    pair: tuple[int, int], fast: bool, tmp_path: Path
) -> None:
    schedule = _lower(_with_smallest_weights(_dense(5, 5, 12, 11, 1, 1), pair), "cortex-m0plus")
    assert schedule.variants == {"conv_1x1_swar"}
    assert _is_fast_schedule(schedule, tmp_path) == fast
    paired = for_speed(schedule)
    assert paired.variants == ({"conv_1x1_swar_w16"} if fast else {"conv_1x1_swar"})
    layers = [layer_of("packed", schedule), layer_of("paired", paired)]
    image = LayerImage(layers, CORES["cortex-m0plus"], load_toolchain("zig"), tmp_path / "image")
    for result in check_layers(image):
        assert result.passed, f"{result.description}: {result}"


class _OneFileUnoptimized:
    """A toolchain that compiles one kernel file for a debugger."""

    name = "zig"

    def __init__(self, source: str) -> None:
        self._inner: Toolchain = load_toolchain("zig")
        self._source = source
        self.changed = False

    def version(self) -> str:
        return f"{self._inner.version()} without optimization of {self._source}"

    def compile(self, core: Core, source: Path, output: Path, flags: Sequence[str]) -> None:
        if source.name == self._source:
            flags = ["-O0" if flag == "-O2" else flag for flag in flags]
            self.changed = True
        self._inner.compile(core, source, output, flags)

    def link(self, core: Core, objects: Sequence[Path], script: Path, output: Path) -> None:
        self._inner.link(core, objects, script, output)


@pytest.mark.parametrize(
    ("core", "source"),
    [
        *(("cortex-m0plus", source) for source in ("gemm_swar.c", "conv_1x1_swar.c")),
        *(("cortex-m0plus", source) for source in ("gemm_swar_w16.c", "conv_2d_swar_w16.c", "widen.c")),
        ("cortex-m0plus", "fully_connected_in_words.c"),
        *(("cortex-m0plus", source) for source in ("channel_buffer_swar.c", "depthwise_conv_2d_swar_3x3.c")),
        *(("cortex-m4f", source) for source in ("gemm_2x4.c", "conv_1x1.c", "pixel_columns.c")),
        *(("cortex-m4f", source) for source in ("channel_buffer.c", "depthwise_conv_2d_3x3.c")),
    ],
)
def test_a_file_compiled_without_optimization_works_with_the_others(core: str, source: str, tmp_path: Path) -> None:
    b = GraphBuilder("mixed", DType.INT8)
    x = b.depthwise_conv_2d(b.conv_2d(b.input((1, 9, 9, 5)), 16, 1, name="expand"), 3, name="depthwise")
    x = b.conv_2d(b.conv_2d(x, 7, 1, name="project"), 5, 3, stride=2, name="spatial")
    graph = with_random_constants(b.build([b.fully_connected(b.mean(x, name="pool"), 6, name="head")]), seed=2)
    toolchain = _OneFileUnoptimized(source)
    schedule = _lower(graph, core)
    schedule = for_speed(schedule) if source in {"gemm_swar_w16.c", "conv_2d_swar_w16.c", "widen.c"} else schedule
    (result,) = check_layers(LayerImage([layer_of("mixed", schedule)], CORES[core], toolchain, tmp_path))
    assert result.passed, f"{result.description}: {result}"
    assert toolchain.changed, f"{source} was not compiled"
