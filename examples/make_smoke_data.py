"""Write data/smoke.npz, a synthetic data set, so that `tinynas run examples/smoke.toml` needs no download.

Each class is a smooth random pattern; an image is its pattern at a random shift and contrast, with noise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

CLASSES, SIDE, TRAIN, TEST = 4, 16, 1200, 300


def patterns(rng: np.random.Generator) -> np.ndarray:
    """One smooth pattern per class, [CLASSES, SIDE, SIDE] in 0 to 1: a few low frequencies with random phases."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    waves = [
        np.cos(2 * np.pi * (u * x + v * y) + rng.uniform(0, 2 * np.pi, (CLASSES, 1, 1)))
        * rng.normal(size=(CLASSES, 1, 1))
        for u in range(3)
        for v in range(3)
    ]
    summed = np.sum(waves, axis=0)
    low = summed.min(axis=(1, 2), keepdims=True)
    return (summed - low) / (summed.max(axis=(1, 2), keepdims=True) - low)


def images(count: int, shapes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`count` images [count, SIDE, SIDE, 1] uint8 and their labels."""
    labels = rng.integers(0, CLASSES, count)
    shifts = rng.integers(-2, 3, (count, 2))
    values = np.stack([np.roll(shapes[c], tuple(s), axis=(0, 1)) for c, s in zip(labels, shifts, strict=True)])
    values = 0.5 + (values - 0.5) * rng.uniform(0.2, 0.8, (count, 1, 1)) + rng.normal(0, 0.3, values.shape)
    return (255 * np.clip(values, 0, 1)).astype(np.uint8)[..., np.newaxis], labels.astype(np.int64)


def main() -> None:
    """Generate and write the data set; the same bytes every time."""
    rng = np.random.default_rng(7)
    shapes = patterns(rng)
    x_train, y_train = images(TRAIN, shapes, rng)
    x_test, y_test = images(TEST, shapes, rng)
    target = Path(__file__).resolve().parents[1] / "data" / "smoke.npz"
    target.parent.mkdir(exist_ok=True)
    np.savez_compressed(target, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


if __name__ == "__main__":
    main()
