"""Random weights, biases, scales and zero points for an int8 skeleton."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from tinynas.graph import DType, Graph, Op, Quantization, Tensor, quantization_groups
from tinynas.testing.operators import DEVIATION, RANDOM_OPERATORS, STEPS


class QuantizationFiller:
    """Fills one skeleton. Scales follow the values, so that outputs use their range instead of saturating."""

    def __init__(self, rng: np.random.Generator, graph: Graph, extreme: bool) -> None:
        self._rng = rng
        self._graph = graph
        self._extreme = extreme
        self._tensors = list(graph.tensors)
        self._group = quantization_groups(graph)
        self._of_group: dict[int, Quantization] = {}

    def graph(self) -> Graph:
        """The skeleton with all constants and all quantization."""
        for op in self._graph.ops:
            if op.spec.fixed_output is not None:  # and a concatenation may share it with others
                self._of_group[self._group[op.outputs[0]]] = op.spec.fixed_output
        for index in self._graph.inputs:
            self._assign(index, self._log_uniform(0.01, 0.2))
        for op in self._graph.ops:
            self._fill(op)
        for index, tensor in enumerate(self._tensors):
            if tensor.dtype is DType.INT8 and not tensor.constant:
                self._tensors[index] = dataclasses.replace(tensor, quantization=self._quantization(index))
        return dataclasses.replace(self._graph, tensors=tuple(self._tensors))

    def _quantization(self, index: int) -> Quantization:
        return self._of_group[self._group[index]]

    def _assign(self, index: int, scale: float) -> Quantization:
        zero_point = int(self._rng.integers(-128, 128) if self._rng.random() < 0.7 else self._rng.choice([-128, 127]))
        return self._of_group.setdefault(self._group[index], Quantization((scale,), (zero_point,)))

    def _log_uniform(self, low: float, high: float) -> float:
        return float(np.exp(self._rng.uniform(math.log(low), math.log(high))))

    def _gain(self) -> float:
        """How much the output's spread departs from about 40 steps; extremes saturate or vanish."""
        return self._log_uniform(1 / 64, 8) if self._extreme else self._log_uniform(0.5, 2)

    def _fill(self, op: Op) -> None:
        output = op.outputs[0]
        if self._graph.tensors[op.inputs[0]].dtype is DType.FLOAT32:
            self._assign(output, self._log_uniform(0.01, 0.2))
            return
        x = self._quantization(op.inputs[0])
        if op.weights is not None:
            self._fill_weights(op, x, self._assign(output, self._log_uniform(0.01, 0.2)))
        elif self._tensors[output].dtype is DType.INT8:
            known, scale = RANDOM_OPERATORS.get(op.kind), x.scale
            if known is not None:
                scale = known.output_scale([self._quantization(t) for t in self._graph.activation_inputs(op)])
            self._assign(output, scale / self._gain())

    def _fill_weights(self, op: Op, x: Quantization, output: Quantization) -> None:
        rng, weights = self._rng, self._tensors[op.inputs[1]]
        rules = op.weights
        assert rules is not None
        axis = rules.channel_axis
        channels = weights.shape[axis]
        taps = weights.elements // channels
        spread = DEVIATION**2 * math.sqrt(taps)
        # accumulator spread * multiplier = STEPS steps of the output, and multiplier = s_in * s_w / s_out
        scale = STEPS * self._gain() / spread * output.scale / x.scale
        per_channel = rules.scale_per_channel and channels > 1 and rng.random() < 0.9
        count = channels if per_channel else 1
        scales = tuple(scale * self._log_uniform(0.5, 2) for _ in range(count))
        low = -128 if self._extreme else -127
        data = rng.integers(low, 128, weights.shape).astype(np.int8)
        quantization = Quantization(scales, (0,) * count, axis if per_channel else 0)
        self._tensors[op.inputs[1]] = dataclasses.replace(weights, data=data, quantization=quantization)
        if op.inputs[2] >= 0:
            bias = self._tensors[op.inputs[2]]
            values = rng.normal(0, spread / 2, bias.shape).astype(np.int32)
            bias_scales = tuple(x.scale * s for s in quantization.scales)
            self._tensors[op.inputs[2]] = dataclasses.replace(
                bias, data=values, quantization=Quantization(bias_scales, (0,) * count, 0)
            )


def random_values(
    tensor: Tensor, rng: np.random.Generator, batch: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Uniform integers, or normal float32 values, for a tensor with its first dimension times `batch`.

    A scalar becomes a vector of `batch` values, and stays one for a batch of 1.
    """
    first = tensor.shape[:1] or ((1,) if batch > 1 else ())
    shape = (*(batch * size for size in first), *tensor.shape[1:])
    if tensor.dtype is not DType.FLOAT32:
        return rng.integers(-128, 128, shape).astype(tensor.dtype.numpy)
    return rng.normal(0, 2, shape).astype(np.float32)
