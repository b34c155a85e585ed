"""Block kinds of dense convolutions with a skip connection, and pools that halve the resolution."""

from __future__ import annotations

from collections.abc import Mapping

from tinynas.graph import Activation, GraphBuilder, Padding
from tinynas.spaces._block import Block, Shape


def build_residual(builder: GraphBuilder, x: int, block: Block) -> int:
    """He et al. 2016, section 3.3, figure 5 left: two convolutions, the second linear; ReLU6 after the addition.

    Without a skip, where the shapes differ, the second convolution is activated itself; there is no projection of the
    input, which would cost a third convolution at the resolution where memory is short.
    """
    out_channels, kernel, stride = (block.parameter(key) for key in ("out_channels", "kernel", "stride"))
    skips = stride == 1 and block.input_shape[-1] == out_channels
    y = builder.conv_2d(x, out_channels, kernel, stride=stride, activation=Activation.RELU6, name=f"{block.name}.first")
    second = Activation.NONE if skips else Activation.RELU6
    y = builder.conv_2d(y, out_channels, kernel, activation=second, name=f"{block.name}.second")
    return builder.add(x, y, activation=Activation.RELU6, name=f"{block.name}.add") if skips else y


def build_fused_inverted_bottleneck(builder: GraphBuilder, x: int, block: Block) -> int:
    """EfficientNetV2 (Tan and Le 2021, figure 2): the spatial convolution expands, then linear 1x1 and skip."""
    expansion, stride, out_channels = (block.parameter(key) for key in ("expansion", "stride", "out_channels"))
    in_channels = block.input_shape[-1]
    y = builder.conv_2d(
        x,
        in_channels * expansion,
        block.parameter("kernel"),
        stride=stride,
        activation=Activation.RELU6,
        name=f"{block.name}.fused",
    )
    y = builder.conv_2d(y, out_channels, 1, name=f"{block.name}.project")
    if stride == 1 and in_channels == out_channels:
        y = builder.add(x, y, name=f"{block.name}.add")
    return y


def build_max_pool(builder: GraphBuilder, x: int, block: Block) -> int:
    """The largest of each window; windows are as long as the stride."""
    stride = block.parameter("stride")
    return builder.max_pool_2d(x, stride, padding=Padding.SAME, name=f"{block.name}.max_pool")


def build_average_pool(builder: GraphBuilder, x: int, block: Block) -> int:
    """The mean of each window; windows are as long as the stride."""
    stride = block.parameter("stride")
    return builder.average_pool_2d(x, stride, padding=Padding.SAME, name=f"{block.name}.average_pool")


def pooled_shape(input_shape: Shape, settings: Mapping[str, int]) -> Shape:
    """Spatial size ceil(in / stride), as many channels as the input."""
    n, height, width, channels = input_shape
    stride = settings["stride"]
    return (n, -(-height // stride), -(-width // stride), channels)
