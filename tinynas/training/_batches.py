"""Batches and augmentation as pure functions of (seed, step): nothing to save, nothing to lose on a resume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tinynas.training._splits import Split

_ORDER, _AUGMENTATION = 0xDA7A, 0xA06


@dataclass(frozen=True)
class Augmentation:
    """Random changes of the training images.

    Attributes:
        shift: largest shift in pixels, in each direction, filled with black.
        flip: mirror every second image left to right (on average).
    """

    shift: int = 0
    flip: bool = False


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, count: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count)


def batch_indices(seed: int, step: int, batch_size: int, count: int) -> npt.NDArray[np.int64]:
    """Indices of the examples of `step`: each epoch is a fresh permutation, without its incomplete last batch."""
    batch_size = min(batch_size, count)
    epoch, batch = divmod(step, count // batch_size)
    return _epoch_order(seed, epoch, count)[batch * batch_size : (batch + 1) * batch_size]


def augment(
    images: npt.NDArray[np.uint8], augmentation: Augmentation, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return augmented copies of `images` [N, H, W, C]."""
    count, height, width, _ = images.shape
    if augmentation.flip:
        mirrored = rng.integers(0, 2, count) == 1
        images = images.copy()
        images[mirrored] = images[mirrored, :, ::-1]
    if augmentation.shift:
        s = augmentation.shift
        padded = np.pad(images, ((0, 0), (s, s), (s, s), (0, 0)))
        dy, dx = rng.integers(0, 2 * s + 1, (2, count))
        rows = (dy[:, None] + np.arange(height))[:, :, None]
        columns = (dx[:, None] + np.arange(width))[:, None, :]
        images = padded[np.arange(count)[:, None, None], rows, columns]
    return images


def training_batch(
    data: Split, augmentation: Augmentation, *, seed: int, step: int, batch_size: int, shard: int, shards: int
) -> Split:
    """Return one shard of the batch of `step`: every `shards`-th example of it, augmented."""
    indices = batch_indices(seed, step, batch_size, len(data))[shard::shards]
    rng = np.random.default_rng([seed, _AUGMENTATION, step, shard])
    return Split(augment(data.images[indices], augmentation, rng), data.labels[indices])
