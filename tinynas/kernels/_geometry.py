"""Windows over padded inputs: padding, and how many taps fall inside the input."""

from __future__ import annotations

from functools import lru_cache

from tinynas.graph import (
    Conv2DAttributes,
    DepthwiseConv2DAttributes,
    Graph,
    Op,
    OpKind,
    Pool2DAttributes,
    window_padding,
)
from tinynas.kernels._kernel import KernelCall

WINDOWED = frozenset((OpKind.CONV_2D, OpKind.DEPTHWISE_CONV_2D, OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D))

WindowAttributes = Conv2DAttributes | DepthwiseConv2DAttributes | Pool2DAttributes


def window_of(graph: Graph, op: Op) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """(filter size, stride, dilation) of a convolution or a pooling operator, each as (vertical, horizontal)."""
    attributes = op.attributes
    if isinstance(attributes, Pool2DAttributes):
        return attributes.filter_size, attributes.stride, (1, 1)
    assert isinstance(attributes, Conv2DAttributes | DepthwiseConv2DAttributes)
    weights = graph.tensors[op.inputs[1]].shape
    return (weights[1], weights[2]), attributes.stride, attributes.dilation


def padding_of(graph: Graph, op: Op) -> tuple[int, int, int, int]:
    """The operator's own padding as (top, bottom, left, right); zeros for operators without windows."""
    attributes = op.attributes
    if op.kind not in WINDOWED:
        return (0, 0, 0, 0)
    assert isinstance(attributes, WindowAttributes)
    filter_size, stride, dilation = window_of(graph, op)
    shape = graph.tensors[op.inputs[0]].shape
    vertical, horizontal = (
        window_padding(shape[1 + i], filter_size[i], stride[i], dilation[i], attributes.padding) for i in range(2)
    )
    return (*vertical, *horizontal)


@lru_cache(maxsize=65536)
def valid_taps(size: int, outputs: int, taps: int, stride: int, dilation: int, before: int) -> tuple[int, int]:
    """Count the taps that fall inside an input of `size` over all window positions along one dimension.

    Returns:
        The number of taps inside, summed over `outputs` positions, and the number of positions with at least one.
    """
    total = positions = 0
    for position in range(outputs):
        origin = position * stride - before
        first = 0 if origin >= 0 else -(origin // dilation)
        end = min(taps, -(-(size - origin) // dilation)) if size > origin else 0
        inside = max(0, end - first)
        total += inside
        positions += inside > 0
    return total, positions


def window_counts(call: KernelCall) -> tuple[tuple[int, int], tuple[int, int]]:
    """Vertical and horizontal `valid_taps` of a call with a window."""
    filter_size, stride, dilation = window_of(call.graph, call.op)
    vertical, horizontal = (
        valid_taps(
            call.input.shape[1 + i],
            call.output.shape[1 + i],
            filter_size[i],
            stride[i],
            dilation[i],
            call.padding[2 * i],
        )
        for i in range(2)
    )
    return vertical, horizontal
