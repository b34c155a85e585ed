"""Blocks and architectures as graphs."""

from __future__ import annotations

from tinynas.graph import DType, Graph, GraphBuilder
from tinynas.spaces._block import Architecture, Block
from tinynas.spaces._errors import SpaceError
from tinynas.spaces._kinds import block_kind


def build_graph(architecture: Architecture, dtype: DType = DType.INT8) -> Graph:
    """The network of `architecture`, without weights.

    Args:
        architecture: the chain of blocks.
        dtype: INT8 for counting and planning, FLOAT32 for training.

    Returns:
        A graph from one input [1, H, W, C] to logits [1, classes]. Operator names are stable across the genotypes
        of a search space (`stage2.block1.depthwise`).

    Raises:
        SpaceError: two neighbours do not meet in one shape.
    """
    builder = GraphBuilder(architecture.name, dtype)
    x = builder.input(architecture.input_shape)
    shape = architecture.input_shape
    for block in architecture.blocks:
        if block.input_shape != shape:
            raise SpaceError(f"block {block.name!r} expects {list(block.input_shape)} but is given {list(shape)}")
        x = block_kind(block.kind).build(builder, x, block)
        shape = block.output_shape
    return builder.build([x])


def build_block_graph(block: Block, dtype: DType = DType.INT8) -> Graph:
    """The graph of one block, from its input tensor to its output tensor, without weights."""
    return build_graph(Architecture((block,), block.input_shape, block.name), dtype)
