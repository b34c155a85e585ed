"""Random networks as a hypothesis strategy."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tinynas.errors import MissingExtraError
from tinynas.graph import Graph
from tinynas.testing._random_graphs import random_int8_graph


def int8_graphs(*, max_operators: int = 10, **options: Any) -> Any:
    """A hypothesis strategy for quantized networks; few operators are tried first and a failure shrinks to few.

    Args:
        max_operators: The most operators that are asked for.
        options: Passed on to `random_int8_graph`.

    Raises:
        MissingExtraError: `hypothesis` is not installed.
    """
    try:
        strategies = importlib.import_module("hypothesis.strategies")
    except ImportError as error:
        raise MissingExtraError("hypothesis", "test") from error

    def build(operators: int, seed: int, extreme: bool) -> Graph:
        return random_int8_graph(np.random.default_rng(seed), operators=operators, extreme=extreme, **options)

    return strategies.builds(
        build, strategies.integers(1, max_operators), strategies.integers(0, 1 << 32), strategies.booleans()
    )
