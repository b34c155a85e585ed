"""Operators in the file: builtin codes, names, options, and inputs that are attributes here."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from tinynas.formats._flatbuffer import FileModel, FileOperator
from tinynas.graph import Activation, OpKind, Padding

BUILTIN_CODES: dict[OpKind, int] = {kind: getattr(schema.BuiltinOperator, kind.value) for kind in OpKind}
KIND_OF_CODE: dict[int, OpKind] = {code: kind for kind, code in BUILTIN_CODES.items()}
NAME_OF_CODE: dict[int, str] = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}

OPTIONS_NAMES: dict[OpKind, str] = {
    OpKind.CONV_2D: "Conv2DOptions",
    OpKind.DEPTHWISE_CONV_2D: "DepthwiseConv2DOptions",
    OpKind.FULLY_CONNECTED: "FullyConnectedOptions",
    OpKind.AVERAGE_POOL_2D: "Pool2DOptions",
    OpKind.MAX_POOL_2D: "Pool2DOptions",
    OpKind.ADD: "AddOptions",
    OpKind.MUL: "MulOptions",
    OpKind.CONCATENATION: "ConcatenationOptions",
    OpKind.PAD: "PadOptions",
    OpKind.MEAN: "ReducerOptions",
    OpKind.SOFTMAX: "SoftmaxOptions",
    OpKind.RESHAPE: "ReshapeOptions",
    OpKind.QUANTIZE: "QuantizeOptions",
    OpKind.DEQUANTIZE: "DequantizeOptions",
    OpKind.RESIZE_NEAREST_NEIGHBOR: "ResizeNearestNeighborOptions",
    OpKind.TRANSPOSE: "TransposeOptions",
    OpKind.EXPAND_DIMS: "ExpandDimsOptions",
    OpKind.SQUEEZE: "SqueezeOptions",
    OpKind.SHAPE: "ShapeOptions",
    OpKind.STRIDED_SLICE: "StridedSliceOptions",
    OpKind.PACK: "PackOptions",
}

CONSTANT_INPUTS: dict[OpKind, tuple[str, ...]] = {
    OpKind.PAD: ("paddings",),
    OpKind.MEAN: ("axes",),
    OpKind.RESHAPE: ("shape",),
    OpKind.RESIZE_NEAREST_NEIGHBOR: ("size",),
    OpKind.TRANSPOSE: ("permutation",),
    OpKind.EXPAND_DIMS: ("axis",),
    OpKind.STRIDED_SLICE: ("begin", "end", "strides"),
}
"""Operators whose inputs behind the first one are constants in the file and attributes here, and what they hold."""

PADDINGS = {0: Padding.SAME, 1: Padding.VALID}
ACTIVATIONS = {0: Activation.NONE, 1: Activation.RELU, 2: Activation.RELU_N1_TO_1, 3: Activation.RELU6}


def computed_from_constants(model: FileModel) -> frozenset[int]:
    """The tensors that operators compute from constants alone, or from the shape of a tensor."""
    computed: set[int] = set()
    constant = {i for i, tensor in enumerate(model.tensors) if tensor.data is not None}
    for operator in model.operators:
        kind = KIND_OF_CODE.get(operator.builtin_code)
        known = all(t == -1 or t in constant or t in computed for t in operator.inputs)
        if kind is OpKind.SHAPE or (kind is not None and operator.inputs and known):
            computed.update(operator.outputs)
    return frozenset(computed)


def operands(operator: FileOperator, computed: frozenset[int]) -> tuple[int, ...]:
    """The inputs of a known operator that are inputs in the graph as well.

    The others are attributes (`CONSTANT_INPUTS`): all that follow the first one, but for the shape of a RESHAPE that is
    among the tensors `computed` from constants.
    """
    kind = KIND_OF_CODE[operator.builtin_code]
    if kind not in CONSTANT_INPUTS or (kind is OpKind.RESHAPE and computed.issuperset(operator.inputs[1:])):
        return operator.inputs
    return operator.inputs[: max(1, len(operator.inputs) - len(CONSTANT_INPUTS[kind]))]
