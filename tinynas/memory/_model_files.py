"""Fitted memory models as JSON: reading, writing, and noticing that the firmware has moved on."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinynas.compact_json import compact_json
from tinynas.errors import ExternalError, UsageError
from tinynas.kernels.streaming import STREAM_ROWS
from tinynas.memory._image import InputSection
from tinynas.memory._sources import changed_sources, kernel_hashes, runtime_hashes, say_changed
from tinynas.targets import Board, resource_path

logger = logging.getLogger(__name__)

KERNELS_FORMAT = "tinynas-kernel-memory/2"
RUNTIME_FORMAT = "tinynas-runtime-memory/1"

STREAMED_KERNELS = "streamed kernels"
"""What stands for the kernels that a streamed segment calls, among what its kernel refers to: a table in the constants
names them. Any kernel of the network may be one."""


class MissingMemoryModelError(ExternalError):
    """No fitted memory model for this board and toolchain."""


class MemoryModelFileError(UsageError):
    """A file that is not a memory model."""


@dataclass(frozen=True)
class GeneratedFunction:
    """A function of the generated model.c whose size depends on the number of steps only.

    Attributes:
        name: Its symbol.
        base_bytes: Code that does not depend on the network.
        step_bytes: Code per step.
        error_bytes: The largest difference from a compiled function among the probe networks.
        alignment: Of its section.
        frame_bytes: Its stack frame.
        requires: Sections it refers to beside the calls.
        calls_kernels: Whether it makes the network's calls.
    """

    name: str
    base_bytes: int
    step_bytes: int
    error_bytes: int
    alignment: int
    frame_bytes: int
    requires: tuple[str, ...]
    calls_kernels: bool


@dataclass(frozen=True)
class KernelMemory:
    """What kernels and generated calls take: depends on core and toolchain.

    Attributes:
        sections: Of the kernels, and behind them of the generated functions that call one kernel each.
        entry_of: Variant -> the section of the function that calls its kernel.
        generated: The other generated functions, in link order.
        pushed: The same where the input comes row by row.
    """

    core: str
    toolchain: str
    sections: tuple[InputSection, ...]
    entry_of: Mapping[str, str]
    generated: tuple[GeneratedFunction, ...]
    pushed: tuple[GeneratedFunction, ...]
    arena_alignment: int
    provenance: Mapping[str, Any]

    def generated_for(self, variants: Collection[str]) -> tuple[GeneratedFunction, ...]:
        """The other generated functions of a network of these kernels."""
        return self.pushed if STREAM_ROWS.name in variants else self.generated

    def calls(self, variants: Collection[str], streamed: Collection[str]) -> dict[str, tuple[str, ...]]:
        """What the generated functions of a network of these kernels refer to, and what its segments call.

        Args:
            variants: All kernels.
            streamed: Those of the layers of segments.
        """
        entries = {variant: self.entry_of[variant] for variant in sorted(variants)}
        found = {
            f.name: (*f.requires, *(entries.values() if f.calls_kernels else ())) for f in self.generated_for(variants)
        }
        return found | {STREAMED_KERNELS: tuple(entries[variant] for variant in sorted(streamed))}


@dataclass(frozen=True)
class RuntimeMemory:
    """What runtime and HAL take: depends on HAL, core and toolchain. Alignments are those of the output sections."""

    hal: str
    core: str
    toolchain: str
    sections: tuple[InputSection, ...]
    entry: str
    stack_root: str
    data_bytes: int
    data_alignment: int
    bss_bytes: int
    bss_alignment: int
    buffers_bytes: int
    buffers_alignment: int
    provenance: Mapping[str, Any]


def kernel_memory_path(core: str, toolchain: str, folder: Path | None = None) -> Path:
    """Where the model of a core's kernels lies; `folder` defaults to the models that ship."""
    return (folder or resource_path("memory_models")) / f"native-{core}-{toolchain}.json"


def runtime_memory_path(hal: str, core: str, toolchain: str, folder: Path | None = None) -> Path:
    """Where the model of a HAL and the runtime on it lies; `folder` defaults to the models that ship."""
    return (folder or resource_path("memory_models")) / f"hal-{hal}-{core}-{toolchain}.json"


def save_memory(memory: KernelMemory | RuntimeMemory, path: Path) -> None:
    """Write a fitted model as JSON."""
    kind = KERNELS_FORMAT if isinstance(memory, KernelMemory) else RUNTIME_FORMAT
    path.write_text(compact_json({"format": kind, **asdict(memory)}), encoding="utf-8")


def load_kernel_memory(path: Path, board: str) -> KernelMemory:
    """Read the model of a core's kernels.

    Raises:
        MissingMemoryModelError: There is none.
        MemoryModelFileError: The file is something else.
    """
    document = _read(path, KERNELS_FORMAT, board)
    try:
        document["sections"] = _sections(document["sections"])
        for kind in ("generated", "pushed"):
            document[kind] = tuple(
                GeneratedFunction(**{**entry, "requires": tuple(entry["requires"])}) for entry in document[kind]
            )
        return KernelMemory(**document)
    except (KeyError, TypeError) as error:
        raise MemoryModelFileError(f"{path}: not a complete memory model ({error}); regenerate it") from error


def load_runtime_memory(path: Path, board: str) -> RuntimeMemory:
    """Read the model of a HAL and the runtime on it. Raises as `load_kernel_memory`."""
    document = _read(path, RUNTIME_FORMAT, board)
    try:
        document["sections"] = _sections(document["sections"])
        return RuntimeMemory(**document)
    except (KeyError, TypeError) as error:
        raise MemoryModelFileError(f"{path}: not a complete memory model ({error}); regenerate it") from error


def _sections(entries: list[dict[str, Any]]) -> tuple[InputSection, ...]:
    return tuple(InputSection(**{**entry, "requires": tuple(entry["requires"])}) for entry in entries)


def _read(path: Path, kind: str, board: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingMemoryModelError(f"no memory model {path.name}: run {_command(board, path)}") from error
    except OSError as error:
        raise MissingMemoryModelError(f"cannot read the memory model {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise MemoryModelFileError(f"{path}: not JSON (line {error.lineno}); regenerate it") from error
    if not isinstance(document, dict) or document.pop("format", None) != kind:
        raise MemoryModelFileError(f"{path}: not a memory model of format {kind}; regenerate it")
    return document


def _command(board: str, path: Path) -> str:
    """What makes the model at `path` anew: file names end in the toolchain."""
    toolchain = path.stem.rsplit("-", 1)[-1]
    return f"tools/regenerate_memory_model.py --board {board} --toolchain {toolchain} --virtual"


def stale_sources(memory: KernelMemory | RuntimeMemory) -> tuple[str, ...]:
    """Of what a model was fitted to, kernels for example, that which has changed since."""
    now = kernel_hashes() if isinstance(memory, KernelMemory) else runtime_hashes(memory.hal)
    return changed_sources(memory.provenance, now)


def warn_if_stale(memory: KernelMemory | RuntimeMemory, path: Path, board: Board, compiler: str | None) -> None:
    """Warn where sources or flags, or the compiler if its version is given, differ from the fitted."""
    fitted = memory.provenance
    reasons = []
    if changed := stale_sources(memory):
        reasons.append(say_changed(changed))
    if compiler is not None and compiler != fitted.get("compiler"):
        reasons.append(f"it was fitted with {fitted.get('compiler')}, the compiler here is {compiler}")
    if reasons:
        logger.warning(
            "memory model %s is stale: %s; run %s", path.name, " and ".join(reasons), _command(board.argument, path)
        )
