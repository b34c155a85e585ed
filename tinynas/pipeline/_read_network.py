"""Model files as our engine runs them, and which of their inputs and outputs are of another type than its own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from tinynas.formats import FormatError, read_tflite
from tinynas.graph import DType, Graph, GraphError, simplified

logger = logging.getLogger(__name__)

HOW_TO_CONVERT = "int8 value = uint8 value - 128 (its bits XOR 0x80)"


def read_network(model: Path) -> tuple[Graph, Graph]:
    """A model file as it is, and as our engine runs it.

    TFLM runs the operators of the file, so its memory is a function of the first one. Our engine runs the second one,
    which `tinynas.graph.simplified` makes of it.

    Args:
        model: A `.tflite` file.

    Raises:
        FormatError: It cannot be read, or contradicts itself.
    """
    graph = read_tflite(model)
    try:
        return graph, simplified(graph)
    except GraphError as error:
        raise FormatError(f"{model}: {error}") from error


def uint8_borders(file: Graph) -> tuple[str, ...]:
    """The names of the inputs and outputs that are uint8 in the file, and int8 in what our engine runs."""
    borders = dict.fromkeys((*file.inputs, *file.outputs))
    return tuple(file.tensors[t].name for t in borders if file.tensors[t].dtype is DType.UINT8)


def uint8_json(file: Graph) -> dict[str, Any]:
    """What a command's object says of a file with uint8 borders: nothing where it has none."""
    names = uint8_borders(file)
    return {"uint8_borders": {"tensors": list(names), "int8": HOW_TO_CONVERT}} if names else {}


def tell_of_uint8(model: Path, file: Graph) -> None:
    """Say on stderr that the network's interface is int8 where the file's is uint8."""
    names = uint8_borders(file)
    if names:
        logger.warning("%s: %s: uint8 in the file, int8 here: %s", model, ", ".join(names)[:80], HOW_TO_CONVERT)
