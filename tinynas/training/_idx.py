"""IDX files: the format of MNIST and Fashion-MNIST."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tinynas.training._splits import DatasetError

_UINT8 = 0x08


def read_idx(path: Path, sha256: str | None = None) -> npt.NDArray[np.uint8]:
    """Read a gzipped IDX file of bytes.

    Format: two zero bytes, the type, the number of dimensions, the dimensions as big-endian uint32, the data.

    Args:
        path: the file.
        sha256: of the uncompressed content, checked if given (archives of the same data differ in compression).

    Raises:
        DatasetError: the file is missing, truncated, or not what `sha256` says.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise DatasetError(f"{path} is not the file it should be (SHA-256 differs): delete it and fetch the data again")
    if len(content) < 4 or content[:3] != bytes((0, 0, _UINT8)) or len(content) < 4 + 4 * content[3]:
        raise DatasetError(f"{path} is not an IDX file of bytes")
    shape = struct.unpack(f">{content[3]}I", content[4 : 4 + 4 * content[3]])
    data = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    if data.size != int(np.prod(shape)):
        raise DatasetError(f"{path} is truncated: {data.size} of {int(np.prod(shape))} bytes")
    return data.reshape(shape).copy()
