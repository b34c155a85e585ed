"""Lowering: what is fused, removed and refused, and which variants follow from shapes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_schedules import builder, variants

from tinynas.graph import DType, GraphBuilder, OpKind, Padding
from tinynas.kernels import UnsupportedGraphError
from tinynas.lowering import lower


@pytest.mark.parametrize(
    ("kind", "padding", "expected"),
    [
        ("conv_2d", Padding.VALID, (1, 2, 3, 4)),
        ("conv_2d", Padding.SAME, (2, 3, 4, 5)),
        ("depthwise_conv_2d", Padding.VALID, (1, 2, 3, 4)),
    ],
)
def test_pad_is_fused_into_convolutions(kind: str, padding: Padding, expected: tuple[int, int, int, int]) -> None:
    b = builder()
    x = b.input((1, 8, 8, 4))
    padded = b.pad(x, [(0, 0), (1, 2), (3, 4), (0, 0)], name="pad")
    arguments = (4, 3) if kind == "conv_2d" else (3,)
    schedule = lower(b.build([getattr(b, kind)(padded, *arguments, padding=padding, name="conv")]))
    (step,) = schedule.steps
    assert step.padding == expected
    assert step.inputs == (x,)
    assert [schedule.graph.ops[i].kind for i in step.ops] == [
        OpKind.PAD,
        OpKind.CONV_2D if arguments == (4, 3) else OpKind.DEPTHWISE_CONV_2D,
    ]
    assert padded not in schedule.buffer_of


@pytest.mark.parametrize("case", ["max_pool", "average_pool", "channels", "output", "two readers"])
def test_pad_stays_where_it_is_not_a_convolutions_padding(case: str) -> None:
    b = builder()
    x = b.input((1, 8, 8, 4))
    padded = b.pad(x, [(0, 0), (1, 1), (1, 1), (0, 1 if case == "channels" else 0)], name="pad")
    outputs = {
        "max_pool": lambda: [b.max_pool_2d(padded, 2, name="pool")],
        "average_pool": lambda: [b.average_pool_2d(padded, 2, name="pool")],
        "channels": lambda: [b.conv_2d(padded, 4, 3, name="conv")],
        "output": lambda: [b.conv_2d(padded, 4, 3, name="conv"), padded],
        "two readers": lambda: [b.conv_2d(padded, 4, 3, name="conv"), b.max_pool_2d(padded, 2, name="pool")],
    }[case]()
    assert variants(lower(b.build(outputs)))[0] == "pad"


def test_edges_are_removed_and_the_interface_is_int8() -> None:
    b = builder()
    x = b.input((1, 4, 4, 2), dtype=DType.FLOAT32)
    q = b.quantize(x, name="in")
    y = b.conv_2d(q, 3, 3, name="conv")
    schedule = lower(b.build([b.dequantize(y, name="out")]))
    assert variants(schedule) == ["conv_2d_im2col"]
    assert schedule.inputs == (q,)
    assert schedule.outputs == (y,)
    assert x not in schedule.buffer_of


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda b: b.quantize(b.dequantize(b.input((1, 4, 4, 2)), name="inner"), name="again"), "inner"),
        (lambda b: b.mean(b.input((1, 4, 4, 2)), axes=(1, 3), name="holes"), "holes"),
        (lambda b: b.softmax(b.input((1, 5000)), name="long"), "long"),
        (lambda b: b.conv_2d(b.input((2, 4, 4, 2)), 2, 1, name="two images"), "two images"),
        (lambda b: b.conv_2d(b.input((1, 1, 70000, 1)), 2, 1, name="long line"), "long line"),
    ],
)
def test_what_no_kernel_covers_is_refused_by_name(make: Callable[[GraphBuilder], int], named: str) -> None:
    b = builder()
    graph = b.build([make(b)])
    with pytest.raises(UnsupportedGraphError, match=repr(named)) as error:
        lower(graph)
    assert "\n" not in str(error.value)


def test_a_float_graph_is_refused_by_name() -> None:
    b = GraphBuilder("float")
    with pytest.raises(UnsupportedGraphError, match=r"'image'.*quantize the model first"):
        lower(b.build([b.conv_2d(b.input((1, 4, 4, 2), name="image"), 2, 1, name="c")]))


def test_variants_follow_shapes() -> None:
    b = builder()
    x = b.input((1, 8, 8, 6))
    x = b.conv_2d(x, 8, 1, name="pointwise")
    x = b.conv_2d(x, 8, 1, stride=2, name="strided")
    x = b.conv_2d(x, 8, 3, groups=2, name="grouped")
    x = b.depthwise_conv_2d(x, 5, stride=2, name="depthwise")
    x = b.depthwise_conv_2d(x, 3, depth_multiplier=2, name="multiplied")
    s = b.mean(x, keep_dims=True, name="squeeze")
    s = b.conv_2d(s, 16, 1, name="one pixel")
    x = b.mul(x, s, name="excite")
    x = b.add(x, x, name="twice")
    x = b.reshape(b.mean(x, name="pool"), (1, 16))
    x = b.fully_connected(x, 3, name="head")
    schedule = lower(b.build([x]))
    assert variants(schedule) == [
        *("conv_1x1", "conv_2d_im2col", "conv_2d", "depthwise_conv_2d", "conv_2d", "mean", "conv_2d", "mul_broadcast"),
        *("add", "mean", "fully_connected_in_fours"),
    ]


@pytest.mark.parametrize(("outputs", "expected"), [(40, "conv_2d_im2col"), (36, "conv_2d")])
def test_scratch_of_twice_the_input_and_output_is_worth_it(outputs: int, expected: str) -> None:
    """Columns of four windows of 3x3x32 elements, two bytes each: 2,304 bytes, beside maps of 4x4 pixels."""
    b = builder()
    schedule = lower(b.build([b.conv_2d(b.input((1, 4, 4, 32)), outputs, 3, name="conv")]))
    assert variants(schedule) == [expected]
    assert schedule.steps[0].scratch_bytes == (2304 if expected == "conv_2d_im2col" else 0)
    assert 2 * 16 * (32 + 36) < 2304 <= 2 * 16 * (32 + 40)


def test_names_of_thousands_of_characters_are_cut_in_messages() -> None:
    b = builder()
    graph = b.build([b.conv_2d(b.input((2, 8, 8, 3), "i" * 3000), 4, 3, name="n" * 3000)])
    with pytest.raises(UnsupportedGraphError, match="one image at a time") as error:
        lower(graph)
    assert len(str(error.value)) < 420
