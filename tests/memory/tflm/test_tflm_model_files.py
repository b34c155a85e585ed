"""Model files that others wrote: unused tensors, shared constants, another order, damage."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import flatbuffers
import hypothesis.strategies as st
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from tflm_models import ONE_OPERATOR, known_model, quantized, random_graph, skeleton

from tinynas.formats import FormatError, add_offline_plan, read_offline_plan, read_tflite, tensor_table, write_tflite
from tinynas.memory.tflm import TflmMemoryModel, as_written, offline_plan
from tinynas.testing import tflm_arena

HOST = TflmMemoryModel(pointer_bytes=8)


def edited(content: bytes, edit: Callable[[Any], None]) -> bytes:
    """The file with its objects edited: `edit` gets the schema's model."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    edit(model)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensor(name: str, shape: list[int], kind: int, buffer: int = 0) -> Any:
    new = schema.TensorT()
    new.name, new.shape, new.type, new.buffer = name, shape, kind, buffer
    return new


def add_unused_constant(model: Any) -> None:
    buffer = schema.BufferT()
    buffer.data = np.zeros(40, np.uint8)
    model.buffers.append(buffer)
    model.subgraphs[0].tensors.append(tensor("unused", [10], schema.TensorType.INT32, len(model.buffers) - 1))


def add_unused_activations(model: Any) -> None:
    # Larger than the whole network: TFLM plans it nevertheless.
    model.subgraphs[0].tensors.append(tensor("idle", [1, 100, 1000], schema.TensorType.INT16))
    model.subgraphs[0].tensors.append(tensor("idle too", [3], schema.TensorType.FLOAT32))


def reverse_tensors(model: Any) -> None:
    graph = model.subgraphs[0]
    last = len(graph.tensors) - 1
    graph.tensors.reverse()
    graph.inputs = [last - i for i in graph.inputs]
    graph.outputs = [last - i for i in graph.outputs]
    for op in graph.operators:
        op.inputs = [last - i if i >= 0 else i for i in op.inputs]
        op.outputs = [last - i for i in op.outputs]


def drop_shape_of_reshape(model: Any) -> None:
    for op in model.subgraphs[0].operators:
        if isinstance(op.builtinOptions, schema.ReshapeOptionsT):
            op.inputs = op.inputs[:1]


def share_one_constant(model: Any) -> None:
    """What converters do: equal paddings and axes are one tensor."""
    graph = model.subgraphs[0]
    first: dict[bytes, int] = {}
    for op in graph.operators:
        if isinstance(op.builtinOptions, schema.PadOptionsT | schema.ReducerOptionsT):
            data = bytes(model.buffers[graph.tensors[op.inputs[1]].buffer].data)
            op.inputs = [op.inputs[0], first.setdefault(data, op.inputs[1])]


def remove_zero_points_of_biases(model: Any) -> None:
    """Scales without zero points are no quantization for TFLM."""
    for entry in model.subgraphs[0].tensors:
        if entry.type == schema.TensorType.INT32 and entry.quantization is not None:
            entry.quantization.zeroPoint = None


def end_before_the_last_operator(model: Any) -> None:
    """TFLM executes operators whose results nobody reads, and finds a place for them."""
    graph = model.subgraphs[0]
    if len(graph.operators) > 1:
        graph.outputs = [graph.operators[-2].outputs[0]]


def add_unread_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.inputs = [*graph.inputs, len(graph.tensors)]
    graph.tensors.append(tensor("unread", [1, 700], schema.TensorType.FLOAT32))


EDITS = [
    end_before_the_last_operator,
    add_unread_input,
    add_unused_constant,
    add_unused_activations,
    reverse_tensors,
    drop_shape_of_reshape,
    share_one_constant,
    remove_zero_points_of_biases,
]


@pytest.mark.parametrize("edit", EDITS, ids=[edit.__name__ for edit in EDITS])
@pytest.mark.parametrize("seed", range(6))
def test_files_of_others_are_exact_too(edit: Callable[[Any], None], seed: int) -> None:
    content = edited(write_tflite(random_graph(seed)), edit)
    graph, table, wheel = read_tflite(content), tensor_table(content), tflm_arena(content)
    sram = HOST.sram(graph, table)
    assert (sram.head_bytes, sram.tail_bytes) == (wheel.head, wheel.tail)
    plan = offline_plan(graph, HOST, table)
    assert tflm_arena(add_offline_plan(content, plan.offsets)).head == plan.head_bytes


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant", "person_detect"])
@pytest.mark.parametrize("edit", EDITS[:-1], ids=[edit.__name__ for edit in EDITS[:-1]])
def test_edited_real_models_are_exact_too(edit: Callable[[Any], None], name: str) -> None:
    content = edited(known_model(name), edit)
    sram, wheel = HOST.sram(read_tflite(content), tensor_table(content)), tflm_arena(content)
    assert (sram.head_bytes, sram.tail_bytes) == (wheel.head, wheel.tail)


@pytest.mark.parametrize("seed", range(8))
def test_the_table_of_a_written_file_is_as_predicted(seed: int) -> None:
    graph = random_graph(seed)
    _, written = as_written(graph)
    table = tensor_table(write_tflite(graph))
    assert len(table.graph_tensors) == len(written.graph_tensors)
    assert sorted(table.scales) == sorted(written.scales)
    assert not any(table.idle_bytes)


@pytest.mark.parametrize("seed", range(4))
def test_the_table_numbers_tensors_as_the_reader_does(seed: int) -> None:
    content = edited(write_tflite(random_graph(seed)), reverse_tensors)
    names = [t.name.decode() for t in schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0].tensors]
    graph = read_tflite(content)
    for name, index in zip(names, tensor_table(content).graph_tensors, strict=True):
        if index is not None:
            assert graph.tensors[index].name == name


def test_plans_that_do_not_fit_the_file_are_refused() -> None:
    content = write_tflite(quantized(skeleton(ONE_OPERATOR["conv"])))
    with pytest.raises(FormatError, match="the plan has 2 offsets, the file 4 tensors"):
        add_offline_plan(content, [0, 0])
    with pytest.raises(FormatError, match="8 is not an offset"):
        add_offline_plan(content, [0, -1, -1, 8])
    with pytest.raises(FormatError, match="-2 is not an offset"):
        add_offline_plan(content, [0, -1, -1, -2])
    with pytest.raises(FormatError, match="cannot be read"):
        add_offline_plan("no such file.tflite", [0])


@pytest.mark.parametrize("metadata", [b"", b"\0" * 11, b"\0" * 8 + b"\xff" * 4, b"\0" * 8 + b"\x01\0\0\0"])
def test_damaged_plans_are_refused(metadata: bytes) -> None:
    with pytest.raises(FormatError, match="damaged"):
        read_offline_plan(metadata)


_FILE = write_tflite(quantized(skeleton(lambda b, x: b.mean(b.conv_2d(x, 4, 3, name="c")))), metadata={"m": b"1"})


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(_FILE) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 99)
)
def test_damaged_files_end_in_a_plan_or_a_format_error(changes: list[tuple[int, int]], cut: int) -> None:
    damaged = bytearray(_FILE)
    for position, value in changes:
        damaged[position] = value
    content = bytes(damaged[: len(damaged) - (cut if cut < 50 else 0)])
    with contextlib.suppress(FormatError):
        table = tensor_table(content)
        plan = offline_plan(read_tflite(content), HOST, table)
        assert add_offline_plan(content, plan.offsets).endswith(content)
