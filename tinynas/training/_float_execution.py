"""Executing a float32 graph that holds its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from tinynas.graph import Graph, GraphError, Op
from tinynas.training._supernet import logits_tensor
from tinynas.training.operators import activate_, apply_weightless, convolve, fully_connected


def graph_weights(graph: Graph) -> dict[int, torch.Tensor]:
    """Tensors of the weights and biases of a float32 graph, by index.

    Raises:
        GraphError: a constant has no data.
    """
    weights: dict[int, torch.Tensor] = {}
    for op in graph.ops:
        if op.weights is not None:
            for i in op.inputs[1:]:
                if i >= 0:
                    data = graph.tensor(i).data
                    if data is None:
                        raise GraphError(f"operator {op.name!r}: {graph.tensor(i).name!r} has no data")
                    weights[i] = torch.from_numpy(np.array(data, np.float32))
    return weights


def graph_values(
    graph: Graph,
    weights: Mapping[int, torch.Tensor],
    images: torch.Tensor,
    *,
    after: Callable[[Op, torch.Tensor], torch.Tensor] | None = None,
) -> dict[int, torch.Tensor]:
    """Execute a float32 graph up to its class scores.

    Args:
        graph: the network.
        weights: constants by tensor index (`graph_weights`).
        images: [N, H, W, C] float32.
        after: applied to every operator's result; the value the next operators see.

    Returns:
        Every activation by tensor index, batch first.
    """
    wanted = logits_tensor(graph)
    values = {graph.inputs[0]: images}
    for op in graph.ops:
        y = op_value(graph, op, weights, values)
        values[op.outputs[0]] = y if after is None else after(op, y)
        if op.outputs[0] == wanted:
            break
    return values


def op_value(
    graph: Graph, op: Op, weights: Mapping[int, torch.Tensor], values: Mapping[int, torch.Tensor]
) -> torch.Tensor:
    """Result of one operator of a float32 graph, batch first.

    Args:
        graph: the network.
        op: one of its operators.
        weights: constants by tensor index (`graph_weights`).
        values: the activations that it reads by tensor index.
    """
    if op.weights is not None:
        return _weighted(op, values[op.inputs[0]], weights)
    return apply_weightless(op, [values[i] for i in graph.activation_inputs(op)])


def _weighted(op: Op, x: torch.Tensor, weights: Mapping[int, torch.Tensor]) -> torch.Tensor:
    kernel = weights[op.inputs[1]]
    bias = weights[op.inputs[2]] if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
    if not op.spec.is_convolution:
        return activate_(op, fully_connected(op, x, kernel, bias))
    return activate_(op, convolve(op, x, kernel, bias)).permute(0, 2, 3, 1)


def graph_logits(graph: Graph, weights: Mapping[int, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """Class scores before any final softmax, [N, classes], of a float32 graph on float32 images."""
    return graph_values(graph, weights, images)[logits_tensor(graph)]
