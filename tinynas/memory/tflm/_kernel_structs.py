"""What TFLM keeps per operator: the parameters parsed from the file and the data of its kernel.

Paths are below `tensorflow/lite/micro` of tflite-micro. Parameters are in `builtin_op_data.h`. Operators that are not
listed in `PARAMETERS` have none in the arena: their parsers allocate nothing (PAD, TRANSPOSE, QUANTIZE, DEQUANTIZE,
EXPAND_DIMS).
"""

from __future__ import annotations

from collections.abc import Mapping

from tinynas.graph import OpKind
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

_PARAMETERS_SOURCE = "builtin_op_data.h"

PADDING_VALUES = Struct("TfLitePaddingValues", _PARAMETERS_SOURCE, {"width, height and their offsets": Array(INT32, 4)})

_POOL = Struct(
    "TfLitePoolParams",
    _PARAMETERS_SOURCE,
    {"padding": ENUM, "stride and filter": Array(INT32, 4), "activation": ENUM, "computed.padding": PADDING_VALUES},
)

PARAMETERS: Mapping[OpKind, Struct] = {
    OpKind.CONV_2D: Struct(
        "TfLiteConvParams",
        _PARAMETERS_SOURCE,
        {
            "padding": ENUM,
            "stride": Array(INT32, 2),
            "activation": ENUM,
            "dilation": Array(INT32, 2),
            "quantized_bias_type": ENUM,
        },
    ),
    OpKind.DEPTHWISE_CONV_2D: Struct(
        "TfLiteDepthwiseConvParams",
        _PARAMETERS_SOURCE,
        {
            "padding": ENUM,
            "stride": Array(INT32, 2),
            "depth_multiplier": INT32,
            "activation": ENUM,
            "dilation": Array(INT32, 2),
        },
    ),
    # The last two members are what `ParseFullyConnected` keeps of the schema's `FullyConnectedOptions.quant_spec`, a
    # vector: where it is and how long.
    OpKind.FULLY_CONNECTED: Struct(
        "TfLiteFullyConnectedParams",
        _PARAMETERS_SOURCE,
        {
            "activation": ENUM,
            "weights_format": ENUM,
            "keep_num_dims": BOOL,
            "asymmetric_quantize_inputs": BOOL,
            "quantized_bias_type": ENUM,
            "quant_spec": POINTER,
            "quant_spec_size": INT32,
        },
    ),
    OpKind.AVERAGE_POOL_2D: _POOL,
    OpKind.MAX_POOL_2D: _POOL,
    OpKind.ADD: Struct("TfLiteAddParams", _PARAMETERS_SOURCE, {"activation": ENUM, "pot_scale_int16": BOOL}),
    OpKind.MUL: Struct("TfLiteMulParams", _PARAMETERS_SOURCE, {"activation": ENUM}),
    OpKind.CONCATENATION: Struct("TfLiteConcatenationParams", _PARAMETERS_SOURCE, {"axis": INT32, "activation": ENUM}),
    OpKind.MEAN: Struct("TfLiteReducerParams", _PARAMETERS_SOURCE, {"keep_dims": BOOL}),
    OpKind.SOFTMAX: Struct("TfLiteSoftmaxParams", _PARAMETERS_SOURCE, {"beta": FLOAT}),
    OpKind.RESHAPE: Struct("TfLiteReshapeParams", _PARAMETERS_SOURCE, {"shape": Array(INT32, 8), "rank": INT32}),
    OpKind.RESIZE_NEAREST_NEIGHBOR: Struct(
        "TfLiteResizeNearestNeighborParams", _PARAMETERS_SOURCE, {"align_corners": BOOL, "half_pixel_centers": BOOL}
    ),
    OpKind.SQUEEZE: Struct(
        "TfLiteSqueezeParams", _PARAMETERS_SOURCE, {"squeeze_dims": Array(INT32, 8), "count": INT32}
    ),
    OpKind.SHAPE: Struct("TfLiteShapeParams", _PARAMETERS_SOURCE, {"out_type": ENUM}),
    OpKind.STRIDED_SLICE: Struct(
        "TfLiteStridedSliceParams", _PARAMETERS_SOURCE, {"masks": Array(INT32, 5), "offset": BOOL}
    ),
    OpKind.PACK: Struct("TfLitePackParams", _PARAMETERS_SOURCE, {"values_count, axis": Array(INT32, 2)}),
}

CONV_DATA = Struct(
    "OpDataConv",
    "kernels/conv.h",
    {
        "padding": PADDING_VALUES,
        "zero points of input, filter and output": Array(INT32, 3),
        "output_multiplier": INT32,
        "output_shift": INT32,
        "per_channel_output_multiplier": POINTER,
        "per_channel_output_shift": POINTER,
        "output_activation_min and _max": Array(INT32, 2),
        "filter_buffer_index": INT32,
    },
    with_compression={"weights_scratch_index": INT32, "bias_scratch_index": INT32},
)

FULLY_CONNECTED_DATA = Struct(
    "OpDataFullyConnected",
    "kernels/fully_connected.h",
    {
        "output_multiplier, output_shift": Array(INT32, 2),
        "output_activation_min and _max": Array(INT32, 2),
        "input_quantized_index": INT32,
        "zero points of input, filter and output": Array(INT32, 3),
        "filter_buffer_index": INT32,
        "per_channel_output_multiplier": POINTER,
        "per_channel_output_shift": POINTER,
        "is_per_channel": BOOL,
    },
    with_compression={"weights_scratch_index": INT32, "bias_scratch_index": INT32},
)

POOLING_DATA = Struct(
    "OpDataPooling",
    "kernels/pooling.h",
    {"padding": PADDING_VALUES, "activation_min and _max": Array(INT32, 2), "the same as float": Array(FLOAT, 2)},
)

ADD_DATA = Struct(
    "OpDataAdd",
    "kernels/add.h",
    {
        "requires_broadcast": BOOL,
        "input1_shift, input2_shift": Array(INT32, 2),
        "output_activation_min and _max": Array(INT32, 2),
        "multipliers of both inputs and the output": Array(INT32, 3),
        "output_shift, left_shift": Array(INT32, 2),
        "offsets of both inputs and the output": Array(INT32, 3),
        "output_activation_min_f32 and _max_f32": Array(FLOAT, 2),
    },
)

MUL_DATA = Struct(
    "OpDataMul",
    "kernels/mul.h",
    {
        "zero points of both inputs": Array(INT32, 2),
        "output_activation_min and _max": Array(INT32, 2),
        "output_zero_point, _multiplier, _shift": Array(INT32, 3),
        "output_activation_min_f32 and _max_f32": Array(FLOAT, 2),
    },
)

CONCATENATION_MAX_INPUTS = 10
"""`kMaxInputNum` (kernels/concatenation.cc): TFLM refuses to concatenate more."""

CONCATENATION_DATA = Struct(
    "OpData",
    "kernels/concatenation.cc",
    {
        "params.axis": INT32,
        "params.input_zeropoint": POINTER,
        "params.input_scale": POINTER,
        "params.inputs_count, output_zeropoint": Array(INT32, 2),
        "params.output_scale": FLOAT,
    },
    with_compression={"scratch_indices": Array(INT32, CONCATENATION_MAX_INPUTS)},
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

REDUCE_DATA = Struct(
    "OpDataReduce",
    "kernels/reduce.h",
    {
        # MEAN requests three scratch buffers since 2026 (sums, counter of indices, resolved axes): three indices.
        "multiplier, shift": Array(INT32, 2),
        "indices of the scratch buffers": Array(INT32, 3),
        "num_axis": INT32,
        "input_zp": INT32,
        "input_scale": FLOAT,
        "output_zp": INT32,
        "output_scale": FLOAT,
        "num_output_elements": INT32,
    },
)

SOFTMAX_DATA = Struct(
    "SoftmaxParams",
    "kernels/internal/types.h",
    {
        "beta": DOUBLE,
        "input_multiplier, input_left_shift": Array(INT32, 2),
        "reverse_scaling_divisor, reverse_scaling_right_shift": Array(INT32, 2),
        "diff_min, zero_point": Array(INT32, 2),
        "scale": FLOAT,
        "table": POINTER,
        "exp_lut": POINTER,
        "one_over_one_plus_x_lut": POINTER,
        "uint8_table1": POINTER,
        "uint8_table2": POINTER,
    },
)

_QUANTIZATION_PARAMETERS = Struct(
    "QuantizationParams", "kernels/internal/types.h", {"zero_point": INT32, "scale": DOUBLE}
)

QUANTIZE_DATA = Struct(
    "OpDataQuantizeReference",
    "kernels/quantize.h",
    {
        "quantization_params": _QUANTIZATION_PARAMETERS,
        "requantize_output_multiplier, _shift, input_zero_point": Array(INT32, 3),
    },
)

DEQUANTIZE_DATA = Struct(
    "DequantizeOpData",
    "kernels/dequantize.h",
    {
        "quantization_params": Struct(
            "DequantizationParams", "kernels/internal/types.h", {"scale": DOUBLE, "zero_point": INT32}
        ),
        "output_multiplier, output_shift, output_zero_point": Array(INT32, 3),
    },
)

STRIDED_SLICE_DATA = Struct(
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
