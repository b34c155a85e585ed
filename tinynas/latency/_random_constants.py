"""Random weights and quantization for a skeleton graph, so that it can be generated, run and timed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Set
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from tinynas.graph import Activation, Graph, Op, OpKind, Quantization, Tensor, quantization_groups

_LARGEST_SCALE = 6 / 255
"""Of a ReLU6's output: calibration finds no larger one, so that the end of int8 is at six or below."""

_SCALE = 0.0197
_ROUND_SCALE = 0.02
"""Of inputs and of the outputs of layers with weights. Between round scales most sums of an ADD have halves, so that it
cannot be computed as a plane: that is measured, too, in one network of four."""

_NETWORKS_PER_ROUND_ONE = 4

_GAIN = 135.0
"""Output scale over (input scale * weight scale * sqrt(fan-in)): uniform int8 inputs and weights have a standard
deviation of 74 each, their products 74^2, and 74^2 / 135 is about 40 steps of the output: it neither saturates nor
vanishes, which matters because requantization takes different paths for both."""


_WIDE = 256
"""Weights of an output from which on they are drawn the smaller, the more there are: sums keep to the size that trained
layers have, 2^21 at most, for which requantization has its short ways."""


class Trait(StrEnum):
    """What constants can be that makes a kernel take other loops than usual."""

    NARROW = "narrow"
    """Activations narrower than int8: a ReLU whose zero point is not the smallest value, a ReLU6 with room above 6."""
    GENERAL = "general"
    """Scales outside the limits of the short requantizations, or a scale for each output of a fully connected layer."""


TRAIT_PROBABILITY = 0.25
"""How often an operator shows a trait that it is allowed."""

_WIDEST_SCALE = 10 * _LARGEST_SCALE
_LARGE_MULTIPLIERS = (0.5, 2.0)  # of a sum: no right shift is left
_LARGE_BIAS = 1 << 23  # an output has no line where sums get as large
_COARSE = 20  # an ADD whose output's scale is as many times an operand's has more than 22 right shifts


def with_random_constants(graph: Graph, seed: int, traits: Set[Trait] = frozenset()) -> Graph:
    """Fill an int8 skeleton with seeded weights, biases and quantization parameters that keep activations in range.

    Args:
        graph: The skeleton.
        seed: The same seed gives the same constants.
        traits: Each of these is shown by every fourth operator that can; without them constants are those of trained
            and calibrated networks.
    """
    rng = np.random.default_rng(seed)
    unusual = np.random.default_rng([seed, 1])  # apart, so that all else is the same with traits and without
    usual_scale = _SCALE if seed % _NETWORKS_PER_ROUND_ONE else _ROUND_SCALE
    tensors = list(graph.tensors)
    group = quantization_groups(graph)
    activations: dict[int, Quantization] = {}

    def quantization_of(index: int, scale: float, zero_point: int) -> Quantization:
        """The quantization of a tensor's group; set by the first of the group."""
        return activations.setdefault(group[index], Quantization((float(np.float32(scale)),), (zero_point,)))

    for index in graph.inputs:
        quantization_of(index, usual_scale, int(rng.integers(-20, 20)))
    for op in graph.ops:
        source = activations[group[op.inputs[0]]]
        output = op.outputs[0]
        shown = {trait for trait in Trait if unusual.random() < TRAIT_PROBABILITY and trait in traits}
        activation = op.activation
        if Trait.NARROW in shown and activation is Activation.RELU6:
            quantization_of(output, unusual.uniform(_LARGEST_SCALE, _WIDEST_SCALE), -128)
        elif Trait.NARROW in shown and activation is Activation.RELU:
            quantization_of(output, usual_scale, int(unusual.integers(-127, 100)))
        elif Trait.GENERAL in shown and op.kind is OpKind.ADD:
            coarsest = max(activations[group[i]].scale for i in op.inputs)
            if coarsest < 1:  # one after the other, scales would grow without end
                quantization_of(output, _COARSE * coarsest, _zero_point(op, unusual))
        if op.weights is not None:
            _fill_weights(graph, op, tensors, source.scale, rng)
            filled = quantization_of(output, usual_scale, _zero_point(op, rng))
            if Trait.GENERAL in shown:
                _generalize(op, tensors, source.scale, filled.scale, unusual)
        elif op.spec.fixed_output is not None:
            quantization_of(output, op.spec.fixed_output.scale, op.spec.fixed_output.zero_point)
        elif op.kind is OpKind.MUL:
            quantization_of(output, source.scale * activations[group[op.inputs[1]]].scale * 40, 0)
        else:
            quantization_of(output, min(source.scale * 1.3, _LARGEST_SCALE), _zero_point(op, rng))
    for index, tensor in enumerate(tensors):
        if not tensor.constant:
            tensors[index] = dataclasses.replace(tensor, quantization=activations.get(group[index]))
    return dataclasses.replace(graph, tensors=tuple(tensors))


def _generalize(
    op: Op, tensors: list[Tensor], input_scale: float, output_scale: float, rng: np.random.Generator
) -> None:
    """Move a layer out of the limits of its kernels: by one large multiplier, by scales for each output, by a bias."""
    weights = tensors[op.inputs[1]]
    quantization = weights.quantization
    assert quantization is not None
    scales = np.array(quantization.scales)
    if not op.spec.is_convolution and rng.random() < 0.5:
        scales = scales * rng.uniform(0.5, 1.5, weights.shape[0])
    else:
        channel = int(rng.integers(len(scales)))
        multiplier = rng.uniform(*_LARGE_MULTIPLIERS)
        if op.inputs[2] >= 0 and rng.random() < 0.5:
            bias = tensors[op.inputs[2]]
            assert bias.data is not None
            data = bias.data.copy()
            data[channel] = int(rng.choice([-_LARGE_BIAS, _LARGE_BIAS]))
            tensors[op.inputs[2]] = dataclasses.replace(bias, data=data)
            multiplier *= 64 / _LARGE_BIAS  # outputs do not saturate
        scales[channel] = output_scale / input_scale * multiplier
    _set_scales(op, tensors, input_scale, scales, quantization.axis)


def _set_scales(op: Op, tensors: list[Tensor], input_scale: float, scales: npt.NDArray[np.float64], axis: int) -> None:
    """Set the scales of the weights of `op`, and those of its bias, which follow from them."""
    zeros = (0,) * len(scales)
    quantization = Quantization(tuple(map(float, scales)), zeros, axis)
    tensors[op.inputs[1]] = dataclasses.replace(tensors[op.inputs[1]], quantization=quantization)
    if op.inputs[2] >= 0:
        products = tuple(float(np.float32(input_scale) * np.float32(s)) for s in quantization.scales)
        tensors[op.inputs[2]] = dataclasses.replace(tensors[op.inputs[2]], quantization=Quantization(products, zeros))


def _zero_point(op: Op, rng: np.random.Generator) -> int:
    """As calibration finds it: behind a ReLU int8 starts at zero, so that saturation clamps."""
    return -128 if op.activation in (Activation.RELU, Activation.RELU6) else int(rng.integers(-20, 20))


def _fill_weights(graph: Graph, op: Op, tensors: list[Tensor], input_scale: float, rng: np.random.Generator) -> None:
    """Set weights and bias of `op` in `tensors` so that `_SCALE` fits its output."""
    weights, rules = graph.tensors[op.inputs[1]], op.weights
    assert rules is not None
    axis, per_channel = rules.channel_axis, rules.scale_per_channel
    channels = weights.shape[axis]
    fan_in = weights.elements // channels
    largest = max(1, min(127, 127 * _WIDE // fan_in))
    mean = _SCALE / (input_scale * math.sqrt(fan_in) * _GAIN * largest / 127)
    scales = mean * rng.uniform(0.5, 1.5, channels if per_channel else 1)
    data = rng.integers(-largest, largest + 1, weights.shape).astype(np.int8)
    tensors[op.inputs[1]] = dataclasses.replace(weights, data=data)
    if op.inputs[2] >= 0:
        spread = int(_GAIN * math.sqrt(fan_in) * 10)
        biases = rng.integers(-spread, spread + 1, channels).astype(np.int32)
        tensors[op.inputs[2]] = dataclasses.replace(graph.tensors[op.inputs[2]], data=biases)
    _set_scales(op, tensors, input_scale, scales, axis if per_channel else 0)
