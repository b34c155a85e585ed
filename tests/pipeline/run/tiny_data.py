"""A data set that trains in seconds: three classes that brightness alone tells apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TINY_TASK = """
board = "nucleo-f303k8"
[data]
dataset = "tiny.npz"
holdout = 40
[space]
name = "mobile-tiny"
widths = [0.5]
resolutions = [16]
samples = 5
"""
"""How the file of a run on these data begins, for `write_tiny_data(folder / "tiny.npz", side=16)` beside it."""

TINY_MEASUREMENTS = """
[measure]
calibration_networks = 2
images = 3
"""
"""As little calibration and as few images as there can be."""


def write_tiny_data(path: Path, side: int) -> None:
    """200 square images of noise, 160 of them to train with, as an `.npz` file."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    images = (rng.integers(0, 60, (200, side, side)) + 80 * labels[:, None, None]).astype(np.uint8)
    np.savez(path, x_train=images[:160], y_train=labels[:160], x_test=images[160:], y_test=labels[160:])
