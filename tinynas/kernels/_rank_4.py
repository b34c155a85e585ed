"""Shapes of at most four dimensions, as the kernels take them that know nothing of images."""

from __future__ import annotations

import math

from tinynas.graph import Tensor
from tinynas.kernels._kernel import KernelCall

RANK = 4


def low_rank(call: KernelCall) -> bool:
    """Whether no tensor of a call has more than four dimensions."""
    return all(len(t.shape) <= RANK for t in (*call.operands, call.output))


def rank_4(tensor: Tensor) -> tuple[int, ...]:
    """The shape with ones in front, up to four dimensions."""
    return (1,) * (RANK - len(tensor.shape)) + tensor.shape


def strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Elements between neighbours along each dimension."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def braces(values: tuple[int, ...]) -> str:
    """The C initializer of an array field."""
    return "{" + ", ".join(map(str, values)) + "}"


def output_rows_features(call: KernelCall) -> dict[str, float]:
    """Loop counts over the output's planes, rows and elements."""
    shape = rank_4(call.output)
    return {
        "calls": 1,
        "planes": math.prod(shape[:2]),
        "rows": math.prod(shape[:3]),
        "elements": call.output.elements,
    }


ROW_LOOPS = {
    "planes": "output elements without the last two dimensions",
    "rows": "output elements without the last dimension",
    "elements": "output elements",
}
"""What `output_rows_features` counts."""
