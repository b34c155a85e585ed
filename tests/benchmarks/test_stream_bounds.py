"""The least SRAM row by row: computed by hand for tiny networks, and never more than what the engine takes."""

from __future__ import annotations

import pytest
from graph_cells import cells_of_graph
from known_networks import further_networks, mcunet_vww1, mobilenet_v2_r144
from stream_bounds import Bounds, bounds_of, lead_bytes

from tinynas.graph import DType, Graph, GraphBuilder, Padding
from tinynas.kernels import InstructionSet
from tinynas.lowering import DSP_LOWERING, lower
from tinynas.memory import cells_of, stream_choices
from tinynas.testing.layers import random_segments


def _builder() -> GraphBuilder:
    return GraphBuilder("tiny", DType.INT8)


def test_two_convolutions() -> None:
    """64 bytes in rows of 8, then 128 in rows of 16, then 32 in rows of 4."""
    b = _builder()
    x = b.conv_2d(b.input((1, 8, 4, 2)), 4, 3, name="a")
    graph = b.build([b.conv_2d(x, 1, 3, name="b")])
    window = 3 * 16
    assert bounds_of(graph) == Bounds(
        beside=64 + window + 32,
        over=64 + window,  # the input is read sooner than the output grows
        pushed=3 * 8 + window + 32,
    )


def test_a_residual_block() -> None:
    """96 bytes in rows of 16; the sum reads a row of the input that the convolution has read before."""
    b = _builder()
    x = b.input((1, 6, 4, 4))
    graph = b.build([b.add(x, b.conv_2d(x, 4, 3, name="conv"), name="sum")])
    assert bounds_of(graph) == Bounds(
        beside=96 + 96,  # as a whole, the sum in place: less than a segment's 96 + 16 + 96
        over=96 + 16 + 16,  # the output is one row ahead of the sum's reading, and the convolution has one row
        pushed=3 * 16 + 16 + 96,
    )


def test_a_stride_of_two() -> None:
    """64 bytes in rows of 8, then twice 32 in rows of 8."""
    b = _builder()
    x = b.conv_2d(b.input((1, 8, 8, 1)), 2, 3, stride=2, name="strided")
    graph = b.build([b.depthwise_conv_2d(x, 3, name="depthwise")])
    assert bounds_of(graph) == Bounds(
        beside=64 + 32,  # the depthwise convolution as a whole, in place
        over=64 + 8,  # its first row is written while all of the input is read; two rows are read for each later one
        pushed=3 * 8 + 32,
    )


@pytest.mark.parametrize(("convolutions", "rows"), [(1, 3), (2, 3), (3, 4), (4, 5)])
def test_a_sum_waits_for_the_rows_that_its_other_operand_lags(convolutions: int, rows: int) -> None:
    """Not for its whole receptive field, which has 2 n + 1 rows; but the first convolution sees three."""
    b = _builder()
    x = y = b.input((1, 12, 4, 4))
    for i in range(convolutions):
        y = b.conv_2d(y, 4, 3, name=f"conv{i}")
    (cell,) = cells_of_graph(b.build([b.add(x, y, name="sum")]))
    assert cell.window_rows[x] == rows
    assert cell.window_rows[y] == 1


def test_a_shortcut_with_a_convolution_waits_in_one_row() -> None:
    """Whoever computes it as soon as it can has three rows of it; it need not be."""
    b = _builder()
    x = b.input((1, 16, 4, 4))
    a = b.conv_2d(x, 8, 3, stride=2, name="a")
    y = b.conv_2d(a, 8, 3, name="b")
    shortcut = b.conv_2d(x, 8, 1, stride=2, name="shortcut")
    (cell,) = cells_of_graph(b.build([b.add(y, shortcut, name="sum")]))
    assert cell.window_rows == {x: 3, a: 3, y: 1, shortcut: 1}


def test_the_output_grows_one_row_ahead_of_a_pointwise_convolution() -> None:
    b = _builder()
    graph = b.build([b.conv_2d(b.input((1, 10, 4, 4)), 4, 1, name="pointwise")])
    assert lead_bytes(cells_of_graph(graph)) == 16
    assert bounds_of(graph) == Bounds(beside=320, over=160 + 16, pushed=16 + 160)


def test_a_pad_is_part_of_the_convolution_that_reads_it() -> None:
    def build(pad: bool) -> Graph:
        b = _builder()
        x = b.input((1, 9, 9, 4))
        if pad:
            x = b.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], name="pad")
        return b.build([b.conv_2d(x, 4, 3, padding=Padding.VALID if pad else Padding.SAME, name="conv")])

    assert bounds_of(build(pad=True)) == bounds_of(build(pad=False))


def test_nothing_can_be_pushed_into_a_fully_connected_layer() -> None:
    b = _builder()
    graph = b.build([b.fully_connected(b.reshape(b.input((1, 4, 4, 2)), (1, 32), name="flat"), 5, name="dense")])
    assert bounds_of(graph) == Bounds(beside=37, over=37, pushed=None)


def test_mcunet() -> None:
    """Its first layers by hand: see the rows of 240, 640, 640 and 320 bytes of 80 x 80 x 3 to 40 x 40 x 8."""
    stem = 3 * 640 + 640
    assert bounds_of(mcunet_vww1()) == Bounds(
        beside=19_200 + stem + 12_800,
        over=19_200 + stem,
        pushed=3 * 240 + stem + 320 + 3 * 1_920 + 960 + 6_400,  # one block further, 20 x 20 x 16
    )


@pytest.mark.parametrize("index", range(20))
def test_the_engine_is_never_below(index: int) -> None:
    graph = random_segments(0, index, InstructionSet.DSP).schedule.graph
    bounds = bounds_of(graph)
    cells = cells_of(DSP_LOWERING(graph), DSP_LOWERING)
    assert stream_choices(cells)[0].arena_bytes >= bounds.over
    for choice in stream_choices(cells, pushed=True)[:1]:
        assert bounds.pushed is not None
        assert choice.arena_bytes >= bounds.pushed


@pytest.mark.parametrize(
    "graph", [mcunet_vww1(), mobilenet_v2_r144(), *further_networks()], ids=lambda graph: str(graph.name)
)
def test_the_engine_is_near(graph: Graph) -> None:
    """Within 1.05 times the bound and the largest scratch of a kernel."""
    bounds = bounds_of(graph)
    cells = cells_of(DSP_LOWERING(graph), DSP_LOWERING)
    for pushed, bound in ((False, bounds.over), (True, bounds.pushed)):
        choice = stream_choices(cells, pushed=pushed)[0]
        schedule = lower(graph, streams=choice.streams)
        scratch = max(part.scratch_bytes for part in schedule.parts if part.stream is None)
        assert bound is not None
        assert bound <= choice.arena_bytes <= 1.05 * bound + scratch
        assert schedule.macs == lower(graph).macs
