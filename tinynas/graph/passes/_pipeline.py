"""The passes in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tinynas.graph._dead_operators import without_dead_operators
from tinynas.graph._graph import Graph
from tinynas.graph._validation import validate
from tinynas.graph.passes._as_reshapes import as_reshapes
from tinynas.graph.passes._cancel_transposes import cancel_transposes
from tinynas.graph.passes._drop_identities import drop_identities
from tinynas.graph.passes._drop_unused_tensors import drop_unused_tensors
from tinynas.graph.passes._fold_constants import fold_constants
from tinynas.graph.passes._free_transposes import free_transposes
from tinynas.graph.passes._int8_borders import int8_borders
from tinynas.graph.passes._join_reshapes import join_reshapes

PASSES: Mapping[str, Callable[[Graph], Graph]] = MappingProxyType(
    {
        "drop dead operators": without_dead_operators,
        "int8 borders": int8_borders,
        "fold constants": fold_constants,
        "as reshapes": as_reshapes,
        "drop shape arithmetic": without_dead_operators,
        "drop identities": drop_identities,
        "join reshapes": join_reshapes,
        "drop what they undid": drop_identities,
        "cancel transposes": cancel_transposes,
        "free transposes": free_transposes,
        # What stood between two of these may have gone.
        "join reshapes again": join_reshapes,
        "drop identities again": drop_identities,
    }
)
"""By name, in order. What a pass leaves behind, a later one takes away."""


def simplified(graph: Graph) -> Graph:
    """The graph that computes the same, bit for bit, with what the engine has kernels for.

    The inputs and outputs keep their number, order, names and shapes. Those of uint8 become int8 with a zero point that
    is smaller by 128: a value q of the file is the int8 value q - 128 here, or its bits XOR 0x80.

    Args:
        graph: A graph as `tinynas.formats.read_tflite` reads it.

    Returns:
        `graph` itself where nothing is to do; else a graph whose tensors have indices of their own.

    Raises:
        GraphError: What the graph computes from constants contradicts what it declares.
    """
    result = graph
    for rewrite in PASSES.values():
        result = rewrite(result)
    if result is graph:
        return graph
    result = drop_unused_tensors(_with_names_of(graph, result))
    validate(result)
    return result


def _with_names_of(original: Graph, graph: Graph) -> Graph:
    """The graph with the original's names of inputs and outputs, where another tensor took the place of one."""
    tensors = list(graph.tensors)
    for before, after in zip(original.outputs, graph.outputs, strict=True):
        if after not in graph.inputs:
            tensors[after] = replace(tensors[after], name=original.tensors[before].name)
    return replace(graph, tensors=tuple(tensors))
