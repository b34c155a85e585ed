"""Rewrites of a graph into one that computes the same with fewer operators, and with those that have kernels.

Each pass is one file and one function from a graph to a graph; it returns the graph itself where nothing is to do.
`PASSES` has them in order, `simplified` runs them.
"""

from tinynas.graph.passes._int8_borders import as_int8
from tinynas.graph.passes._pipeline import PASSES, simplified

__all__ = ["PASSES", "as_int8", "simplified"]
