"""ADD as a plane: the bits of TFLite for every pair of operands, within 32 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.graph import Activation, DType, GraphBuilder, Quantization, execute
from tinynas.graph import fixed_point as fp

_INT8 = np.arange(-128, 128, dtype=np.int64)
_A, _B = (values.reshape(-1) for values in np.meshgrid(_INT8, _INT8))
_NO_PLANE = (
    Quantization((0.047078259070449574,), (-66,)),
    Quantization((0.04171340993546895,), (7,)),
    Quantization((0.0378173158409293,), (-41,)),
)
_zero_points = st.integers(-128, 127)
_scales = st.floats(-12, 0).map(lambda exponent: 2.0**exponent)
_quantizations = st.builds(lambda scale, zero_point: Quantization((scale,), (zero_point,)), _scales, _zero_points)


def _tflite(
    a: Quantization, b: Quantization, output: Quantization, activation: Activation = Activation.NONE
) -> np.ndarray:
    """What the reference executor makes of all pairs."""
    builder = GraphBuilder("add", DType.INT8)
    operands = [builder.input((1, 256, 256, 1), name) for name in ("a", "b")]
    graph = builder.build([builder.add(*operands, activation=activation)])
    tensors = (replace(t, quantization=q) for t, q in zip(graph.tensors, (a, b, output), strict=True))
    inputs = [values.reshape(1, 256, 256, 1).astype(np.int8) for values in (_A, _B)]
    (result,) = execute(replace(graph, tensors=tuple(tensors)), inputs).values()
    return result.reshape(-1)


def _check(plane: fp.AddPlane, expected: np.ndarray, low: int = -128, high: int = 127) -> None:
    assert 16 <= plane.right <= 23
    assert 0 <= min(plane.alpha, plane.beta) <= max(plane.alpha, plane.beta) < 1 << 23
    partial = _A * plane.alpha + plane.gamma
    whole = partial + _B * plane.beta
    for sums in (_A * plane.alpha, _B * plane.beta, partial, whole):
        np.testing.assert_array_equal(sums, sums.astype(np.int32))
    for sums in (partial, whole):
        biased = sums + (128 << plane.right)
        np.testing.assert_array_equal(biased, biased.astype(np.int32))
    np.testing.assert_array_equal(np.clip(whole >> plane.right, low, high), expected)


@settings(max_examples=60, deadline=None)
@given(_quantizations, _quantizations, st.floats(-6, 4), _zero_points)
def test_a_plane_equals_tflite_for_all_pairs(a, b, ratio, zero_point):
    output = Quantization((max(a.scale, b.scale) * 2.0**ratio,), (zero_point,))
    plane = fp.add_plane(a, b, output)
    if plane is not None:
        _check(plane, _tflite(a, b, output))


@settings(max_examples=30, deadline=None)
@given(_quantizations, _quantizations, st.floats(-1, 2), _zero_points, st.sampled_from(list(Activation)))
def test_a_plane_is_exact_behind_a_clamp(a, b, ratio, zero_point, activation):
    output = Quantization((max(a.scale, b.scale) * 2.0**ratio,), (zero_point,))
    bounds = fp.quantized_activation_range(activation, output)
    plane = fp.add_plane(a, b, output, *bounds)
    if plane is not None:
        _check(plane, _tflite(a, b, output, activation), *bounds)


def test_nearly_all_calibrated_quantizations_have_a_plane():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(100):
        scales = rng.uniform(0.005, 0.05, 2)
        scales = (*scales, scales.max() * rng.uniform(0.8, 2))
        zero_points = rng.integers(-128, 30, 3)
        quantizations = [Quantization((float(s),), (int(z),)) for s, z in zip(scales, zero_points, strict=True)]
        found += fp.add_plane(*quantizations) is not None
    assert found >= 95


@pytest.mark.parametrize(
    "quantizations",
    [
        _NO_PLANE,
        tuple(Quantization((scale,), (0,)) for scale in (0.5, 0.4, 0.001)),  # sums of steps beyond 32 bits
        tuple(
            Quantization((scale,), (0,)) for scale in (0.02, 0.026, 6 / 255)
        ),  # halves, which TFLite rounds at random
    ],
)
def test_some_have_none(quantizations):
    assert fp.add_plane(*quantizations) is None


def test_an_output_that_does_not_change_needs_no_steps():
    a, b = (Quantization((1e-6,), (zero_point,)) for zero_point in (-128, 127))
    output = Quantization((1.0,), (5,))
    plane = fp.add_plane(a, b, output)
    assert plane is not None
    _check(plane, _tflite(a, b, output))
