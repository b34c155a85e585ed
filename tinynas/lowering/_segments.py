"""Many segments of one network: what does not depend on where one lies, nor on its rows, is planned once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tinynas.graph import Graph
from tinynas.lowering._lower import plan_network
from tinynas.lowering._rows import alone
from tinynas.lowering._storage import PlannedStep, StreamedSteps
from tinynas.lowering._stream_layers import FEW_ROWS, layer_by_rows
from tinynas.lowering._stream_plan import StreamPlan
from tinynas.lowering._streams import segment_source, segment_step

if TYPE_CHECKING:
    from tinynas.lowering._lowering import Lowering


class Segments:
    """The streamed segments of a network, one at a time: those of a schedule with several are the same.

    Args:
        graph: The network.
        lowering: As the rest of it would be lowered.
    """

    def __init__(self, graph: Graph, lowering: Lowering) -> None:
        network = plan_network(lowering, graph)
        self._network = replace(network, steps=[alone(step) for step in network.steps])
        self._layers: dict[tuple[int, bool], PlannedStep] = {}
        self._sources: dict[tuple[int, int], int] = {}

    def lowered(self, plan: StreamPlan) -> StreamedSteps:
        """A segment.

        Raises:
            StreamError: It cannot run row by row; the message says why.
        """
        network = self._network
        layers = [self._layer(position, rows) for position, rows in enumerate(plan.rows, plan.first)]
        step = segment_step(network.graph, layers, network.inputs, plan, self._source(plan))
        assert step.stream is not None
        return step.stream

    def _layer(self, position: int, rows_per_call: int) -> PlannedStep:
        key = position, rows_per_call <= FEW_ROWS
        if key not in self._layers:
            self._layers[key] = layer_by_rows(self._network.steps[position], rows_per_call, self._network.alias)
        return self._layers[key]

    def _source(self, plan: StreamPlan) -> int:
        network, key = self._network, (plan.first, plan.end)
        if key not in self._sources:
            self._sources[key] = segment_source(
                network.graph, network.steps, network.alias, network.inputs, network.outputs, plan
            )
        return self._sources[key]
