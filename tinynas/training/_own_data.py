"""The user's own data: a folder of images per class, or one .npz file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tinynas.training._splits import DatasetError, Split

_IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm"})


def read_image_folder(folder: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Read `train/<class>/*.png` and `test/<class>/*.png` (also JPEG, BMP, PPM).

    All images become grey if all of them are, else RGB. They must have one size.

    Returns:
        (train, test, class names): classes are the subfolders of `train`, sorted.

    Raises:
        DatasetError: a part is missing, a class is unknown, or an image is unreadable or of another size.
    """
    for part in ("train", "test"):
        if not (folder / part).is_dir():
            raise DatasetError(
                f"{folder} has no folder {part!r}: an image folder needs train/<class>/ and test/<class>/"
            )
    classes = tuple(sorted(p.name for p in (folder / "train").iterdir() if p.is_dir() and not p.name.startswith(".")))
    if len(classes) < 2:
        raise DatasetError(f"{folder / 'train'} needs a subfolder per class, at least two; it has {len(classes)}")
    paths = {part: _labelled_paths(folder / part, classes) for part in ("train", "test")}
    arrays = {part: [_read_image(path) for path, _ in entries] for part, entries in paths.items()}
    grey = all(a.shape[2] == 1 for part in arrays.values() for a in part)
    size = arrays["train"][0].shape[:2]
    splits = []
    for part, entries in paths.items():
        for (path, _), array in zip(entries, arrays[part], strict=True):
            if array.shape[:2] != size:
                raise DatasetError(
                    f"{path} is {array.shape[1]}x{array.shape[0]} pixels, the others {size[1]}x{size[0]}: "
                    "give all images one size"
                )
        images = [a if grey or a.shape[2] == 3 else np.repeat(a, 3, axis=2) for a in arrays[part]]
        splits.append(Split(np.stack(images), np.array([label for _, label in entries], np.int64)))
    return splits[0], splits[1], classes


def _labelled_paths(folder: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    unknown = sorted(
        p.name for p in folder.iterdir() if p.is_dir() and p.name not in classes and not p.name.startswith(".")
    )
    if unknown:
        raise DatasetError(f"{folder} has class {unknown[0]!r}, which the training set lacks")
    entries = [
        (path, label)
        for label, name in enumerate(classes)
        if (folder / name).is_dir()
        for path in sorted((folder / name).iterdir())
        if path.suffix.lower() in _IMAGE_SUFFIXES
    ]
    if not entries:
        raise DatasetError(f"{folder} has no images ({', '.join(sorted(_IMAGE_SUFFIXES))})")
    return entries


def _read_image(path: Path) -> npt.NDArray[np.uint8]:
    """[H, W, 1] for grey images, else [H, W, 3]."""
    try:
        with Image.open(path) as image:
            array = np.array(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"cannot read image {path}: {error}") from error
    return array[..., None] if array.ndim == 2 else array


def read_npz(path: Path) -> tuple[Split, Split, tuple[str, ...]]:
    """Read x_train, y_train, x_test, y_test and, if present, `classes` (names) from an .npz file.

    Images are uint8 [N, H, W] or [N, H, W, C], labels integers from 0. Nothing in the file is executed.

    Raises:
        DatasetError: the file is damaged, an array is missing, or has another type or shape.
    """
    arrays = _load_arrays(path)
    missing = [name for name in ("x_train", "y_train", "x_test", "y_test") if name not in arrays]
    if missing:
        raise DatasetError(f"{path} lacks {', '.join(missing)}; it has {', '.join(arrays) or 'no arrays'}")
    splits = []
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if images.ndim == 3:
            images = images[..., None]
        if images.dtype != np.uint8 or images.ndim != 4 or len(images) == 0:
            raise DatasetError(f"{path}: x_{part} must be uint8 [N, H, W, C], got {images.dtype}{list(images.shape)}")
        if not np.issubdtype(labels.dtype, np.integer) or labels.shape != images.shape[:1] or labels.min() < 0:
            raise DatasetError(
                f"{path}: y_{part} must be {len(images)} integers from 0, got {labels.dtype}{list(labels.shape)}"
            )
        splits.append(Split(np.ascontiguousarray(images), labels.astype(np.int64)))
    train, test = splits
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DatasetError(
            f"{path}: x_train has images {list(train.images.shape[1:])}, x_test {list(test.images.shape[1:])}"
        )
    count = int(max(train.labels.max(), test.labels.max())) + 1
    names = arrays.get("classes")
    classes = tuple(str(n) for n in names) if names is not None else tuple(str(i) for i in range(count))
    if len(classes) < count:
        raise DatasetError(f"{path}: labels go up to {count - 1}, but `classes` names only {len(classes)}")
    return train, test, classes


def _load_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        # NumPy leaves a file that it opened itself open when the archive is damaged.
        with path.open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DatasetError(f"{path} is a single array, not an .npz file")
            with file:
                return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
