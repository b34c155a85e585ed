"""Where compiled objects are kept between builds."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ._errors import ToolchainError


def private_cache() -> Path:
    """Return a folder in the temporary directory that only this user can write: what lies in it is linked and loaded.

    Raises `ToolchainError` when somebody else made it or can write to it.
    """
    if not hasattr(os, "getuid"):  # Windows: the temporary directory belongs to the user
        folder = Path(tempfile.gettempdir()) / "tinynas-objects"
        folder.mkdir(exist_ok=True)
        return folder
    folder = Path(tempfile.gettempdir()) / f"tinynas-objects-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise ToolchainError(f"{folder} can be written by others: remove it, or name another cache folder")
    return folder
