"""Finding and loading data sets by name or path."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinynas.errors import UsageError
from tinynas.training import _cifar10, _fashion_mnist
from tinynas.training._own_data import read_image_folder, read_npz
from tinynas.training._splits import Dataset, DatasetError, Split, hold_out

Reader = Callable[[Path], tuple[Split, Split, tuple[str, ...]]]

HOLD_OUT = 5000
"""Training examples held out for the search, but never more than a fifth of them."""

MAX_HOLD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class KnownDataset:
    """A data set known by name.

    Attributes:
        folder: inside the data directory.
        read: reads a folder into (train, test, class names).
        is_complete: whether a folder has all files.
        system_folder: where a system package installs it, if there is one.
    """

    folder: str
    read: Reader
    is_complete: Callable[[Path], bool]
    system_folder: Path | None = None


KNOWN_DATASETS = {
    "fashion-mnist": KnownDataset(
        _fashion_mnist.FOLDER, _fashion_mnist.read, _fashion_mnist.is_complete, _fashion_mnist.SYSTEM_FOLDER
    ),
    "cifar10": KnownDataset(_cifar10.FOLDER, _cifar10.read, _cifar10.is_complete),
}


def data_directory(directory: Path | None = None) -> Path:
    """Where fetched data lies: `directory`, else the environment's TINYNAS_DATA, else `data` in the working folder."""
    return directory if directory is not None else Path(os.environ.get("TINYNAS_DATA") or "data")


def installed_folder(name: str, directory: Path | None = None) -> Path | None:
    """Folder of the known data set `name` if it is complete: in the data directory, else installed on the system."""
    known = KNOWN_DATASETS[name]
    candidates = [data_directory(directory) / known.folder]
    if known.system_folder is not None:
        candidates.append(known.system_folder)
    return next((folder for folder in candidates if known.is_complete(folder)), None)


def load_dataset(
    name_or_path: str | Path,
    *,
    directory: Path | None = None,
    resolution: int | None = None,
    held_out: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Load a data set and hold out a part of its training set.

    Args:
        name_or_path: `fashion-mnist`, `cifar10`, an image folder (train/<class>/*.png, test/<class>/*.png) or an .npz
            file (x_train, y_train, x_test, y_test).
        directory: the data directory (see `data_directory`).
        resolution: side in pixels to resize to; None keeps the images as they are.
        held_out: examples for validation; None means 5000, or a fifth of a smaller training set.
        seed: of the choice of the held-out examples.

    Raises:
        DatasetError: the data are not there, damaged or malformed.
        UsageError: the name is unknown, or `held_out` leaves nothing to train on.
    """
    name = str(name_or_path)
    if name in KNOWN_DATASETS:
        folder = installed_folder(name, directory)
        if folder is None:
            raise DatasetError(
                f"data set {name!r} is not in {data_directory(directory)}: run `tinynas data fetch {name}`"
            )
        train, test, classes = KNOWN_DATASETS[name].read(folder)
    else:
        train, test, classes = _read_own(Path(name_or_path))
        # Folders are read class by class; the first images of a split stand for all of it (calibration, batch norm).
        train = train.take(np.random.default_rng([seed, 0x5EED]).permutation(len(train)))
    count = min(HOLD_OUT, int(len(train) * MAX_HOLD_OUT_SHARE)) if held_out is None else held_out
    if not 0 < count < len(train):
        raise UsageError(
            f"cannot hold {count} of the {len(train)} training examples of {name!r} out: [data] holdout must leave at "
            "least one on either side"
        )
    rest, validation = hold_out(train, count, seed)
    dataset = Dataset(name, rest, validation, test, classes)
    return dataset if resolution is None else dataset.resized(resolution)


def _read_own(path: Path) -> tuple[Split, Split, tuple[str, ...]]:
    if path.is_dir():
        return read_image_folder(path)
    if path.is_file():
        if path.suffix != ".npz":
            raise UsageError(f"{path} is neither a folder of images nor an .npz file")
        return read_npz(path)
    raise UsageError(
        f"no data set {str(path)!r}: give {', '.join(sorted(KNOWN_DATASETS))}, a folder of images or an .npz file"
    )
