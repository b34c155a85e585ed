"""Compiling for the microcontrollers: the targets, and what object files hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile
from host_models import INCLUDE, WARNINGS, zig

from tinynas.kernels import MODEL_FLAGS
from tinynas.targets import CORES, reference_boards

ARM_TARGETS = sorted(reference_boards())
_FREESTANDING = ("-ffreestanding", "-fno-sanitize=undefined", "-fomit-frame-pointer", "-fno-unwind-tables")
_SECTIONS = ("-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables", "-g0")


def compile_for(core: str, sources: Sequence[Path], output: Path, *flags: str) -> None:
    """One relocatable object of all sources: zig merges them, and takes long to start."""
    compilers = CORES[core].compilers
    assert compilers is not None
    common = (*WARNINGS, *MODEL_FLAGS, *_FREESTANDING, *_SECTIONS, f"-I{INCLUDE}")
    zig(*compilers.zig, *common, *flags, "-c", *sources, "-o", output)


def section_bytes(path: Path, prefix: str) -> int:
    """Bytes of all sections whose name starts with `prefix`."""
    with path.open("rb") as file:
        return sum(s["sh_size"] for s in ELFFile(file).iter_sections() if s.name.startswith(prefix))


def undefined_symbols(path: Path) -> set[str]:
    """Names the object needs from elsewhere."""
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {s.name for s in table.iter_symbols() if s["st_shndx"] == "SHN_UNDEF" and s.name}
