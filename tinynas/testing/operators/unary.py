"""Operators that compute each element on its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinynas.graph import Attributes, LeakyReluAttributes, OpKind, UnaryAttributes
from tinynas.testing.operators._random_operator import GrowingNetwork, RandomOperator

OF_BOTH_RUNTIMES = ("LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "RELU", "RELU6", "ABS")
OF_LITERT = ("RELU_N1_TO_1", "RELU_0_TO_1")
OF_TFLM = ("ELU",)
"""LiteRT's reference kernels lack it. Random networks, which are to run on both, have neither these nor those above."""


def unary_attributes(kind: OpKind, rng: np.random.Generator) -> Attributes:
    """The attributes of one of these operators, drawn at random."""
    if kind is OpKind.LEAKY_RELU:
        return LeakyReluAttributes(float(np.float32(rng.uniform(-0.5, 1.5))))
    return UnaryAttributes()


def _unary(name: str) -> Callable[[GrowingNetwork, int], int]:
    kind = OpKind(name)

    def grow(network: GrowingNetwork, x: int) -> int:
        attributes = unary_attributes(kind, network.rng)
        (output,) = network.builder.operator(kind, (x,), attributes, name=network.name(name.lower()))
        return output

    return grow


RANDOM = tuple(RandomOperator(name, 0.3, _unary(name)) for name in OF_BOTH_RUNTIMES)
