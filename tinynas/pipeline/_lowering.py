"""How the pipeline lowers: one choice that holds for every network of a run, from the search's costs to the linker."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.graph import Graph
from tinynas.lowering import PatchPlan, Schedule, lower


@dataclass(frozen=True)
class Lowering:
    """Graph -> schedule. What predicts and what builds are given the same one, so that they cannot disagree.

    Attributes:
        in_place: False gives every operator an output of its own: what an engine without in-place kernels needs. Only
            comparisons ask for that.
    """

    in_place: bool = True

    def __call__(self, graph: Graph, patches: PatchPlan | None = None) -> Schedule:
        """The schedule of an int8 graph or skeleton. Raises as `tinynas.lowering.lower`."""
        return lower(graph, patches, in_place=self.in_place)


DEFAULT_LOWERING = Lowering()
"""What a run uses, and what is used for a model file without a run."""
