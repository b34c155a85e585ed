"""How the winner of a finished run is executed: exported code and the report show what was built and measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinynas.graph import Graph
from tinynas.lowering import PatchPlan, Schedule
from tinynas.pipeline._lowering import DEFAULT_LOWERING


def schedule_of_winner(result: Mapping[str, Any], graph: Graph) -> Schedule:
    """The schedule of the winner.

    Args:
        result: the content of `result.json`.
        graph: the int8 network in `winner.tflite`.
    """
    patches = result["winner"]["patches"]
    return DEFAULT_LOWERING(graph, None if patches is None else PatchPlan(**patches))
