"""How the pipeline lowers: the choice between speed and memory that holds for every network of a run."""

from __future__ import annotations

from tinynas.graph import Graph
from tinynas.lowering import Schedule, lower


def lower_for_speed(graph: Graph) -> Schedule:
    """Lower with the direct depthwise kernels.

    In place, a depthwise convolution needs one buffer and a plane instead of two buffers, but its kernel takes about a
    quarter more instructions. The costs that a search predicts and the firmware that is built must agree on one of
    them; `inspect` says what the other would save.
    """
    return lower(graph, in_place_depthwise=False)
