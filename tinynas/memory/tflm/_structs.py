"""The structures of TFLM's runtime that live in the arena, as its public sources declare them.

The 64-bit sizes of all of them are checked against the `tflite-micro` wheel in the tests (their sum, and each
category that its recording allocator reports). Paths are below `tensorflow/lite/micro` of tflite-micro.
"""

from __future__ import annotations

from tinynas.memory.tflm._layout import Array, Scalar, Struct

POINTER, SIZE, ENUM, BOOL, INT32, FLOAT = (
    Scalar.POINTER,
    Scalar.SIZE,
    Scalar.ENUM,
    Scalar.BOOL,
    Scalar.INT32,
    Scalar.FLOAT,
)

RECORDED_CATEGORIES = 8
"""Of RecordingMicroAllocator: eval tensors, persistent tensors, their quantization, persistent buffers, variables,
nodes, op data, compression (recording_micro_allocator.h, `RecordedAllocationType`)."""

SCRATCH_REQUESTS_PER_OP = 12
"""`kMaxScratchBuffersPerOp` (micro_allocator.cc): while a kernel prepares, room for so many more requests is kept."""

BUFFER_ALLOCATOR = Struct(
    "SingleArenaBufferAllocator",
    "arena_allocator/single_arena_buffer_allocator.h",
    {
        "vtable of INonPersistentBufferAllocator": POINTER,
        "vtable of IPersistentBufferAllocator": POINTER,
        "buffer_head_": POINTER,
        "buffer_tail_": POINTER,
        "head_": POINTER,
        "tail_": POINTER,
        "temp_": POINTER,
        "temp_buffer_ptr_check_sum_": SIZE,
        "temp_buffer_count_": INT32,
    },
)

RECORDING_BUFFER_ALLOCATOR = Struct(
    "RecordingSingleArenaBufferAllocator",
    "arena_allocator/recording_single_arena_buffer_allocator.h",
    {
        "base": BUFFER_ALLOCATOR,
        "requested_head_bytes_": SIZE,
        "requested_tail_bytes_": SIZE,
        "used_bytes_": SIZE,
        "alloc_count_": SIZE,
    },
)

GREEDY_PLANNER = Struct(
    "GreedyMemoryPlanner",
    "memory_planner/greedy_memory_planner.h",
    {
        "vtable": POINTER,
        "max_buffer_count_": INT32,
        "buffer_count_": INT32,
        "requirements_": POINTER,
        "buffer_sizes_sorted_": POINTER,
        "buffer_ids_sorted_": POINTER,
        "buffers_sorted_by_offset_": POINTER,
        "next_free_entry_": INT32,
        "first_entry_index_": INT32,
        "buffer_offsets_": POINTER,
        "need_to_calculate_offsets_": BOOL,
    },
)

PLANNER_BYTES_PER_BUFFER = 40
"""`GreedyMemoryPlanner::per_buffer_size()`: ten ints (requirements 4, sizes and ids 2, list entry 3, offset 1)."""

MICRO_ALLOCATOR = Struct(
    "MicroAllocator",
    "micro_allocator.h",
    {
        "vtable": POINTER,
        "non_persistent_buffer_allocator_": POINTER,
        "persistent_buffer_allocator_": POINTER,
        "builtin_data_allocator_": POINTER,
        "memory_planner_": POINTER,
        "model_is_allocating_": BOOL,
        "scratch_buffer_request_count_": SIZE,
        "scratch_buffer_head_": POINTER,
        "max_head_buffer_usage_": SIZE,
    },
)

RECORDING_MICRO_ALLOCATOR = Struct(
    "RecordingMicroAllocator",
    "recording_micro_allocator.h",
    {
        "base": MICRO_ALLOCATOR,
        "recording_memory_allocator_": POINTER,
        # RecordedAllocation is three size_t: requested bytes, used bytes, count.
        "recorded_*": Array(SIZE, 3 * RECORDED_CATEGORIES),
    },
)

BUILTIN_DATA_ALLOCATOR = Struct(
    "MicroBuiltinDataAllocator", "micro_allocator.cc", {"vtable": POINTER, "persistent_allocator_": POINTER}
)

SUBGRAPH_ALLOCATIONS = Struct(
    "SubgraphAllocations",
    "micro_allocator.h",
    {"node_and_registrations": POINTER, "tensors": POINTER},
    with_compression={"compressed": POINTER},
)

EVAL_TENSOR = Struct("TfLiteEvalTensor", "c/common.h", {"data": POINTER, "dims": POINTER, "type": ENUM})

NODE = Struct(
    "TfLiteNode",
    "c/common.h",
    {
        "inputs": POINTER,
        "outputs": POINTER,
        "intermediates": POINTER,
        "user_data": POINTER,
        "builtin_data": POINTER,
        "custom_initial_data": POINTER,
        "custom_initial_data_size": INT32,
    },
)

NODE_AND_REGISTRATION = Struct("NodeAndRegistration", "micro_allocator.h", {"node": NODE, "registration": POINTER})

# `TfLiteQuantizationType` has `int` as its fixed underlying type in C++.
QUANTIZATION = Struct("TfLiteQuantization", "c/common.h", {"type": INT32, "params": POINTER})

TENSOR = Struct(
    "TfLiteTensor",
    "c/common.h",
    {
        "quantization": QUANTIZATION,
        "params.scale": FLOAT,
        "params.zero_point": INT32,
        "data": POINTER,
        "dims": POINTER,
        "bytes": SIZE,
        "type": ENUM,
        "allocation_type": ENUM,
        "is_variable": BOOL,
    },
)

AFFINE_QUANTIZATION = Struct(
    "TfLiteAffineQuantization",
    "c/common.h",
    {"scale": POINTER, "zero_point": POINTER, "quantized_dimension": INT32},
)

SCRATCH_HANDLE = Struct("ScratchBufferHandle", "micro_allocator.h", {"data": POINTER})

SCRATCH_REQUEST = Struct(
    "ScratchBufferRequest", "micro_allocator.h", {"bytes": SIZE, "node_idx": INT32, "subgraph_idx": INT32}
)

ALLOCATION_INFO = Struct(
    "AllocationInfo",
    "micro_allocation_info.h",
    {
        "bytes": SIZE,
        "output_ptr": POINTER,
        "first_created": INT32,
        "last_used": INT32,
        "offline_offset": INT32,
        "needs_allocating": BOOL,
    },
)
