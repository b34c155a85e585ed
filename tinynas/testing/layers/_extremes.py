"""Weights, scales and zero points for one operator, as far towards the ends of their ranges as a file can hold.

Where scales are extreme, biases and weights are drawn to match, so that outputs still tell values apart: an output that
saturates everywhere would hide any mistake.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tinynas.graph import DType, Graph, Op, OpKind, Quantization, Tensor
from tinynas.graph.fixed_point import quantize_multiplier

_INT32_MAX = (1 << 31) - 1
_STEPS = 40.0  # the spread of outputs that neither saturate nor vanish
_DEVIATION = 74.0  # of uniform int8 values: 256 / sqrt(12)
_SMALLEST_SHIFT, _LARGEST_SHIFT = -34, 30  # QuantizeMultiplier: above 30 is refused, below -31 becomes zero

_LARGEST_FACTOR = 2.0**_LARGEST_SHIFT * (1 - 2.0**-20)  # stays below the power of two when scales are rounded
_SMALLEST_CLAMPED_SCALE = 2.0**-28
"""Of an output with an activation: LiteRT refuses a scale by which 6 is no int32 (kernel_util.cc)."""


class ExtremeFiller:
    """Fills the skeleton of one layer."""

    def __init__(self, rng: np.random.Generator, graph: Graph) -> None:
        self._rng = rng
        self._graph = graph
        self._tensors = list(graph.tensors)

    def graph(self) -> Graph:
        """The skeleton with constants and quantization."""
        for op in self._graph.ops:
            for t in op.inputs:
                if t >= 0 and self._tensors[t].dtype is DType.INT8 and not self._tensors[t].constant:
                    self._give(t, self._quantization(self._scale()))
            self._fill(op)
        return replace(self._graph, tensors=tuple(self._tensors))

    def _give(self, t: int, quantization: Quantization) -> None:
        if self._tensors[t].quantization is None:
            self._tensors[t] = replace(self._tensors[t], quantization=quantization)

    def _of(self, t: int) -> Quantization:
        quantization = self._tensors[t].quantization
        assert quantization is not None, "inputs are filled before outputs"
        return quantization

    def _quantization(self, scale: float) -> Quantization:
        ends = self._rng.random()
        zero_point = -128 if ends < 0.3 else 127 if ends < 0.5 else int(self._rng.integers(-128, 128))
        return Quantization((scale,), (zero_point,))

    def _scale(self) -> float:
        """Of an activation; sometimes a power of two, so that multipliers meet the ends of their range."""
        exponent = self._rng.uniform(-9, -2)
        return float(2.0 ** (round(exponent) if self._rng.random() < 0.3 else exponent))

    def _factor(self, usual: float) -> float:
        """A real factor between two scales: near the usual one, or anything that leaves sums and products in int32."""
        draw = self._rng.random()
        if draw < 0.7:
            return usual * float(2.0 ** self._rng.uniform(-3, 2))
        if draw < 0.9:
            return float(2.0 ** self._rng.uniform(-12, 8))
        return float(2.0 ** self._rng.uniform(_SMALLEST_SHIFT, 14))

    def _fill(self, op: Op) -> None:
        rng, output = self._rng, op.outputs[0]
        x = self._of(op.inputs[0])
        if op.weights is not None:
            self._give(output, self._quantization(self._scale()))
            self._fill_weights(op, x, self._of(output))
        elif op.spec.keeps_quantization:
            for t in (*op.inputs, output):
                self._tensors[t] = replace(self._tensors[t], quantization=x)
        elif op.spec.fixed_output is not None:
            self._give(output, op.spec.fixed_output)
        elif op.kind is OpKind.ADD:
            largest = max(x.scale, self._of(op.inputs[1]).scale)
            self._give(output, self._quantization(max(largest / self._factor(1), largest * 2.0**-18)))
        elif op.kind is OpKind.MUL:
            product = x.scale * self._of(op.inputs[1]).scale
            scale = product / self._factor(_STEPS / _DEVIATION**2)
            self._give(output, self._quantization(max(scale, _SMALLEST_CLAMPED_SCALE)))
        else:
            self._give(output, self._quantization(self._rescaled(op, x)))
        if op.kind in (OpKind.ADD, OpKind.MUL) and rng.random() < 0.25:
            self._make_constant(int(rng.choice(op.inputs)))

    def _rescaled(self, op: Op, x: Quantization) -> float:
        """The scale of an output of one input: a factor away, or that of the input where that is more than is taken."""
        scale = max(x.scale / self._factor(1), _SMALLEST_CLAMPED_SCALE)
        try:
            if op.spec.rescaling is not None:
                op.spec.rescaling(op, (x, Quantization((scale,), (0,))))
        except ValueError:
            return x.scale
        return scale

    def _make_constant(self, t: int) -> None:
        data = self._rng.integers(-128, 128, self._tensors[t].shape).astype(np.int8)
        self._tensors[t] = replace(self._tensors[t], constant=True, data=data)
        self._graph = replace(self._graph, inputs=tuple(i for i in self._graph.inputs if i != t))

    def _fill_weights(self, op: Op, x: Quantization, output: Quantization) -> None:
        rng, weights = self._rng, self._tensors[op.inputs[1]]
        rules = op.weights
        assert rules is not None
        axis = rules.channel_axis
        channels = weights.shape[axis]
        per_channel = channels > 1 and rng.random() < (0.9 if rules.scale_per_channel else 0.3)
        # [channels, taps] from here on
        data = np.moveaxis(self._weights(weights), axis, 0).reshape(channels, -1)
        spread = _DEVIATION * max(1.0, float(np.sqrt((data.astype(np.float64) ** 2).sum() / channels)))
        real = np.broadcast_to(self._multipliers(channels if per_channel else 1, _STEPS / spread), channels)
        data = np.where(real[:, np.newaxis] > 1, self._sparse(real, data.shape), data)
        bias = self._bias(real, spread, data.shape[1]) if op.inputs[2] >= 0 else np.zeros(channels, np.int32)
        # Where a product leaves int32, TFLite's C++ is undefined, and so is what the reference should be.
        furthest = max(127 - x.zero_point, 128 + x.zero_point)
        sums = np.abs(data.astype(np.int64)).sum(axis=1) * furthest + np.abs(bias.astype(np.int64))
        scales = [
            _weight_scale(float(r), x.scale, output.scale, int(s), rules.largest_shift)
            for r, s in zip(real, sums, strict=True)
        ]
        # The weights carry what is left of the factor; with scales of a power of two it stays exact in float32.
        scales = scales if per_channel else [min(scales)]
        quantization = Quantization(tuple(scales), (0,) * len(scales), axis if per_channel else 0)
        others = [size for i, size in enumerate(weights.shape) if i != axis]
        shaped = np.ascontiguousarray(np.moveaxis(data.reshape(channels, *others), 0, axis))
        self._tensors[op.inputs[1]] = replace(weights, data=shaped, quantization=quantization)
        if op.inputs[2] >= 0:
            self._tensors[op.inputs[2]] = replace(
                self._tensors[op.inputs[2]],
                data=bias,
                quantization=Quantization(tuple(x.scale * s for s in scales), (0,) * len(scales), 0),
            )

    def _bias(self, real: npt.NDArray[np.float64], spread: float, taps: int) -> npt.NDArray[np.int32]:
        """Biases that move outputs by some steps, whatever the factor; now and then the largest there are."""
        rng = self._rng
        deviation = np.where(real > 1, 1.0, np.minimum(spread / 4 + _STEPS / real, float(_INT32_MAX)))
        limit = _INT32_MAX - 384 * 128 * taps  # no sum of products overflows, with the zero point folded in or not
        bias = np.clip(np.rint(rng.normal(0, deviation)), -limit, limit).astype(np.int32)
        if rng.random() < 0.05:
            bias = np.where(real > 1, bias, rng.choice([-limit, limit], real.shape)).astype(np.int32)
        return bias

    def _weights(self, weights: Tensor) -> npt.NDArray[np.int8]:
        rng, shape = self._rng, weights.shape
        draw = rng.random()
        if draw < 0.6:
            return rng.integers(-127, 128, shape).astype(np.int8)
        if draw < 0.7:
            return rng.choice(np.array([-127, 127], np.int8), shape)
        if draw < 0.78:
            return np.full(shape, rng.choice([-128, -127, 127]), np.int8)
        if draw < 0.9:  # TFLite's specification says -127 to 127; no runtime checks it
            return rng.integers(-128, 128, shape).astype(np.int8)
        return self._sparse(np.ones(1), (1, weights.elements)).reshape(shape)

    def _sparse(self, real: npt.NDArray[np.float64], shape: tuple[int, int]) -> npt.NDArray[np.int8]:
        """Mostly zeros, and nothing else for the largest factors: sums that survive a shift to the left."""
        rng = self._rng
        chosen = rng.random(shape) < 2 / max(2, shape[1])
        chosen &= real[:, np.newaxis] < 2.0**20
        return np.where(chosen, rng.integers(-2, 3, shape), 0).astype(np.int8)

    def _multipliers(self, count: int, usual: float) -> npt.NDArray[np.float64]:
        """Real factors by channel: usual ones, all shifts at once, or one shift for all channels."""
        rng = self._rng
        draw = rng.random()
        if draw < 0.5:
            exponents = np.log2(usual) + rng.uniform(-2, 1.5, count)
        elif draw < 0.75:
            exponents = rng.uniform(-20, 0, count)
        elif draw < 0.9:
            exponents = rng.uniform(_SMALLEST_SHIFT, _LARGEST_SHIFT, count)
        else:
            exponents = np.full(count, rng.uniform(_SMALLEST_SHIFT, _LARGEST_SHIFT))
        shifts = np.clip(np.floor(exponents) + 1, _SMALLEST_SHIFT, _LARGEST_SHIFT)
        fractions = 2.0 ** (exponents - np.floor(exponents) - 1)
        ends = rng.random()
        if ends < 0.15:
            fractions[:] = 0.5  # the multiplier 2**30
        elif ends < 0.3:
            fractions[:] = 1 - 2.0**-24  # the largest float32 below one: 2**31 - 128
        elif ends < 0.35:
            fractions[:] = np.where(rng.random(count) < 0.5, 0.5, 1 - 2.0**-24)
        real: npt.NDArray[np.float64] = np.minimum(fractions * 2.0**shifts, _LARGEST_FACTOR)
        return real


def _weight_scale(real: float, input_scale: float, output_scale: float, furthest: int, largest_shift: int) -> float:
    """The weight scale for a factor, which is halved until it leaves accumulators in int32 and the kernel takes it.

    Args:
        real: The factor wanted: input scale * weight scale / output scale.
        input_scale, output_scale: Of the activations.
        furthest: The largest magnitude of the accumulator.
        largest_shift: Of the kernel's multipliers.
    """
    largest = (_INT32_MAX - 256) // max(1, furthest)
    while True:
        scale = float(np.float32(real * output_scale / input_scale))
        shift = quantize_multiplier(input_scale * scale / output_scale).shift
        if shift <= 0 or (shift <= largest_shift and 1 << shift <= largest):
            return scale
        real /= 2
