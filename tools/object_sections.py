"""Read what a linker reads: sections of object files, what they refer to, and the stack frames in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from tinynas.memory import InputSection

_OUTPUTS: tuple[tuple[str, Literal["vectors", "text", "rodata", "data"]], ...] = (
    (".vectors", "vectors"),
    (".text", "text"),
    (".rodata", "rodata"),
    (".data", "data"),
)
_CLONE_NUMBER = re.compile(r"\.\d+")
_ALLOCATED = 0x2  # SHF_ALLOC, ELF specification, figure 4-11


@dataclass(frozen=True)
class ObjectFile:
    """An object file as the linker sees it.

    Attributes:
        source: Name of the source file, unique in the firmware.
        sections: In file order; what they require are local section names or global symbols, unresolved.
        defines: Global symbol -> name of the section that holds it.
        alignments: Section name -> alignment, for all allocated sections, .bss included.
    """

    source: str
    sections: tuple[InputSection, ...]
    defines: Mapping[str, str]
    alignments: Mapping[str, int]


def read_object(path: Path, source: str, frames: Mapping[str, int] | None = None) -> ObjectFile:
    """Read an object file.

    Args:
        path: The file.
        source: What its sections are named after.
        frames: Function -> stack frame, where the compiler wrote them to a file of its own (GCC); read from the
            section .stack_sizes (clang) otherwise.
    """
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        table = elf.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise ValueError(f"{path} has no symbol table")
        names = {index: f"{source}:{section.name}" for index, section in enumerate(elf.iter_sections())}
        references = _references(elf, table, names)
        if frames is None:
            frame_of = dict(_frames_by_section(elf, table, names))
        else:
            frame_of = _frames_by_function(table, names, frames)
        defines: dict[str, str] = {}
        for symbol in table.iter_symbols():
            index = symbol["st_shndx"]
            if not isinstance(index, int):
                continue
            if symbol["st_info"]["bind"] != "STB_LOCAL":
                defines[symbol.name] = names[index]
        sections = []
        alignments = {}
        for index, section in enumerate(elf.iter_sections()):
            if not section["sh_flags"] & _ALLOCATED or section["sh_size"] == 0:
                continue
            alignments[section.name] = max(1, section["sh_addralign"])
            output = next((out for prefix, out in _OUTPUTS if _belongs(section.name, prefix)), None)
            if output is not None:
                sections.append(
                    InputSection(
                        name=names[index],
                        output=output,
                        size_bytes=section["sh_size"],
                        alignment=max(1, section["sh_addralign"]),
                        requires=tuple(references.get(names[index], ())),
                        frame_bytes=frame_of.get(names[index], 0),
                    )
                )
    return ObjectFile(source, tuple(sections), defines, alignments)


def read_stack_usage(text: str) -> dict[str, int]:
    """Function -> stack frame in bytes, from what GCC's -fstack-usage writes.

    A line is `file:line:column:function`, bytes and kind, separated by tabs (GCC manual, "Developer Options").

    Raises:
        ValueError: A frame has no fixed size (alloca, variable length arrays).
    """
    frames = {}
    for line in text.splitlines():
        place, size, kind = line.split("\t")
        if kind != "static":
            raise ValueError(f"{place} has a stack frame of no fixed size ({kind})")
        frames[place.rsplit(":", 1)[-1]] = int(size)
    return frames


def _belongs(section: str, prefix: str) -> bool:
    return section == prefix or section.startswith(prefix + ".")


def _references(elf: ELFFile, table: SymbolTableSection, names: Mapping[int, str]) -> dict[str, dict[str, None]]:
    """Section name -> what its relocations refer to: a section of this file, or a global symbol."""
    found: dict[str, dict[str, None]] = {}
    for section in elf.iter_sections():
        if not isinstance(section, RelocationSection):
            continue
        user = names[section["sh_info"]]
        for relocation in section.iter_relocations():
            symbol = table.get_symbol(relocation["r_info_sym"])
            index = symbol["st_shndx"]
            found.setdefault(user, {})[names[index] if isinstance(index, int) else symbol.name] = None
    return found


def _frames_by_section(elf: ELFFile, table: SymbolTableSection, names: Mapping[int, str]) -> list[tuple[str, int]]:
    """Stack frames from `.stack_sizes`: pairs of address (relocated) and ULEB128 size (LLVM, CodeGenerator)."""
    relocations = {s["sh_info"]: s for s in elf.iter_sections() if isinstance(s, RelocationSection)}
    frames: list[tuple[str, int]] = []
    for index, section in enumerate(elf.iter_sections()):
        if section.name != ".stack_sizes":
            continue
        function_at = {r["r_offset"]: table.get_symbol(r["r_info_sym"]) for r in relocations[index].iter_relocations()}
        data, offset = section.data(), 0
        while offset < len(data):
            function = function_at[offset]
            size, offset = _uleb128(data, offset + elf.elfclass // 8)
            frames.append((names[function["st_shndx"]], size))
    return frames


def _frames_by_function(
    table: SymbolTableSection, names: Mapping[int, str], frames: Mapping[str, int]
) -> dict[str, int]:
    """Section -> the largest stack frame of its functions.

    Raises:
        ValueError: A function, and every other name of it, has none: the stack would be bounded too low.
    """
    functions: dict[tuple[int, int], list[str]] = {}
    for symbol in table.iter_symbols():
        if symbol["st_info"]["type"] == "STT_FUNC" and isinstance(symbol["st_shndx"], int):
            functions.setdefault((symbol["st_shndx"], symbol["st_value"]), []).append(symbol.name)
    largest: dict[str, int] = {}
    for (index, _), aliases in functions.items():
        # GCC numbers its clones in the object (crc32.constprop.0) and not in the report (crc32.constprop).
        known = [frames[name] for alias in aliases if (name := _CLONE_NUMBER.sub("", alias)) in frames]
        if not known:
            raise ValueError(f"the compiler reports no stack frame of {aliases[0]}")
        largest[names[index]] = max(largest.get(names[index], 0), *known)
    return largest


def _uleb128(data: bytes, offset: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and the offset behind it (DWARF 4, section 7.6)."""
    value = shift = 0
    while True:
        byte = data[offset]
        value |= (byte & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if not byte & 0x80:
            return value, offset


def resolve(objects: Sequence[ObjectFile], generated: Collection[str]) -> list[InputSection]:
    """All sections in link order, with requirements resolved to section names.

    The functions named in `generated` keep their symbol; symbols of the linker script drop out.
    """
    defined = {symbol: section for o in objects for symbol, section in o.defines.items()}
    known = {s.name for o in objects for s in o.sections} | set(generated)
    resolved = []
    for o in objects:
        for s in o.sections:
            targets = (defined.get(r, r) for r in s.requires)
            requires = tuple(dict.fromkeys(t for t in targets if t in known))
            resolved.append(InputSection(s.name, s.output, s.size_bytes, s.alignment, requires, s.frame_bytes))
    return resolved
