"""Operators that move elements, or look at shapes. The parsers of PAD, TRANSPOSE and EXPAND_DIMS allocate nothing."""

from __future__ import annotations

from tinynas.graph import Graph, Op
from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import (
    BOOL,
    ENUM,
    INT8,
    INT16,
    INT32,
    PARAMETERS_SOURCE,
    KernelNeeds,
    TflmOperator,
    simple,
)

_RESHAPE_PARAMETERS = Struct("TfLiteReshapeParams", PARAMETERS_SOURCE, {"shape": Array(INT32, 8), "rank": INT32})
_RESIZE_PARAMETERS = Struct(
    "TfLiteResizeNearestNeighborParams", PARAMETERS_SOURCE, {"align_corners": BOOL, "half_pixel_centers": BOOL}
)
_SQUEEZE_PARAMETERS = Struct(
    "TfLiteSqueezeParams", PARAMETERS_SOURCE, {"squeeze_dims": Array(INT32, 8), "count": INT32}
)
_SHAPE_PARAMETERS = Struct("TfLiteShapeParams", PARAMETERS_SOURCE, {"out_type": ENUM})
_STRIDED_SLICE_PARAMETERS = Struct(
    "TfLiteStridedSliceParams", PARAMETERS_SOURCE, {"masks": Array(INT32, 5), "offset": BOOL}
)

PAD_DATA = Struct(
    "OpData",
    "kernels/pad.h",
    {
        "params.left_padding_count": INT8,
        "params.left_padding": Array(INT32, 5),
        "params.right_padding_count": INT8,
        "params.right_padding": Array(INT32, 5),
        # `enum class ResizingCategory : uint8_t` (kernels/internal/types.h), in a PadParams of its own alignment.
        "params.resizing_category": INT8,
        "output_zero_point": INT32,
    },
)

_STRIDED_SLICE_DATA = Struct(
    "StridedSliceParams",
    "kernels/internal/types.h",
    {
        "start_indices_count": INT8,
        "start_indices": Array(INT32, 5),
        "stop_indices_count": INT8,
        "stop_indices": Array(INT32, 5),
        "strides_count": INT8,
        "strides": Array(INT32, 5),
        "masks": Array(INT16, 5),
        "offset": BOOL,
    },
)


def _reshape(graph: Graph, op: Op) -> KernelNeeds:
    # It never looks at the constant that holds the shape; TRANSPOSE and RESIZE_NEAREST_NEIGHBOR do look at theirs.
    return KernelNeeds(None, looks_at=(*op.inputs, op.outputs[0]))


def _shape(graph: Graph, op: Op) -> KernelNeeds:
    return KernelNeeds(None)


OPERATORS = (
    TflmOperator("PAD", simple(PAD_DATA)),
    TflmOperator("RESHAPE", _reshape, parameters=_RESHAPE_PARAMETERS),
    TflmOperator("RESIZE_NEAREST_NEIGHBOR", simple(None), parameters=_RESIZE_PARAMETERS),
    TflmOperator("TRANSPOSE", simple(None)),
    TflmOperator("EXPAND_DIMS", simple(None)),
    TflmOperator("SQUEEZE", simple(None), parameters=_SQUEEZE_PARAMETERS),
    TflmOperator("SHAPE", _shape, parameters=_SHAPE_PARAMETERS),
    TflmOperator("STRIDED_SLICE", simple(_STRIDED_SLICE_DATA), parameters=_STRIDED_SLICE_PARAMETERS),
)
