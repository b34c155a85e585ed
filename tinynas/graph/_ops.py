"""Operators: their kinds, which are TFLite's builtin names, and their attributes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OpKind(StrEnum):
    """Supported operators, by the names of the TFLite schema's `BuiltinOperator`."""

    CONV_2D = "CONV_2D"
    DEPTHWISE_CONV_2D = "DEPTHWISE_CONV_2D"
    FULLY_CONNECTED = "FULLY_CONNECTED"
    AVERAGE_POOL_2D = "AVERAGE_POOL_2D"
    MAX_POOL_2D = "MAX_POOL_2D"
    ADD = "ADD"
    MUL = "MUL"
    CONCATENATION = "CONCATENATION"
    PAD = "PAD"
    MEAN = "MEAN"
    SOFTMAX = "SOFTMAX"
    RESHAPE = "RESHAPE"
    QUANTIZE = "QUANTIZE"
    DEQUANTIZE = "DEQUANTIZE"
    RESIZE_NEAREST_NEIGHBOR = "RESIZE_NEAREST_NEIGHBOR"
    TRANSPOSE = "TRANSPOSE"
    EXPAND_DIMS = "EXPAND_DIMS"
    SQUEEZE = "SQUEEZE"
    SHAPE = "SHAPE"
    STRIDED_SLICE = "STRIDED_SLICE"
    PACK = "PACK"


REWRITTEN = frozenset((OpKind.EXPAND_DIMS, OpKind.SQUEEZE, OpKind.SHAPE, OpKind.STRIDED_SLICE, OpKind.PACK))
"""Operators of files that no kernel runs: `tinynas.graph.passes` makes a RESHAPE or a constant of each."""


class Padding(StrEnum):
    """TensorFlow padding: SAME pads so that out = ceil(in / stride), the odd row or column at the bottom or right."""

    SAME = "SAME"
    VALID = "VALID"


class Activation(StrEnum):
    """Fused activations of the TFLite schema that the engine supports."""

    NONE = "NONE"
    RELU = "RELU"
    RELU_N1_TO_1 = "RELU_N1_TO_1"
    RELU6 = "RELU6"


@dataclass(frozen=True)
class Conv2DAttributes:
    """CONV_2D. inputs: x [N,H,W,I], weights [O,KH,KW,I/groups], bias [O] or -1. Groups follow from the shapes."""

    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding.SAME
    dilation: tuple[int, int] = (1, 1)
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class DepthwiseConv2DAttributes:
    """DEPTHWISE_CONV_2D. inputs: x [N,H,W,C], weights [1,KH,KW,C*depth_multiplier], bias [C*depth_multiplier] or -1."""

    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding.SAME
    dilation: tuple[int, int] = (1, 1)
    depth_multiplier: int = 1
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class FullyConnectedAttributes:
    """FULLY_CONNECTED. inputs: x [..., I] (flattened to [-1, I] unless keep_num_dims), weights [O,I], bias or -1."""

    activation: Activation = Activation.NONE
    keep_num_dims: bool = False


@dataclass(frozen=True)
class Pool2DAttributes:
    """AVERAGE_POOL_2D and MAX_POOL_2D. inputs: x [N,H,W,C]; the output keeps the input's quantization."""

    filter_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: Padding = Padding.VALID
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class ElementwiseAttributes:
    """ADD and MUL. inputs: a, b of one shape, or one that broadcasts to the other's (NumPy rules)."""

    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class ConcatenationAttributes:
    """CONCATENATION of any number of inputs along `axis` (non-negative)."""

    axis: int = 3
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class PadAttributes:
    """PAD with the input's zero point; `paddings` has (before, after) per dimension. In the file: a constant input."""

    paddings: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class MeanAttributes:
    """MEAN over `axes` (non-negative, ascending). In the file: a constant input."""

    axes: tuple[int, ...] = (1, 2)
    keep_dims: bool = False


@dataclass(frozen=True)
class SoftmaxAttributes:
    """SOFTMAX over the last axis; int8 output has scale 1/256 and zero point -128."""

    beta: float = 1.0


@dataclass(frozen=True)
class ReshapeAttributes:
    """RESHAPE; all dimensions of `shape` are known and positive.

    A second input, int32 [rank], is the shape as the file computes it; `shape` holds what comes of that.
    """

    shape: tuple[int, ...]


@dataclass(frozen=True)
class QuantizeAttributes:
    """QUANTIZE: float32 -> int8 or uint8, or between these two with any parameters (requantization)."""


@dataclass(frozen=True)
class DequantizeAttributes:
    """DEQUANTIZE: int8 or uint8 -> float32."""


@dataclass(frozen=True)
class ResizeNearestNeighborAttributes:
    """RESIZE_NEAREST_NEIGHBOR to `size` = (height, width). In the file: a constant input."""

    size: tuple[int, int]
    align_corners: bool = False
    half_pixel_centers: bool = False


@dataclass(frozen=True)
class TransposeAttributes:
    """TRANSPOSE by `permutation`. In the file: a constant input."""

    permutation: tuple[int, ...]


@dataclass(frozen=True)
class ExpandDimsAttributes:
    """EXPAND_DIMS: a dimension of 1 before `axis` (non-negative). In the file: a constant input."""

    axis: int


@dataclass(frozen=True)
class SqueezeAttributes:
    """SQUEEZE: without the dimensions `axes` (non-negative, ascending), each of 1; without any: all that are 1."""

    axes: tuple[int, ...] = ()


@dataclass(frozen=True)
class ShapeAttributes:
    """SHAPE: the input's dimensions as int32 [rank]."""


@dataclass(frozen=True)
class StridedSliceAttributes:
    """STRIDED_SLICE as in NumPy, one entry per dimension of the input. In the file: three constant inputs.

    Bit i of `begin_mask` and `end_mask` leaves that end of dimension i open, bit i of `shrink_axis_mask` takes the one
    element at `begin` and drops the dimension.
    """

    begin: tuple[int, ...]
    end: tuple[int, ...]
    strides: tuple[int, ...]
    begin_mask: int = 0
    end_mask: int = 0
    shrink_axis_mask: int = 0

    def slices(self) -> tuple[slice | int, ...]:
        """What NumPy indexes the input with."""
        return tuple(
            begin
            if self.shrink_axis_mask >> i & 1
            else slice(None if self.begin_mask >> i & 1 else begin, None if self.end_mask >> i & 1 else end, stride)
            for i, (begin, end, stride) in enumerate(zip(self.begin, self.end, self.strides, strict=True))
        )


@dataclass(frozen=True)
class PackAttributes:
    """PACK of inputs of one shape along a new dimension `axis` (non-negative)."""

    axis: int = 0


Attributes = (
    Conv2DAttributes
    | DepthwiseConv2DAttributes
    | FullyConnectedAttributes
    | Pool2DAttributes
    | ElementwiseAttributes
    | ConcatenationAttributes
    | PadAttributes
    | MeanAttributes
    | SoftmaxAttributes
    | ReshapeAttributes
    | QuantizeAttributes
    | DequantizeAttributes
    | ResizeNearestNeighborAttributes
    | TransposeAttributes
    | ExpandDimsAttributes
    | SqueezeAttributes
    | ShapeAttributes
    | StridedSliceAttributes
    | PackAttributes
)

ATTRIBUTES_OF: dict[OpKind, type[Attributes]] = {
    OpKind.CONV_2D: Conv2DAttributes,
    OpKind.DEPTHWISE_CONV_2D: DepthwiseConv2DAttributes,
    OpKind.FULLY_CONNECTED: FullyConnectedAttributes,
    OpKind.AVERAGE_POOL_2D: Pool2DAttributes,
    OpKind.MAX_POOL_2D: Pool2DAttributes,
    OpKind.ADD: ElementwiseAttributes,
    OpKind.MUL: ElementwiseAttributes,
    OpKind.CONCATENATION: ConcatenationAttributes,
    OpKind.PAD: PadAttributes,
    OpKind.MEAN: MeanAttributes,
    OpKind.SOFTMAX: SoftmaxAttributes,
    OpKind.RESHAPE: ReshapeAttributes,
    OpKind.QUANTIZE: QuantizeAttributes,
    OpKind.DEQUANTIZE: DequantizeAttributes,
    OpKind.RESIZE_NEAREST_NEIGHBOR: ResizeNearestNeighborAttributes,
    OpKind.TRANSPOSE: TransposeAttributes,
    OpKind.EXPAND_DIMS: ExpandDimsAttributes,
    OpKind.SQUEEZE: SqueezeAttributes,
    OpKind.SHAPE: ShapeAttributes,
    OpKind.STRIDED_SLICE: StridedSliceAttributes,
    OpKind.PACK: PackAttributes,
}


@dataclass(frozen=True)
class Op:
    """One node. `inputs` and `outputs` index the graph's tensors; -1 is an absent optional input (a bias).

    `name` is stable across the architectures of a search space (`stage2.block1.depthwise`): the supernet shares
    weights by it. Operators that hold weights have inputs (x, weights, bias).
    """

    kind: OpKind
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attributes: Attributes
    name: str = ""

    def __post_init__(self) -> None:
        expected = ATTRIBUTES_OF[self.kind]
        if not isinstance(self.attributes, expected):
            raise TypeError(
                f"{self.kind} {self.name!r} needs {expected.__name__}, got {type(self.attributes).__name__}"
            )
