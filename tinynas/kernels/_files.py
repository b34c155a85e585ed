"""The C files of kernels: where they lie, and what they include."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tinynas.targets import resource_path

_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


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
            text = path.read_text(encoding="utf-8")
            left += [(path.parent / name).resolve() for name in _INCLUDE.findall(text)]
    return tuple(sorted(found))
