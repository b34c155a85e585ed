"""One choice of how to lower that holds for every network of a run, from the search's costs to the linker."""

from __future__ import annotations

from dataclasses import dataclass

from tinynas.graph import Graph
from tinynas.lowering._lower import lower
from tinynas.lowering._patches import PatchPlan
from tinynas.lowering._schedule import Schedule
from tinynas.lowering._variants import InstructionSet
from tinynas.targets import Core


@dataclass(frozen=True)
class Lowering:
    """Graph -> schedule. What predicts and what builds are given the same one, so that they cannot disagree.

    Attributes:
        instruction_set: Of the core that will execute the schedule.
        in_place: False gives every operator an output of its own: what an engine without in-place kernels needs. Only
            comparisons ask for that.
    """

    instruction_set: InstructionSet = InstructionSet.DSP
    in_place: bool = True

    @classmethod
    def for_core(cls, core: Core, *, in_place: bool = True) -> Lowering:
        """How networks for a core are lowered."""
        return cls(InstructionSet.of(core), in_place)

    def __call__(self, graph: Graph, patches: PatchPlan | None = None) -> Schedule:
        """The schedule of an int8 graph or skeleton. Raises as `lower`."""
        return lower(graph, patches, instruction_set=self.instruction_set, in_place=self.in_place)


DSP_LOWERING = Lowering()
"""For cores with DSP instructions, which is what functions assume that are told nothing else."""
