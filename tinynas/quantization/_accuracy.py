"""Accuracy of an int8 graph, executed in integers as on the device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tinynas.errors import UsageError
from tinynas.graph import DType, Graph, Quantization, execute
from tinynas.training import PIXEL_SCALE, ProcessPool, Split

_BATCH = 500


def quantize_images(images: npt.NDArray[np.uint8], quantization: Quantization) -> npt.NDArray[np.int8]:
    """Return uint8 images as a network's int8 input: round(pixel / 255 / scale) + zero_point.

    For the networks of `quantize` (scale 1/255, zero point -128) that is exactly pixel - 128.
    """
    table = np.rint(np.arange(256) * PIXEL_SCALE / quantization.scale) + quantization.zero_point
    entries: npt.NDArray[np.int8] = np.clip(table, -128, 127).astype(np.int8)
    return entries[images]


def _predict(graph: Graph, images: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    scores = execute(graph, [images])[graph.outputs[0]].reshape(len(images), -1)
    classes: npt.NDArray[np.int64] = scores.argmax(axis=1)
    return classes


def _the_graph(graph: Graph) -> Graph:
    return graph


def integer_predictions(graph: Graph, images: npt.NDArray[np.uint8], *, processes: int = 1) -> npt.NDArray[np.int64]:
    """Predicted class of each uint8 image [N, H, W, C]; of equal scores the first class wins, as on the device.

    Args:
        graph: int8, one input and one output.
        images: at the network's resolution.
        processes: how many share the work.

    Raises:
        UsageError: the graph is not int8 from one input to one output.
    """
    tensors = [graph.tensor(i) for i in (*graph.inputs, *graph.outputs)]
    quantization = tensors[0].quantization
    if len(tensors) != 2 or any(t.dtype is not DType.INT8 for t in tensors) or quantization is None:
        raise UsageError(f"graph {graph.name!r} is not an int8 classifier with one input and one output")
    batches = [quantize_images(images[start : start + _BATCH], quantization) for start in range(0, len(images), _BATCH)]
    with ProcessPool(min(processes, len(batches)), _the_graph, graph) as pool:
        return np.concatenate(pool.map(_predict, batches))


def integer_accuracy(graph: Graph, data: Split, *, processes: int = 1) -> float:
    """Share of `data` that an int8 graph classifies correctly in integer arithmetic, bit-exact to the device."""
    return float((integer_predictions(graph, data.images, processes=processes) == data.labels).mean())
