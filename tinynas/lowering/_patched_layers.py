"""Many ways to run the first layers of one network in patches: what depends on none of them is planned once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinynas.graph import Graph
from tinynas.lowering._lower import features_by_call, plan_network
from tinynas.lowering._patches import PatchPlan, split_into_patches

if TYPE_CHECKING:
    from tinynas.lowering._lowering import Lowering


class PatchedLayers:
    """The first layers of a network in patches, without the rest and without storage.

    Args:
        graph: The network.
        lowering: As the rest of it would be lowered.
    """

    def __init__(self, graph: Graph, lowering: Lowering) -> None:
        self._network = plan_network(lowering, graph)

    def kernels(self, plan: PatchPlan) -> list[tuple[str, Mapping[str, float]]]:
        """Kernels and loop counts of all patches.

        Raises:
            PatchError: These layers cannot run in these patches; the message says why.
        """
        network = self._network
        planned, _ = split_into_patches(network.graph, network.steps, network.alias, network.outputs, plan)
        of_patches = planned[: plan.layers * plan.patches]
        features = features_by_call(of_patches)
        return [(p.variant.name, features[id(p.call)]) for p in of_patches]
