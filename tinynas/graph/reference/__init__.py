"""The reference executor: equal to TFLite's reference kernels in every tensor, vectorised over batches of images."""

from tinynas.graph.reference._executor import execute, execute_constant
from tinynas.graph.reference._node import Array, Kernel, Node, clamp_float, required
from tinynas.graph.reference._rescale import clamp_to_int8, rescale_to_int8

__all__ = [
    "Array",
    "Kernel",
    "Node",
    "clamp_float",
    "clamp_to_int8",
    "execute",
    "execute_constant",
    "required",
    "rescale_to_int8",
]
