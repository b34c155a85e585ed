"""Damage to the network that a model file holds, where the file itself stays whole: wiring, order, types, scales.

Random bytes and fields are mostly refused by the first check that meets them. What is changed here keeps as much
consistent as it can (a tensor is exchanged for one of the same shape, say), so that it gets past the reader and meets
what lies behind it. All functions change the objects of the schema in place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_SCALES = (1e-45, 1e-30, 1e-8, 1e-3, 0.5, 3.0, 1e8, 1e30, 3e38, 0.0, -1.0, math.inf, math.nan)
_ZERO_POINTS = (-129, -128, -1, 0, 1, 127, 128, 255, 1 << 31, -(1 << 31), (1 << 63) - 1)
_DIMENSIONS = (0, -1, 1, 2, 3, 7, 1 << 10, 1 << 16, 1 << 24, (1 << 31) - 1)
_NUMBERS = (-1, 0, 1, 2, 3, 4, 17, 255, 1 << 16, (1 << 31) - 1)
_EXTREME_BYTES = (0x00, 0x7F, 0x80, 0xFF)
_PLAN = "OfflineMemoryAllocation"


def damage_network(model: Any, rng: np.random.Generator) -> None:
    """Change one thing about the network of `model` (a `ModelT`), sometimes two or three."""
    for _ in range(int(rng.choice((1, 2, 3), p=(0.7, 0.2, 0.1)))):
        graph = model.subgraphs[0]
        if graph.operators and graph.tensors:
            _NETWORK_DAMAGE[rng.integers(len(_NETWORK_DAMAGE))](model, graph, rng)


def _some(values: Any, rng: np.random.Generator) -> Any:
    return values[int(rng.integers(len(values)))]


def _alike(graph: Any, tensor: int, rng: np.random.Generator) -> int:
    """A tensor of the shape and type of `tensor`, as far as there is one: so wired, a network is often valid."""
    if not 0 <= tensor < len(graph.tensors) or rng.random() < 0.15:
        return int(rng.integers(len(graph.tensors)))
    wanted = graph.tensors[tensor]
    key = (wanted.type, list(wanted.shape) if wanted.shape is not None else [])
    found = [i for i, t in enumerate(graph.tensors) if (t.type, list(t.shape) if t.shape is not None else []) == key]
    return int(_some(found, rng))


def _other_input(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """An operator reads another tensor: of a later operator (a circle), or what leaves the result of one unread."""
    op = _some(graph.operators, rng)
    inputs = list(op.inputs if op.inputs is not None else [])
    if inputs:
        place = int(rng.integers(len(inputs)))
        inputs[place] = _alike(graph, inputs[place], rng)
        op.inputs = inputs


def _other_output(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """An operator writes another tensor: one that has a writer, an input of the network, a constant."""
    op = _some(graph.operators, rng)
    outputs = list(op.outputs if op.outputs is not None else [])
    if outputs:
        op.outputs = [_alike(graph, outputs[0], rng), *outputs[1:]]


def _other_interface(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """The network has other inputs or outputs: fewer, several, one twice, any tensor."""
    name = _some(("inputs", "outputs"), rng)
    listed = list(getattr(graph, name) if getattr(graph, name) is not None else [])
    choice = int(rng.integers(4))
    if choice == 0 and listed:
        listed[int(rng.integers(len(listed)))] = int(rng.integers(len(graph.tensors)))
    elif choice == 1:
        listed.append(int(rng.integers(len(graph.tensors))))
    elif choice == 2 and listed:
        listed.append(int(_some(listed, rng)))
    elif listed:
        written = [t for op in graph.operators for t in (op.outputs if op.outputs is not None else [])]
        listed[0] = int(_some(written, rng)) if written else 0
    setattr(graph, name, listed)


def _operator_missing(model: Any, graph: Any, rng: np.random.Generator) -> None:
    del graph.operators[int(rng.integers(len(graph.operators)))]


def _operator_twice(model: Any, graph: Any, rng: np.random.Generator) -> None:
    graph.operators.insert(int(rng.integers(len(graph.operators) + 1)), _some(graph.operators, rng))


def _operators_exchanged(model: Any, graph: Any, rng: np.random.Generator) -> None:
    a, b = (int(rng.integers(len(graph.operators))) for _ in range(2))
    graph.operators[a], graph.operators[b] = graph.operators[b], graph.operators[a]


def _other_code(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """An operator of another kind, with the options of the old one, with none, or all operators of one kind."""
    code = int(rng.integers(-1, 160))
    if rng.random() < 0.5:
        _some(graph.operators, rng).opcodeIndex = int(rng.integers(len(model.operatorCodes)))
        return
    entry = _some(model.operatorCodes, rng)
    entry.builtinCode, entry.deprecatedBuiltinCode = code, max(-1, min(code, 127))
    if rng.random() < 0.5:
        for op in graph.operators:
            if model.operatorCodes[op.opcodeIndex] is entry:
                op.builtinOptionsType, op.builtinOptions = 0, None


def _inputs_of_other_number(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """No bias, a bias of another length, an input too many, an absent one."""
    op = _some(graph.operators, rng)
    inputs = list(op.inputs if op.inputs is not None else [])
    choice = int(rng.integers(4))
    if choice == 0:
        inputs = inputs[:-1]
    elif choice == 1 and inputs:
        inputs[int(rng.integers(len(inputs)))] = -1
    elif choice == 2 and inputs:
        inputs[-1] = int(rng.integers(len(graph.tensors)))
    else:
        inputs.append(int(rng.integers(-1, len(graph.tensors))))
    op.inputs = inputs


def _scales_changed(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """The scales of a tensor, or of all tensors of its type: a product of two may overflow or vanish."""
    tensor = _some(graph.tensors, rng)
    scale = float(_some(_SCALES, rng))
    for other in graph.tensors if rng.random() < 0.2 else [tensor]:
        if other.type == tensor.type and other.quantization is not None and other.quantization.scale is not None:
            scales = np.array(other.quantization.scale, np.float32)
            if len(scales) and rng.random() < 0.3:
                scales[int(rng.integers(len(scales)))] = scale
            else:
                scales[:] = scale
            other.quantization.scale = scales


def _zero_points_changed(model: Any, graph: Any, rng: np.random.Generator) -> None:
    quantization = _some(graph.tensors, rng).quantization
    if quantization is not None and quantization.zeroPoint is not None and len(quantization.zeroPoint):
        points = np.array(quantization.zeroPoint, np.int64)
        points[int(rng.integers(len(points)))] = _some(_ZERO_POINTS, rng)
        quantization.zeroPoint = points


def _channels_changed(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """One scale where there were several, several where there was one, along another dimension."""
    quantization = _some(graph.tensors, rng).quantization
    if quantization is None or quantization.scale is None or not len(quantization.scale):
        return
    count = int(_some((1, 2, len(quantization.scale) + 1, len(quantization.scale), 16), rng))
    quantization.scale = np.resize(np.array(quantization.scale, np.float32), count)
    quantization.zeroPoint = np.zeros(count, np.int64)
    quantization.quantizedDimension = int(_some((0, 1, 2, 3, 4, -1, 1 << 30), rng))


def _type_changed(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """Of one tensor, or of all of its type."""
    tensor = _some(graph.tensors, rng)
    old, new = tensor.type, int(rng.integers(-1, 20))
    for other in graph.tensors if rng.random() < 0.3 else [tensor]:
        if other.type == old:
            other.type = new


def _dimension_changed(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """Of one tensor, or of all activations the same one: batches, images too large for any memory."""
    size, dimension = int(_some(_DIMENSIONS, rng)), int(rng.integers(4))
    everywhere = rng.random() < 0.5
    for tensor in graph.tensors if everywhere else [_some(graph.tensors, rng)]:
        empty = model.buffers[tensor.buffer].data is None if 0 <= tensor.buffer < len(model.buffers) else True
        shape = list(tensor.shape if tensor.shape is not None else [])
        if dimension < len(shape) and (empty or not everywhere):
            shape[dimension] = size
            tensor.shape = shape
            if rng.random() < 0.2:
                tensor.shapeSignature = [-1, *shape[1:]]


def _number_of_an_option(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """A stride, a dilation, a filter size, an axis, an activation, beta of SOFTMAX."""
    options = _some(graph.operators, rng).builtinOptions
    if options is None or not vars(options):
        return
    name = _some(sorted(vars(options)), rng)
    if isinstance(getattr(options, name), float):
        setattr(options, name, float(_some(_SCALES, rng)))
    elif isinstance(getattr(options, name), int):
        setattr(options, name, int(_some(_NUMBERS, rng)))


def _data_changed(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """Weights and biases at the ends of their range, cut off, too long; two tensors that share their data."""
    held = [t for t in graph.tensors if 0 < t.buffer < len(model.buffers) and model.buffers[t.buffer].data is not None]
    if not held:
        return
    tensor = _some(held, rng)
    data = np.array(model.buffers[tensor.buffer].data, np.uint8)
    choice = int(rng.integers(5))
    if choice == 0:
        tensor.buffer = _some(held, rng).buffer
        return
    if choice == 1:
        data = data[: int(rng.integers(len(data) + 1))]
    elif choice == 2:
        data = np.append(data, np.zeros(int(rng.integers(1, 9)), np.uint8))
    elif choice == 3:
        data[:] = _some(_EXTREME_BYTES, rng)
    else:  # words, so that a bias of 2**31 - 1 is drawn, too
        words = data[: len(data) // 4 * 4].view("<u4")
        if len(words):
            words[int(rng.integers(len(words)))] = _some((0, 0x7FFFFFFF, 0x80000000, 0x7FC00000, 0x7F800000), rng)
    model.buffers[tensor.buffer].data = data


def _features_of_the_format(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """What the format has and this reader does not: variables, sparse tensors, other files, a second subgraph."""
    tensor = _some(graph.tensors, rng)
    choice = int(rng.integers(6))
    if choice == 0:
        tensor.isVariable = True
    elif choice == 1:
        tensor.sparsity = schema.SparsityParametersT()
    elif choice == 2:
        tensor.externalBuffer = int(rng.integers(1, 9))
    elif choice == 3:
        model.subgraphs.append(_some(model.subgraphs, rng))
    elif choice == 4:
        tensor.shapeSignature = [-1] * int(rng.integers(5))
    else:
        tensor.quantization = None


def _offline_plan(model: Any, graph: Any, rng: np.random.Generator) -> None:
    """A plan of TFLM's arena that does not fit the network."""
    offsets = rng.choice(np.array([-1, 0, 16, 32, 64, 4, -16, 1 << 20, (1 << 31) - 1]), len(graph.tensors))
    count = len(offsets) if rng.random() < 0.7 else int(_some(_NUMBERS, rng))
    version, subgraph = (int(_some((1, 0, 0, 7, -1), rng)) for _ in range(2))
    data = np.array([version, subgraph, count, *offsets], "<i4").tobytes()
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(data[: int(rng.integers(len(data) + 1))] if rng.random() < 0.2 else data, np.uint8)
    entry.name, entry.buffer = _PLAN, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]


_NETWORK_DAMAGE: tuple[Callable[[Any, Any, np.random.Generator], None], ...] = (
    _other_input,
    _other_input,
    _other_output,
    _other_interface,
    _operator_missing,
    _operator_twice,
    _operators_exchanged,
    _other_code,
    _inputs_of_other_number,
    _scales_changed,
    _scales_changed,
    _zero_points_changed,
    _channels_changed,
    _type_changed,
    _dimension_changed,
    _number_of_an_option,
    _data_changed,
    _data_changed,
    _features_of_the_format,
    _offline_plan,
)
