"""Processor cores as validated data: one TOML file of `cores/` for each."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_FOLDER = Path(__file__).with_name("cores")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CycleCounter(_Frozen):
    """`DWT->CYCCNT`, which Armv7-M and Armv8-M Mainline have. Where it is locked, it counts after a key was written."""

    is_locked: bool


class Compilers(_Frozen):
    """What each compiler is told to build for a core: its target, CPU and floating point. GCC also gets `-mthumb`."""

    zig: tuple[str, ...] = Field(min_length=1)
    gcc: tuple[str, ...] = Field(min_length=1)


class Core(_Frozen):
    """One processor core: everything that depends on the core alone.

    Attributes:
        name: the key in `CORES` and in board files.
        architecture: Arm's name of the instruction set ("armv6-m", "armv7e-m", ...), or "x86-64".
        instruction_set: what it offers to kernels: a `tinynas.kernels.InstructionSet`.
        has_dsp: the SIMD and saturating instructions of the DSP extension exist (SMLAD, SXTB16, SSAT16, ...).
        has_fpu: single precision hardware floating point exists.
        pointer_bytes: size of a pointer, which TFLM's structures depend on.
        emulator: the emulator's name of the core, None where it has none.
        timing: the file of `timings/` with the cycles of its instructions; None where Arm publishes none.
        cycle_counter: None where there is none.
        compilers: None where no firmware is built.
        sources: the documents that say so.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    architecture: str
    instruction_set: Literal["dsp", "armv6-m", "portable"]
    has_dsp: bool
    has_fpu: bool
    pointer_bytes: Literal[4, 8]
    emulator: str | None = None
    timing: str | None = None
    cycle_counter: CycleCounter | None = None
    compilers: Compilers | None = None
    sources: tuple[str, ...] = Field(min_length=1)

    @property
    def macro(self) -> str:
        """What is defined where the runtime and the HALs are compiled for it."""
        return "TN_CORE_" + re.sub(r"\W", "_", self.name).upper()


class _Cores(Mapping[str, Core]):
    """The cores by name, sorted. The files are read when the first one is asked for."""

    def __getitem__(self, name: str) -> Core:
        return _read_cores()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_read_cores())

    def __len__(self) -> int:
        return len(_read_cores())


@functools.cache
def _read_cores() -> Mapping[str, Core]:
    paths = sorted(_FOLDER.glob("*.toml"), key=lambda path: path.stem)
    return MappingProxyType(
        {path.stem: Core.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))) for path in paths}
    )


CORES: Mapping[str, Core] = _Cores()
"""Every core by its name."""
