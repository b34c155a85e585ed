"""From a generated model and kernels to a linked firmware image for one board."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jinja2

from tinynas.kernels import KERNEL_FLAGS, MODEL_FLAGS
from tinynas.targets import RUNTIME_FLAGS, TOOLCHAIN_FLAGS, Board, Region, Reserve, resource_path

from ._cache import private_cache
from ._elf import Image, read_image
from ._errors import DoesNotFitError, NoFirmwareError, ReserveError, ToolchainError
from ._toolchain import Toolchain, ToolFailedError

_NAME_LENGTH = 31  # TN_NAME_BYTES in firmware/runtime/identity.h, less the zero behind it
_COMPILE_JOBS = 2

# ld.lld: "section '.arena' will not fit in region 'sram': overflowed by 16 bytes"
# GNU ld: "region `sram' overflowed by 16 bytes"
_OVERFLOW = re.compile(r"region [`'](\w+)'(?::)? overflowed by (\d+) bytes")


@dataclass(frozen=True)
class Firmware:
    """A linked image and what it takes of the board.

    Attributes:
        elf: the image.
        flash_bytes: from the first byte of the code region to the last one used: vectors, code, constants, initial
            values of .data, and the gaps between them.
        static_sram_bytes: .data, .bss, the frame buffer and the arena. The stack is not in it.
        stack_bytes: what the layout sets aside for the stack.
        region_usage: region name -> bytes taken, the stack included.
        section_bytes: section name -> bytes.
        function_bytes: function name -> bytes, for every function that was linked.
        build_id: identifies sources and compiler; the device reports it.
        toolchain: name and version.
    """

    elf: Path
    flash_bytes: int
    static_sram_bytes: int
    stack_bytes: int
    region_usage: Mapping[str, int]
    section_bytes: Mapping[str, int]
    function_bytes: Mapping[str, int]
    build_id: int
    toolchain: str


@dataclass(frozen=True)
class _Unit:
    """One compilation: a source, its flags, where it looks for headers, and whether other models use its object too."""

    source: Path
    flags: tuple[str, ...]
    includes: tuple[Path, ...]
    is_shared: bool = True

    def digest(self, tool: str, core: str) -> str:
        """Hash of everything the object depends on: tool, flags, source, and every header that could be included."""
        state = hashlib.sha256()
        for part in (tool, core, *self.flags, self.source.name):
            state.update(part.encode() + b"\0")
        state.update(self.source.read_bytes())
        headers = sorted(self.source.parent.glob("*.h"))
        for folder in self.includes:
            headers += sorted(folder.rglob("*.h"))
        for header in headers:
            state.update(header.name.encode() + b"\0" + header.read_bytes())
        return state.hexdigest()


def build_firmware(
    board: Board,
    model_directory: Path,
    kernel_sources: Sequence[Path],
    toolchain: Toolchain,
    out: Path,
    *,
    reserve: Reserve | None = None,
    cache: Path | None = None,
) -> Firmware:
    """Compile and link the firmware of `board` with one generated model.

    Args:
        model_directory: holds `model.h` and the generated C files.
        kernel_sources: the kernels that the model calls.
        out: folder that receives `firmware.elf`, `firmware.ld` and, in `objects`, the model's object files.
        reserve: memory to be left free for the user's application; the linker enforces it.
        cache: folder for the objects of runtime and kernels, by content, shared by all models. A private one in the
            temporary directory by default.

    Raises:
        NoFirmwareError: the board has no HAL.
        ToolchainError: the compiler is missing or refuses a source.
        DoesNotFitError: a memory region is too small.
        ReserveError: more is reserved than the board has.
    """
    if board.hal is None:
        raise NoFirmwareError(f"board {board.name} has no firmware: it exists to count memory only")
    out.mkdir(parents=True, exist_ok=True)
    cache = cache if cache is not None else private_cache()
    version = toolchain.version()
    tool = " ".join((version, *TOOLCHAIN_FLAGS[toolchain.name]))
    anonymous = _units(board, board.hal, model_directory, kernel_sources, build_id=None)
    hashes = "".join(unit.digest(tool, board.core.name) for unit in anonymous)
    build_id = int(hashlib.sha256((hashes + board.name).encode()).hexdigest()[:8], 16)
    units = _units(board, board.hal, model_directory, kernel_sources, build_id=build_id)
    objects = _compile_all(units, board, toolchain, tool, cache, out / "objects")
    script = out / "firmware.ld"
    script.write_text(linker_script(board, reserve or Reserve()), encoding="utf-8")
    elf = out / "firmware.elf"
    try:
        toolchain.link(board.core, objects, script, elf)
    except ToolFailedError as error:
        raise _explain_link_failure(error, board, reserve or Reserve()) from error
    return describe_firmware(board, read_image(elf), build_id=build_id, toolchain=version)


def describe_firmware(board: Board, image: Image, *, build_id: int, toolchain: str) -> Firmware:
    """Measure a linked image against the regions of `board`."""
    usage = image.region_usage(board)
    sections = {name: section.size_bytes for name, section in image.sections.items()}
    writable = {".data", ".bss", ".buffers", ".arena"}
    return Firmware(
        elf=image.path,
        flash_bytes=usage[board.layout.code],
        static_sram_bytes=sum(size for name, size in sections.items() if name in writable),
        stack_bytes=sections.get(".stack", 0),
        region_usage=usage,
        section_bytes=sections,
        function_bytes={symbol.name: symbol.size_bytes for symbol in image.symbols.values() if symbol.is_function},
        build_id=build_id,
        toolchain=toolchain,
    )


def linker_script(board: Board, reserve: Reserve) -> str:
    """Write the linker script of `board`, its regions shortened by what the user reserves."""
    template = (resource_path("firmware") / "linker" / "firmware.ld.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(template).render(
        board=board, layout=board.layout, reserved=_reserved(board, reserve)
    )


def _reserved(board: Board, reserve: Reserve) -> dict[str, int]:
    reserved = dict.fromkeys((region.name for region in board.regions), 0)
    reserved[board.layout.arena] += reserve.sram_bytes
    reserved[board.layout.code] += reserve.flash_bytes
    for region in board.regions:
        if reserved[region.name] >= region.size_bytes:
            raise ReserveError(
                f"{reserved[region.name]} bytes are reserved in region {region.name!r} of {board.name}, which holds "
                f"{region.size_bytes}: reserve less"
            )
    return reserved


def _units(board: Board, hal: str, model: Path, kernels: Sequence[Path], *, build_id: int | None) -> list[_Unit]:
    firmware = resource_path("firmware")
    runtime, hals = firmware / "runtime", firmware / "hal"
    libc = runtime / "libc"
    core = f"-D{board.core.macro}"
    baud = board.serial.baud if board.serial is not None else 115200
    hardware = (core, f"-DTN_CLOCK_HZ={board.clock_hz}u", f"-DTN_BAUD={baud}u")
    identity: tuple[str, ...] = (
        f'-DTN_BOARD_NAME="{board.name[:_NAME_LENGTH]}"',
        f'-DTN_MODEL_LABEL="{_model_name(model)}"',
    )
    if build_id is not None:
        identity += (f"-DTN_BUILD_ID={build_id}u",)
    runtime_includes = (libc, runtime, hals)
    kernel_includes = (libc, firmware / "kernels")  # kernels find their headers themselves
    model_includes = (libc, firmware, hals, model)
    units = [
        _Unit(
            source, (*RUNTIME_FLAGS, core, *(("-fno-builtin",) if source.name == "memory.c" else ())), runtime_includes
        )
        for source in sorted(runtime.glob("*.c"))
        if source.name != "identity.c"
    ]
    units.append(_Unit(runtime / "identity.c", (*RUNTIME_FLAGS, *identity), (*runtime_includes, model), False))
    units.append(_Unit(hals / hal / "hal.c", (*RUNTIME_FLAGS, *hardware), runtime_includes))
    units += [_Unit(source, KERNEL_FLAGS, kernel_includes) for source in kernels]
    units += [_Unit(source, MODEL_FLAGS, model_includes, False) for source in sorted(model.glob("*.c"))]
    units.append(_Unit(model / "model.c", (*MODEL_FLAGS, "-DTN_PROFILE"), model_includes, False))
    return units


def _model_name(model: Path) -> str:
    header = model / "model.h"
    if not header.is_file():
        raise ToolchainError(f"{header} does not exist: generate the model's C code first")
    found = re.search(r'#define\s+TN_MODEL_NAME\s+"([^"]*)"', header.read_text(encoding="utf-8"))
    name = found.group(1) if found is not None else "model"
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:_NAME_LENGTH]


def _compile_all(
    units: Sequence[_Unit], board: Board, toolchain: Toolchain, tool: str, shared: Path, own: Path
) -> list[Path]:
    """Compile what has no object yet: into `shared` what other models use too, into `own` the rest."""
    shared.mkdir(parents=True, exist_ok=True)
    own.mkdir(exist_ok=True)

    def compile_one(unit: _Unit) -> Path:
        folder = shared if unit.is_shared else own
        target = folder / f"{unit.source.stem}-{unit.digest(tool, board.core.name)[:24]}.o"
        if not target.is_file():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                output = Path(scratch) / target.name
                includes = [f"-I{folder}" for folder in unit.includes]
                toolchain.compile(board.core, unit.source, output, [*unit.flags, *includes])
                output.replace(target)  # atomic: another process may build the same object
        return target

    with ThreadPoolExecutor(_COMPILE_JOBS) as pool:
        objects = list(pool.map(compile_one, units))
    for stale in set(own.glob("*.o")).difference(objects):
        stale.unlink()
    return objects


def _explain_link_failure(error: ToolFailedError, board: Board, reserve: Reserve) -> Exception:
    overflows: dict[str, int] = {}
    for overflown, missing in _OVERFLOW.findall(error.output):
        overflows[overflown] = max(overflows.get(overflown, 0), int(missing))
    if not overflows:
        return ToolchainError(str(error))
    name, missing_bytes = max(overflows.items(), key=lambda item: item[1])
    region: Region = board.region(name)
    return DoesNotFitError(board.name, name, region.size_bytes - _reserved(board, reserve)[name], missing_bytes)
