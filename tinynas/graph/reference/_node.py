"""What a kernel of the executor sees: one operator with its tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.graph._attributes import Activation
from tinynas.graph._errors import GraphError
from tinynas.graph._operator import Op
from tinynas.graph._tensor import DType, Quantization, Tensor
from tinynas.graph.fixed_point import Runtime

Array = npt.NDArray[Any]

FLOAT_BOUNDS: dict[Activation, tuple[float, float]] = {
    Activation.RELU: (0.0, np.inf),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
    Activation.RELU6: (0.0, 6.0),
}


@dataclass(frozen=True)
class Node:
    """An operator and the tensors it reads and writes; an absent bias is None."""

    op: Op
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    runtime: Runtime

    @property
    def output(self) -> Tensor:
        """The first output; most operators have no other."""
        return self.outputs[0]

    @property
    def is_float(self) -> bool:
        return self.output.dtype is DType.FLOAT32

    def input(self, position: int) -> Tensor:
        tensor = self.inputs[position]
        assert tensor is not None  # only a bias can be absent, and kernels ask for it by value
        return tensor

    def quantization(self, tensor: Tensor) -> Quantization:
        """The tensor's quantization.

        Raises:
            GraphError: It has none; an int8 skeleton can be counted but not executed.
        """
        if tensor.quantization is None:
            raise GraphError(
                f"{self.op.kind} {self.op.name!r}: tensor {tensor.name!r} has no quantization, so it cannot be executed"
            )
        return tensor.quantization


Kernel = Callable[[Node, Sequence[Array | None]], Array | list[Array]]
"""Takes the inputs and returns the output, or a list of all outputs where there are several. All have the batch as an
extra first dimension (constants: size 1)."""


def clamp_float(values: Array, activation: Activation) -> Array:
    """Fused activation in float32."""
    values = values.astype(np.float32, copy=False)
    bounds = FLOAT_BOUNDS.get(activation)
    return values if bounds is None else np.clip(values, np.float32(bounds[0]), np.float32(bounds[1]))


def required(arrays: Sequence[Array | None], position: int) -> Array:
    """The input at `position`, which is there."""
    array = arrays[position]
    assert array is not None  # validate() admits -1 for biases only
    return array


def reshaped(node: Node, arrays: Sequence[Array | None]) -> Array:
    """The kernel of operators that keep all elements in their order."""
    x = required(arrays, 0)
    return x.reshape(x.shape[0], *node.output.shape)


def of_one_batch(arrays: Sequence[Array | None]) -> list[Array]:
    """All inputs, constants repeated for each member of the batch."""
    parts = [required(arrays, i) for i in range(len(arrays))]
    batch = max(part.shape[0] for part in parts)
    return [np.broadcast_to(part, (batch, *part.shape[1:])) for part in parts]
