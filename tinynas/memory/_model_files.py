"""Fitted memory models as JSON: reading, writing, and noticing that the firmware has moved on."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinynas.compact_json import compact_json
from tinynas.errors import ExternalError, UsageError
from tinynas.kernels import MODEL_FLAGS
from tinynas.memory._image import InputSection
from tinynas.targets import RUNTIME_FLAGS, TOOLCHAIN_FLAGS, Board, resource_path

logger = logging.getLogger(__name__)

KERNELS_FORMAT = "tinynas-kernel-memory/2"
RUNTIME_FORMAT = "tinynas-runtime-memory/1"

_SOURCES = frozenset({".c", ".h", ".j2"})
_TEMPLATES = Path(__file__).parents[1] / "engine" / "templates"  # read, not imported: the engine is a floor above
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


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
    """

    core: str
    toolchain: str
    sections: tuple[InputSection, ...]
    entry_of: Mapping[str, str]
    generated: tuple[GeneratedFunction, ...]
    arena_alignment: int
    provenance: Mapping[str, Any]


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
        document["generated"] = tuple(
            GeneratedFunction(**{**entry, "requires": tuple(entry["requires"])}) for entry in document["generated"]
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


def firmware_hash() -> str:
    """SHA-256 over what an image is made of: the firmware's sources, the templates of generated code, compiler flags.

    A memory model was fitted to them. Comments and white space do not count: they change no code. Nor does what
    selects a core (-mcpu): models are fitted to one core each.
    """
    flags = [*RUNTIME_FLAGS, *MODEL_FLAGS]
    for name in sorted(TOOLCHAIN_FLAGS):
        flags += TOOLCHAIN_FLAGS[name]
    state = hashlib.sha256(" ".join(flags).encode())
    firmware = resource_path("firmware")
    sources = {path.relative_to(firmware).as_posix(): path for path in firmware.rglob("*") if path.suffix in _SOURCES}
    for name, path in sorted((sources | {path.name: path for path in _TEMPLATES.glob("*.[ch].j2")}).items()):
        text = " ".join(_COMMENT.sub(" ", path.read_text(encoding="utf-8")).split())
        state.update(f"{name}\0{text}\0".encode())
    return state.hexdigest()


def is_stale(memory: KernelMemory | RuntimeMemory) -> bool:
    """Whether a model was fitted to other sources of the firmware, or flags, than those here."""
    return bool(memory.provenance.get("firmware_sha256") != firmware_hash())


def warn_if_stale(memory: KernelMemory | RuntimeMemory, path: Path, board: Board, compiler: str | None) -> None:
    """Warn where the firmware's sources or flags, or the compiler if its version is given, differ from the fitted."""
    fitted = memory.provenance
    reasons = []
    if is_stale(memory):
        reasons.append("the firmware's sources or flags have changed since it was fitted")
    if compiler is not None and compiler != fitted.get("compiler"):
        reasons.append(f"it was fitted with {fitted.get('compiler')}, the compiler here is {compiler}")
    if reasons:
        logger.warning(
            "memory model %s is stale: %s; run %s", path.name, " and ".join(reasons), _command(board.argument, path)
        )
