"""What the int8 kernels demand of scales and zero points: the rules that LiteRT's `Prepare` functions enforce."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from tinynas.graph._errors import GraphError
from tinynas.graph._graph import Graph
from tinynas.graph._names import short_name
from tinynas.graph._operator import Op
from tinynas.graph._tensor import DType, Quantization, Tensor
from tinynas.graph.fixed_point import quantize_multiplier

_INTEGERS = (DType.INT8, DType.UINT8)


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
    spec = op.spec
    for position, index in enumerate(op.inputs):
        moved = spec.moves_weights and index in static
        if index >= 0 and (spec.weights is None or position == 0) and not moved:
            check_activation(graph.tensors[index], where)
    for index in op.outputs:
        if not (spec.moves_weights and index in static):
            check_activation(graph.tensors[index], where)
    inputs = [graph.tensors[t] if t >= 0 else None for t in op.inputs]
    outputs = [graph.tensors[t] for t in op.outputs]
    if spec.check is not None:
        spec.check(op, inputs, outputs, where)
    for output in outputs:
        if spec.fixed_output is not None:
            _check_fixed(op, output, spec.fixed_output, where)
        _check_rescaling(op, [tensor for tensor in inputs if tensor is not None], output, where)


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


def check_weights(op: Op, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], where: str) -> None:
    """The `OpSpec.check` of operators with weights: along which dimension they are quantized, and their zero point."""
    weights, rules = inputs[1], op.weights
    if weights is None or rules is None or weights.quantization is None or weights.dtype is not DType.INT8:
        return
    q = weights.quantization
    if q.per_channel and q.axis != rules.channel_axis:
        raise GraphError(
            f"{where}: weights {short_name(weights.name)!r} are quantized along axis {q.axis}, "
            f"the kernel wants {rules.channel_axis}"
        )
    if any(q.zero_points) and (q.per_channel or not rules.may_have_zero_point):
        raise GraphError(
            f"{where}: weights {short_name(weights.name)!r} have a zero point, the kernel assumes symmetric weights"
        )


def rescale_weights(op: Op, quantizations: Sequence[Quantization]) -> None:
    """The `OpSpec.rescaling` of operators with weights: from accumulators to outputs, for every channel."""
    assert op.weights is not None
    x, weights, output = quantizations[0], quantizations[1], quantizations[-1]
    factor = x.scale * max(weights.scales) / output.scale
    if quantize_multiplier(factor).shift > op.weights.largest_shift:
        raise ValueError(f"a factor of {factor:g} from accumulators to outputs is more than the kernel takes")


def check_copy(op: Op, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor], where: str) -> None:
    """The `OpSpec.check` of kernels that copy or average int8 values without rescaling."""
    output = outputs[0]
    if output.quantization is None or output.dtype is not DType.INT8:
        return
    for x in inputs:
        if x is not None and x.quantization is not None and not _same(x.quantization, output.quantization):
            raise GraphError(
                f"{where} does not rescale: its input {short_name(x.name)!r} has {_described(x.quantization)}, "
                f"its output {_described(output.quantization)}"
            )


def _check_fixed(op: Op, output: Tensor, fixed: Quantization, where: str) -> None:
    q = output.quantization
    if q is None or output.dtype is not DType.INT8:
        return
    # LiteRT allows a thousandth of the scale: activations.cc, SoftmaxPrepare.
    if q.zero_point != fixed.zero_point or not math.isclose(q.scale, fixed.scale, rel_tol=1e-3):
        raise GraphError(
            f"{where}: an int8 {op.kind} gives scale 1/{1 / fixed.scale:g} and zero point {fixed.zero_point}, "
            f"not {_described(q)}"
        )


def _check_rescaling(op: Op, inputs: Sequence[Tensor], output: Tensor, where: str) -> None:
    """The factors between the scales must be expressible in the integers of the kernels."""
    if op.spec.rescaling is None:
        return
    scaled = [tensor.quantization for tensor in (*inputs, output) if tensor.dtype in _INTEGERS]
    quantizations = [q for q in scaled if q is not None]
    if output.dtype not in _INTEGERS or len(quantizations) < len(scaled) or len(scaled) < 2:
        return
    try:
        op.spec.rescaling(op, quantizations)
    except ValueError as error:
        raise GraphError(f"{where}: {error}") from error


def _same(a: Quantization, b: Quantization) -> bool:
    # The tolerance is that of LiteRT's pooling.cc.
    return a.zero_point == b.zero_point and abs(a.scale - b.scale) <= 1e-6


def _described(q: Quantization) -> str:
    return f"scale {q.scale:g} and zero point {q.zero_point}"
