"""Graphs that compute what a given one does, with the operators that converters leave in files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.graph import (
    Attributes,
    ConcatenationAttributes,
    DType,
    ExpandDimsAttributes,
    Graph,
    MeanAttributes,
    Op,
    OpKind,
    PackAttributes,
    PadAttributes,
    Quantization,
    QuantizeAttributes,
    ReshapeAttributes,
    ShapeAttributes,
    SqueezeAttributes,
    StridedSliceAttributes,
    Tensor,
    TransposeAttributes,
    infer_shape,
)

Array = npt.NDArray[np.generic]

_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


class _Draft:
    """A graph that grows operator by operator; its first tensors are those of `graph`."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = list(graph.tensors)
        self.ops: list[Op] = []

    def add(self, tensor: Tensor) -> int:
        self.tensors.append(dataclasses.replace(tensor, name=f"{tensor.name}/{len(self.tensors)}"))
        return len(self.tensors) - 1

    def like(self, t: int, **changes: Any) -> int:
        """A new tensor that is like another, computed unless it has data."""
        return self.add(dataclasses.replace(self.tensors[t], **{"constant": False, "data": None, **changes}))

    def constant(self, values: npt.NDArray[np.int32]) -> int:
        return self.add(Tensor("constant", values.shape, DType.INT32, None, True, values))

    def apply(
        self, kind: OpKind, attributes: Attributes, *inputs: int, output: int | None = None, **changes: Any
    ) -> int:
        """Append an operator; its output is like its first input but for the shape and `changes`."""
        op = Op(kind, inputs, (0,), attributes, f"{kind.lower()}_{len(self.ops)}")
        shape = infer_shape(op, [self.tensors[i].shape for i in inputs])
        y = self.like(inputs[0], shape=shape, **changes) if output is None else output
        self.ops.append(dataclasses.replace(op, outputs=(y,)))
        return y

    def transpose(self, x: int, permutation: tuple[int, ...], output: int | None = None) -> int:
        return self.apply(OpKind.TRANSPOSE, TransposeAttributes(permutation), x, output=output)

    def reshape(self, x: int, shape: tuple[int, ...]) -> int:
        return self.apply(OpKind.RESHAPE, ReshapeAttributes(shape), x)

    def finish(self, **changes: Any) -> Graph:
        return dataclasses.replace(self.graph, tensors=tuple(self.tensors), ops=tuple(self.ops), **changes)


def disguised_graph(rng: np.random.Generator, graph: Graph, share: float = 0.5) -> Graph:
    """The graph with detours in front of operators, constants computed at run time, and uint8 at its borders.

    Each input of an operator takes a detour with probability `share`. Inputs and outputs keep their values,
    but for being uint8.
    """
    draft = _Draft(graph)
    inputs = [_uint8_input(draft, t) if rng.random() < share else t for t in graph.inputs]
    for op in graph.ops:
        reads = [_detour(draft, t, rng) if rng.random() < share else t for t in op.inputs]
        draft.ops.append(dataclasses.replace(op, inputs=tuple(reads)))
    outputs = [_uint8_output(draft, t) if rng.random() < share else t for t in graph.outputs]
    return draft.finish(inputs=tuple(inputs), outputs=tuple(outputs))


def _as_uint8(tensor: Tensor) -> dict[str, Any]:
    assert tensor.quantization is not None
    q = tensor.quantization
    return {"dtype": DType.UINT8, "quantization": Quantization(q.scales, tuple(z + 128 for z in q.zero_points))}


def _uint8_input(draft: _Draft, t: int) -> int:
    if draft.tensors[t].dtype is not DType.INT8:
        return t
    border = draft.like(t, **_as_uint8(draft.tensors[t]))
    draft.apply(OpKind.QUANTIZE, QuantizeAttributes(), border, output=t)
    return border


def _uint8_output(draft: _Draft, t: int) -> int:
    if draft.tensors[t].dtype is not DType.INT8:
        return t
    return draft.apply(OpKind.QUANTIZE, QuantizeAttributes(), t, **_as_uint8(draft.tensors[t]))


def _detour(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    """Another tensor with the same values."""
    if t < 0 or not draft.tensors[t].shape:
        return t
    choices: list[Callable[[_Draft, int, np.random.Generator], int]] = [_there_and_back, _one_more_dimension]
    if not draft.tensors[t].constant:
        choices += [_through_shape_arithmetic, _same_shape, _no_padding, _alone]
        if draft.tensors[t].dtype is DType.INT8:
            choices += [_same_scale, _through_nchw]
    return choices[rng.integers(len(choices))](draft, t, rng)


def _there_and_back(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    permutation = tuple(rng.permutation(len(draft.tensors[t].shape)).tolist())
    back = tuple(np.argsort(permutation).tolist())
    if not draft.tensors[t].constant:
        return draft.transpose(draft.transpose(t, permutation), back)
    source = _moved_constant(draft, t, lambda data: data.transpose(permutation))
    quantization = draft.tensors[t].quantization
    return draft.apply(OpKind.TRANSPOSE, TransposeAttributes(back), source, quantization=quantization)


def _moved_constant(draft: _Draft, t: int, move: Callable[[Array], Array]) -> int:
    """A constant with moved elements; per tensor, since the axis of its scales is another there."""
    tensor = draft.tensors[t]
    assert tensor.data is not None
    data, quantization = move(tensor.data).copy(), tensor.quantization
    if quantization is not None:
        quantization = Quantization(quantization.scales[:1], quantization.zero_points[:1])
    return draft.like(t, shape=data.shape, quantization=quantization, constant=True, data=data)


def _one_more_dimension(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    shape = draft.tensors[t].shape
    axis = int(rng.integers(len(shape) + 1))
    if draft.tensors[t].constant:
        source = _moved_constant(draft, t, lambda data: np.expand_dims(data, axis))
    else:
        source = draft.apply(OpKind.EXPAND_DIMS, ExpandDimsAttributes(axis), t)
    return draft.apply(OpKind.SQUEEZE, SqueezeAttributes((axis,)), source, quantization=draft.tensors[t].quantization)


def _through_shape_arithmetic(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    """A flatten and back, as Keras writes it where the batch is open."""
    shape = draft.tensors[t].shape
    sizes = draft.apply(OpKind.SHAPE, ShapeAttributes(), t, dtype=DType.INT32, quantization=None)
    first = draft.apply(OpKind.STRIDED_SLICE, StridedSliceAttributes((0,), (1,), (1,), shrink_axis_mask=1), sizes)
    packed = draft.apply(OpKind.PACK, PackAttributes(0), first, draft.constant(np.array(-1, np.int32)))
    flat = (shape[0], int(np.prod(shape[1:], dtype=int)))
    return draft.reshape(draft.apply(OpKind.RESHAPE, ReshapeAttributes(flat), t, packed), shape)


def _same_shape(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    return draft.reshape(t, draft.tensors[t].shape)


def _no_padding(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    return draft.apply(OpKind.PAD, PadAttributes(((0, 0),) * len(draft.tensors[t].shape)), t)


def _alone(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    return draft.apply(OpKind.CONCATENATION, ConcatenationAttributes(0), t)


def _same_scale(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    return draft.apply(OpKind.QUANTIZE, QuantizeAttributes(), t)


def _through_nchw(draft: _Draft, t: int, rng: np.random.Generator) -> int:
    """Two operators that change nothing, in another layout."""
    if len(draft.tensors[t].shape) != 4:
        return t
    x = _same_scale(draft, draft.transpose(t, _TO_NCHW), rng)
    return draft.transpose(_no_padding(draft, x, rng), _TO_NHWC)


def nchw_graph(graph: Graph) -> Graph:
    """The graph as converters from NCHW write it: what knows no layout in NCHW, the rest between two TRANSPOSEs.

    Images at inputs and outputs are NCHW.
    """
    draft, nchw = _Draft(graph), dict[int, int]()

    def image(t: int) -> bool:
        return t >= 0 and not draft.tensors[t].constant and len(draft.tensors[t].shape) == 4

    for t in filter(image, graph.inputs):
        nchw[t] = draft.like(t, shape=tuple(draft.tensors[t].shape[i] for i in _TO_NCHW))
    inputs = [nchw.get(t, t) for t in graph.inputs]
    for op in graph.ops:
        y = op.outputs[0]
        attributes = _in_nchw(op) if all(image(t) for t in (*op.inputs, y)) else None
        if attributes is not None:
            shape = tuple(draft.tensors[y].shape[i] for i in _TO_NCHW)
            nchw[y] = draft.like(y, shape=shape)
            reads = tuple(nchw[t] for t in op.inputs)
            draft.ops.append(dataclasses.replace(op, inputs=reads, outputs=(nchw[y],), attributes=attributes))
            continue
        reads = tuple(draft.transpose(nchw[t], _TO_NHWC) if image(t) else t for t in op.inputs)
        draft.ops.append(dataclasses.replace(op, inputs=reads))
        if image(y):
            nchw[y] = draft.transpose(y, _TO_NCHW)
    return draft.finish(inputs=tuple(inputs), outputs=tuple(nchw.get(t, t) for t in graph.outputs))


def _in_nchw(op: Op) -> Attributes | None:
    """The attributes of an operator on NCHW images; None where it wants NHWC."""
    a = op.attributes
    if op.kind in (OpKind.ADD, OpKind.MUL, OpKind.QUANTIZE):
        return a
    if isinstance(a, PadAttributes):
        return PadAttributes(tuple(a.paddings[i] for i in _TO_NCHW))
    if isinstance(a, ConcatenationAttributes):
        return dataclasses.replace(a, axis=_TO_NCHW.index(a.axis))
    if isinstance(a, MeanAttributes) and a.keep_dims:
        return dataclasses.replace(a, axes=tuple(sorted(_TO_NCHW.index(axis) for axis in a.axes)))
    return None
