"""Offline memory plans in .tflite files: TFLM puts each tensor where the metadata says.

TFLM's `AllocationInfoBuilder::GetOfflinePlannedOffsets` (tensorflow/lite/micro/micro_allocation_info.cc) looks for the
metadata entry `OfflineMemoryAllocation`: int32 values for version, subgraph, number of tensors, and one offset
per tensor of the file, -1 where TFLM is to find a place itself (docs/memory_management.md of tflite-micro).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinynas.formats._errors import FormatError
from tinynas.formats._flatbuffer import FileModel, FileTensor, corruption_reported, decode
from tinynas.formats._operators import computed_from_constants, operands
from tinynas.formats._read_tflite import _load, read_tflite

OFFLINE_PLAN_METADATA = "OfflineMemoryAllocation"

_FORMAT_VERSION = 1
_ALIGNMENT = 16
"""`force_align: 16` of `Buffer.data` in the schema: whatever moves in a file moves by a multiple of it."""

_MODEL_FIELDS = 8
"""Fields of the schema's `Model`: version, operator_codes, subgraphs, description, buffers, metadata_buffer, metadata,
signature_defs."""

_ELEMENT_BYTES = {
    schema.TensorType.FLOAT32: 4,
    schema.TensorType.INT32: 4,
    schema.TensorType.INT64: 8,
    schema.TensorType.INT16: 2,
    schema.TensorType.INT8: 1,
    schema.TensorType.UINT8: 1,
    schema.TensorType.BOOL: 1,
}


@dataclass(frozen=True)
class TensorTable:
    """How the tensors of a file relate to those of the graph that `read_tflite` makes of it.

    Attributes:
        graph_tensors: Per tensor of the file, its index in the graph, or None where the graph does not hold it.
        idle_bytes: Per tensor of the file, its size where the graph does not hold it and it has no data, else 0.
        scales: Per tensor of the file, the number of its quantization scales.
    """

    graph_tensors: tuple[int | None, ...]
    idle_bytes: tuple[int, ...]
    scales: tuple[int, ...]


def tensor_table(source: str | Path | bytes) -> TensorTable:
    """The tensors of a .tflite file beside those of its graph.

    Raises:
        FormatError: As `read_tflite` does.
    """
    read_tflite(source)  # refuses what it cannot hold, with the better message
    label, content = _load(source)
    model = decode(content, label)
    kept = _kept(model)
    new_index = {file_tensor: i for i, file_tensor in enumerate(sorted(kept))}
    return TensorTable(
        tuple(new_index.get(i) for i in range(len(model.tensors))),
        tuple(0 if i in kept else _idle_bytes(t, label) for i, t in enumerate(model.tensors)),
        tuple(len(t.scales) if t.zero_points else 0 for t in model.tensors),
    )


def add_offline_plan(source: str | Path | bytes, offsets: Sequence[int]) -> bytes:
    """Put an offline memory plan into a .tflite file; every byte of the file stays as it is.

    The offsets of a flatbuffer are relative and point forward, so the new file is a new root table with the new
    metadata, followed by the old file. A plan that the file already has is no longer referred to.

    Args:
        source: A path, or the content of a file.
        offsets: One offset in bytes per tensor of the file, multiples of 16; -1 where TFLM is to plan.

    Returns:
        The content of the new file.

    Raises:
        FormatError: The file is missing or damaged, or the offsets do not fit it.
    """
    label, content = _load(source)
    tensors = len(decode(content, label).tensors)
    if len(offsets) != tensors:
        raise FormatError(f"{label}: the plan has {len(offsets)} offsets, the file {tensors} tensors: plan this file")
    wrong = next((o for o in offsets if o < -1 or (o > 0 and o % _ALIGNMENT)), None)
    if wrong is not None:
        raise FormatError(f"{label}: {wrong} is not an offset; TFLM takes multiples of {_ALIGNMENT}, or -1")
    plan = np.array([_FORMAT_VERSION, 0, tensors, *offsets], "<i4").tobytes()
    with corruption_reported(label):
        return _with_new_root(content, label, plan) + content


def read_offline_plan(metadata: bytes) -> tuple[int, ...]:
    """The offsets of an `OfflineMemoryAllocation` entry.

    Raises:
        FormatError: The entry is damaged.
    """
    values = np.frombuffer(metadata[: len(metadata) // 4 * 4], "<i4")
    if len(values) < 3 or len(values) < 3 + int(values[2]) or values[2] < 0:
        raise FormatError(
            f"{OFFLINE_PLAN_METADATA} has {len(metadata)} bytes: the entry is damaged, plan the file again"
        )
    return tuple(int(offset) for offset in values[3 : 3 + int(values[2])])


def _kept(model: FileModel) -> set[int]:
    """The tensors that the graph of a file holds: all in use but the constants that become attributes."""
    kept, computed = {*model.inputs, *model.outputs}, computed_from_constants(model)
    for operator in model.operators:
        kept.update(t for t in (*operands(operator, computed), *operator.outputs) if t >= 0)
    return kept


def _idle_bytes(tensor: FileTensor, label: str) -> int:
    if tensor.data is not None:
        return 0
    if tensor.type not in _ELEMENT_BYTES or min(tensor.shape, default=0) < 0:
        raise FormatError(f"{label}: the unused tensor {tensor.name!r} has no known size; convert the model again")
    return math.prod(tensor.shape) * _ELEMENT_BYTES[tensor.type]


def _with_new_root(content: bytes, label: str, plan: bytes) -> bytes:
    """A flatbuffer whose tables refer to those of `content`, which is to follow it directly."""
    table = schema.Model.GetRootAs(content, 0)._tab
    vtable_bytes = table.Get(flatbuffers.number_types.VOffsetTFlags, table.Pos - _soffset(table))
    if vtable_bytes > 4 + 2 * _MODEL_FIELDS and any(
        table.Offset(slot) for slot in range(4 + 2 * _MODEL_FIELDS, vtable_bytes, 2)
    ):
        raise FormatError(f"{label}: the model has fields of a newer schema; a plan would lose them")
    for field in (1, 2, 3, 5, 7):
        if table.Offset(4 + 2 * field):
            _inside(_target(table, field), len(content), label)
    buffers = _tables(table, 4, len(content), label)
    others = [
        position
        for position in _tables(table, 6, len(content), label)
        if _metadata_name(content, position) != OFFLINE_PLAN_METADATA
    ]
    builder = flatbuffers.Builder(1024)
    builder.Prep(_ALIGNMENT, len(plan))
    data = builder.CreateByteVector(plan)
    schema.BufferStart(builder)
    schema.BufferAddData(builder, data)
    buffer = schema.BufferEnd(builder)
    name = builder.CreateString(OFFLINE_PLAN_METADATA)
    schema.MetadataStart(builder)
    schema.MetadataAddName(builder, name)
    schema.MetadataAddBuffer(builder, len(buffers))
    entry = schema.MetadataEnd(builder)
    # An offset of -n stands for what is n bytes behind the end of the builder, that is at n in the old file.
    new_buffers = _vector(builder, [*(-position for position in buffers), buffer])
    new_metadata = _vector(builder, [*(-position for position in others), entry])
    schema.ModelStart(builder)
    version = table.Offset(4)
    schema.ModelAddVersion(
        builder, table.Get(flatbuffers.number_types.Uint32Flags, table.Pos + version) if version else 0
    )
    for field in (1, 2, 3, 5, 7):
        if table.Offset(4 + 2 * field):
            builder.PrependUOffsetTRelativeSlot(field, -_target(table, field), 0)
    schema.ModelAddBuffers(builder, new_buffers)
    schema.ModelAddMetadata(builder, new_metadata)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _soffset(table: Any) -> int:
    return int(table.Get(flatbuffers.number_types.SOffsetTFlags, table.Pos))


def _target(table: Any, field: int) -> int:
    """Where in the file the vector, string or table of a field of `table` starts."""
    return int(table.Indirect(table.Pos + table.Offset(4 + 2 * field)))


def _tables(table: Any, field: int, size: int, label: str) -> list[int]:
    """Positions in the file of the tables of a vector field; none where the field is absent."""
    offset = table.Offset(4 + 2 * field)
    if not offset:
        return []
    start, count = table.Vector(offset), table.VectorLen(offset)
    _inside(start + 4 * count - 1, size, label)
    return [_inside(int(table.Indirect(start + 4 * i)), size, label) for i in range(count)]


def _inside(position: int, size: int, label: str) -> int:
    if not 0 < position < size:
        raise FormatError(f"{label}: the file is damaged (it refers to what lies outside of it)")
    return position


def _metadata_name(content: bytes, position: int) -> str:
    entry = schema.Metadata()
    entry.Init(content, position)
    return (entry.Name() or b"").decode("utf-8", "replace")


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
