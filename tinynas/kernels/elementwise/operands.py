"""What ADD and MUL share: operands of equal shapes, or broadcast."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tinynas.graph import OpKind, Tensor
from tinynas.kernels._constants import Fields, StepConstants
from tinynas.kernels._fields import constant_operands
from tinynas.kernels._kernel import KernelCall, KernelVariant, ParameterStructure, structure_and_operands
from tinynas.kernels._rank_4 import ROW_LOOPS, braces, low_rank, output_rows_features, rank_4, strides
from tinynas.kernels._weights import quantization_of

ELEMENT_LOOPS = {"elements": "output elements"}
"""What `element_features` counts."""


def same_shape(call: KernelCall) -> bool:
    """Whether no operand is broadcast."""
    a, b = call.operands
    return a.shape == b.shape


def element_features(call: KernelCall) -> dict[str, float]:
    """Loop counts of one loop over the output."""
    return {"calls": 1, "elements": call.output.elements}


def elementwise_constants(
    call: KernelCall, name: str, quantization: Mapping[str, str | int], shape: Fields
) -> StepConstants:
    """Operands that are constants, the fields of the quantization, and those that say what is walked over."""
    return StepConstants(*constant_operands(call, name, {"quantization": quantization, **shape}))


def broadcast_variant(
    name: str,
    kind: OpKind,
    parameters: ParameterStructure,
    quantization: Callable[[KernelCall], Mapping[str, str | int]],
) -> KernelVariant:
    """The kernel of operands that are broadcast.

    Args:
        name: of the kernel, its source and its symbol.
        kind: which operator it computes.
        parameters: its structure, with the fields of `tn_broadcast` in `broadcast`.
        quantization: the fields of its `quantization`.
    """

    def pack(call: KernelCall, step: str) -> StepConstants:
        return elementwise_constants(call, step, quantization(call), {"broadcast": _broadcast_fields(call)})

    return KernelVariant(
        name=name,
        kinds=(kind,),
        source=f"elementwise/{name}.c",
        symbol=f"tn_{name}",
        parameters=parameters,
        applies=low_rank,
        constant_bytes=structure_and_operands(parameters),
        pack=pack,
        features=output_rows_features,
        loops=ROW_LOOPS,
        in_place=True,
    )


def zero_points(call: KernelCall) -> dict[str, int]:
    """Of both operands and the output."""
    tensors = (*call.operands, call.output)
    return {
        f"{role}_zero_point": quantization_of(tensor).zero_point
        for role, tensor in zip(("a", "b", "output"), tensors, strict=True)
    }


def _broadcast_fields(call: KernelCall) -> dict[str, str]:
    """The fields of `tn_broadcast`."""
    a, b = call.operands
    return {
        "extents": braces(rank_4(call.output)),
        "a_strides": braces(_broadcast_strides(a)),
        "b_strides": braces(_broadcast_strides(b)),
    }


def _broadcast_strides(tensor: Tensor) -> tuple[int, ...]:
    shape = rank_4(tensor)
    return tuple(0 if size == 1 else stride for size, stride in zip(shape, strides(shape), strict=True))
