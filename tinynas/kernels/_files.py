"""The C files of kernels: where they lie, what they include, and a hash that changes when their code does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tinynas.targets import resource_path

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DIGITS = 16


def kernel_folder() -> Path:
    """The folder with a folder for each family of kernels."""
    return resource_path("firmware") / "kernels"


def with_headers(sources: Iterable[Path]) -> tuple[Path, ...]:
    """Some C files and all headers of kernels that they include, directly or not, sorted.

    Kernels name headers relative to the file that includes them, so that they need no include path.
    """
    found: set[Path] = set()
    left = [path.resolve() for path in sources]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _read(path).headers
    return tuple(sorted(found))


def code_of(text: str) -> str:
    """C code, or a template of it, without comments and white space, which change no code."""
    return " ".join(_COMMENT.sub(" ", text).split())


def code_hash(paths: Iterable[Path], flags: Iterable[str]) -> str:
    """A hash over the code of some files and compiler flags.

    Where the files and their headers lie is not in it, nor which headers they include: their code counts instead.
    """
    state = hashlib.sha256(" ".join(flags).encode())
    for name, code in sorted((path.name, _read(path).code) for path in paths):
        state.update(f"{name}\0{code}\0".encode())
    return state.hexdigest()[:_DIGITS]


@dataclass(frozen=True)
class _File:
    code: str
    headers: tuple[Path, ...]


@lru_cache(maxsize=512)
def _read(path: Path) -> _File:
    """A file, read once in a process: kernels share most of their headers."""
    text = path.read_text(encoding="utf-8")
    headers = tuple((path.parent / name).resolve() for name in _INCLUDE.findall(text))
    return _File(code_of(_INCLUDE.sub(" ", text)), headers)
