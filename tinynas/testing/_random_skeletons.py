"""Random network topologies: chains, residuals, branches that meet again, odd sizes, every operator."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tinynas.graph import DType, Graph, OpKind
from tinynas.testing.operators import RANDOM_OPERATORS, GrowingNetwork


class SkeletonGenerator:
    """Grows one network from its input; every operator reads the newest tensor, so nothing is left unread."""

    def __init__(self, rng: np.random.Generator, kinds: Collection[OpKind], max_elements: int) -> None:
        self._rng = rng
        self._network = GrowingNetwork(rng, kinds, max_elements)

    def graph(self, operators: int) -> Graph:
        """A network of about `operators` operators with one input and one output."""
        rng, network, builder = self._rng, self._network, self._network.builder
        shape = (1, int(rng.integers(4, 14)), int(rng.integers(4, 14)), int(rng.integers(1, 9)))
        float_input = OpKind.QUANTIZE in network.kinds and rng.random() < 0.2
        x = builder.input(shape, dtype=DType.FLOAT32 if float_input else DType.INT8)
        if float_input:
            x = builder.quantize(x, name=network.name("quantize"))
        body = [operator for kind, operator in RANDOM_OPERATORS.items() if kind in network.kinds]
        body = body or [RANDOM_OPERATORS[OpKind.CONV_2D]]
        weights = np.array([operator.frequency for operator in body])
        for _ in range(operators):
            network.earlier.append(x)
            x = body[rng.choice(len(body), p=weights / weights.sum())].grow(network, x)
        x = self._tail(x)
        if OpKind.DEQUANTIZE in network.kinds and rng.random() < 0.2:
            x = builder.dequantize(x, name=network.name("dequantize"))
        return builder.build([x])

    def _tail(self, x: int) -> int:
        """Sometimes a classifier, sometimes a reduction, sometimes nothing."""
        rng, network, builder, choice = self._rng, self._network, self._network.builder, self._rng.random()
        if choice < 0.2:
            return x
        if choice < 0.6 and OpKind.MEAN in network.kinds:
            x = network.mean(x, keep_dims=False)
        elif choice < 0.8 and OpKind.RESHAPE in network.kinds:
            x = builder.reshape(x, (1, -1), name=network.name("reshape"))
        if OpKind.FULLY_CONNECTED in network.kinds and rng.random() < 0.7:
            x = builder.fully_connected(
                x,
                int(rng.integers(1, 20)),
                activation=network.activation(),
                bias=bool(rng.random() < 0.8),
                name=network.name("dense"),
            )
        wants_softmax = OpKind.SOFTMAX in network.kinds and rng.random() < 0.5
        return RANDOM_OPERATORS[OpKind.SOFTMAX].grow(network, x) if wants_softmax else x
