"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017; MIT licence): 70,000 grey images of 28x28, ten classes of clothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinynas.training._idx import read_idx
from tinynas.training._splits import Split

FOLDER = "fashion-mnist"

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

FILES = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""File -> SHA-256 of its uncompressed content."""

SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist installs the files."""

DEBIAN_PACKAGE = "dataset-fashion-mnist"

DOWNLOAD = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
"""The authors' own copy."""


def is_complete(folder: Path) -> bool:
    """Whether `folder` has all four files."""
    return all((folder / name).is_file() for name in FILES)


def read(folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Read and check (train, test, class names).

    Raises:
        DatasetError: a file is damaged.
    """
    splits = []
    for part in ("train", "t10k"):
        images_name, labels_name = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
        images = read_idx(folder / images_name, FILES[images_name])[..., None]
        splits.append(Split(images, read_idx(folder / labels_name, FILES[labels_name]).astype(np.int64)))
    return splits[0], splits[1], CLASSES
