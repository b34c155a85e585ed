"""What an operator takes of TFLM's arena, as each operator's file declares it.

A kernel's `Init` allocates its data, its `Prepare` allocates more persistent buffers, requests scratch buffers, and
looks at tensors, each for as long as `Prepare` runs. Paths are below `tensorflow/lite/micro` of tflite-micro;
parameters are in `builtin_op_data.h`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tinynas.errors import ModelError
from tinynas.graph import DType, Graph, Op
from tinynas.memory.tflm._layout import Array, Scalar, Struct

POINTER, ENUM, BOOL, INT8, INT16, INT32, FLOAT, DOUBLE = (
    Scalar.POINTER,
    Scalar.ENUM,
    Scalar.BOOL,
    Scalar.INT8,
    Scalar.INT16,
    Scalar.INT32,
    Scalar.FLOAT,
    Scalar.DOUBLE,
)

PARAMETERS_SOURCE = "builtin_op_data.h"

PADDING_VALUES = Struct("TfLitePaddingValues", PARAMETERS_SOURCE, {"width, height and their offsets": Array(INT32, 4)})

CMSIS_BUFFER_INDEX = {"buffer_idx": INT32}
"""At the end of the data of a CMSIS-NN kernel that requests a scratch buffer."""

INDEX_BYTES = 4
"""Of the `int` and `int32_t` that kernels count and accumulate with."""

OPERATOR_CONSTANT = -2
"""Stands for the tensor that holds an operator's constant (paddings, axes, size, permutation): not in the graph."""


class TflmUnsupportedError(ModelError):
    """A network that TFLM refuses to prepare, or of which it is not known what TFLM keeps."""


@dataclass(frozen=True)
class KernelNeeds:
    """What one kernel takes of the arena.

    Attributes:
        data: The structure that `Init` allocates in the tail, or None.
        persistent_bytes: Buffers that `Prepare` allocates in the tail, in order, each with what it holds.
        scratch_bytes: Scratch buffers that `Prepare` requests in the head, in order.
        looks_at: Tensors that `Prepare` looks at, in order. Each takes a TfLiteTensor with its quantization in the
            head until the kernel is prepared.
    """

    data: Struct | None
    persistent_bytes: tuple[tuple[str, int], ...] = ()
    scratch_bytes: tuple[int, ...] = ()
    looks_at: tuple[int, ...] = ()


Needs = Callable[[Graph, Op], KernelNeeds]
"""What a kernel asks of the arena: a function of the operator and its tensors."""


@dataclass(frozen=True)
class TflmOperator:
    """What TFLM keeps for an operator.

    Attributes:
        name: Of the operator.
        reference: What the reference kernel asks of the arena.
        cmsis_nn: The same of the kernel of CMSIS-NN, on a core with DSP extension and without Helium (Cortex-M4, M7,
            M33), built with gcc or clang for speed. None: it is the reference kernel.
        parameters: What is parsed from the file and kept in the tail. None: its parser allocates nothing.
    """

    name: str
    reference: Needs
    cmsis_nn: Needs | None = None
    parameters: Struct | None = None


def per_channel(channels: int) -> tuple[tuple[str, int], ...]:
    """The multiplier and shift of each output channel (`PopulateConvolutionQuantizationParams`)."""
    return (
        ("per-channel multipliers", channels * INDEX_BYTES),
        ("per-channel shifts", channels * INDEX_BYTES),
    )


def weights_and_bias(op: Op) -> tuple[int, ...]:
    """The weights and, if there is one, the bias of an operator that has them."""
    return tuple(t for t in op.inputs[1:] if t >= 0)


def simple(data: Struct | None) -> Needs:
    """A kernel that only looks at its inputs, constants of the file included, and its outputs."""

    def needs(graph: Graph, op: Op) -> KernelNeeds:
        constants = (OPERATOR_CONSTANT,) * len(op.spec.constants_of_file(op))
        return KernelNeeds(data, looks_at=(*op.inputs, *constants, *op.outputs))

    return needs


def with_data(needs: Needs, data: Struct) -> Needs:
    """The same with another structure of data."""
    return lambda graph, op: replace(needs(graph, op), data=data)


def is_int8(graph: Graph, op: Op) -> bool:
    """Whether the operator runs on int8."""
    return graph.tensors[op.inputs[0]].dtype is DType.INT8
