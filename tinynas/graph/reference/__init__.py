"""The reference executor: equal to TFLite's reference kernels in every tensor, vectorised over batches of images."""

from tinynas.graph.reference._executor import execute, execute_constant

__all__ = ["execute", "execute_constant"]
