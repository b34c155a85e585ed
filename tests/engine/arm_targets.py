"""Compiling for the microcontrollers: the targets, and what object files hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile
from host_models import INCLUDE, WARNINGS, zig

from tinynas.kernels import MODEL_FLAGS

ARM_TARGETS = {
    "cortex-m0plus": ("thumb-freestanding-eabi", "cortex_m0plus"),
    "cortex-m4": ("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
    "cortex-m7": ("thumb-freestanding-eabihf", "cortex_m7+fp_armv8d16sp"),
    "cortex-m33": ("thumb-freestanding-eabihf", "cortex_m33+fp_armv8d16sp+dsp"),
}
_FREESTANDING = ("-ffreestanding", "-fno-sanitize=undefined", "-fomit-frame-pointer", "-fno-unwind-tables")
_SECTIONS = ("-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables", "-g0")


def compile_for(core: str, sources: Sequence[Path], output: Path, *flags: str) -> None:
    """One relocatable object of all sources: zig merges them, and takes long to start."""
    triple, cpu = ARM_TARGETS[core]
    common = (*WARNINGS, *MODEL_FLAGS, *_FREESTANDING, *_SECTIONS, f"-I{INCLUDE}")
    zig("-target", triple, f"-mcpu={cpu}", *common, *flags, "-c", *sources, "-o", output)


def section_bytes(path: Path, prefix: str) -> int:
    """Bytes of all sections whose name starts with `prefix`."""
    with path.open("rb") as file:
        return sum(s["sh_size"] for s in ELFFile(file).iter_sections() if s.name.startswith(prefix))


def undefined_symbols(path: Path) -> set[str]:
    """Names the object needs from elsewhere."""
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {s.name for s in table.iter_symbols() if s["st_shndx"] == "SHN_UNDEF" and s.name}
