"""Patches: which rows each step computes, what is alive, what is counted, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.graph import DType, Graph, GraphBuilder, count_macs
from tinynas.lowering import PatchError, PatchPlan, lower
from tinynas.memory import plan_arena


def stage(height: int = 16) -> Graph:
    b = GraphBuilder("stage", DType.INT8)
    x = b.conv_2d(b.input((1, height, 8, 3)), 8, 3, stride=2, name="stem")
    x = b.depthwise_conv_2d(x, 3, name="depthwise")
    x = b.conv_2d(x, 4, 1, name="project")
    return b.build([b.mean(x, name="pool")])


def test_rows_and_padding_of_two_patches() -> None:
    schedule = lower(stage(), PatchPlan(3, 2))
    bands = [(step.name, step.band.input_rows, step.padding[:2]) for step in schedule.steps if step.band]
    # SAME with an even size pads only at the bottom for stride 2. The halo is row 4 of the stem for the first patch,
    # row 3 for the second.
    assert bands == [
        ("stem rows 0 to 4", (0, 11), (0, 0)),
        ("depthwise rows 0 to 3", (0, 5), (1, 0)),
        ("project rows 0 to 3", (0, 4), (0, 0)),
        ("stem rows 3 to 7", (6, 16), (0, 1)),
        ("depthwise rows 4 to 7", (3, 8), (0, 1)),
        ("project rows 4 to 7", (4, 8), (0, 0)),
    ]
    assert [step.band.output_offset for step in schedule.steps if step.band and step.band.weights_step == 2] == [0, 64]


def test_the_halo_is_counted() -> None:
    graph = stage()
    row = 3 * 3 * 3 * 8 * 4  # of the stem: window, input and output channels, columns
    assert lower(graph, PatchPlan(3, 2)).macs == count_macs(graph) + 2 * row
    assert lower(graph, PatchPlan(3, 1)).macs == count_macs(graph)


def test_only_bands_are_alive() -> None:
    schedule = lower(stage(), PatchPlan(3, 2))
    # While the second patch's stem computes: the image, five rows of the stem's result, the stage's output, of which
    # half is there, and four columns of the stem: 15 pairs of elements and one row of the window in bytes.
    columns = 16 * 3 * 5 + 12
    assert plan_arena(schedule).arena_bytes == 16 * 8 * 3 + 5 * 4 * 8 + 8 * 4 * 4 + columns


def test_a_sum_reads_the_middle_of_its_band() -> None:
    b = GraphBuilder("residual", DType.INT8)
    x = b.conv_2d(b.input((1, 8, 4, 2)), 2, 3, name="stem")
    x = b.add(x, b.conv_2d(x, 2, 3, name="branch"), name="sum")
    schedule = lower(b.build([b.mean(x, name="pool")]), PatchPlan(3, 4))
    sums = [step.band.input_offsets for step in schedule.steps if step.band and step.name.startswith("sum")]
    assert sums == [(0, 0), (8, 0), (8, 0), (8, 0)]  # the halo's row above comes first, but for the first patch


def _through_reshape(b: GraphBuilder) -> int:
    y = b.reshape(b.conv_2d(b.input((1, 8, 8, 2)), 2, 3, name="a"), (1, 4, 16, 2))
    return b.mean(b.conv_2d(y, 2, 3, name="b"), name="pool")


def _pooled(b: GraphBuilder) -> int:
    return b.mean(b.conv_2d(b.input((1, 8, 8, 2)), 2, 3, name="a"), name="pool")


def _read_later(b: GraphBuilder) -> int:
    x = b.conv_2d(b.input((1, 8, 8, 2)), 2, 3, name="a")
    return b.add(b.conv_2d(x, 2, 3, name="b"), x, name="late")


def _broadcast(b: GraphBuilder) -> int:
    x = b.input((1, 8, 8, 2))
    row = b.input((1, 1, 8, 2), "row")
    return b.mean(b.conv_2d(b.mul(x, row, name="scale"), 2, 3, name="c"), name="pool")


@pytest.mark.parametrize(
    ("make", "plan", "message"),
    [
        (_through_reshape, PatchPlan(2, 2), "reads a result through a RESHAPE"),
        (_read_later, PatchPlan(2, 2), "read after them"),
        (_broadcast, PatchPlan(2, 2), "repeats an operand"),
        (_pooled, PatchPlan(2, 2), "'pool' does not work row by row"),
        (_read_later, PatchPlan(0, 2), "0 layers: the network has 3"),
        (_read_later, PatchPlan(9, 2), "9 layers: the network has 3"),
        (_read_later, PatchPlan(1, 9), "9 patches of 8 rows: choose 1 to 8"),
        (_read_later, PatchPlan(1, 0), "0 patches of 8 rows: choose 1 to 8"),
    ],
)
def test_what_cannot_run_in_patches_is_refused(
    make: Callable[[GraphBuilder], int], plan: PatchPlan, message: str
) -> None:
    b = GraphBuilder("refused", DType.INT8)
    with pytest.raises(PatchError, match=message):
        lower(b.build([make(b)]), plan)


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 40), st.data())
def test_patches_write_every_row_once(height: int, data: st.DataObject) -> None:
    graph = stage(height)
    rows = graph.tensors[lower(graph).steps[2].output].shape[1]
    patches = data.draw(st.integers(1, rows))
    schedule = lower(graph, PatchPlan(3, patches))
    written = [step.band.rows for step in schedule.steps if step.band and step.band.weights_step == 2]
    assert [row for first, end in written for row in range(first, end)] == list(range(rows))
    for step in schedule.steps:
        for buffer in (*step.input_buffers, step.output_buffer):
            assert schedule.buffers[buffer].first_step <= step.index <= schedule.buffers[buffer].last_step
        if step.band:
            held = schedule.buffers[step.input_buffers[0]]
            call = schedule.call(step)
            assert step.band.input_offsets[0] + call.input.size_bytes <= held.size_bytes
            assert step.band.output_offset + call.output.size_bytes <= schedule.buffers[step.output_buffer].size_bytes
