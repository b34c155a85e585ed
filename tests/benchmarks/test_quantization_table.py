"""Differences of int8 networks to float ones, with intervals, and the networks that are compared."""

from __future__ import annotations

import math

import numpy as np
import pytest
from quantization import NETWORKS, Difference, difference, of_all

from tinynas.graph import OpKind
from tinynas.spaces import build_graph

LABELS = np.array([0, 1, 2, 3] * 25)


def test_equal_predictions_differ_by_nothing() -> None:
    exact = (LABELS + (np.arange(100) < 30)) % 4
    assert difference(exact, [exact, exact], LABELS) == Difference(0, 0, 0)


def test_what_is_gained_and_lost_is_paired() -> None:
    """Three images lost and one gained in one of two sets, nothing in the other."""
    exact = LABELS.copy()
    exact[0] = 3
    other = LABELS.copy()
    other[1:4] = 0
    found = difference(exact, [other, exact], LABELS)
    assert found.mean == pytest.approx(-1.0)
    assert found.changed == pytest.approx(2.0)
    # Per image: +1/2 once, -1/2 three times, 0 otherwise.
    variance = (4 * 0.25 - 100 * 0.01**2) / 99
    assert found.half == pytest.approx(1.645 * 100 * math.sqrt(variance / 100))


def test_networks_count_the_same() -> None:
    found = of_all([Difference(-0.3, 0.3, 1.0), Difference(0.1, 0.4, 2.0)])
    assert found == pytest.approx((-0.1, 0.25, 1.5))
    assert found.cells() == ("-0.10 +- 0.25", "1.50 %")


def test_networks_are_of_different_kinds() -> None:
    kinds = {}
    for name, architecture in NETWORKS.items():
        assert architecture().input_shape == (1, 28, 28, 1)
        kinds[name] = {op.kind for op in build_graph(architecture()).ops}
    assert all((OpKind.DEPTHWISE_CONV_2D in kinds[name]) == (name in ("mobilenet-v2", "inverted")) for name in kinds)
    assert all((OpKind.ADD in kinds[name]) == (name not in ("plain-cnn", "fused")) for name in kinds)
