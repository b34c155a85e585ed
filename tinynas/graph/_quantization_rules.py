"""What the int8 kernels demand of scales and zero points: the rules that LiteRT's `Prepare` functions enforce."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from tinynas.graph._graph import Graph, GraphError
from tinynas.graph._names import short_name
from tinynas.graph._ops import Activation, ConcatenationAttributes, Op, OpKind, SoftmaxAttributes
from tinynas.graph._tensor import DType, Quantization, Tensor
from tinynas.graph.fixed_point._arithmetic import quantize_multiplier
from tinynas.graph.fixed_point._parameters import add_parameters, mul_multiplier, requantization_multiplier
from tinynas.graph.fixed_point._softmax import softmax_parameters

_INTEGERS = (DType.INT8, DType.UINT8)
_CHANNEL_AXIS = {OpKind.CONV_2D: 0, OpKind.DEPTHWISE_CONV_2D: 3, OpKind.FULLY_CONNECTED: 0}
_COPYING = (OpKind.AVERAGE_POOL_2D, OpKind.MAX_POOL_2D, OpKind.CONCATENATION, OpKind.PAD)
_MOVES_WEIGHTS = (OpKind.RESHAPE, OpKind.TRANSPOSE, OpKind.EXPAND_DIMS, OpKind.SQUEEZE)
_SOFTMAX_SCALE = 1 / 256
# FULLY_CONNECTED rounds once. Beyond this, outputs of sums of no more than two bytes leave int32, and runtimes differ.
_LARGEST_SHIFT = {OpKind.CONV_2D: 31, OpKind.DEPTHWISE_CONV_2D: 31, OpKind.FULLY_CONNECTED: 15}


def check_quantization(graph: Graph, op: Op, where: str, static: Collection[int] = ()) -> None:
    """Check the rules for one operator, as far as its tensors have quantization.

    Args:
        graph: The graph.
        op: One of its operators.
        where: What messages start with.
        static: Tensors that follow from constants alone. As weights do, they may have a scale per channel where they
            are moved.

    Raises:
        GraphError: A rule is broken; the message starts with `where`.
    """
    if isinstance(op.attributes, ConcatenationAttributes) and op.attributes.activation is not Activation.NONE:
        raise GraphError(f"{where}: no runtime fuses an activation into CONCATENATION")
    output = graph.tensors[op.outputs[0]]
    moved = op.kind in _MOVES_WEIGHTS
    for position, index in enumerate(op.inputs):
        if index >= 0 and (op.kind not in _CHANNEL_AXIS or position == 0) and not (moved and index in static):
            check_activation(graph.tensors[index], where)
    if not (moved and op.outputs[0] in static):
        check_activation(output, where)
    if op.kind in _CHANNEL_AXIS:
        _check_weights(graph.tensors[op.inputs[1]], _CHANNEL_AXIS[op.kind], op.kind, where)
        if op.kind is OpKind.FULLY_CONNECTED and len(op.inputs) > 2 and op.inputs[2] >= 0:
            _check_bias([graph.tensors[i].quantization for i in op.inputs], output.quantization, where)
    elif op.kind in _COPYING:
        _check_copy(graph, op, output, where)
    elif op.kind is OpKind.SOFTMAX and output.dtype is DType.INT8 and output.quantization is not None:
        q = output.quantization
        # LiteRT allows a thousandth of the scale: activations.cc, SoftmaxPrepare.
        if q.zero_point != -128 or not math.isclose(q.scale, _SOFTMAX_SCALE, rel_tol=1e-3):
            raise GraphError(f"{where}: an int8 SOFTMAX gives scale 1/256 and zero point -128, not {_described(q)}")
    _check_rescaling(op, [graph.tensors[i] for i in op.inputs if i >= 0], output, where)


def check_activation(tensor: Tensor, where: str) -> None:
    """Check that a tensor has one scale and zero point, as all have that are computed or given.

    Raises:
        GraphError: It has several; the message starts with `where`.
    """
    q = tensor.quantization
    if q is None or tensor.dtype not in _INTEGERS:
        return
    if q.per_channel:
        raise GraphError(
            f"{where}: activation {short_name(tensor.name)!r} has {len(q.scales)} scales; only weights have several"
        )


def _check_weights(weights: Tensor, axis: int, kind: OpKind, where: str) -> None:
    q = weights.quantization
    if q is None or weights.dtype is not DType.INT8:
        return
    if q.per_channel and q.axis != axis:
        raise GraphError(
            f"{where}: weights {short_name(weights.name)!r} are quantized along axis {q.axis}, the kernel wants {axis}"
        )
    if any(q.zero_points) and (q.per_channel or kind is not OpKind.FULLY_CONNECTED):
        raise GraphError(
            f"{where}: weights {short_name(weights.name)!r} have a zero point, the kernel assumes symmetric weights"
        )


def _check_bias(inputs: Sequence[Quantization | None], output: Quantization | None, where: str) -> None:
    """The bias has the scale of the accumulator. Both runtimes ask for that here and not in convolutions."""
    x, weights, bias = inputs
    if x is None or weights is None or bias is None or output is None or weights.per_channel or bias.per_channel:
        return
    # kernel_util.cc, GetQuantizedConvolutionMultipler: within 2 % of an output step.
    if not abs(x.scale * weights.scale - bias.scale) <= 0.02 * output.scale:
        raise GraphError(
            f"{where}: the bias has scale {bias.scale:g}, input and weights have {x.scale:g} * {weights.scale:g}: "
            "quantize the model again"
        )


def _check_copy(graph: Graph, op: Op, output: Tensor, where: str) -> None:
    """These kernels copy or average int8 values without rescaling."""
    if output.quantization is None or output.dtype is not DType.INT8:
        return
    for index in op.inputs:
        x = graph.tensors[index]
        if x.quantization is not None and not _same(x.quantization, output.quantization):
            raise GraphError(
                f"{where} does not rescale: its input {short_name(x.name)!r} has {_described(x.quantization)}, "
                f"its output {_described(output.quantization)}"
            )


def _check_rescaling(op: Op, inputs: Sequence[Tensor], output: Tensor, where: str) -> None:
    """The factors between the scales must be expressible in the integers of the kernels."""
    scaled = [tensor.quantization for tensor in (*inputs, output) if tensor.dtype in _INTEGERS]
    quantizations = [q for q in scaled if q is not None]
    if output.dtype not in _INTEGERS or len(quantizations) < len(scaled) or len(scaled) < 2:
        return
    x, last = quantizations[0], quantizations[-1]
    try:
        if op.kind in _CHANNEL_AXIS:
            factor = x.scale * max(quantizations[1].scales) / last.scale
            if quantize_multiplier(factor).shift > _LARGEST_SHIFT[op.kind]:
                raise ValueError(f"a factor of {factor:g} from accumulators to outputs is more than the kernel takes")
        elif op.kind is OpKind.ADD:
            add_parameters(x, quantizations[1], last)
        elif op.kind is OpKind.MUL:
            mul_multiplier(x, quantizations[1], last)
        elif op.kind in (OpKind.MEAN, OpKind.QUANTIZE):
            requantization_multiplier(x, last)
        elif isinstance(op.attributes, SoftmaxAttributes):
            softmax_parameters(x.scale, op.attributes.beta)
    except ValueError as error:
        raise GraphError(f"{where}: {error}") from error


def _same(a: Quantization, b: Quantization) -> bool:
    # The tolerance is that of LiteRT's pooling.cc.
    return a.zero_point == b.zero_point and abs(a.scale - b.scale) <= 1e-6


def _described(q: Quantization) -> str:
    return f"scale {q.scale:g} and zero point {q.zero_point}"
