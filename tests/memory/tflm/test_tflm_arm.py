"""The arena on 32-bit Arm: against real TFLM on a Cortex-M4, and the structures it consists of."""

from __future__ import annotations

import ctypes
import dataclasses
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from tflm_models import known_model, skeleton

from tinynas.formats import read_tflite, tensor_table
from tinynas.graph import DType, FullyConnectedAttributes, GraphBuilder
from tinynas.memory.tflm import TflmMemoryModel, _structs
from tinynas.memory.tflm._layout import ARM32, HOST64, Abi, Array, Scalar, Struct
from tinynas.memory.tflm.operators import OPERATORS
from tinynas.memory.tflm.operators.convolutions import CONV_DATA
from tinynas.memory.tflm.operators.elementwise import ADD_DATA, MUL_DATA
from tinynas.memory.tflm.operators.fully_connected import FULLY_CONNECTED_DATA
from tinynas.memory.tflm.operators.joining import CONCATENATION_DATA
from tinynas.memory.tflm.operators.layout import PAD_DATA
from tinynas.memory.tflm.operators.pool_2d import POOLING_DATA
from tinynas.memory.tflm.operators.reductions import REDUCE_DATA, SOFTMAX_DATA
from tinynas.memory.tflm.operators.rescaling import DEQUANTIZE_DATA, QUANTIZE_DATA

# `arena_used_bytes()` of TFLM's sources of 2026-08-20 on a Cortex-M4: (head, tail) by kernels.
MEASURED = [
    ("kws_ref_model", "reference", 16_000, 6_772),
    ("kws_ref_model", "cmsis-nn", 16_000, 6_820),
    ("pretrainedResnet_quant", "reference", 49_152, 5_188),
    ("pretrainedResnet_quant", "cmsis-nn", 49_728, 5_268),
    ("person_detect", "reference", 55_296, 26_996),
    ("person_detect", "cmsis-nn", 55_296, 27_012),
]

# Sizes on the host are those that the wheel allocates; those on Arm follow from the declarations.
SIZES = [
    (_structs.BUFFER_ALLOCATOR, 72, 36),
    (_structs.RECORDING_BUFFER_ALLOCATOR, 104, 52),
    (_structs.GREEDY_PLANNER, 72, 44),
    (_structs.MICRO_ALLOCATOR, 72, 36),
    (_structs.RECORDING_MICRO_ALLOCATOR, 272, 136),
    (_structs.BUILTIN_DATA_ALLOCATOR, 16, 8),
    (_structs.SUBGRAPH_ALLOCATIONS, 24, 8),
    (_structs.EVAL_TENSOR, 24, 12),
    (_structs.NODE_AND_REGISTRATION, 64, 32),
    (_structs.TENSOR, 64, 32),
    (_structs.AFFINE_QUANTIZATION, 24, 12),
    (_structs.ALLOCATION_INFO, 32, 24),
    (_structs.SCRATCH_REQUEST, 16, 12),
    (OPERATORS["CONV_2D"].parameters, 28, 28),
    (OPERATORS["FULLY_CONNECTED"].parameters, 32, 16),
    (OPERATORS["ADD"].parameters, 8, 2),
    (OPERATORS["AVERAGE_POOL_2D"].parameters, 40, 40),
    (CONV_DATA, 80, 56),
    (FULLY_CONNECTED_DATA, 72, 48),
    (ADD_DATA, 60, 60),
    (MUL_DATA, 36, 36),
    (POOLING_DATA, 32, 32),
    (CONCATENATION_DATA, 80, 24),
    (PAD_DATA, 56, 56),
    (REDUCE_DATA, 44, 44),
    (SOFTMAX_DATA, 80, 56),
    (QUANTIZE_DATA, 32, 32),
    (DEQUANTIZE_DATA, 32, 32),
]


@pytest.mark.parametrize(("name", "kernels", "head", "tail"), MEASURED)
def test_equal_to_what_was_measured_on_a_cortex_m4(name: str, kernels: Any, head: int, tail: int) -> None:
    content = known_model(name)
    sram = TflmMemoryModel(4, kernels).sram(read_tflite(content), tensor_table(content))
    assert (sram.head_bytes, sram.tail_bytes, sram.total_bytes) == (head, tail, head + tail)


def test_a_tail_counted_by_hand() -> None:
    """One 1x1 convolution to 4 channels on 32-bit Arm.

    36 + 44 + 36 + 8 + 8 of allocators, planner and subgraph; 4 tensors of 12; 1 node of 32; parameters of 28: 240.
    OpDataConv 56 -> 296, up to a multiple of 16: 304. Multipliers and shifts 16 each: 336. Input: one pointer of 4, up
    to 352, a tensor of 32, its quantization of 12, one zero point of 8: 404. The same for the output: 408 up to 416,
    and 52 more: 468.
    """
    sram = TflmMemoryModel(4).sram(skeleton(lambda b, x: b.conv_2d(x, 4, 1, name="c"), (1, 4, 4, 2)))
    assert sram.tail_bytes == 468
    assert sram.head_bytes == 32 + 64


@pytest.mark.parametrize(("struct", "host", "arm"), SIZES, ids=[row[0].name for row in SIZES])
def test_sizes_of_structures(struct: Struct, host: int, arm: int) -> None:
    assert struct.layout(HOST64, compression=True)[0] == host
    assert struct.layout(ARM32)[0] == arm


def _ctypes_of(scalar: Scalar, abi: Abi) -> Any:
    pointer = ctypes.c_uint64 if abi.pointer_bytes == 8 else ctypes.c_uint32
    return {
        Scalar.POINTER: pointer,
        Scalar.SIZE: pointer,
        Scalar.ENUM: ctypes.c_int32 if abi.enum_bytes == 4 else ctypes.c_int8,
        Scalar.INT8: ctypes.c_int8,
        Scalar.BOOL: ctypes.c_bool,
        Scalar.INT16: ctypes.c_int16,
        Scalar.INT32: ctypes.c_int32,
        Scalar.FLOAT: ctypes.c_float,
        Scalar.DOUBLE: ctypes.c_double,
    }[scalar]


def _ctypes_struct(struct: Struct, abi: Abi) -> Any:
    def of(member: Any) -> Any:
        if isinstance(member, Struct):
            return _ctypes_struct(member, abi)
        return _ctypes_of(member.of, abi) * member.count if isinstance(member, Array) else _ctypes_of(member, abi)

    fields = [(f"m{i}", of(member)) for i, member in enumerate(struct.members.values())]
    return type("Compiled", (ctypes.Structure,), {"_fields_": fields})


_members = st.recursive(
    st.sampled_from(Scalar) | st.builds(Array, st.sampled_from(Scalar), st.integers(1, 5)),
    lambda inner: st.lists(inner, min_size=1, max_size=5).map(
        lambda ms: Struct("s", "", {str(i): m for i, m in enumerate(ms)})
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(_members, st.sampled_from([HOST64, ARM32]))
def test_layouts_are_those_of_the_c_compiler(member: Any, abi: Abi) -> None:
    struct = Struct("outer", "", {"first": Scalar.BOOL, "member": member, "last": Scalar.ENUM})
    compiled = _ctypes_struct(struct, abi)
    assert struct.layout(abi) == (ctypes.sizeof(compiled), ctypes.alignment(compiled))


CMSIS_NN_SCRATCH = [
    # arm_convolve_s8: two columns of int16, each rounded up to four values.
    ("3x3", lambda b, x: b.conv_2d(x, 8, 3, name="c"), (1, 8, 8, 5), (2 * 48 * 2,)),
    ("dilated 1x1", lambda b, x: b.conv_2d(x, 8, 1, dilation=2, name="c"), (1, 8, 8, 5), (2 * 8 * 2,)),
    ("grouped", lambda b, x: b.conv_2d(x, 8, 3, groups=2, name="c"), (1, 8, 8, 4), (2 * 36 * 2,)),
    ("1x1", lambda b, x: b.conv_2d(x, 8, 1, name="c"), (1, 8, 8, 5), ()),
    ("strided 1x1", lambda b, x: b.conv_2d(x, 8, 1, stride=2, name="c"), (1, 8, 8, 5), ()),
    # arm_depthwise_conv_s8_opt: the window of every channel as int16; nothing for 3x3 and for the generic kernel.
    ("depthwise 3x3", lambda b, x: b.depthwise_conv_2d(x, 3, name="c"), (1, 8, 8, 5), ()),
    ("depthwise 5x5", lambda b, x: b.depthwise_conv_2d(x, 5, name="c"), (1, 8, 8, 6), (6 * 25 * 2,)),
    ("multiplied", lambda b, x: b.depthwise_conv_2d(x, 5, depth_multiplier=2, name="c"), (1, 8, 8, 6), ()),
    ("dilated depthwise", lambda b, x: b.depthwise_conv_2d(x, 3, dilation=2, name="c"), (1, 8, 8, 6), ()),
    # arm_avgpool_s8: one int32 per channel.
    ("average pool", lambda b, x: b.average_pool_2d(x, 2, name="c"), (1, 8, 8, 6), (24,)),
    ("max pool", lambda b, x: b.max_pool_2d(x, 2, name="c"), (1, 8, 8, 6), ()),
    ("fully connected", lambda b, x: b.fully_connected(x, 3, name="c"), (1, 64), ()),
]


@pytest.mark.parametrize(
    ("build", "shape", "scratch"), [r[1:] for r in CMSIS_NN_SCRATCH], ids=[r[0] for r in CMSIS_NN_SCRATCH]
)
def test_scratch_of_cmsis_nn(build: Any, shape: tuple[int, ...], scratch: tuple[int, ...]) -> None:
    model = TflmMemoryModel(4, "cmsis-nn")
    assert model.kernel_needs(skeleton(build, shape))[-1].scratch_bytes == scratch


def test_cmsis_nn_runs_a_fully_connected_operator_over_positions_as_a_convolution() -> None:
    builder = GraphBuilder(dtype=DType.INT8)
    graph = builder.build([builder.fully_connected(builder.input((1, 8)), 3, name="c")])
    op = dataclasses.replace(graph.ops[0], attributes=FullyConnectedAttributes(keep_num_dims=True))
    tensors = list(graph.tensors)
    tensors[op.inputs[0]] = dataclasses.replace(tensors[op.inputs[0]], shape=(1, 5, 8))
    tensors[op.outputs[0]] = dataclasses.replace(tensors[op.outputs[0]], shape=(1, 5, 3))
    graph = dataclasses.replace(graph, ops=(op,), tensors=tuple(tensors))
    (needs,) = TflmMemoryModel(4, "cmsis-nn").kernel_needs(graph)
    assert [size for _, size in needs.persistent_bytes] == [12, 12]
    (reference,) = TflmMemoryModel(4).kernel_needs(graph)
    assert reference.persistent_bytes == ()
