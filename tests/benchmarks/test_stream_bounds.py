"""The least SRAM row by row: computed by hand for tiny networks, and never more than what the engine takes."""

from __future__ import annotations

from collections.abc import Callable

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


def test_a_pad_before_pooling_is_a_layer() -> None:
    """64 bytes in rows of 8, then 120 in rows of 12, then 64 in rows of 8; the first padded row needs no other one."""
    b = _builder()
    x = b.pad(b.input((1, 8, 4, 2)), [(0, 0), (1, 1), (1, 1), (0, 0)], name="pad")
    graph = b.build([b.max_pool_2d(x, 3, stride=1, name="pool")])
    window = 3 * 12
    assert bounds_of(graph) == Bounds(
        beside=64 + window + 64,
        over=64 + window,  # two rows of the input are read for the first one of the output
        pushed=8 + window + 64,
    )


def test_rows_of_padding_grow_before_the_input_is_read() -> None:
    b = _builder()
    graph = b.build([b.pad(b.input((1, 4, 4, 2)), [(0, 0), (2, 0), (0, 0), (0, 0)], name="pad")])
    assert bounds_of(graph) == Bounds(beside=32 + 48, over=32 + 3 * 8, pushed=8 + 48)


def _mean(b: GraphBuilder, x: int) -> int:
    return b.mean(x, name="mean")


def _pooling(b: GraphBuilder, x: int) -> int:
    return b.average_pool_2d(x, (8, 4), name="pool")


def _pixels(b: GraphBuilder, x: int) -> int:
    return b.fully_connected(x, 4, name="dense")


def _reshaped_pixels(b: GraphBuilder, x: int) -> int:
    return b.fully_connected(b.reshape(x, (1, 128), name="flat"), 4, name="dense")


_HEADS = (_mean, _pooling, _pixels, _reshaped_pixels)


@pytest.mark.parametrize("head", _HEADS)
def test_a_head_has_one_row(head: Callable[[GraphBuilder, int], int]) -> None:
    """64 bytes in rows of 8, then 128 in rows of 16, then 4, which are written when all of the input is read."""
    b = _builder()
    graph = b.build([head(b, b.conv_2d(b.input((1, 8, 4, 2)), 4, 3, name="a"))])
    assert bounds_of(graph) == Bounds(beside=64 + 16 + 4, over=64 + 16, pushed=3 * 8 + 16 + 4)


@pytest.mark.parametrize("head", [_pixels, _reshaped_pixels])
def test_a_head_is_written_over_all_rows_but_the_last(head: Callable[[GraphBuilder, int], int]) -> None:
    """128 bytes in rows of 16; then 4, or 30 of a wider head."""
    b = _builder()
    graph = b.build([head(b, b.input((1, 8, 4, 4)))])
    assert bounds_of(graph) == Bounds(beside=132, over=128, pushed=16 + 4)
    b = _builder()
    graph = b.build([b.fully_connected(b.input((1, 2, 4, 4)), 30, name="wide")])
    assert bounds_of(graph) == Bounds(beside=32 + 30, over=16 + 30, pushed=16 + 30)


def test_a_head_ends_its_segment() -> None:
    """What is behind it runs when all windows are gone: one segment of all three would have 4 bytes more, or 6."""
    b = _builder()
    x = _pooling(b, b.conv_2d(b.input((1, 8, 4, 2)), 4, 3, name="a"))
    graph = b.build([b.conv_2d(x, 6, 1, name="classes")])
    assert bounds_of(graph) == Bounds(beside=64 + 16 + 4, over=64 + 16, pushed=3 * 8 + 16 + 4)


def test_a_head_beside_another_layer_is_no_head() -> None:
    b = _builder()
    x = b.input((1, 8, 4, 4))
    (cell,) = cells_of_graph(b.build([b.add(_pooling(b, x), b.max_pool_2d(x, (8, 4), name="max"), name="sum")]))
    assert not cell.by_rows
    assert not cell.ends


@pytest.mark.parametrize("shape", [(1, 32), (1, 1, 4, 8)])
def test_nothing_can_be_pushed_into_a_head_without_rows(shape: tuple[int, ...]) -> None:
    b = _builder()
    graph = b.build([b.fully_connected(b.input(shape), 5, name="dense")])
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
