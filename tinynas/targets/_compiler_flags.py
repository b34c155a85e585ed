"""What compilers are told to build firmware, whatever the core and the file. Kernels' own flags belong to lowering."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_COMMON_FLAGS = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wconversion",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    "-fomit-frame-pointer",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-fno-stack-protector",
)

# zig adds UBSan checks of its own where the optimization level does not forbid them.
_ZIG_FLAGS = ("-fno-sanitize=undefined",)

# GCC would turn byte loops into calls of memcpy and memset, and vectorize halfwords: no longer the loops that were
# written, whose trips explain the instructions. Jump tables are calls into libgcc on Armv6-M.
_GCC_FLAGS = ("-fno-tree-loop-distribute-patterns", "-fno-tree-vectorize", "-fno-jump-tables")

TOOLCHAIN_FLAGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"zig": (*_COMMON_FLAGS, *_ZIG_FLAGS), "gcc": (*_COMMON_FLAGS, *_GCC_FLAGS)}
)
"""By the toolchain's name: flags for every file."""

RUNTIME_FLAGS: tuple[str, ...] = ("-Os",)
"""Flags for the runtime and the HALs: kernels are where the time goes, the runtime is where flash can be saved."""
