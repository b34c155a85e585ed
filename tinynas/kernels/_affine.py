"""Affine requantization: a line through the steps of TFLite's, with as few bits as that takes.

What TFLite computes of a sum, clamp(round(round(sum * multiplier / 2^31) / 2^right) + zero point), is a step function
with 255 steps at most. Any other arithmetic is as good that takes the same steps at the same sums. On Armv6-M, whose
multiplication keeps 32 bits of a product, the cheapest is a line

    v = (floor(slope * x / 2^18) + offset - drop * [x < 0]) >> right,

with a slope in three parts of nine bits, so that a part times x stays within 32 bits (`firmware/.../affine.h`). `drop`
is there because TFLite's convolutions round twice, the second time away from zero: the steps of negative sums lie a
little farther out than a line has them. Fully connected layers round once and need none, nor do layers whose steps are
all at positive sums, as behind a ReLU.

Nothing here is an approximation: a line is used only after it has been held against every single step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinynas.graph.fixed_point import multiply_by_quantized_multiplier, multiply_rounding_once

Int64Array = npt.NDArray[np.int64]

PART_BITS = 9
"""Bits of the two lower parts of a slope: TN_AFFINE_BITS in `firmware/kernels/arithmetic/affine.h`."""

AFFINE_WORDS = 5
"""Of a channel as kernels read it, three parts of the slope, offset and right: TN_AFFINE_WORDS in the same file."""

DROP = 1 << PART_BITS
"""What a line is lower for negative sums: the unit of TFLite's first rounding, which the line has in 2^9 parts."""

_FRACTION = 2 * PART_BITS  # bits of the slope below the unit of `offset`
_LIMIT = 1 << 31
_LARGEST_SUM = _LIMIT >> PART_BITS  # exclusive: times a part of the slope it is within 32 bits
_SLOPES = sorted(range(-24, 25), key=abs)  # beside the true one
_STARTS = np.array(sorted(range(-96, 97), key=abs))  # where x begins: what offsets, in whole units, leave over
_INFINITE = 1 << 60


@dataclass(frozen=True)
class Sums:
    """Requantization as TFLite has it, and what it is applied to. Arrays have one entry for each channel.

    Attributes:
        lowest: The smallest sum without its bias.
        highest: The largest.
        bias: What is added to a sum.
        multiplier: int32, not negative.
        shift: Of the multiplier, negative to the right.
        zero_point: Of the output.
        rounded_once: As in fully connected layers, instead of twice.
        low: What outputs are clamped to, as int8 values + 128: steps up to it do not matter.
        high: The same for steps above it.
    """

    lowest: Int64Array
    highest: Int64Array
    bias: Int64Array
    multiplier: Int64Array
    shift: Int64Array
    zero_point: int
    rounded_once: bool = False
    low: int = 0
    high: int = 255

    @property
    def steps(self) -> Int64Array:
        """The values that outputs step to from the one below."""
        return np.arange(self.low + 1, self.high + 1)

    def outputs(self, sums: Int64Array) -> Int64Array:
        """int8 values + 128, not clamped, of sums with their biases; `sums` is [channels, anything]."""
        multiply = multiply_rounding_once if self.rounded_once else multiply_by_quantized_multiplier
        scaled = multiply(sums, self.multiplier[:, np.newaxis], self.shift[:, np.newaxis])
        shifted: Int64Array = scaled + (self.zero_point + 128)
        return shifted


@dataclass(frozen=True)
class Affine:
    """An affine requantization for each channel.

    Attributes:
        start: What the kernel's sum x begins with: the bias, or close to it.
        slope: Not negative.
        offset: int32.
        right: The shift.
        drop: What the line is lower for negative sums.
        exact: Whether the line takes all steps at the right sums, and no operation on the way leaves 32 bits.
    """

    start: Int64Array
    slope: Int64Array
    offset: Int64Array
    right: Int64Array
    drop: int
    exact: npt.NDArray[np.bool_]

    @property
    def parts(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """The slope's parts, lowest first."""
        mask = (1 << PART_BITS) - 1
        return self.slope & mask, self.slope >> PART_BITS & mask, self.slope >> _FRACTION


def evaluate(affine: Affine, x: Int64Array) -> Int64Array:
    """What the kernel computes of x, [channels, anything]: int8 values + 128, not clamped."""
    slope, offset, right = (a[:, np.newaxis] for a in (affine.slope, affine.offset, affine.right))
    value: Int64Array = ((slope * x >> _FRACTION) + offset - affine.drop * (x < 0)) >> right
    return value


def affine_of(sums: Sums, drop: int) -> Affine:
    """Find a line with that drop for each channel; `Affine.exact` says where there is one."""
    steps = _steps(sums)
    right = np.clip(PART_BITS - sums.shift, 0, 31)
    # multiplier * 2^(shift - 31) = slope / 2^(18 + right)
    slope = np.round(sums.multiplier * np.exp2(_FRACTION + right + sums.shift - 31)).astype(np.int64)
    start, offset = sums.bias.copy(), np.zeros_like(slope)
    # Channels without a step give one value whatever the input: dead ones, as folded batch normalizations leave them.
    found: npt.NDArray[np.bool_] = np.logical_not(_taken(sums, steps).any(axis=1))
    value = np.clip(sums.outputs(sums.bias[:, np.newaxis]), sums.low, sums.high)[:, 0]
    slope[found], right[found], start[found] = 0, PART_BITS + 1, 0
    offset[found] = (value[found] << PART_BITS + 1) + drop  # of which the drop takes nothing away
    for beside in _SLOPES:
        (left,) = np.nonzero(~found)
        if not len(left):
            break
        tried = np.maximum(slope[left] + beside, 0)
        starts, offsets, fits = _intercepts(sums, drop, steps, tried, right, left)
        first = fits.argmax(axis=1)
        fit = fits[np.arange(len(left)), first]
        found[left[fit]] = True
        slope[left[fit]] = tried[fit]
        start[left[fit]], offset[left[fit]] = starts[fit, first[fit]], offsets[fit, first[fit]]
    affine = Affine(start, slope, offset, right, drop, found)
    return replace(affine, exact=found & _takes_all_steps(affine, sums, steps) & _fits(affine, sums))


def _steps(sums: Sums) -> Int64Array:
    """For each channel and each step from j - 1 to j, the first sum, its bias included, of which the output is j.

    Sums outside the possible ones stand for steps that are not taken: the smallest one, or one more than the largest.
    """
    low = np.repeat((sums.lowest + sums.bias)[:, np.newaxis], len(sums.steps), axis=1)
    high = np.repeat((sums.highest + sums.bias)[:, np.newaxis] + 1, len(sums.steps), axis=1)
    while (low < high).any():
        middle = (low + high) >> 1
        reached = sums.outputs(middle) >= sums.steps
        high = np.where(reached, middle, high)
        low = np.where(reached, low, np.minimum(middle + 1, high))
    return high


def _taken(sums: Sums, steps: Int64Array) -> npt.NDArray[np.bool_]:
    """Which steps are taken within the possible sums."""
    lowest, highest = (a[:, np.newaxis] + sums.bias[:, np.newaxis] for a in (sums.lowest, sums.highest))
    return (steps > lowest) & (steps <= highest)


def _intercepts(
    sums: Sums, drop: int, steps: Int64Array, slope: Int64Array, right: Int64Array, channels: Int64Array
) -> tuple[Int64Array, Int64Array, npt.NDArray[np.bool_]]:
    """Where lines of some channels may begin, the offsets for that, and whether they take all steps.

    `slope` has one entry for each of `channels`; results are [channels, starts].
    """
    low, high = _bounds(sums, drop, steps[channels], slope, right[channels], channels)
    starts = sums.bias[channels, np.newaxis] + _STARTS
    begins = starts * slope[:, np.newaxis]
    offsets = -((begins - low[:, np.newaxis]) >> _FRACTION)
    fits = (offsets << _FRACTION) + begins <= high[:, np.newaxis]
    # x has to change its sign between the last step at a negative sum and the first one at a positive.
    taken = _taken(sums, steps)[channels]
    below = np.where(taken & (steps[channels] <= 0), steps[channels], -_LIMIT).max(axis=1)
    above = np.where(steps[channels] > 0, steps[channels], _LIMIT).min(axis=1)
    fits &= (-above[:, np.newaxis] <= _STARTS) & (-below[:, np.newaxis] >= _STARTS)
    return starts, offsets, fits


def _bounds(
    sums: Sums, drop: int, steps: Int64Array, slope: Int64Array, right: Int64Array, channels: Int64Array
) -> tuple[Int64Array, Int64Array]:
    """Between which values a line takes all steps: what it is where the sum without the bias is zero, times 2^18."""
    bias = sums.bias[channels, np.newaxis]
    lowest, highest = (a[channels, np.newaxis] + bias for a in (sums.lowest, sums.highest))
    reached = sums.steps << (right[:, np.newaxis] + _FRACTION)

    def line(total: Int64Array) -> Int64Array:
        value: Int64Array = slope[:, np.newaxis] * (total - bias) - (drop << _FRACTION) * (total < 0)
        return value

    # At the step the line has to have reached it, one sum before it must not have.
    at = np.where(steps <= highest, reached - line(steps), -_INFINITE).max(axis=1)
    before = np.where(steps > lowest, reached - 1 - line(steps - 1), _INFINITE).min(axis=1)
    # Where no step is reached, whatever is far enough below will do.
    return np.maximum(at, before - (2 << _FRACTION)), before


def _takes_all_steps(affine: Affine, sums: Sums, steps: Int64Array) -> npt.NDArray[np.bool_]:
    """Whether the outputs are equal on both sides of every step, and at both ends: both functions are monotone."""
    lowest, highest = (a[:, np.newaxis] + sums.bias[:, np.newaxis] for a in (sums.lowest, sums.highest))
    probes = np.clip(np.concatenate((steps, steps - 1, lowest, highest), axis=1), lowest, highest)
    wanted = np.clip(sums.outputs(probes), sums.low, sums.high)
    got = np.clip(evaluate(affine, probes - (sums.bias - affine.start)[:, np.newaxis]), sums.low, sums.high)
    equal: npt.NDArray[np.bool_] = (wanted == got).all(axis=1)
    return equal


def _fits(affine: Affine, sums: Sums) -> npt.NDArray[np.bool_]:
    """Whether every product and every sum of the kernel is within 32 bits, whatever the input.

    And TFLite's: where its left shift wraps, its function is not monotone, and nothing is proved.
    """
    largest = np.maximum(np.abs(sums.lowest + affine.start), np.abs(sums.highest + affine.start))
    biased = np.maximum(np.abs(sums.lowest + sums.bias), np.abs(sums.highest + sums.bias))
    top = affine.slope >> _FRACTION
    fits: npt.NDArray[np.bool_] = (
        (largest < _LARGEST_SUM)
        & (largest * (top + 1) + np.abs(affine.offset) + DROP < _LIMIT)
        & (biased < _LIMIT >> np.maximum(sums.shift, 0))
    )
    return fits
