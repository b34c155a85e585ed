"""Windows over padded inputs: padding, and how many taps fall inside the input."""

from __future__ import annotations

from functools import lru_cache

from tinynas.graph import Graph, Op, sliding_window
from tinynas.kernels._kernel import KernelCall


def padding_of(graph: Graph, op: Op) -> tuple[int, int, int, int]:
    """The operator's own padding as (top, bottom, left, right); zeros for operators without windows."""
    window = sliding_window(graph, op)
    if window is None:
        return (0, 0, 0, 0)
    vertical, horizontal = window.margins(graph.tensors[op.inputs[0]].shape)
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
    window = call.window
    vertical, horizontal = (
        valid_taps(
            call.input.shape[1 + i],
            call.output.shape[1 + i],
            window.filter_size[i],
            window.stride[i],
            window.dilation[i],
            call.padding[2 * i],
        )
        for i in range(2)
    )
    return vertical, horizontal
