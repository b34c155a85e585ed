"""Shapes, MACs and parameters: tables worked out by hand."""

from __future__ import annotations

import pytest

from tinynas.graph import (
    Activation,
    Conv2DAttributes,
    DType,
    GraphBuilder,
    GraphError,
    Op,
    OpKind,
    Padding,
    count_macs,
    count_params,
    infer_shape,
    op_macs,
    window_output_size,
    window_padding,
)


@pytest.mark.parametrize(
    ("size", "filter_size", "stride", "dilation", "padding", "output", "around"),
    [
        (28, 3, 1, 1, Padding.SAME, 28, (1, 1)),
        (28, 3, 2, 1, Padding.SAME, 14, (0, 1)),  # the odd one goes after
        (27, 3, 2, 1, Padding.SAME, 14, (1, 1)),
        (28, 1, 2, 1, Padding.SAME, 14, (0, 0)),  # the filter never reaches out
        (7, 7, 7, 1, Padding.VALID, 1, (0, 0)),
        (8, 3, 3, 1, Padding.VALID, 2, (0, 0)),
        (9, 3, 1, 3, Padding.VALID, 3, (0, 0)),
        (9, 3, 1, 3, Padding.SAME, 9, (3, 3)),
        (2, 5, 1, 1, Padding.SAME, 2, (2, 2)),
        (4, 5, 1, 1, Padding.VALID, 0, (0, 0)),  # does not fit
    ],
)
def test_windows_follow_tensorflow(size, filter_size, stride, dilation, padding, output, around):
    assert window_output_size(size, filter_size, stride, dilation, padding) == output
    assert window_padding(size, filter_size, stride, dilation, padding) == around


@pytest.mark.parametrize(
    ("grow", "shape", "macs", "params"),
    [
        (lambda b, x: b.conv_2d(x, 8, 3, stride=2, name="c"), (1, 5, 4, 8), 5 * 4 * 8 * 9 * 6, 8 * 9 * 6 + 8),
        (lambda b, x: b.conv_2d(x, 8, 1, bias=False, name="c"), (1, 10, 8, 8), 10 * 8 * 8 * 6, 48),
        (lambda b, x: b.conv_2d(x, 4, 3, groups=2, name="c"), (1, 10, 8, 4), 10 * 8 * 4 * 27, 4 * 27 + 4),
        (
            lambda b, x: b.conv_2d(x, 2, (3, 5), padding=Padding.VALID, dilation=(2, 1), name="c"),
            (1, 6, 4, 2),
            6 * 4 * 2 * 15 * 6,
            2 * 15 * 6 + 2,
        ),
        (lambda b, x: b.depthwise_conv_2d(x, 5, name="d"), (1, 10, 8, 6), 10 * 8 * 6 * 25, 6 * 25 + 6),
        (
            lambda b, x: b.depthwise_conv_2d(x, 3, depth_multiplier=3, stride=2, name="d"),
            (1, 5, 4, 18),
            5 * 4 * 18 * 9,
            18 * 9 + 18,
        ),
        (lambda b, x: b.fully_connected(x, 10, name="f"), (1, 10), 480 * 10, 4810),
        (lambda b, x: b.average_pool_2d(x, 2), (1, 5, 4, 6), 0, 0),
        (lambda b, x: b.max_pool_2d(x, 3, stride=2, padding=Padding.SAME), (1, 5, 4, 6), 0, 0),
        (lambda b, x: b.add(x, x), (1, 10, 8, 6), 0, 0),
        (lambda b, x: b.mul(x, b.mean(x, keep_dims=True)), (1, 10, 8, 6), 0, 0),
        (lambda b, x: b.concatenation([x, x, x]), (1, 10, 8, 18), 0, 0),
        (lambda b, x: b.concatenation([x, x], axis=1), (1, 20, 8, 6), 0, 0),
        (lambda b, x: b.pad(x, [(0, 0), (1, 2), (3, 4), (0, 0)]), (1, 13, 15, 6), 0, 0),
        (lambda b, x: b.mean(x), (1, 6), 0, 0),
        (lambda b, x: b.mean(x, (3,), keep_dims=True), (1, 10, 8, 1), 0, 0),
        (lambda b, x: b.mean(x, (0, 1, 2, 3)), (), 0, 0),
        (lambda b, x: b.softmax(x), (1, 10, 8, 6), 0, 0),
        (lambda b, x: b.reshape(x, (1, -1)), (1, 480), 0, 0),
        (lambda b, x: b.resize_nearest_neighbor(x, (20, 3)), (1, 20, 3, 6), 0, 0),
        (lambda b, x: b.transpose(x, (0, 3, 1, 2)), (1, 6, 10, 8), 0, 0),
        (lambda b, x: b.dequantize(x), (1, 10, 8, 6), 0, 0),
    ],
)
def test_shape_macs_and_parameters(grow, shape, macs, params):
    builder = GraphBuilder(dtype=DType.INT8)
    output = grow(builder, builder.input((1, 10, 8, 6)))
    graph = builder.build([output])
    assert graph.tensors[output].shape == shape
    assert (count_macs(graph), count_params(graph)) == (macs, params)
    assert sum(op_macs(graph, op) for op in graph.ops) == macs


def test_parameters_that_two_operators_share_count_once():
    builder = GraphBuilder()
    x = builder.input((1, 4, 4, 2))
    first = builder.conv_2d(x, 2, 1, name="a")
    graph = builder.build([first])
    again = Op(OpKind.CONV_2D, (first, *graph.ops[0].inputs[1:]), (len(graph.tensors),), Conv2DAttributes(), "b")
    shared = type(graph)((*graph.tensors, graph.tensors[first]), (*graph.ops, again), graph.inputs, again.outputs)
    assert count_params(shared) == 2 * 2 + 2
    assert count_macs(shared) == 2 * count_macs(graph)


@pytest.mark.parametrize(
    ("grow", "fact"),
    [
        (lambda b, x: b.conv_2d(x, 8, 3, groups=4, name="stem"), "stem"),
        (lambda b, x: b.conv_2d(x, 8, 11, padding=Padding.VALID, name="stem"), r"CONV_2D 'stem': filter \(11, 11\)"),
        (lambda b, x: b.conv_2d(x, 8, 3, stride=0, name="stem"), "positive"),
        (lambda b, x: b.max_pool_2d(x, (257, 256), stride=1, padding=Padding.SAME), "larger than any image"),
        (lambda b, x: b.conv_2d(x, 1, 3, dilation=1 << 20, name="wide"), "CONV_2D 'wide'.*larger than any image"),
        (lambda b, x: b.add(x, b.max_pool_2d(x, 2), name="skip"), "ADD 'skip'.*broadcast"),
        (lambda b, x: b.concatenation([x, b.max_pool_2d(x, 2)]), "along axis 3 only"),
        (lambda b, x: b.concatenation([x], axis=4), "axis 4"),
        (lambda b, x: b.reshape(x, (1, 7)), "cannot become"),
        (lambda b, x: b.transpose(x, (0, 1, 1, 2)), "not a permutation"),
        (lambda b, x: b.pad(x, [(0, 0), (-1, 0), (0, 0), (0, 0)]), "non-negative"),
        (lambda b, x: b.mean(x, (4,)), "axes"),
        (lambda b, x: b.resize_nearest_neighbor(x, (0, 3)), "empty"),
        (lambda b, x: b.fully_connected(b.add(x, x, name="twice"), 4, name="twice"), "used twice"),
        (lambda b, x: b.depthwise_conv_2d(b.mean(x), 3, name="d"), r"takes \[N, H, W, C\]"),
    ],
)
def test_misfits_name_the_operator(grow, fact):
    builder = GraphBuilder()
    x = builder.input((1, 10, 8, 6))
    with pytest.raises(GraphError, match=fact):
        grow(builder, x)


def test_infer_shape_refuses_a_missing_operand():
    op = Op(OpKind.CONV_2D, (0,), (1,), Conv2DAttributes(), "c")
    with pytest.raises(GraphError, match="takes 2 to 3 inputs, got 1"):
        infer_shape(op, [(1, 4, 4, 2)])


def test_names_and_dtypes_of_a_skeleton():
    builder = GraphBuilder("net", DType.INT8)
    x = builder.input((1, 4, 4, 2))
    x = builder.conv_2d(x, 3, 1, activation=Activation.RELU6, name="stem")
    x = builder.add(x, builder.add(x, x))
    graph = builder.build([builder.dequantize(x)])
    assert [(t.name, t.dtype.value, t.constant) for t in graph.tensors] == [
        ("input", "int8", False),
        ("stem/weights", "int8", True),
        ("stem/bias", "int32", True),
        ("stem", "int8", False),
        ("add", "int8", False),
        ("add_1", "int8", False),
        ("dequantize", "float32", False),
    ]
    assert [op.name for op in graph.ops] == ["stem", "add", "add_1", "dequantize"]
