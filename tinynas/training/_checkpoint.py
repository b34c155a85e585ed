"""Checkpoints: tensors and plain values, written atomically, read without executing anything."""

from __future__ import annotations

import io
import os
import pickle
import time
from pathlib import Path
from typing import Any

import torch

from tinynas.errors import ExternalError

CHECKPOINT_SECONDS = 30.0
"""Longest stretch of training that a killed process can lose."""


class CheckpointError(ExternalError):
    """A checkpoint that cannot be read, or that belongs to another run."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors, numbers, strings) to `path`: temporary file, fsync, rename.

    Raises:
        CheckpointError: the file cannot be written.
    """
    content = io.BytesIO()
    torch.save(state, content)  # given a file on a full disk, it would raise an error of its own that names no cause
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(
            f"cannot write checkpoint {path}: {error.strerror or error}; make room there, then start again: "
            "it continues from the last checkpoint"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint with torch's restricted unpickler (`weights_only`).

    Raises:
        CheckpointError: the file is missing, truncated or holds anything but tensors and plain values.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise CheckpointError(
            f"cannot read checkpoint {path}: delete it to start anew ({type(error).__name__})"
        ) from error
    if not isinstance(state, dict):
        raise CheckpointError(f"cannot read checkpoint {path}: delete it to start anew (it holds no dictionary)")
    return state


class CheckpointClock:
    """Says when the next checkpoint is due; timing never influences what is computed, only when it is saved."""

    def __init__(self, interval_seconds: float = CHECKPOINT_SECONDS) -> None:
        self._interval = interval_seconds
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether the interval has passed since the last time this was true."""
        now = time.monotonic()
        if now - self._last < self._interval:
            return False
        self._last = now
        return True
