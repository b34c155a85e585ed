"""Networks that others publish figures for, and some more, as skeletons; and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from more_networks import mcunet, mobilenet_v1, resnet_14

from tinynas.formats import read_tflite
from tinynas.graph import Activation, DType, Graph, GraphBuilder, simplified
from tinynas.spaces import build_graph, mobilenet_v2_architecture, plain_cnn_architecture

PEERS = """\
| peer | network | arena | MACs |
|---|---|---|---|
| TinyEngine, as a whole | mcunet-vww1 | 93,992 | 1.00 |
| TinyEngine, patches | mcunet-vww1 | 62,352 | not given |
| msf-CNN (2025) | mcunet-vww1 | 12.0 KB | 1.96 |
| msf-CNN (2025) | MobileNetV2-0.35, 144 x 144 | 67.9 KB | 1.10 |
| msf-CNN (2025) | MobileNetV2-0.35, 144 x 144 | 15.3 KB | 1.38 |
"""
"""What others publish. msf-CNN does not count the input. Its "vww" network has 11,578,496 MACs without the classifier
("MCUNetv2-vww-5fps-r80" of github.com/TinyPART/msf-CNN): mcunet-vww1, which has 320 more with it."""

# mcunet-vww1 (Lin et al. 2020, "MCUNet"; the network of TinyEngine's vision demo), by
# the shapes of its layers: expanded channels, kernel, stride, output channels of each inverted bottleneck.
_VWW1_BLOCKS = (
    *((48, 3, 2, 16), (48, 3, 1, 16), (48, 3, 1, 16)),
    *((48, 7, 2, 24), (144, 3, 1, 24), (120, 5, 1, 24)),
    *((144, 7, 2, 40), (240, 7, 1, 40), (240, 3, 1, 48), (192, 3, 1, 48)),
    *((240, 5, 2, 96), (480, 3, 1, 96), (384, 3, 1, 96), (288, 7, 1, 160)),
)


def mcunet_vww1() -> Graph:
    """An int8 skeleton of mcunet-vww1 at 80 x 80 x 3."""
    b = GraphBuilder("mcunet-vww1", DType.INT8)
    relu6 = Activation.RELU6
    x = b.conv_2d(b.input((1, 80, 80, 3)), 16, 3, stride=2, activation=relu6, name="stem")
    x = b.depthwise_conv_2d(x, 3, activation=relu6, name="stem.depthwise")
    x = b.conv_2d(x, 8, 1, name="stem.project")
    for i, (expanded, kernel, stride, out) in enumerate(_VWW1_BLOCKS):
        y = b.conv_2d(x, expanded, 1, activation=relu6, name=f"block{i}.expand")
        y = b.depthwise_conv_2d(y, kernel, stride=stride, activation=relu6, name=f"block{i}.depthwise")
        y = b.conv_2d(y, out, 1, name=f"block{i}.project")
        x = b.add(x, y, name=f"block{i}.add") if b.shape(x) == b.shape(y) else y
    x = b.average_pool_2d(x, 3, name="pool")
    return b.build([b.conv_2d(x, 2, 1, name="classifier")])


def mobilenet_v2_r144() -> Graph:
    """An int8 skeleton of MobileNetV2 of width 0.35 at 144 x 144 x 3 (Sandler et al. 2018, table 2)."""
    return build_graph(mobilenet_v2_architecture(0.35, 144), DType.INT8)


def further_networks() -> list[Graph]:
    """Skeletons of five of other kinds and sizes."""
    return [
        build_graph(mobilenet_v2_architecture(0.5, 96), DType.INT8),
        mobilenet_v1(GraphBuilder("mobilenet-v1-w0.5-r64", DType.INT8)),
        mcunet(GraphBuilder("mcunet-like-r80", DType.INT8)),
        resnet_14(GraphBuilder("resnet-14-r24", DType.INT8)),
        build_graph(plain_cnn_architecture(16, 48, classes=10), DType.INT8),
    ]


def read_models(paths: Sequence[Path]) -> list[Graph]:
    """Files, by their names."""
    return [replace(simplified(read_tflite(path)), name=path.stem) for path in paths]
