"""Tensors of uint8 become int8: the inputs and outputs of networks that are int8 inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinynas.graph._graph import Graph
from tinynas.graph._tensor import DType, Quantization, Tensor

_OFFSET = 128
"""What is subtracted from values and zero points; of eight bits, the first one is inverted."""


def int8_borders(graph: Graph) -> Graph:
    """The graph with int8 in place of uint8, and zero points that are smaller by 128.

    Exact: whoever takes uint8 (QUANTIZE, DEQUANTIZE, and operators that move values) looks at no more than the
    difference between a value and its zero point. The QUANTIZE at such a border is then one from int8 to int8, and
    changes nothing where the scales are those of the border.
    """
    if all(tensor.dtype is not DType.UINT8 for tensor in graph.tensors):
        return graph
    return replace(graph, tensors=tuple(map(_as_int8, graph.tensors)))


def as_int8(values: npt.NDArray[np.generic]) -> npt.NDArray[np.int8]:
    """What uint8 values are behind a border that became int8."""
    return (values.astype(np.int16) - _OFFSET).astype(np.int8)


def _as_int8(tensor: Tensor) -> Tensor:
    if tensor.dtype is not DType.UINT8:
        return tensor
    q, data = tensor.quantization, tensor.data
    if q is not None:
        q = Quantization(q.scales, tuple(z - _OFFSET for z in q.zero_points), q.axis)
    if data is not None:
        data = as_int8(data)
    return replace(tensor, dtype=DType.INT8, quantization=q, data=data)
