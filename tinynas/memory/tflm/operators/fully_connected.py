"""FULLY_CONNECTED."""

from __future__ import annotations

from dataclasses import replace

from tinynas.graph import Graph, Op
from tinynas.memory.tflm._layout import Array, Struct
from tinynas.memory.tflm.operators._needs import (
    BOOL,
    CMSIS_BUFFER_INDEX,
    ENUM,
    INT32,
    PARAMETERS_SOURCE,
    POINTER,
    KernelNeeds,
    TflmOperator,
    is_int8,
    per_channel,
    weights_and_bias,
)

# The last two members are what `ParseFullyConnected` keeps of `FullyConnectedOptions.quant_spec`, a vector:
# where it is and how long.
_PARAMETERS = Struct(
    "TfLiteFullyConnectedParams",
    PARAMETERS_SOURCE,
    {
        "activation": ENUM,
        "weights_format": ENUM,
        "keep_num_dims": BOOL,
        "asymmetric_quantize_inputs": BOOL,
        "quantized_bias_type": ENUM,
        "quant_spec": POINTER,
        "quant_spec_size": INT32,
    },
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

_CMSIS_DATA = Struct(
    "OpData",
    "kernels/cmsis_nn/fully_connected.cc",
    {
        "reference_op_data": FULLY_CONNECTED_DATA,
        "per_channel_output_multiplier": POINTER,
        "per_channel_output_shift": POINTER,
        **CMSIS_BUFFER_INDEX,
        "kernel_sums": POINTER,
        "batches, accum_depth, output_depth": Array(INT32, 3),
    },
)


def _reference(graph: Graph, op: Op) -> KernelNeeds:
    # fully_connected_common.cc: multipliers per channel only where the weights have several scales.
    quantization = graph.tensors[op.inputs[1]].quantization
    channels = len(quantization.scales) if quantization is not None and quantization.per_channel else 0
    looks_at = (op.inputs[0], *weights_and_bias(op), op.outputs[0])
    return KernelNeeds(FULLY_CONNECTED_DATA, per_channel(channels) if channels else (), (), looks_at)


def _cmsis_nn(graph: Graph, op: Op) -> KernelNeeds:
    # fully_connected.cc: an output of more than two dimensions over a depth that is a multiple of four runs as a 1x1
    # convolution, with multipliers per channel. arm_fully_connected_s8_get_buffer_size is 0 without Helium, and
    # so is arm_convolve_1x1_s8_fast_get_buffer_size except for armclang.
    reference = _reference(graph, op)
    output, depth = graph.tensors[op.outputs[0]].shape, graph.tensors[op.inputs[1]].shape[-1]
    as_convolution = is_int8(graph, op) and len(output) > 2 and depth % 4 == 0
    persistent = reference.persistent_bytes + (per_channel(output[-1]) if as_convolution else ())
    return replace(reference, data=_CMSIS_DATA, persistent_bytes=persistent)


OPERATORS = (TflmOperator("FULLY_CONNECTED", _reference, _cmsis_nn, _PARAMETERS),)
