"""The supernet: one set of shared weights per operator name, executed as the graph of any subnet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F

from tinynas.errors import UsageError
from tinynas.graph import DType, Graph, Op, OpKind
from tinynas.training._checkpoint import load_checkpoint, save_checkpoint
from tinynas.training._flat_parameters import FlatParameters
from tinynas.training.operators import activate_, apply_weightless, convolve, fully_connected

# TensorFlow's default; a larger epsilon than torch's keeps folded weights of near-dead channels in the range of int8.
BATCH_NORM_EPSILON = 1e-3


class SupernetError(UsageError):
    """Graphs that cannot share weights, or a subnet that lies outside the supernet."""


@dataclass(frozen=True)
class BatchNormStatistics:
    """Mean and variance of one batch normalization, each [C], float32."""

    mean: torch.Tensor
    variance: torch.Tensor


Statistics = Mapping[str, BatchNormStatistics]
"""Batch-norm statistics of one subnet, by operator name."""


def has_batch_norm(graph: Graph, op: Op) -> bool:
    """Whether `op` is trained with batch normalization: convolutions with a bias, which is what BN folds into.

    The convolution that gives the class scores keeps its bias: normalized scores could not say how sure they are.
    """
    return op.spec.is_convolution and len(op.inputs) > 2 and op.inputs[2] >= 0 and not _gives_logits(graph, op)


def _gives_logits(graph: Graph, op: Op) -> bool:
    tensor, logits = op.outputs[0], logits_tensor(graph)
    while tensor != logits:
        readers = graph.consumers.get(tensor, ())
        if len(readers) != 1 or graph.ops[readers[0]].kind is not OpKind.RESHAPE:
            return False
        tensor = graph.ops[readers[0]].outputs[0]
    return True


def logits_tensor(graph: Graph) -> int:
    """Return the tensor that holds the class scores: the graph's output, or what its final SOFTMAX reads."""
    output = graph.outputs[0]
    producer = graph.producers.get(output)
    if producer is not None and graph.ops[producer].kind is OpKind.SOFTMAX:
        return graph.ops[producer].inputs[0]
    return output


def parameter_shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Name and shape of every trained parameter of `graph`.

    Weights keep the graph's layout (OHWI, 1HWC, OI). Convolutions with a bias have `<op>/gamma` and `<op>/beta`,
    fully connected layers `<op>/bias`.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for op in graph.ops:
        if op.weights is None:
            continue
        if not op.name or f"{op.name}/weights" in shapes:
            raise SupernetError(f"graph {graph.name!r}: operators with weights need unique names, got {op.name!r}")
        weights = graph.tensor(op.inputs[1]).shape
        shapes[f"{op.name}/weights"] = weights
        channels = weights[op.weights.channel_axis]
        if has_batch_norm(graph, op):
            shapes[f"{op.name}/gamma"] = (channels,)
            shapes[f"{op.name}/beta"] = (channels,)
        elif len(op.inputs) > 2 and op.inputs[2] >= 0:
            shapes[f"{op.name}/bias"] = (channels,)
    return shapes


class Relaxation(Protocol):
    """Puts what is expected under probabilities in place of what one choice gives, while a graph is executed."""

    def read(self, index: int, position: int, tensor: int, values: Mapping[int, torch.Tensor]) -> torch.Tensor:
        """What operator `index` reads as its activation `position`, which the graph says is `tensor`."""
        ...

    def kernel(self, op: Op, weights: torch.Tensor) -> torch.Tensor:
        """The 4-D weights of a convolution."""
        ...

    def result(self, op: Op, y: torch.Tensor) -> torch.Tensor:
        """What an operator gives, [N, ..., C]."""
        ...


class Supernet:
    """Shared weights for every subnet of a search space.

    A subnet is nothing but its float32 `Graph`. Its operators find their weights by name: the leading channels and
    the centre of the kernel of the shared arrays. Building blocks therefore need no training code. Convolutions that
    have a bias in the graph are trained with batch normalization in its place, always with the statistics of the
    batch; statistics for inference are collected per subnet (`recalibrate_batch_norm`), never tracked, since those
    of one subnet are wrong for another.

    All parameters lie in one flat float32 vector, so that optimizer, checkpoint and the exchange of gradients
    between processes each handle a single array.

    Args:
        graphs: graphs that together contain the largest form of every operator (usually the largest subnet alone).
        seed: of the initial weights (He et al. 2015, fan-in).
        device: of the parameters.

    Raises:
        SupernetError: an operator name has different kinds or ranks in two graphs.
    """

    def __init__(self, graphs: Sequence[Graph], *, seed: int = 0, device: str | torch.device = "cpu") -> None:
        self.graphs = tuple(graphs)
        self.parameters = FlatParameters(_largest_shapes(graphs), device)
        self._initialise(seed)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.parameters.flat.device

    def _initialise(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 0x1417])
        weighted = [(op.name, op.weights) for graph in self.graphs for op in graph.ops if op.weights is not None]
        channel_axis = {f"{name}/weights": weights.channel_axis for name, weights in weighted}
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                shape = tuple(parameter.shape)
                if name.endswith("/weights"):
                    # 1HWC sums over H*W, OHWI over H*W*I, OI over I.
                    fan_in = math.prod(shape) // shape[channel_axis[name]]
                    values = rng.standard_normal(shape).astype(np.float32) * math.sqrt(2.0 / fan_in)
                    parameter.copy_(torch.from_numpy(values))
                else:
                    parameter.fill_(1.0 if name.endswith("/gamma") else 0.0)

    def slice(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """Return the part of parameter `name` that a subnet with `shape` uses, as a differentiable view.

        Raises:
            SupernetError: the parameter does not exist or is smaller than `shape`.
        """
        if name not in self.parameters:
            raise SupernetError(f"the supernet has no parameter {name!r}: the subnet is from another search space")
        parameter = self.parameters[name]
        if parameter.shape == shape:
            return parameter
        if len(parameter.shape) != len(shape) or any(s > p for s, p in zip(shape, parameter.shape, strict=True)):
            raise SupernetError(
                f"parameter {name!r} of the supernet is {list(parameter.shape)}, the subnet needs {list(shape)}: "
                "build the supernet from the largest subnet"
            )
        view: torch.Tensor = parameter
        for axis, size in enumerate(shape):
            full = parameter.shape[axis]
            if size != full:
                # Kernels (axes 1 and 2 of 4-D weights) keep their centre, channels the leading ones.
                start = (full - size) // 2 if len(shape) == 4 and axis in (1, 2) else 0
                view = view.narrow(axis, start, size)
        return view

    def logits(
        self,
        graph: Graph,
        images: torch.Tensor,
        collect: dict[str, BatchNormStatistics] | None = None,
        relaxation: Relaxation | None = None,
    ) -> torch.Tensor:
        """Execute `graph` with the shared weights, batch normalization by the statistics of this batch.

        Args:
            graph: a float32 subnet.
            images: [N, H, W, C] float32.
            collect: filled with the statistics of this batch, if given.
            relaxation: changes what operators read, weigh and give, if given.

        Returns:
            Class scores before any final softmax, [N, classes].
        """
        wanted = logits_tensor(graph)
        values: dict[int, torch.Tensor] = {graph.inputs[0]: images}
        for index, op in enumerate(graph.ops):
            tensors = graph.activation_inputs(op)
            if relaxation is None:
                inputs = [values[tensor] for tensor in tensors]
            else:
                inputs = [relaxation.read(index, i, tensor, values) for i, tensor in enumerate(tensors)]
            if op.weights is not None:
                y = self._weighted(graph, op, inputs[0], collect, relaxation)
            else:
                y = apply_weightless(op, inputs)
            values[op.outputs[0]] = y if relaxation is None else relaxation.result(op, y)
            if op.outputs[0] == wanted:
                break
        return values[wanted]

    def _weighted(
        self,
        graph: Graph,
        op: Op,
        x: torch.Tensor,
        collect: dict[str, BatchNormStatistics] | None,
        relaxation: Relaxation | None,
    ) -> torch.Tensor:
        weights = self.slice(f"{op.name}/weights", graph.tensor(op.inputs[1]).shape)
        if not op.spec.is_convolution:
            return activate_(op, fully_connected(op, x, weights, self._bias(graph, op)))
        if relaxation is not None:
            weights = relaxation.kernel(op, weights)
        y = convolve(op, x, weights, self._bias(graph, op))
        if has_batch_norm(graph, op):
            channels = (y.shape[1],)
            mean = variance = None
            if collect is not None:
                mean, variance = (torch.zeros(channels, device=y.device) for _ in range(2))
                collect[op.name] = BatchNormStatistics(mean, variance)
            y = F.batch_norm(
                y,
                mean,
                variance,
                self.slice(f"{op.name}/gamma", channels),
                self.slice(f"{op.name}/beta", channels),
                training=True,
                momentum=1.0,
                eps=BATCH_NORM_EPSILON,
            )
        return activate_(op, y).permute(0, 2, 3, 1)

    def _bias(self, graph: Graph, op: Op) -> torch.Tensor | None:
        if len(op.inputs) < 3 or op.inputs[2] < 0 or has_batch_norm(graph, op):
            return None
        return self.slice(f"{op.name}/bias", graph.tensor(op.inputs[2]).shape)

    def extract(self, graph: Graph) -> Supernet:
        """Return the subnet `graph` alone: a supernet of one, with a copy of the weights it uses."""
        subnet = Supernet([graph], device=self.device)
        with torch.no_grad():
            for name, parameter in subnet.parameters.items():
                parameter.copy_(self.slice(name, tuple(parameter.shape)))
        return subnet

    def save(self, path: Path) -> None:
        """Write the parameters atomically."""
        save_checkpoint(path, {name: p.detach().cpu().clone() for name, p in self.parameters.items()})

    def load(self, path: Path) -> None:
        """Read parameters that `save` wrote.

        Raises:
            SupernetError: the file holds other parameters than this supernet's.
        """
        state = load_checkpoint(path)
        found = {name: tuple(value.shape) for name, value in state.items() if isinstance(value, torch.Tensor)}
        if found != self.parameters.shapes:
            raise SupernetError(f"{path} holds the weights of another supernet: delete it to train anew")
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[name])


def _largest_shapes(graphs: Sequence[Graph]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    kinds: dict[str, OpKind] = {}
    for graph in graphs:
        for op in graph.ops:
            if op.weights is not None and kinds.setdefault(op.name, op.kind) is not op.kind:
                raise SupernetError(f"operator {op.name!r} is {kinds[op.name]} in one graph and {op.kind} in another")
        if any(graph.tensor(i).dtype is not DType.FLOAT32 for i in graph.inputs):
            raise SupernetError(f"graph {graph.name!r} is not float32: build subnets with dtype FLOAT32 for training")
        for name, shape in parameter_shapes(graph).items():
            known = shapes.setdefault(name, shape)
            if len(known) != len(shape):
                raise SupernetError(f"{name!r} is {list(known)} in one graph and {list(shape)} in another")
            shapes[name] = tuple(map(max, known, shape))
    if not shapes:
        raise SupernetError("a supernet needs at least one operator with weights")
    return shapes
