"""The `tflite-micro` wheel as an oracle: what its interpreter reports of its arena."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tinynas.testing._runtimes import load_tflm

_LINE = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes|'(.*)' used (\d+) bytes")


@dataclass(frozen=True)
class TflmArena:
    """What `print_allocations()` prints: bytes, and bytes by category."""

    total: int
    head: int
    tail: int
    categories: dict[str, int]


@contextmanager
def _captured() -> Iterator[list[str]]:
    """Collects what C++ writes to the descriptors of stdout and stderr."""
    text: list[str] = []
    with tempfile.TemporaryFile() as file:
        saved = [os.dup(1), os.dup(2)]
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            yield text
        finally:
            for descriptor, copy in zip((1, 2), saved, strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
            file.seek(0)
            text.append(file.read().decode())


def _interpreter(model: bytes, arena_bytes: int = 1 << 22) -> Any:
    """An interpreter with its tensors allocated. Raises RuntimeError where the arena is too small."""
    with _captured():
        return load_tflm().Interpreter.from_bytes(model, arena_size=arena_bytes)


def tflm_arena(model: bytes) -> TflmArena:
    """The arena of a .tflite file. Raises `MissingExtraError` where the wheel is not installed."""
    loaded = _interpreter(model)
    with _captured() as text:
        loaded.print_allocations()
    sizes: dict[str, int] = {}
    for kind, size, category, used in _LINE.findall(text[0]):
        sizes[kind or category] = int(size or used)
    return TflmArena(sizes.pop("total"), sizes.pop("head"), sizes.pop("tail"), sizes)


def tflm_runs_in(model: bytes, arena_bytes: int) -> bool:
    """Whether the wheel allocates the tensors of a .tflite file in an arena of so many bytes."""
    try:
        _interpreter(model, arena_bytes)
    except RuntimeError:
        return False
    return True
