"""Reading linked images: how much of each memory region is taken, by which section and by which function."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tinynas.errors import UsageError
from tinynas.targets import Board


class ImageError(UsageError):
    """A file is not a firmware image for this board."""


@dataclass(frozen=True)
class Symbol:
    """A function or object. `address` has the Thumb bit removed; `file` is where one lies that others cannot name."""

    name: str
    address: int
    size_bytes: int
    is_function: bool
    file: str = ""


@dataclass(frozen=True)
class Section:
    """An allocated section. `load_address` differs from `address` for .data, whose initial values lie in flash."""

    name: str
    address: int
    load_address: int
    size_bytes: int
    has_contents: bool


@dataclass(frozen=True)
class Segment:
    """Bytes to be written at `address` before the reset."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Image:
    """A linked firmware image. `code_ranges` are the (first, end) addresses that hold Thumb instructions."""

    path: Path
    sections: Mapping[str, Section]
    symbols: Mapping[str, Symbol]
    segments: tuple[Segment, ...]
    code_ranges: tuple[tuple[int, int], ...]
    _functions: tuple[Symbol, ...]

    def symbol_at(self, address: int) -> str:
        """Return "function+0x12" for the nearest function at or below `address`."""
        function = self.function_at(address)
        if function is None:
            return "no function"
        offset = address - function.address
        return f"{function.name}+0x{offset:x}" if offset else function.name

    def function_at(self, address: int) -> Symbol | None:
        """Return the function that lies around `address`."""
        index = bisect.bisect_right(self._functions, address, key=lambda function: function.address) - 1
        if index < 0:
            return None
        function = self._functions[index]
        return function if address - function.address < max(function.size_bytes, 2) else None

    def region_usage(self, board: Board) -> dict[str, int]:
        """Return the bytes taken in each region, from its first byte to the last one used, gaps included."""
        usage = dict.fromkeys((region.name for region in board.regions), 0)
        for section in self.sections.values():
            places = [section.address]
            if section.has_contents and section.load_address != section.address:
                places.append(section.load_address)
            for start in places:
                for region in board.regions:
                    if region.address <= start < region.end:
                        usage[region.name] = max(usage[region.name], start + section.size_bytes - region.address)
        return usage


def read_image(path: Path) -> Image:
    """Read an ELF file. Raises `ImageError` when it is not a 32-bit Arm ELF file."""
    try:
        with path.open("rb") as stream:
            return _read(path, ELFFile(stream))
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    except ELFError as error:
        raise ImageError(f"{path}: not an ELF file: {error}") from error


def _read(path: Path, elf: ELFFile) -> Image:
    if elf["e_machine"] != "EM_ARM" or elf.elfclass != 32:
        raise ImageError(f"{path}: not a 32-bit Arm image")
    loads = [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
    sections = {}
    for section in elf.iter_sections():
        if not section["sh_flags"] & 0x2 or section["sh_size"] == 0:  # SHF_ALLOC
            continue
        has_contents = section["sh_type"] != "SHT_NOBITS"
        load_address = section["sh_addr"]
        for segment in loads:
            if has_contents and segment.section_in_segment(section):
                load_address = segment["p_paddr"] + section["sh_addr"] - segment["p_vaddr"]
        sections[section.name] = Section(
            section.name, section["sh_addr"], load_address, section["sh_size"], has_contents
        )
    symbols = _symbols(elf)
    functions = tuple(sorted((s for s in symbols if s.is_function), key=lambda symbol: symbol.address))
    segments = tuple(Segment(load["p_paddr"], load.data()) for load in loads if load["p_filesz"])
    by_name = {symbol.name: symbol for symbol in symbols}
    return Image(path, sections, by_name, segments, _code_ranges(elf), functions)


def _symbols(elf: ELFFile) -> list[Symbol]:
    """All symbols. Those of several files may share a name."""
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return []
    symbols, file = [], ""
    for symbol in table.iter_symbols():
        kind = symbol["st_info"]["type"]
        if kind == "STT_FILE":  # what is local to a file stands behind its name
            file = symbol.name
        if not symbol.name or symbol["st_shndx"] == "SHN_UNDEF" or kind in ("STT_FILE", "STT_SECTION"):
            continue
        if symbol.name.startswith("$"):  # mapping symbols mark code and data, they name nothing
            continue
        is_function = kind == "STT_FUNC"
        address = symbol["st_value"] & ~1 if is_function else symbol["st_value"]
        is_local = symbol["st_info"]["bind"] == "STB_LOCAL"
        symbols.append(Symbol(symbol.name, address, symbol["st_size"], is_function, file if is_local else ""))
    return symbols


def _code_ranges(elf: ELFFile) -> tuple[tuple[int, int], ...]:
    """Return where instructions lie: mapping symbols $t and $d mark where code and literal pools begin (IHI 0044)."""
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return ()
    marks: dict[int, list[tuple[int, str]]] = {}
    for symbol in table.iter_symbols():
        if symbol.name[:2] in ("$t", "$d", "$a") and isinstance(symbol["st_shndx"], int):
            marks.setdefault(symbol["st_shndx"], []).append((symbol["st_value"], symbol.name[:2]))
    ranges = []
    for index, places in marks.items():
        section = elf.get_section(index)
        if not section["sh_flags"] & 0x4:  # SHF_EXECINSTR
            continue
        places.sort()
        ends = [address for address, _ in places[1:]] + [section["sh_addr"] + section["sh_size"]]
        ranges += [
            (start, end) for (start, kind), end in zip(places, ends, strict=True) if kind == "$t" and end > start
        ]
    return tuple(sorted(ranges))
