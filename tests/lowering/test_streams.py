"""Streamed segments: windows, structures, what the output leads by, loops, constants, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from small_schedules import builder

from tinynas.graph import DType, Graph, GraphBuilder, Padding
from tinynas.kernels import CATALOGUE, words
from tinynas.kernels.streaming import STREAM, STREAMED_LAYER, STREAMED_STATE
from tinynas.latency import with_random_constants
from tinynas.lowering import (
    PatchPlan,
    Schedule,
    Step,
    Stream,
    StreamError,
    StreamPlan,
    Structure,
    VariantError,
    lower,
    substitutes,
    suits,
    with_constants,
    with_variants,
)


def two_windows(channels: int = 4) -> Graph:
    """Eight rows of eight bytes, and as many of `channels` times four behind two windows of three rows."""
    b = builder()
    x = b.depthwise_conv_2d(b.input((1, 8, 4, 2)), 3, name="depthwise")
    return b.build([b.conv_2d(x, channels, 3, name="conv")])


def segment(schedule: Schedule) -> tuple[Step, Stream]:
    """The only step, and what it runs."""
    (step,) = schedule.steps
    assert step.stream is not None
    return step, step.stream


def test_windows_state_and_scratch_lie_behind_each_other() -> None:
    step, stream = segment(lower(two_windows(), streams=[StreamPlan(0, (1, 1))]))
    assert [(layer.window_rows, layer.window_offset) for layer in stream.layers] == [(3, 0), (8, 0)]
    assert stream.states_offset == 3 * 8
    assert stream.scratch_offset == stream.states_offset + 3 * STREAMED_STATE.size_bytes
    scratch = max(layer.step.scratch_bytes for layer in stream.layers)
    assert scratch > 0
    assert step.scratch_bytes == stream.scratch_offset + words(scratch)
    assert [layer.readers for layer in stream.layers] == [(2,), (0, 2)]
    assert [layer.operands for layer in stream.layers] == [(0,), (1,)]
    assert step.name == "depthwise to conv, row by row"
    assert step.ops == (0, 1)


def test_first_and_last_calls_have_structures_of_their_own() -> None:
    _, stream = segment(lower(two_windows(), streams=[StreamPlan(0, (1, 3))]))
    rows, threes = stream.layers
    assert rows.structures == (
        Structure(1, 2, 1, (1, 0, 1, 1)),
        Structure(6, 3, 1, (0, 0, 1, 1)),
        Structure(1, 2, 1, (0, 1, 1, 1)),
    )
    assert threes.structures == (
        Structure(1, 4, 3, (1, 0, 1, 1)),
        Structure(1, 5, 3, (0, 0, 1, 1)),
        Structure(1, 3, 2, (0, 1, 1, 1)),
    )
    assert (rows.last_structures, threes.last_structures) == (1, 1)
    assert (rows.calls, threes.calls) == (8, 3)
    assert rows.window_rows == 5  # what three rows see: all of them are there before the next one


def test_the_padding_of_a_fused_pad_is_that_of_the_first_and_last_rows() -> None:
    b = builder()
    y = b.pad(b.input((1, 6, 4, 2)), [(0, 0), (3, 1), (0, 0), (0, 0)], name="pad")
    graph = b.build([b.conv_2d(y, 2, (5, 1), padding=Padding.VALID, name="conv")])
    _, stream = segment(lower(graph, streams=[StreamPlan(0, (1,))]))
    (conv,) = stream.layers
    seen = [(s.input_rows, *s.padding[:2]) for s in conv.structures]
    assert seen == [(2, 3, 0), (3, 2, 0), (4, 1, 0), (5, 0, 0), (4, 0, 1)]
    assert [s.calls for s in conv.structures] == [1, 1, 1, 2, 1]
    assert conv.step.padding == (3, 1, 0, 0)


@pytest.mark.parametrize(("channels", "lead"), [(1, 0), (2, 0), (3, 32), (4, 64)])
def test_the_output_leads_by_what_it_would_write_over(channels: int, lead: int) -> None:
    """In its call `j`, the last layer ends row `j + 1`, and row `j + 1` of the input is read next, and no row at all
    once the first layer is done: from the seventh call on."""
    _, stream = segment(lower(two_windows(channels), streams=[StreamPlan(0, (1, 1))]))
    by_hand = max((j + 1) * 4 * channels - (8 if j >= 6 else j + 1) * 8 for j in range(8))
    assert stream.lead_bytes == max(0, by_hand) == lead


def test_a_residual_sum_keeps_its_input() -> None:
    b = builder()
    x = b.input((1, 6, 2, 2))
    y = b.depthwise_conv_2d(x, 3, name="depthwise")
    graph = b.build([b.add(x, y, name="sum")])
    step, stream = segment(lower(graph, streams=[StreamPlan(0, (1, 1))]))
    assert stream.lead_bytes == 4  # the row that the sum reads while it writes it
    assert stream.layers[1].operands == (0, 1)
    assert stream.layers[0].window_rows == 1
    assert step.features["second_operands"] == 6


def test_loops_of_a_segment_by_hand() -> None:
    """Behind the first row of the input, layer 1 waits; behind six more, both do; then layer 2, and both."""
    step, _ = segment(lower(two_windows(3), streams=[StreamPlan(0, (1, 1))]))
    assert step.features == {
        "calls": 1,
        "layers": 3,
        "input_rows": 8,
        "waits": 1 + 6 * 2 + 3,
        "kernel_calls": 16,
        "second_operands": 0,
        "slides": 5,  # the fourth to the eighth row find the window full
        "slide_rounds": 5,  # two rows of eight bytes
        "slide_words": 0,
        "slide_bytes": 0,
        "output_words": 8 * 12 // 4,
        "output_bytes": 0,
    }


def test_rows_that_are_no_words_are_moved_by_bytes() -> None:
    b = builder()
    x = b.depthwise_conv_2d(b.input((1, 5, 3, 1)), 3, name="depthwise")
    step, stream = segment(lower(b.build([b.conv_2d(x, 1, 3, name="conv")]), streams=[StreamPlan(0, (1, 1))]))
    assert (step.features["slides"], step.features["slide_rounds"]) == (2, 0)
    assert step.features["slide_bytes"] == 2 * 6
    assert (step.features["output_words"], step.features["output_bytes"]) == (0, 15)
    assert stream.states_offset == 12  # three rows of three bytes, in words


def test_macs_and_loops_of_kernels_are_those_of_all_calls() -> None:
    plain = lower(two_windows())
    streamed = lower(two_windows(), streams=[StreamPlan(0, (2, 3))])
    step, stream = segment(streamed)
    assert streamed.macs == plain.macs == step.macs
    for layer in stream.layers:
        variant = CATALOGUE[layer.step.variant]
        calls = [
            call
            for call, structure in zip(streamed.streamed_calls(layer), layer.structures, strict=True)
            for _ in range(structure.calls)
        ]
        for name in layer.step.features:
            assert layer.step.features[name] == sum(variant.features(call)[name] for call in calls)


def test_constants_are_one_set_of_weights_and_a_structure_for_each_kind_of_call() -> None:
    schedule = lower(two_windows(), streams=[StreamPlan(0, (1, 1))])
    step, stream = segment(schedule)
    entries = (len(stream.layers) + 1) * STREAMED_LAYER.size_bytes
    weights = structures = 0
    for layer in stream.layers:
        variant = CATALOGUE[layer.step.variant]
        weights += variant.constant_bytes(schedule.streamed_calls(layer)[0]) - variant.parameters.size_bytes
        structures += 3 * variant.parameters.size_bytes
    address = 4  # of the parameters: the kernel has no other argument
    assert step.constant_bytes == weights + structures + entries + STREAM.parameters.size_bytes + address


def test_kernels_of_segments_are_variants_of_the_schedule() -> None:
    schedule = lower(two_windows(), streams=[StreamPlan(0, (1, 1))])
    step, stream = segment(schedule)
    assert schedule.variants == {"stream", *(layer.step.variant for layer in stream.layers)}
    assert step.parts == (*(layer.step for layer in stream.layers), step)


def test_layers_beside_a_segment_stay_as_they_are() -> None:
    graph = inverted_bottlenecks()
    plain = lower(graph)
    mixed = lower(graph, streams=[StreamPlan(1, (1, 2, 1, 3))])
    assert [step.name for step in mixed.steps] == [
        *("stem", "a.expand to a, row by row", "b.expand", "b.depthwise", "b.project", "b", "pool")
    ]
    assert [step.variant for step in mixed.steps[2:]] == [step.variant for step in plain.steps[5:]]
    # In place, as without the segment.
    assert [s.output_buffer in s.input_buffers for s in mixed.steps[2:]] == [
        s.output_buffer in s.input_buffers for s in plain.steps[5:]
    ]
    assert [s.shrinks for s in mixed.steps[2:]] == [s.shrinks for s in plain.steps[5:]]


def test_several_segments_in_any_order() -> None:
    plans = [StreamPlan(5, (1, 1, 1, 1)), StreamPlan(0, (2,)), StreamPlan(1, (1, 1, 1, 1))]
    one, other = (lower(inverted_bottlenecks(), streams=order) for order in (plans, plans[::-1]))
    assert one == other
    assert [step.stream is not None for step in one.steps] == [True, True, True, False]
    assert one.steps[0].name == "stem, row by row"


def test_constants_can_come_later() -> None:
    skeleton = inverted_bottlenecks()
    plans = [StreamPlan(1, (1, 2, 1, 3))]
    filled = with_random_constants(skeleton, 3)
    schedule = with_constants(lower(skeleton, streams=plans), filled)
    assert schedule == lower(filled, streams=plans)
    assert suits(schedule)


def inverted_bottlenecks() -> Graph:
    b = builder()
    x = b.conv_2d(b.input((1, 12, 6, 3)), 4, 3, name="stem")
    for name in ("a", "b"):
        y = b.conv_2d(x, 12, 1, name=f"{name}.expand")
        y = b.depthwise_conv_2d(y, 3, name=f"{name}.depthwise")
        x = b.add(x, b.conv_2d(y, 4, 1, name=f"{name}.project"), name=name)
    return b.build([b.mean(x, name="pool")])


def _chain(count: int) -> Graph:
    b = builder()
    x = b.input((1, 2, 1, 1))
    for i in range(count):
        x = b.conv_2d(x, 1, 1, name=f"conv{i}")
    return b.build([x])


def _two_inputs() -> Graph:
    b = builder()
    x, y = b.input((1, 4, 4, 2), "x"), b.input((1, 4, 4, 2), "y")
    return b.build([b.add(x, y, name="sum")])


def _through_reshape() -> Graph:
    b = builder()
    x = b.conv_2d(b.input((1, 8, 8, 2)), 2, 3, name="a")
    return b.build([b.conv_2d(b.reshape(x, (1, 4, 16, 2)), 2, 3, name="b")])


def _read_later() -> Graph:
    b = builder()
    x = b.conv_2d(b.input((1, 8, 8, 2)), 2, 3, name="a")
    return b.build([b.add(b.conv_2d(x, 2, 3, name="b"), x, name="late")])


def _unread_input() -> Graph:
    b = builder()
    x = b.input((1, 8, 8, 2), "x")
    b.input((1, 8, 8, 2), "unread")
    return b.build([b.conv_2d(x, 2, 3, name="conv")])


def _pooled() -> Graph:
    b = builder()
    x = b.mean(b.conv_2d(b.input((1, 8, 8, 2)), 2, 3, name="a"), keep_dims=True, name="pool")
    return b.build([b.conv_2d(x, 2, 1, name="b")])


def _vector() -> Graph:
    b = builder()
    x = b.input((1, 20))
    return b.build([b.add(x, x, name="sum")])


def _broadcast() -> Graph:
    b = builder()
    x = b.input((1, 8, 1, 2))
    return b.build([b.add(b.conv_2d(x, 2, 1, name="a"), b.max_pool_2d(x, (8, 1), name="row"), name="sum")])


def _constant_operand() -> Graph:
    b = builder()
    x, table = b.input((1, 3, 3, 5), "x"), b.input((1, 3, 3, 5), "table")
    graph = b.build([b.mul(x, table, name="scaled")])
    constant = replace(graph.tensors[table], constant=True, data=np.ones((1, 3, 3, 5), np.int8))
    tensors = tuple(constant if i == table else t for i, t in enumerate(graph.tensors))
    return replace(graph, tensors=tensors, inputs=(x,))


def _rows_of_padding() -> Graph:
    b = builder()
    y = b.pad(b.input((1, 4, 4, 2)), [(0, 0), (3, 0), (0, 0), (0, 0)], name="pad")
    return b.build([b.conv_2d(y, 2, 1, padding=Padding.VALID, name="conv")])


def _long_window() -> Graph:
    b = builder()
    return b.build([b.depthwise_conv_2d(b.input((1, 400, 1, 1)), (301, 1), name="depthwise")])


def _three_readers() -> Graph:
    b = builder()
    x = b.conv_2d(b.input((1, 12, 4, 2)), 2, 1, name="a")
    left, right = b.conv_2d(x, 2, (3, 1), name="left"), b.conv_2d(x, 2, (4, 1), name="right")
    return b.build([b.add(b.add(left, right, name="two"), x, name="three")])


@pytest.mark.parametrize(
    ("make", "plans", "message"),
    [
        (two_windows, [StreamPlan(0, ())], "a segment at layer 0 has no layers"),
        (two_windows, [StreamPlan(-1, (1,))], "layers -1 to -1 row by row: the network has 2"),
        (two_windows, [StreamPlan(1, (1, 1))], "layers 1 to 2 row by row: the network has 2"),
        (two_windows, [StreamPlan(0, (1, 1)), StreamPlan(1, (1,))], "layer 1 is in two segments"),
        (lambda: _chain(256), [StreamPlan(0, (1,) * 256)], "'conv255': 256 layers in one segment; at most 255"),
        (_two_inputs, [StreamPlan(0, (1,))], "'sum': its segment reads 2 tensors from outside; it may read one"),
        (_through_reshape, [StreamPlan(0, (1, 1))], "'b': its segment reads a result of its own through a RESHAPE"),
        (_read_later, [StreamPlan(0, (1, 1))], "CONV_2D 'b': 'a' is read behind its segment as well"),
        (_read_later, [StreamPlan(1, (1,))], "CONV_2D 'b': 'a' is read behind its segment as well"),
        (_unread_input, [StreamPlan(0, (1,))], "an input of the network that nothing reads is alive beside"),
        (_pooled, [StreamPlan(0, (1, 1, 1))], "row by row: MEAN 'pool' adds all rows to sums, which ends a segment"),
        (_vector, [StreamPlan(0, (1,))], "row by row: ADD 'sum' does not work on one image"),
        (_broadcast, [StreamPlan(0, (1, 1, 1))], "row by row: ADD 'sum' repeats an operand or has a constant one"),
        (_constant_operand, [StreamPlan(0, (1,))], "MUL 'scaled' repeats an operand or has a constant one"),
        (two_windows, [StreamPlan(0, (1, 9))], "row by row: CONV_2D 'conv': 9 rows a call, of 8"),
        (two_windows, [StreamPlan(0, (0, 1))], "'depthwise': 0 rows a call, of 8"),
        (_rows_of_padding, [StreamPlan(0, (1,))], "CONV_2D 'conv': some of its rows see nothing but padding"),
        (_long_window, [StreamPlan(0, (1,))], "'depthwise': too many of its rows see padding"),
        (_three_readers, [StreamPlan(0, (1, 1, 1, 1, 1))], "CONV_2D 'a': more than 2 layers read its rows"),
    ],
)
def test_what_cannot_run_row_by_row(make: Callable[[], Graph], plans: list[StreamPlan], message: str) -> None:
    with pytest.raises(StreamError, match=message):
        lower(make(), streams=plans)


def test_layers_in_patches_are_in_no_segment() -> None:
    with pytest.raises(StreamError, match="layer 1 is to run row by row, and in patches, as the first 2 layers do"):
        lower(two_windows(), PatchPlan(2, 2), streams=[StreamPlan(1, (1,))])


def test_segments_behind_patches() -> None:
    """Each is what it is alone."""
    graph = two_windows()
    mixed = lower(graph, PatchPlan(1, 2), streams=[StreamPlan(1, (1,))])
    patched, streamed = lower(graph, PatchPlan(1, 2)), lower(graph, streams=[StreamPlan(1, (1,))])
    assert [step.band for step in mixed.steps[:2]] == [step.band for step in patched.steps[:2]]
    assert mixed.steps[2].stream is not None
    assert mixed.steps[2].scratch_bytes == streamed.steps[1].scratch_bytes
    assert mixed.steps[2].features == streamed.steps[1].features
    assert [part.index for part in mixed.parts] == list(range(len(mixed.parts)))


def test_rows_of_padding_can_be_written_with_others() -> None:
    schedule = lower(_rows_of_padding(), streams=[StreamPlan(0, (4,))])
    _, stream = segment(schedule)
    assert [(s.input_rows, s.output_rows, s.padding[0]) for s in stream.layers[0].structures] == [(1, 4, 3), (3, 3, 0)]


def test_a_window_that_two_branches_read() -> None:
    b = builder()
    x = b.depthwise_conv_2d(b.input((1, 16, 4, 2)), 3, name="stem")
    y = b.conv_2d(b.conv_2d(x, 2, 3, stride=2, name="a"), 4, 3, name="b")
    graph = b.build([b.add(y, b.conv_2d(x, 4, 1, stride=2, name="shortcut"), name="sum")])
    _, stream = segment(lower(graph, streams=[StreamPlan(0, (1, 1, 1, 1, 1))]))
    assert [layer.readers for layer in stream.layers] == [(2, 4), (3,), (5,), (5,), (0, 5)]
    # Three rows of the stem, three that `b` sees, and one of each operand of the sum: the shortcut's when it is wanted.
    assert [layer.window_rows for layer in stream.layers] == [3, 3, 1, 1, 8]
    assert stream.layers[4].operands == (3, 4)


def test_the_kernel_of_segments_is_of_no_operator() -> None:
    schedule = lower(two_windows())
    for step in schedule.steps:
        call = schedule.call(step)
        assert not STREAM.applies(call)
        assert STREAM not in substitutes(schedule, (step.index,))
        for ask in (STREAM.constant_bytes, STREAM.features):
            with pytest.raises(TypeError, match="a segment is no operator"):
                ask(call)
    with pytest.raises(VariantError):
        with_variants(schedule, {0: STREAM.name})


def test_a_streamed_network_of_one_layer_is_named_after_it() -> None:
    b = GraphBuilder("one", DType.INT8)
    step, _ = segment(lower(b.build([b.quantize(b.input((1, 3, 3, 2)), name="scale")]), streams=[StreamPlan(0, (2,))]))
    assert step.name == "scale, row by row"
