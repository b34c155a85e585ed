"""Files that are either whole or absent: write beside, fsync, rename."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from tinynas.errors import ExternalError


class StorageError(ExternalError):
    """The disk refused a write: full, read-only, over quota. What was written before is intact."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a reader, or a run killed at any moment, sees the old or the new file.

    Raises:
        StorageError: the disk is full or not writable; `path` is unchanged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        fsync_directory(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error


def fsync_directory(path: Path) -> None:
    """Make a rename or a new file in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(path: Path, error: OSError) -> StorageError:
    """One line for a failed write, with what to do."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    remedy = "make room, then the same command continues the run" if full else "choose another place, or mend that one"
    return StorageError(f"cannot write {path}: {error.strerror or error}; {remedy}")
