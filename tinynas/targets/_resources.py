"""Where the data that ships with the package lies: boards, memory models and firmware sources."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resource_path(name: str) -> Path:
    """Return the folder "boards", "memory_models" or "firmware", or the file "LICENSE".

    In an installed wheel it lies inside the package, in a checkout at the repository root.
    """
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.exists() else _PACKAGE.parent / name
