"""Networks that others publish figures for, as skeletons."""

from __future__ import annotations

from tinynas.graph import Activation, DType, Graph, GraphBuilder

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
