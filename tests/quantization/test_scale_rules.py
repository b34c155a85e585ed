"""Which tensors share scales, and how ranges become scales."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_networks import branching_network, random_images, skip_network

from tinynas.errors import UsageError
from tinynas.graph import Graph, Op, OpKind
from tinynas.quantization import INPUT_QUANTIZATION, RangeMethod, calibrate
from tinynas.quantization._parameters import affine, weight_scales

RANGES = st.floats(-1e4, 1e4, allow_nan=False, width=32)


@given(low=RANGES, high=RANGES)
def test_zero_is_exact_and_the_range_is_covered(low: float, high: float) -> None:
    low, high = min(low, high), max(low, high)
    q = affine(low, high)
    assert q.scale > 0
    assert -128 <= q.zero_point <= 127
    assert np.float32(q.scale) == q.scale
    if max(high, 0) - min(low, 0) >= 1e-6:
        half_a_step = 0.51 * q.scale
        assert q.scale * (127 - q.zero_point) >= high - half_a_step
        assert q.scale * (-128 - q.zero_point) <= low + half_a_step


def op_named(graph: Graph, name: str) -> Op:
    return next(op for op in graph.ops if op.name == name)


@pytest.mark.parametrize("method", list(RangeMethod))
def test_pooling_and_data_movement_keep_the_scale_of_their_input(method: RangeMethod) -> None:
    graph = branching_network()
    scales = calibrate(graph, random_images(64), method=method)
    for name in ("pool", "up", "flat"):
        op = op_named(graph, name)
        assert scales[op.outputs[0]] == scales[op.inputs[0]]
    join = op_named(graph, "join")
    assert len({scales[i] for i in (*join.inputs, *join.outputs)}) == 1
    skip = skip_network()
    scales = calibrate(skip, random_images(64), method=method)
    assert scales[op_named(skip, "average").outputs[0]] == scales[op_named(skip, "add").outputs[0]]
    assert scales[op_named(skip, "pool").outputs[0]] != scales[op_named(skip, "average").outputs[0]]


def test_the_input_is_the_pixel_minus_128_and_softmax_has_its_fixed_scale() -> None:
    graph = skip_network(softmax=True)
    scales = calibrate(graph, random_images(8))
    assert scales[graph.inputs[0]] == INPUT_QUANTIZATION
    assert INPUT_QUANTIZATION.scale == float(np.float32(1 / 255))
    assert INPUT_QUANTIZATION.zero_point == -128
    assert (scales[graph.outputs[0]].scale, scales[graph.outputs[0]].zero_point) == (1 / 256, -128)


def test_rectified_tensors_spend_all_codes_on_positive_values() -> None:
    graph = skip_network()
    scales = calibrate(graph, random_images(64), method=RangeMethod.MIN_MAX)
    stem = scales[op_named(graph, "stem").outputs[0]]
    assert stem.zero_point == -128
    assert stem.scale <= 6 / 255 + 1e-6


def test_clipping_by_squared_error_never_widens_the_range() -> None:
    graph = skip_network()
    images = random_images(64)
    full = calibrate(graph, images, method=RangeMethod.MIN_MAX)
    clipped = calibrate(graph, images, method=RangeMethod.MEAN_SQUARED_ERROR)
    assert all(clipped[i].scale <= full[i].scale for i in full)


def test_weights_have_a_scale_per_output_channel_except_in_linear_layers() -> None:
    weights = np.arange(1, 25, dtype=np.float32).reshape(2, 2, 2, 3)
    conv = op_named(skip_network(), "stem")
    assert weight_scales(conv, weights, None, 0.1) == pytest.approx([12 / 127, 24 / 127])
    depthwise = op_named(skip_network(), "depthwise")
    per_channel = weight_scales(depthwise, weights[:1], None, 0.1)
    assert per_channel == pytest.approx([10 / 127, 11 / 127, 12 / 127])
    linear = op_named(skip_network(), "classifier")
    assert linear.kind is OpKind.FULLY_CONNECTED
    assert weight_scales(linear, weights.reshape(4, 6), None, 0.1) == pytest.approx([24 / 127])


def test_a_dead_channel_leaves_room_for_its_bias() -> None:
    conv = op_named(skip_network(), "stem")
    weights = np.zeros((1, 1, 1, 1), np.float32)
    scale = float(weight_scales(conv, weights, np.array([3.0], np.float32), 1 / 255)[0])
    assert 3.0 / (scale / 255) < 2**31


def test_calibration_without_images_is_refused() -> None:
    with pytest.raises(UsageError, match="calibration needs images"):
        calibrate(skip_network(), random_images(0))
