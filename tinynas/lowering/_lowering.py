"""One choice of how to lower that holds for every network of a run, from the search's costs to the linker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tinynas.graph import Graph
from tinynas.kernels import InstructionSet
from tinynas.lowering._lower import lower_as
from tinynas.lowering._patches import PatchPlan
from tinynas.lowering._schedule import Schedule
from tinynas.lowering._stream_plan import StreamPlan
from tinynas.targets import Core


@dataclass(frozen=True)
class Lowering:
    """Graph -> schedule. What predicts and what builds are given the same one, so that they cannot disagree.

    Attributes:
        instruction_set: Of the core that will execute the schedule.
        in_place: False gives every operator an output of its own: what an engine without in-place kernels needs. Only
            comparisons, and networks that fit no other way, ask for that.
        apart: Operators of one network that get outputs of their own, by their place in it without dead operators.
        unlinked: Kernels that are passed over wherever there is another one, so that their code need not be linked.
        arena_bytes: What may be alive during a step: kernels with which more is are given up for slower ones of less
            scratch. None where shapes alone decide.
    """

    instruction_set: InstructionSet = InstructionSet.DSP
    in_place: bool = True
    arena_bytes: int | None = None
    apart: frozenset[int] = frozenset()
    unlinked: frozenset[str] = frozenset()

    @classmethod
    def for_core(cls, core: Core, *, in_place: bool = True) -> Lowering:
        """How networks for a core are lowered."""
        return cls(InstructionSet.of(core), in_place)

    def within(self, arena_bytes: int | None) -> Lowering:
        """The same for an arena of so many bytes."""
        return replace(self, arena_bytes=arena_bytes)

    def __call__(self, graph: Graph, patches: PatchPlan | None = None, streams: Sequence[StreamPlan] = ()) -> Schedule:
        """The schedule of an int8 graph or skeleton.

        Args:
            graph: The network.
            patches: Run the first layers patch by patch; `tinynas.memory.best_patch_plan` finds what pays.
            streams: Run parts of the network row by row, behind the layers in patches.

        Raises:
            UnsupportedGraphError: An operator that the engine cannot execute, by name.
            PatchError: The first layers cannot run in these patches; the message says why.
            StreamError: The same of layers row by row.
        """
        return lower_as(self, graph, patches, streams)


def lower(
    graph: Graph,
    patches: PatchPlan | None = None,
    *,
    instruction_set: InstructionSet = InstructionSet.DSP,
    in_place: bool = True,
    arena_bytes: int | None = None,
    streams: Sequence[StreamPlan] = (),
) -> Schedule:
    """Lower an int8 graph or skeleton to a schedule: `Lowering` for a single one, with the same attributes.

    Raises:
        UnsupportedGraphError: An operator that the engine cannot execute, by name.
        PatchError: The first layers cannot run in these patches; the message says why.
        StreamError: The same of layers row by row.
    """
    return Lowering(instruction_set, in_place, arena_bytes)(graph, patches, streams)


DSP_LOWERING = Lowering()
"""For cores with DSP instructions, which is what functions assume that are told nothing else."""
