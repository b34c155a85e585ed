"""Which tensors share scales, and how ranges become scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_networks import branching_network, random_images, skip_network

from tinynas.errors import UsageError
from tinynas.graph import Graph, Op, OpKind, Quantization
from tinynas.quantization import INPUT_QUANTIZATION, RangeMethod, calibrate
from tinynas.quantization._parameters import affine
from tinynas.quantization._ranges import Histogram
from tinynas.quantization._weights import weight_quantization

Values = npt.NDArray[np.float32]
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
    scales = calibrate(graph, random_images(64), activations=method)
    for name in ("pool", "up", "flat"):
        op = op_named(graph, name)
        assert scales[op.outputs[0]] == scales[op.inputs[0]]
    join = op_named(graph, "join")
    assert len({scales[i] for i in (*join.inputs, *join.outputs)}) == 1
    skip = skip_network()
    scales = calibrate(skip, random_images(64), activations=method)
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
    scales = calibrate(graph, random_images(64), activations=RangeMethod.MIN_MAX)
    stem = scales[op_named(graph, "stem").outputs[0]]
    assert stem.zero_point == -128
    assert stem.scale <= 6 / 255 + 1e-6


@pytest.mark.parametrize("network", [skip_network, branching_network])
def test_clipping_by_squared_error_never_widens_a_range(network: Callable[[], Graph]) -> None:
    graph, images = network(), random_images(64)
    full = calibrate(graph, images, activations=RangeMethod.MIN_MAX, weights=RangeMethod.MIN_MAX)
    clipped = calibrate(graph, images)
    assert clipped.keys() == full.keys()
    pairs = [pair for i in full for pair in zip(clipped[i].scales, full[i].scales, strict=True)]
    assert all(a <= b for a, b in pairs)
    assert any(a < b for a, b in pairs)


def squared_error(values: Values, q: Quantization) -> float:
    """Of float32 values that an activation of quantization `q` takes."""
    codes = np.clip(np.rint(values / q.scale) + q.zero_point, -128, 127)
    return float(np.square((codes - q.zero_point) * q.scale - values).sum())


@given(
    seed=st.integers(0, 1000),
    shape=st.sampled_from(["normal", "laplace", "standard_cauchy"]),
    rectified=st.booleans(),
)
def test_a_range_by_squared_error_is_no_worse_than_the_whole_one(seed: int, shape: str, rectified: bool) -> None:
    values = np.asarray(getattr(np.random.default_rng(seed), shape)(size=3000), np.float32)
    values = np.maximum(values, 0) if rectified else values
    histogram = Histogram.empty(float(values.min()), float(values.max()))
    for part in np.array_split(values, 3):
        histogram.add(part)
    whole, chosen = histogram.range_by(RangeMethod.MIN_MAX), histogram.range_by(RangeMethod.MEAN_SQUARED_ERROR)
    assert whole == (min(values.min(), 0), values.max())
    assert whole[0] <= chosen[0] <= 0 <= chosen[1] <= whole[1]
    # Within what bins of an eighth of a step hide.
    assert squared_error(values, affine(*chosen)) <= 1.05 * squared_error(values, affine(*whole))


def test_a_range_leaves_out_what_is_rare_and_far() -> None:
    values = np.append(np.random.default_rng(0).uniform(-1, 2, 100_000), 40.0).astype(np.float32)
    histogram = Histogram.empty(-1.0, 40.0)
    histogram.add(values)
    low, high = histogram.range_by(RangeMethod.MEAN_SQUARED_ERROR)
    assert -1 <= low < -0.9
    # Rounding costs 100,000 / 12 * ((high + 1) / 255)^2 and clipping (40 - high)^2: least where high is 35.3.
    assert high == pytest.approx(35.3, abs=1)
    assert squared_error(values, affine(low, high)) < 0.92 * squared_error(values, affine(-1.0, 40.0))


def test_a_tensor_of_one_value_has_a_range() -> None:
    for value in (0.0, 3.0, -3.0):
        histogram = Histogram.empty(value, value)
        histogram.add(np.full(10, value, np.float32))
        low, high = histogram.range_by(RangeMethod.MEAN_SQUARED_ERROR)
        q = affine(low, high)
        assert squared_error(np.full(10, value, np.float32), q) == pytest.approx(0, abs=1e-9)
        assert low <= 0 <= high


def test_weights_have_a_scale_per_output_channel_except_in_linear_layers() -> None:
    weights = np.arange(1, 25, dtype=np.float32).reshape(2, 2, 2, 3)
    conv = op_named(skip_network(), "stem")
    per_filter = weight_quantization(conv, weights, None, 0.1, RangeMethod.MIN_MAX)
    assert (per_filter.scales, per_filter.axis) == (pytest.approx((12 / 127, 24 / 127)), 0)
    depthwise = op_named(skip_network(), "depthwise")
    per_channel = weight_quantization(depthwise, weights[:1], None, 0.1, RangeMethod.MIN_MAX)
    assert (per_channel.scales, per_channel.axis) == (pytest.approx((10 / 127, 11 / 127, 12 / 127)), 3)
    linear = op_named(skip_network(), "classifier")
    assert linear.kind is OpKind.FULLY_CONNECTED
    of_all = weight_quantization(linear, weights.reshape(4, 6), None, 0.1, RangeMethod.MIN_MAX)
    assert of_all.scales == pytest.approx((24 / 127,))


@given(seed=st.integers(0, 1000), spread=st.sampled_from([0.0, 1.0, 3.0]))
def test_each_channel_of_weights_is_rounded_no_worse_by_squared_error(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    weights = (rng.standard_normal((5, 3, 3, 4)) * 10 ** (spread * rng.standard_normal((5, 1, 1, 1)))).astype("f")
    conv = op_named(skip_network(), "stem")
    errors = []
    for method in (RangeMethod.MIN_MAX, RangeMethod.MEAN_SQUARED_ERROR):
        scales = np.array(weight_quantization(conv, weights, None, 0.1, method).scales)[:, None, None, None]
        rounded = np.clip(np.rint(weights / scales), -127, 127) * scales
        errors.append(np.square(rounded - weights).sum(axis=(1, 2, 3)))
    assert (errors[1] <= errors[0] * (1 + 1e-3)).all()


def test_a_dead_channel_leaves_room_for_its_bias() -> None:
    conv = op_named(skip_network(), "stem")
    weights = np.zeros((1, 1, 1, 1), np.float32)
    for method in RangeMethod:
        scale = weight_quantization(conv, weights, np.array([3.0], np.float32), 1 / 255, method).scale
        assert 3.0 / (scale / 255) < 2**31


def test_calibration_without_images_is_refused() -> None:
    with pytest.raises(UsageError, match="calibration needs images"):
        calibrate(skip_network(), random_images(0))
