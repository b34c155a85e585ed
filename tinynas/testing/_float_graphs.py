"""Float networks with random weights, from the same skeletons as the quantized ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection

import numpy as np

from tinynas.graph import DType, Graph, OpKind
from tinynas.testing._random_skeletons import SkeletonGenerator

_INTEGER_ONLY = {OpKind.QUANTIZE, OpKind.DEQUANTIZE}


def random_float_graph(
    rng: np.random.Generator,
    *,
    operators: int = 8,
    kinds: Collection[OpKind] | None = None,
    max_elements: int = 4096,
) -> Graph:
    """A valid float32 network with random weights, one input and one output (arguments as `random_int8_graph`)."""
    skeleton = SkeletonGenerator(rng, set(OpKind if kinds is None else kinds) - _INTEGER_ONLY, max_elements).graph(
        operators
    )
    tensors = []
    for tensor in skeleton.tensors:
        data = None
        if tensor.constant:
            fan_in = math.prod(tensor.shape) / max(tensor.shape)
            data = rng.normal(0, 1 / math.sqrt(fan_in), tensor.shape).astype(np.float32)
        tensors.append(dataclasses.replace(tensor, dtype=DType.FLOAT32, data=data))
    return dataclasses.replace(skeleton, tensors=tuple(tensors))
