"""A block kind, and a search space made of it."""

from __future__ import annotations

from tinynas.graph import Activation, GraphBuilder, Padding
from tinynas.spaces import Block, BlockKind, SearchSpace, parse_space

_SPACE = """
name = "pooled-tiny"
description = "max pooling and convolutions"
width_multipliers = [0.5, 1.0]
resolutions = [16, 24]

[stem]
block = "conv"
width = 8
stride = 2
parameters = { kernel = 3 }

[[stages]]
block = "pooled"
width = 16
stride = 2
depth = [1, 2]
choices = { kernel = [1, 3] }

[[stages]]
block = "pooled"
width = 32
stride = 2
depth = [1, 2]
choices = { kernel = [1, 3] }
"""


def _build(builder: GraphBuilder, x: int, block: Block) -> int:
    y = builder.max_pool_2d(x, 2, stride=block.parameter("stride"), padding=Padding.SAME, name=f"{block.name}.pool")
    return builder.conv_2d(
        y,
        block.parameter("out_channels"),
        block.parameter("kernel"),
        activation=Activation.RELU6,
        name=f"{block.name}.conv",
    )


def _odd(kernel: int) -> str | None:
    return None if kernel % 2 == 1 else "must be odd"


POOLED = BlockKind("pooled", _build, {"kernel": _odd}, description="max pooling, then a convolution with ReLU6")


def pooled_tiny() -> SearchSpace:
    """The space; made when it is asked for, because it names the block kind."""
    return parse_space(_SPACE)
