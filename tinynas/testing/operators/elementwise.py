"""ADD, MUL, and QUANTIZE from int8 to int8."""

from __future__ import annotations

from collections.abc import Sequence

from tinynas.graph import OpKind, Quantization
from tinynas.testing.operators._random_operator import DEVIATION, STEPS, GrowingNetwork, RandomOperator


def _operands(network: GrowingNetwork, x: int) -> tuple[int, int]:
    """A tensor, and one of its shape or the mean over some dimensions (squeeze and excitation does this)."""
    broadcast = OpKind.MEAN in network.kinds and network.rng.random() >= 0.6
    other = network.mean(x, keep_dims=True) if broadcast else network.partner(x)
    return (x, other) if network.rng.random() < 0.5 else (other, x)


def _add(network: GrowingNetwork, x: int) -> int:
    a, b = _operands(network, x)
    return network.builder.add(a, b, activation=network.activation(), name=network.name("add"))


def _scale_of_sum(inputs: Sequence[Quantization]) -> float:
    return max(q.scale for q in inputs) * 1.5


def _mul(network: GrowingNetwork, x: int) -> int:
    a, b = _operands(network, x)
    return network.builder.mul(a, b, activation=network.activation(), name=network.name("mul"))


def _scale_of_product(inputs: Sequence[Quantization]) -> float:
    return inputs[0].scale * inputs[1].scale * DEVIATION**2 / STEPS


def _requantize(network: GrowingNetwork, x: int) -> int:
    return network.builder.quantize(x, name=network.name("requantize"))


RANDOM = (
    RandomOperator("ADD", 3, _add, _scale_of_sum),
    RandomOperator("MUL", 2, _mul, _scale_of_product),
    RandomOperator("QUANTIZE", 1, _requantize),
)
