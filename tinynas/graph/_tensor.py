"""Tensors: shape, dtype, quantization and, for constants, optional data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class DType(StrEnum):
    """Element types. The integer engine runs int8 activations with int32 biases; float32 is for training graphs.

    Of uint8 are the inputs and outputs of many files; a pass makes them int8 (`tinynas.graph.passes`).
    """

    INT8 = "int8"
    UINT8 = "uint8"
    INT32 = "int32"
    FLOAT32 = "float32"

    @property
    def size_bytes(self) -> int:
        return _SIZE_BYTES[self]

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(self.value)


_SIZE_BYTES = {DType.INT8: 1, DType.UINT8: 1, DType.INT32: 4, DType.FLOAT32: 4}


@dataclass(frozen=True)
class Quantization:
    """Affine quantization, real = scale * (q - zero_point).

    One scale (per tensor) or one per slice along `axis` (per channel; TFLite: axis 0 for CONV_2D weights, 3 for
    DEPTHWISE_CONV_2D weights). Scales are rounded to float32, as files store them, and kept as Python floats: a graph
    and its file then compute with the same numbers.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0

    def __post_init__(self) -> None:
        if not self.scales or len(self.scales) != len(self.zero_points):
            raise ValueError(
                f"quantization needs one zero point per scale, got {len(self.scales)} and {len(self.zero_points)}"
            )
        with np.errstate(over="ignore"):  # validate() refuses what is infinite
            rounded = tuple(np.asarray(self.scales, np.float64).astype(np.float32).astype(np.float64).tolist())
        object.__setattr__(self, "scales", rounded)

    @property
    def per_channel(self) -> bool:
        return len(self.scales) > 1

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantization."""
        if self.per_channel:
            raise ValueError("per-channel quantization has no single scale")
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantization."""
        if self.per_channel:
            raise ValueError("per-channel quantization has no single zero point")
        return self.zero_points[0]


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named array of the graph.

    `constant` marks weights and biases; their `data` is optional, so that a search can count and plan without
    weights. Activations are NHWC with a leading batch dimension (1 in a deployed graph); CONV_2D weights are OHWI,
    DEPTHWISE_CONV_2D weights 1HWC, FULLY_CONNECTED weights OI: the layouts of TFLite.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    quantization: Quantization | None = None
    constant: bool = False
    data: npt.NDArray[np.generic] | None = None

    def __post_init__(self) -> None:
        if self.data is not None:
            if not self.constant:
                raise ValueError(f"tensor {self.name!r} has data but is not constant")
            if tuple(self.data.shape) != self.shape or self.data.dtype != self.dtype.numpy:
                raise ValueError(
                    f"tensor {self.name!r} is declared {self.dtype.value}{list(self.shape)} but its data is "
                    f"{self.data.dtype}{list(self.data.shape)}"
                )

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.elements * self.dtype.size_bytes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tensor):
            return NotImplemented
        if (self.name, self.shape, self.dtype, self.quantization, self.constant) != (
            other.name,
            other.shape,
            other.dtype,
            other.quantization,
            other.constant,
        ):
            return False
        if self.data is None or other.data is None:
            return self.data is other.data
        return np.array_equal(self.data, other.data)

    def __hash__(self) -> int:
        return hash((self.name, self.shape, self.dtype, self.quantization, self.constant))
