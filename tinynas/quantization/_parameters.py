"""Which tensors share a scale, and the affine parameters of a range: the rules of TFLite's int8 specification."""

from __future__ import annotations

import numpy as np

from tinynas.graph import Graph, Quantization

INPUT_QUANTIZATION = Quantization((float(np.float32(1.0 / 255.0)),), (-128,))
"""Of the network's input: the int8 value is the pixel minus 128, the real value pixel / 255."""

# A tensor whose values all lie closer together is taken for constant zero and may have any scale; that of [0, 1] keeps
# the multipliers of its neighbours in range.
_NARROWEST_RANGE = 1e-6


def scale_groups(graph: Graph) -> dict[int, int]:
    """Return for each activation the tensor whose scale it shares (its representative, possibly itself).

    Pooling and data movement keep their input's scale, and all inputs of a CONCATENATION have that of its output.
    """
    group = {i: i for i, tensor in enumerate(graph.tensors) if not tensor.constant}

    def find(i: int) -> int:
        while group[i] != i:
            i = group[i]
        return i

    for op in graph.ops:
        if op.spec.keeps_quantization:
            for i in graph.activation_inputs(op):
                # The earlier tensor represents: a network input keeps its own scale whatever reads it.
                first, second = sorted((find(i), find(op.outputs[0])))
                group[second] = first
    return {i: find(i) for i in group}


def affine(low: float, high: float) -> Quantization:
    """Asymmetric int8 parameters of the range [low, high], widened to hold zero exactly.

    scale = (high - low) / 255, as the float32 that a file stores; zero_point is the integer that stands for 0.0.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low if high - low >= _NARROWEST_RANGE else 1.0) / 255.0)
    zero_point = int(np.clip(np.rint(-128.0 - low / float(scale)), -128, 127))
    return Quantization((float(scale),), (zero_point,))
