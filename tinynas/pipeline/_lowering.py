"""How the pipeline lowers: the choice that holds for every network of a run."""

from __future__ import annotations

from tinynas.graph import Graph
from tinynas.lowering import Schedule, lower


def lower_for_speed(graph: Graph) -> Schedule:
    """Lower with the fastest kernels, in place where that is safe."""
    return lower(graph)
