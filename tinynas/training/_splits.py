"""Data sets in memory: uint8 images with labels, split into train, validation and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tinynas.errors import ExternalError
from tinynas.training._resize import resize_images

PIXEL_SCALE = 1.0 / 255.0
"""Real value of one step of a uint8 pixel: networks see pixel / 255.

No mean and deviation are subtracted: the first convolution absorbs them, its SAME padding then means a black pixel in
training and on the device alike, and the deployed int8 input is simply pixel - 128 (scale 1/255, zero point -128).
"""


class DatasetError(ExternalError):
    """A data set that is missing, damaged or malformed."""


@dataclass(frozen=True, eq=False)
class Split:
    """Images [N, H, W, C] uint8 and their labels [N] int64."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise DatasetError(f"images must be uint8 [N, H, W, C], got {self.images.dtype}{list(self.images.shape)}")
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != np.int64:
            raise DatasetError(
                f"labels must be int64 [{len(self.images)}], got {self.labels.dtype}{list(self.labels.shape)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.int64] | slice) -> Split:
        """Return the examples at `indices`."""
        return Split(self.images[indices], self.labels[indices])

    def resized(self, resolution: int) -> Split:
        """Return the examples with square images of `resolution` pixels."""
        return Split(resize_images(self.images, resolution), self.labels)

    def digest(self) -> str:
        """SHA-256 of shapes, images and labels: part of the key of a checkpoint."""
        sha = hashlib.sha256(repr(self.images.shape).encode())
        sha.update(np.ascontiguousarray(self.images).data)
        sha.update(np.ascontiguousarray(self.labels).data)
        return sha.hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set ready for a search.

    Attributes:
        name: what the user called it.
        train: the training set, less what is held out.
        validation: held out of the training set; every choice of the search is made on it.
        test: touched once, for the winner.
        classes: class names, in label order.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        _, height, width, channels = self.train.images.shape
        return height, width, channels

    def resized(self, resolution: int) -> Dataset:
        """Return the data set with square images of `resolution` pixels."""
        if self.image_shape[:2] == (resolution, resolution):
            return self
        train, validation, test = (split.resized(resolution) for split in (self.train, self.validation, self.test))
        return replace(self, train=train, validation=validation, test=test)


def hold_out(train: Split, count: int, seed: int) -> tuple[Split, Split]:
    """Split `count` examples off `train`, drawn at random with `seed`: (rest, held out), each in the given order."""
    order = np.random.default_rng([seed, 0x5917]).permutation(len(train))
    return train.take(np.sort(order[count:])), train.take(np.sort(order[:count]))
