"""MEAN and SOFTMAX."""

from __future__ import annotations

from tinynas.graph import Graph, MeanAttributes, Op
from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import (
    BOOL,
    DOUBLE,
    FLOAT,
    INDEX_BYTES,
    INT32,
    OPERATOR_CONSTANT,
    PARAMETERS_SOURCE,
    POINTER,
    KernelNeeds,
    TflmOperator,
    is_int8,
    simple,
    with_data,
)

_REDUCER_PARAMETERS = Struct("TfLiteReducerParams", PARAMETERS_SOURCE, {"keep_dims": BOOL})
_SOFTMAX_PARAMETERS = Struct("TfLiteSoftmaxParams", PARAMETERS_SOURCE, {"beta": FLOAT})

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

_CMSIS_SOFTMAX_DATA = Struct(
    "CMSISNNSoftmaxParams",
    "kernels/cmsis_nn/softmax.cc",
    {"softmax_params": SOFTMAX_DATA, "num_rows, row_size": Array(INT32, 2)},
)

_SOFTMAX = simple(SOFTMAX_DATA)


def _mean(graph: Graph, op: Op) -> KernelNeeds:
    # reduce_common.cc, PrepareMeanOrSumHelper and PrepareSimple: sums (of integers only), a counter per dimension,
    # and the resolved axes.
    x, y = op.inputs[0], op.outputs[0]
    assert isinstance(op.attributes, MeanAttributes)
    sums = (graph.tensors[y].elements * INDEX_BYTES,) if is_int8(graph, op) else ()
    counters = len(graph.tensors[x].shape) * INDEX_BYTES
    axes = len(op.attributes.axes) * INDEX_BYTES
    looks_at = (x, y, OPERATOR_CONSTANT, x, OPERATOR_CONSTANT, y)
    return KernelNeeds(REDUCE_DATA, (), (*sums, counters, axes), looks_at)


OPERATORS = (
    TflmOperator("MEAN", _mean, parameters=_REDUCER_PARAMETERS),
    TflmOperator("SOFTMAX", _SOFTMAX, with_data(_SOFTMAX, _CMSIS_SOFTMAX_DATA), _SOFTMAX_PARAMETERS),
)
