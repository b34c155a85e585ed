"""Operators that compute each element on its own: in int8 each is a table of 256 entries."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tinynas.graph._attributes import Attributes
from tinynas.graph._commuting import elementwise_commuted
from tinynas.graph._operator import Op, OpSpec, Shape
from tinynas.graph._tensor import Quantization
from tinynas.graph.fixed_point import (
    Runtime,
    absolute_table,
    elu_table,
    hard_swish_exponents,
    hard_swish_table,
    inverse_scale,
    leaky_multipliers,
    leaky_table,
    logistic_table,
    rectifier_6_table,
    rectifier_multiplier,
    rectifier_table,
    tanh_table,
)
from tinynas.graph.reference._node import Array, Node, required

Table = npt.NDArray[np.int8]
Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class UnaryAttributes(Attributes):
    """LOGISTIC, TANH, HARD_SWISH, ELU, ABS and the RELUs. inputs: x of any shape."""


@dataclass(frozen=True)
class LeakyReluAttributes(Attributes):
    """LEAKY_RELU: x where it is not negative, else alpha * x. inputs: x of any shape."""

    alpha: float


def _shape(op: Op, input_shapes: Sequence[Shape]) -> Shape:
    return tuple(input_shapes[0])


def by_table(real: Callable[[Op, Float], Float]) -> Callable[[Node, Sequence[Array | None]], Array]:
    """The reference of an operator with a table.

    Args:
        real: (operator, values) -> what it computes in float32.
    """

    def reference(node: Node, arrays: Sequence[Array | None]) -> Array:
        x = required(arrays, 0)
        if node.is_float:
            return np.asarray(real(node.op, x), np.float32)
        x_quantization, output = node.quantization(node.input(0)), node.quantization(node.output)
        table = node.op.table(x_quantization, output, node.runtime)
        return table[x.astype(np.int16) + 128]

    return reference


def _spec(
    name: str,
    description: str,
    real: Callable[[Op, Float], Float],
    table: Callable[[Op, Quantization, Quantization, Runtime], Table],
    rescaling: Callable[[Op, Sequence[Quantization]], object] | None = None,
    *,
    fixed_output: Quantization | None = None,
    attributes: type[Attributes] = UnaryAttributes,
) -> OpSpec:
    return OpSpec(
        name=name,
        description=description,
        support="int8",
        attributes=attributes,
        shapes=_shape,
        reference=by_table(real),
        elementwise=True,
        fixed_output=fixed_output,
        rescaling=rescaling,
        table=table,
        commuted=elementwise_commuted,
    )


def _rectifier(name: str, description: str, low: float, high: float) -> OpSpec:
    def real(op: Op, x: Float) -> Float:
        clamped: Float = np.minimum(np.maximum(x, np.float32(low)), np.float32(high))
        return clamped

    def table(op: Op, x: Quantization, output: Quantization, runtime: Runtime) -> Table:
        return rectifier_table(x, output, low, high, runtime)

    return _spec(name, description, real, table, _rescale_rectifier)


def _rescale_rectifier(op: Op, quantizations: Sequence[Quantization]) -> object:
    return rectifier_multiplier(quantizations[0], quantizations[-1])


def _logistic(op: Op, x: Float) -> Float:
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-x))


def _tanh(op: Op, x: Float) -> Float:
    return np.tanh(x)


def _elu(op: Op, x: Float) -> Float:
    values: Float = np.where(x < 0, np.expm1(np.minimum(x, 0)), x)
    return values


def _rescale_elu(op: Op, quantizations: Sequence[Quantization]) -> object:
    return inverse_scale(quantizations[-1])


def _hard_swish(op: Op, x: Float) -> Float:
    values: Float = x * np.clip(x + np.float32(3), np.float32(0), np.float32(6)) / np.float32(6)
    return values


def _rescale_hard_swish(op: Op, quantizations: Sequence[Quantization]) -> object:
    return hard_swish_exponents(quantizations[0], quantizations[-1])


def _alpha(op: Op) -> float:
    assert isinstance(op.attributes, LeakyReluAttributes)
    return op.attributes.alpha


def _leaky(op: Op, x: Float) -> Float:
    return np.where(x > 0, x, x * np.float32(_alpha(op)))


def _rescale_leaky(op: Op, quantizations: Sequence[Quantization]) -> object:
    return leaky_multipliers(quantizations[0], quantizations[-1], _alpha(op))


def _without_attributes(
    table: Callable[[Quantization, Quantization, Runtime], Table],
) -> Callable[[Op, Quantization, Quantization, Runtime], Table]:
    return lambda op, x, output, runtime: table(x, output, runtime)


SPECS = (
    _spec(
        "LOGISTIC",
        "1 / (1 + exp(-x))",
        _logistic,
        _without_attributes(logistic_table),
        fixed_output=Quantization((1 / 256,), (-128,)),
    ),
    _spec(
        "TANH",
        "hyperbolic tangent",
        _tanh,
        _without_attributes(tanh_table),
        fixed_output=Quantization((1 / 128,), (0,)),
    ),
    _spec(
        "HARD_SWISH",
        "x * clamp(x + 3, 0, 6) / 6",
        _hard_swish,
        lambda op, x, output, runtime: hard_swish_table(x, output),
        _rescale_hard_swish,
    ),
    _spec("ELU", "x where it is not negative, else exp(x) - 1", _elu, _without_attributes(elu_table), _rescale_elu),
    _spec(
        "LEAKY_RELU",
        "x where it is not negative, else alpha * x",
        _leaky,
        lambda op, x, output, runtime: leaky_table(x, output, _alpha(op), runtime),
        _rescale_leaky,
        attributes=LeakyReluAttributes,
    ),
    _rectifier("RELU", "clamp from 0 on, as an operator of its own", 0.0, math.inf),
    _spec(
        "RELU6",
        "clamp to 0 and 6, as an operator of its own",
        lambda op, x: np.clip(x, np.float32(0), np.float32(6)),
        _without_attributes(rectifier_6_table),
        _rescale_rectifier,
    ),
    _rectifier("RELU_N1_TO_1", "clamp to -1 and 1, as an operator of its own", -1.0, 1.0),
    _rectifier("RELU_0_TO_1", "clamp to 0 and 1", 0.0, 1.0),
    _spec(
        "ABS",
        "magnitude",
        lambda op, x: np.abs(x),
        _without_attributes(absolute_table),
        _rescale_rectifier,
    ),
)
