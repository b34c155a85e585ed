"""Networks to generate code for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinynas.graph import Graph
from tinynas.testing import random_int8_graph
from tinynas.testing._random_quantization import QuantizationFiller

SHARED_MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"


def random_graphs(seeds: range) -> list[Graph]:
    """One network per seed; every third has scales that saturate or vanish."""
    return [random_int8_graph(np.random.default_rng(seed), operators=10, extreme=seed % 3 == 0) for seed in seeds]


def filled(skeleton: Graph, seed: int = 0) -> Graph:
    """`skeleton` with random weights and quantization."""
    return QuantizationFiller(np.random.default_rng(seed), skeleton, extreme=False).graph()
