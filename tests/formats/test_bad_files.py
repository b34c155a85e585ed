"""Files that are damaged or hostile: one clear line each, quickly, without large allocations."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refusal

from tinynas.formats import FormatError, read_metadata, read_tflite, write_tflite
from tinynas.graph import GraphError, execute
from tinynas.testing import random_input, random_int8_graph

_FILES = [write_tflite(random_int8_graph(np.random.default_rng(seed), operators=8)) for seed in range(6)]


def _read_or_refuse(content: bytes) -> None:
    """Either a graph that can be written again, or one line."""
    try:
        graph = read_tflite(content)
    except FormatError:
        return
    write_tflite(graph)


@settings(max_examples=400)
@given(
    st.sampled_from(_FILES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_flipped_bytes(content: bytes, flips: list[tuple[float, int]]):
    damaged = bytearray(content)
    for position, value in flips:
        damaged[int(position * len(damaged))] = value
    _read_or_refuse(bytes(damaged))


@settings(max_examples=150)
@given(
    st.sampled_from(_FILES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_what_is_read_is_executed_or_refused(content: bytes, flips: list[tuple[float, int]]):
    damaged = bytearray(content)
    for position, value in flips:
        damaged[int(position * len(damaged))] = value
    try:
        graph = read_tflite(bytes(damaged))
    except FormatError:
        return
    if max(tensor.elements for tensor in graph.tensors) > 1 << 20:
        return
    with contextlib.suppress(GraphError):
        execute(graph, random_input(graph, np.random.default_rng(0)))


@settings(max_examples=200)
@given(st.sampled_from(_FILES), st.floats(0, 1, exclude_max=True), st.sampled_from([0, 1, 0x7FFFFFFF, 0xFFFFFFFF]))
def test_words_overwritten(content: bytes, position: float, word: int):
    """Offsets and lengths are words: the extremes of all of them."""
    damaged = bytearray(content)
    struct.pack_into("<I", damaged, int(position * (len(damaged) // 4)) * 4, word)
    _read_or_refuse(bytes(damaged))


@settings(max_examples=150)
@given(st.sampled_from(_FILES), st.floats(0, 1, exclude_max=True))
def test_truncated(content: bytes, share: float):
    _read_or_refuse(content[: int(share * len(content))])


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_noise(noise: bytes):
    refusal(noise)
    _read_or_refuse(noise[:4] + b"TFL3" + noise[4:])


def test_half_a_file_is_called_damaged():
    assert "damaged or cut off" in refusal(_FILES[0][: len(_FILES[0]) // 2])


def test_reading_damaged_files_does_not_allocate_much():
    rng = np.random.default_rng(0)
    tracemalloc.start()
    try:
        for content in _FILES * 20:
            damaged = bytearray(content)
            struct.pack_into("<I", damaged, 4 * int(rng.integers(len(damaged) // 4)), 0x7FFFFFF0)
            _read_or_refuse(bytes(damaged))
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "not a .tflite file"),
        (b"GIF89a" * 20, "not a .tflite file"),
        (b"\x00\x00\x00\x00TFL3", "damaged"),
        (b"\xff\xff\xff\x7fTFL3", "damaged"),
    ],
)
def test_other_files(content: bytes, fact: str):
    assert fact in refusal(content)


def test_messages_name_the_file(tmp_path: Path):
    path = tmp_path / "net.tflite"
    for prepare, fact in (
        (lambda: None, "cannot be read: No such file"),
        (lambda: path.write_bytes(b"nothing"), "not a .tflite file"),
    ):
        prepare()
        for read in (read_tflite, read_metadata):
            with pytest.raises(FormatError, match=fact) as caught:
                read(path)
            assert str(path) in str(caught.value)
    with pytest.raises(FormatError, match="cannot be read"):
        read_tflite(tmp_path)


def test_many_offsets_to_one_table_do_not_hang():
    """A vector of tensors that all point at one with a long name costs little in the file and much when read."""
    name = b"n" * 60_000
    builder = flatbuffers.Builder(1 << 20)
    text = builder.CreateString(name)
    schema.TensorStart(builder)
    schema.TensorAddName(builder, text)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, 20_000)
    for _ in range(20_000):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    subgraph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    schema.BufferStart(builder)
    buffer = schema.BufferEnd(builder)
    schema.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, subgraphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    assert "damaged" in refusal(bytes(builder.Output()))
