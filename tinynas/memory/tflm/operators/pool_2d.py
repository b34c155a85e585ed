"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

from tinynas.graph import Graph, Op
from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import (
    CMSIS_BUFFER_INDEX,
    ENUM,
    FLOAT,
    INT32,
    PADDING_VALUES,
    PARAMETERS_SOURCE,
    KernelNeeds,
    TflmOperator,
    is_int8,
    simple,
    with_data,
)

_PARAMETERS = Struct(
    "TfLitePoolParams",
    PARAMETERS_SOURCE,
    {"padding": ENUM, "stride and filter": Array(INT32, 4), "activation": ENUM, "computed.padding": PADDING_VALUES},
)

POOLING_DATA = Struct(
    "OpDataPooling",
    "kernels/pooling.h",
    {"padding": PADDING_VALUES, "activation_min and _max": Array(INT32, 2), "the same as float": Array(FLOAT, 2)},
)

_CMSIS_DATA = Struct("OpData", "kernels/cmsis_nn/pooling.cc", {"reference_op_data": POOLING_DATA, **CMSIS_BUFFER_INDEX})

_REFERENCE = simple(POOLING_DATA)


def _cmsis_average(graph: Graph, op: Op) -> KernelNeeds:
    # pooling.cc, AveragePrepare: looks at input and output, after `PoolingPrepare` did.
    # arm_avgpool_s8_get_buffer_size_dsp: one int32 per channel.
    channels = graph.tensors[op.inputs[0]].shape[3]
    scratch = (channels * 4,) if is_int8(graph, op) else ()
    return KernelNeeds(_CMSIS_DATA, (), scratch, 2 * (op.inputs[0], op.outputs[0]))


OPERATORS = (
    TflmOperator("AVERAGE_POOL_2D", _REFERENCE, _cmsis_average, _PARAMETERS),
    TflmOperator("MAX_POOL_2D", _REFERENCE, with_data(_REFERENCE, _CMSIS_DATA), _PARAMETERS),
)
