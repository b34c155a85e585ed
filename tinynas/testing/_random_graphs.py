"""Random quantized networks and inputs for property tests of everything that takes a graph."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from tinynas.graph import Graph, OpKind
from tinynas.testing._random_quantization import QuantizationFiller, random_values
from tinynas.testing._random_skeletons import SkeletonGenerator


def random_int8_graph(
    rng: np.random.Generator,
    *,
    operators: int = 8,
    kinds: Collection[OpKind] | None = None,
    extreme: bool = False,
    max_elements: int = 4096,
) -> Graph:
    """A valid quantized network with weights, one input and one output.

    Args:
        rng: The only source of randomness.
        operators: About how many operators; branches and the classifier at the end add a few.
        kinds: Operators to choose from; None: all. Without QUANTIZE and DEQUANTIZE the interface is int8.
        extreme: Scales far from the values they quantize (saturation, vanishing outputs), weights of -128.
        max_elements: Concatenations do not grow tensors beyond this.
    """
    skeleton = SkeletonGenerator(rng, tuple(OpKind) if kinds is None else kinds, max_elements).graph(operators)
    return QuantizationFiller(rng, skeleton, extreme).graph()


def random_input(graph: Graph, rng: np.random.Generator, *, batch: int = 1) -> list[npt.NDArray[Any]]:
    """One random array per graph input, as `execute` takes them; `batch` multiplies the first dimension."""
    return [random_values(graph.tensors[i], rng, batch) for i in graph.inputs]
