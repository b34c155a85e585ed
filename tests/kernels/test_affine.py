"""Requantization by lines: where `Affine.exact` says so, every possible sum gives TFLite's output, in 32 bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynas.graph.fixed_point import multiply_by_quantized_multiplier, multiply_rounding_once, quantize_multiplier
from tinynas.kernels._affine import DROP, PART_BITS, Affine, Sums, _fits, _steps, _takes_all_steps, affine_of

Int64Array = npt.NDArray[np.int64]


def _sums(
    largest: int, bias: int, real: float, zero_point: int, *, rounded_once: bool = False, lowest: int | None = None
) -> Sums:
    multiplier = quantize_multiplier(real)
    values = (-largest if lowest is None else lowest, largest, bias, multiplier.value, multiplier.shift)
    low, high, offset, value, shift = (np.array([v], np.int64) for v in values)
    return Sums(low, high, offset, value, shift, zero_point, rounded_once)


def _affine_of(sums: Sums) -> Affine:
    """With a drop where it takes one."""
    return affine_of(sums, 0 if sums.rounded_once else DROP)


def _wanted(sums: Sums, totals: Int64Array) -> Int64Array:
    """TFLite's outputs of sums with their biases."""
    multiply = multiply_rounding_once if sums.rounded_once else multiply_by_quantized_multiplier
    scaled = multiply(totals, sums.multiplier[0], sums.shift[0]) + sums.zero_point
    outputs: Int64Array = np.clip(scaled, sums.low - 128, sums.high - 128)
    return outputs


def _computed(lines: Affine, x: Int64Array) -> Int64Array:
    """The kernel's steps (firmware/kernels/arithmetic/affine.h), each of them checked to stay within 32 bits."""
    a0, a1, a2 = (int(part[0]) for part in lines.parts)

    def checked(value: Int64Array) -> Int64Array:
        assert np.abs(value).max() < 1 << 31
        return value

    value = checked(x * a0) >> 9
    value = checked(value + checked(x * a1)) >> 9
    value = checked(checked(value + checked(x * a2)) + int(lines.offset[0]))
    value = checked(value - lines.drop * (x < 0)) >> int(lines.right[0])
    outputs: Int64Array = np.clip(value, 0, 255) - 128
    return outputs


def _probes(sums: Sums, seed: int) -> Int64Array:
    """Possible sums without their bias: all of them, or where they are many both ends, around zero, and random ones."""
    low, high = int(sums.lowest[0]), int(sums.highest[0])
    if high - low < 100_000:
        return np.arange(low, high + 1)
    rng = np.random.default_rng(seed)
    middle = np.clip(np.arange(-2000, 2000) - int(sums.bias[0]), low, high)
    return np.concatenate(([low, low + 1, high - 1, high], middle, rng.integers(low, high + 1, 20_000)))


def _channel(lines: Affine, one: slice) -> Affine:
    return Affine(lines.start[one], lines.slope[one], lines.offset[one], lines.right[one], lines.drop, lines.exact[one])


def _assert_equal(sums: Sums, lines: Affine, seed: int) -> None:
    sum_alone = _probes(sums, seed)
    computed = np.clip(_computed(lines, sum_alone + int(lines.start[0])), sums.low - 128, sums.high - 128)
    np.testing.assert_array_equal(computed, _wanted(sums, sum_alone + int(sums.bias[0])))


@given(
    largest=st.integers(0, (1 << 22) + 1000),
    bias=st.integers(-(1 << 22), 1 << 22),
    real=st.floats(1e-12, 4.0, exclude_min=True),
    zero_point=st.integers(-128, 127),
    rounded_once=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=300, deadline=None)
def test_a_line_gives_the_output_of_every_sum(
    largest: int, bias: int, real: float, zero_point: int, rounded_once: bool, seed: int
) -> None:
    sums = _sums(largest, bias, real, zero_point, rounded_once=rounded_once)
    lines = _affine_of(sums)
    if lines.exact[0]:
        _assert_equal(sums, lines, seed)


@given(
    exponent=st.integers(14, 20),
    range_in_outputs=st.floats(4.0, 30.0),
    bias=st.floats(-0.5, 0.5),
    zero_point=st.sampled_from([-128, -5, 0, 31]),
    rounded_once=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=200, deadline=None)
def test_calibrated_channels(
    exponent: int, range_in_outputs: float, bias: float, zero_point: int, rounded_once: bool, seed: int
) -> None:
    """The largest sums are four to thirty times what int8 holds, as after calibration: equal, and seldom missing."""
    rng = np.random.default_rng(seed)
    largest = (1 << exponent) + rng.integers(0, 1 << exponent, 64)
    offset = (bias * largest).astype(np.int64)
    scales = [quantize_multiplier(float(256 * range_in_outputs / (2 * size))) for size in largest]
    multiplier, shift = (np.array(values, np.int64) for values in zip(*scales, strict=True))
    sums = Sums(-largest, largest, offset, multiplier, shift, zero_point, rounded_once)
    lines = _affine_of(sums)
    assert lines.exact.mean() > 0.95
    for channel in np.nonzero(lines.exact)[0][:4]:
        one = slice(channel, channel + 1)
        alone = Sums(-largest[one], largest[one], offset[one], multiplier[one], shift[one], zero_point, rounded_once)
        _assert_equal(alone, _channel(lines, one), seed)


@pytest.mark.parametrize("real", [2.0**-8, 2.0**-9, 3 * 2.0**-10, 0.00123])
@pytest.mark.parametrize("rounded_once", [False, True])
def test_ties_go_away_from_zero_on_both_sides(real: float, rounded_once: bool) -> None:
    """With powers of two many sums lie halfway between two outputs."""
    sums = _sums(1 << 15, 0, real, 0, rounded_once=rounded_once)
    lines = _affine_of(sums)
    assert lines.exact.all()
    _assert_equal(sums, lines, seed=0)


def test_two_roundings_need_the_drop() -> None:
    """A line that is right on both sides of zero is wrong on one of them without it."""
    sums = _sums(1 << 16, 0, 0.0019, 0)
    lines = _affine_of(sums)
    assert lines.exact.all()
    assert lines.drop == DROP
    x = np.arange(-(1 << 16), 1 << 16)
    without = Affine(lines.start, lines.slope, lines.offset, lines.right, 0, lines.exact)
    assert (_computed(without, x) != _wanted(sums, x)).sum() > 10


@pytest.mark.parametrize(
    ("bias", "real", "value"), [(0, 1e-9, 0), (1000, 0.01, 10), (-(1 << 30), 0.5, -128), (1 << 30, 0.5, 127)]
)
@pytest.mark.parametrize("largest", [0, 7])
def test_channels_of_one_value(bias: int, real: float, value: int, largest: int) -> None:
    sums = _sums(largest, bias, real if abs(bias) > 1000 or largest == 0 else 1e-12, 0)
    lines = _affine_of(sums)
    assert lines.exact.all()
    computed = _computed(lines, np.arange(-largest, largest + 1) + lines.start)
    assert set(computed.tolist()) == set(_wanted(sums, np.arange(-largest, largest + 1) + bias).tolist())
    if largest == 0:
        assert computed.tolist() == [value]


def test_sums_that_leave_32_bits_have_no_line() -> None:
    largest = 2_800_000
    assert _affine_of(_sums(largest, 0, 1e-4, 0)).exact.all()
    assert not _affine_of(_sums(largest, 1 << 21, 1e-4, 0)).exact.any()
    assert not _affine_of(_sums(1 << 31 - PART_BITS, 0, 1e-9, 0, lowest=0)).exact.any()


def test_steps_at_positive_sums_need_no_drop() -> None:
    """As behind a ReLU. With steps on both sides there is no line without one."""
    behind_relu = _sums(1 << 16, -3000, 0.0019, -128)
    lines = affine_of(behind_relu, drop=0)
    assert lines.exact.all()
    _assert_equal(behind_relu, lines, seed=0)
    assert not affine_of(_sums(1 << 16, -3000, 0.0019, 0), drop=0).exact.any()


def test_a_left_shift_rounds_once_and_has_no_line_with_a_drop() -> None:
    sums = _sums(100, 3, 2.5, -10)
    assert not affine_of(sums, DROP).exact.any()


@pytest.mark.parametrize("zero_point", [-127, -100, 0, 20])
def test_steps_that_the_activation_clamps_do_not_matter(zero_point: int) -> None:
    """A ReLU whose output shares its quantization with others: what is below the zero point is clamped afterwards."""
    relu = replace(_sums(1 << 16, -3000, 0.0019, zero_point), low=zero_point + 128)
    lines = affine_of(relu, drop=0)
    assert lines.exact.all()
    _assert_equal(relu, lines, seed=0)
    assert not affine_of(replace(relu, low=0), drop=0).exact.any()


def test_an_activation_of_one_value() -> None:
    one = replace(_sums(1000, 0, 0.01, 0), low=90, high=90)
    lines = affine_of(one, DROP)
    assert lines.exact.all()
    assert set(_computed(lines, np.arange(-1000, 1001) + lines.start).tolist()) == {90 - 128}


@pytest.mark.parametrize("drop", [0, DROP])
def test_a_left_shift_that_wraps_proves_nothing(drop: int) -> None:
    """TFLite's function is not monotone there: both ends may be equal and the middle is not."""
    values = (-4069, 14955, 8540, 1612309155, 30)
    lowest, highest, bias, multiplier, shift = (np.array([v], np.int64) for v in values)
    sums = Sums(lowest, highest, bias, multiplier, shift, -128)
    assert len(set(_wanted(sums, np.arange(-4069, 14956) + 8540).tolist())) == 2
    assert not affine_of(sums, drop).exact.any()


def test_sums_beyond_32_bits_have_no_line_even_where_outputs_are_constant() -> None:
    assert affine_of(_sums(1000, (1 << 31) - 1001, 0.5, 0), DROP).exact.all()
    assert not affine_of(_sums(1000, (1 << 31) - 100, 0.5, 0), DROP).exact.any()


@given(
    real=st.floats(0.0005, 0.2),
    bias=st.integers(-20_000, 20_000),
    zero_point=st.integers(-128, 127),
    rounded_once=st.booleans(),
    offset=st.sampled_from([-3, -1, 0, 1, 3]),
    start=st.sampled_from([-2, -1, 0, 1, 2]),
    slope=st.sampled_from([-5000, -300, 0, 300, 5000]),
)
@settings(max_examples=200, deadline=None)
def test_the_proof_finds_every_line_that_is_wrong_somewhere(
    real: float, bias: int, zero_point: int, rounded_once: bool, offset: int, start: int, slope: int
) -> None:
    """Of lines that were moved a little: exactly those pass that are equal for all sums."""
    sums = _sums(12_000, bias, real, zero_point, rounded_once=rounded_once)
    found = _affine_of(sums)
    moved = replace(
        found,
        offset=found.offset + offset * (1 << max(0, int(found.right[0]) - 8)),
        start=found.start + start,
        slope=np.maximum(found.slope + slope, 0),
    )
    x = np.arange(-12_000, 12_001)
    equal = np.array_equal(_evaluated(moved, x + moved.start), _wanted(sums, x + sums.bias))
    assert bool(_takes_all_steps(moved, sums, _steps(sums))[0]) == equal


def _evaluated(lines: Affine, x: Int64Array) -> Int64Array:
    """The line's outputs in arithmetic of any width."""
    values = (int(lines.slope[0]) * x >> 2 * PART_BITS) + int(lines.offset[0]) - lines.drop * (x < 0)
    outputs: Int64Array = np.clip(values >> int(lines.right[0]), 0, 255) - 128
    return outputs


@pytest.mark.parametrize(
    ("largest", "slope", "offset", "fits"),
    [
        (1 << 20, (1 << 11) - 3 << 18, 0, True),
        (1 << 20, (1 << 11) << 18, 0, False),  # sum * a2
        (1 << 20, (1 << 10) << 18, (1 << 30) - (1 << 21), True),
        (1 << 20, (1 << 10) << 18, 1 << 30, False),  # and the offset
        ((1 << 22) - 1, 1 << 18, 0, True),
        (1 << 22, 1 << 18, 0, False),  # sum * 511
    ],
)
def test_what_fits_32_bits(largest: int, slope: int, offset: int, fits: bool) -> None:
    sums = _sums(largest, 0, 1e-6, 0)
    zero = np.zeros(1, np.int64)
    lines = Affine(zero, zero + slope, zero + offset, zero, DROP, np.ones(1, np.bool_))
    assert bool(_fits(lines, sums)[0]) == fits
